"""`js.crypto`: random numbers, digests, and keys that sign, verify, encrypt, decrypt and derive.

Law: what may take long (large inputs, new pairs of keys, derivation) is worked out on another thread, so that the loop goes on.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import uuid
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any, TypeVar

from holdfast.workers.sdk.buffers import ArrayBuffer, bytes_of
from holdfast.workers.sdk.errors import DOMException
from holdfast.workers.sdk.values import JsDict, JsList
from holdfast.workers.sdk.web.crypto_keys import CryptoKey, Family, algorithm_of, checked

Made = TypeVar("Made")
Array = TypeVar("Array", bound=bytearray)

# Web Cryptography §20.1: one call fills at most so many bytes.
MAX_RANDOM_BYTES = 65_536
_DIGESTS = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}
# More than this is worked out on another thread.
_LONG_BYTES = 1024 * 1024
# Each algorithm, and the family that has it: by module and class, for few scripts need any.
_FAMILIES = {
    "HMAC": ("shared_secrets", "Hmac"),
    "PBKDF2": ("shared_secrets", "Derivation"),
    "HKDF": ("shared_secrets", "Derivation"),
    "AES-GCM": ("ciphers", "Aes"),
    "AES-CBC": ("ciphers", "Aes"),
    "RSASSA-PKCS1-v1_5": ("ciphers", "Rsa"),
    "RSA-PSS": ("ciphers", "Rsa"),
    "RSA-OAEP": ("ciphers", "Rsa"),
    "ECDSA": ("ciphers", "Ecdsa"),
    "Ed25519": ("ciphers", "Ed25519"),
}
_NAMES = {name.upper(): name for name in _FAMILIES}
_PUBLIC_USAGES = frozenset({"verify", "encrypt", "wrapKey"})
# Of an HMAC key that is derived: a block of its hash (Web Cryptography §29.7.6).
_BLOCK_BITS = {"SHA-1": 512, "SHA-256": 512, "SHA-384": 1024, "SHA-512": 1024}


def _family(algorithm: JsDict) -> Family:
    module, name = _FAMILIES[algorithm["name"]]
    made: Family = getattr(import_module(f"holdfast.workers.sdk.web.{module}"), name)()
    return made


async def _worked_out(work: Callable[..., Made], *args: Any) -> Made:  # noqa: ANN401 - the family's own
    if len(args[-1]) < _LONG_BYTES:
        return work(*args)
    return await asyncio.to_thread(work, *args)


class SubtleCrypto:
    """`js.crypto.subtle`."""

    async def digest(self, algorithm: object, data: object) -> ArrayBuffer:
        """SHA-1, SHA-256, SHA-384, SHA-512 or MD5 of bytes. NotSupportedError for another."""
        name = algorithm.get("name") if isinstance(algorithm, dict) else algorithm
        method = _DIGESTS.get(str(name).upper())
        if method is None:
            raise DOMException(f'Unrecognized or unimplemented digest algorithm "{name}".', "NotSupportedError")
        raw = bytes_of(data, what="digest(algorithm, data)")
        if len(raw) < _LONG_BYTES:
            return ArrayBuffer(hashlib.new(method, raw, usedforsecurity=False).digest())
        made = await asyncio.to_thread(hashlib.new, method, raw, usedforsecurity=False)
        return ArrayBuffer(made.digest())

    async def importKey(  # noqa: N802 - JavaScript's name
        self, form: str, data: object, algorithm: object, extractable: bool, usages: Iterable[str]
    ) -> CryptoKey:
        """A key of bytes ("raw", "spki", "pkcs8") or of a mapping ("jwk"). DataError where it is none, NotSupportedError."""
        told = algorithm_of(algorithm, _NAMES)
        kind, material, known = _family(told).load(str(form), data, told)
        return CryptoKey(kind, known, bool(extractable), JsList(map(str, usages)), material)

    async def exportKey(self, form: str, key: CryptoKey) -> Any:  # noqa: ANN401, N802 - bytes or a JWK
        """Its bytes, or its JWK. InvalidAccessError where it is not extractable."""
        if not key.extractable:
            raise DOMException("Attempt to export non-extractable key.", "InvalidAccessError")
        made = _family(key.algorithm).save(key, str(form))
        return ArrayBuffer(made) if isinstance(made, bytes) else made

    async def generateKey(self, algorithm: object, extractable: bool, usages: Iterable[str]) -> Any:  # noqa: ANN401, N802
        """A new key, or a pair: `privateKey` and `publicKey`, which share the usages as they can use them."""
        told = algorithm_of(algorithm, _NAMES)
        made, known = await asyncio.to_thread(_family(told).generate, told)
        wanted = [str(usage) for usage in usages]
        if "secret" in made:
            return CryptoKey("secret", known, bool(extractable), JsList(wanted), made["secret"])
        public = [usage for usage in wanted if usage in _PUBLIC_USAGES]
        private = [usage for usage in wanted if usage not in _PUBLIC_USAGES]
        return JsDict(
            publicKey=CryptoKey("public", known, True, JsList(public), made["public"]),  # noqa: FBT003 - its own order
            privateKey=CryptoKey("private", known, bool(extractable), JsList(private), made["private"]),
        )

    async def sign(self, algorithm: object, key: CryptoKey, data: object) -> ArrayBuffer:
        """A signature of `data`."""
        told = algorithm_of(algorithm, _NAMES)
        used = checked(key, "sign", told)
        return ArrayBuffer(await _worked_out(_family(told).sign, used, told, bytes_of(data, what="sign(data)")))

    async def verify(self, algorithm: object, key: CryptoKey, signature: object, data: object) -> bool:
        """Whether `signature` is one of `data`."""
        told = algorithm_of(algorithm, _NAMES)
        used = checked(key, "verify", told)
        given = bytes_of(signature, what="verify(signature)")
        return await _worked_out(_family(told).verify, used, told, given, bytes_of(data, what="verify(data)"))

    async def encrypt(self, algorithm: object, key: CryptoKey, data: object) -> ArrayBuffer:
        """`data` encrypted."""
        told = algorithm_of(algorithm, _NAMES)
        used = checked(key, "encrypt", told)
        return ArrayBuffer(await _worked_out(_family(told).encrypt, used, told, bytes_of(data, what="encrypt(data)")))

    async def decrypt(self, algorithm: object, key: CryptoKey, data: object) -> ArrayBuffer:
        """`data` decrypted. OperationError where it does not fit the key."""
        told = algorithm_of(algorithm, _NAMES)
        used = checked(key, "decrypt", told)
        return ArrayBuffer(await _worked_out(_family(told).decrypt, used, told, bytes_of(data, what="decrypt(data)")))

    async def deriveBits(self, algorithm: object, key: CryptoKey, length: int) -> ArrayBuffer:  # noqa: N802
        """`length` bits, whole bytes of them, by PBKDF2 or HKDF."""
        told = algorithm_of(algorithm, _NAMES)
        used = checked(key, "deriveBits", told)
        if length <= 0 or length % 8:
            raise DOMException(f"deriveBits: expected a multiple of 8 bits, got {length}", "OperationError")
        return ArrayBuffer(await asyncio.to_thread(_family(told).bits, used, told, length // 8))

    async def deriveKey(  # noqa: N802 - JavaScript's name
        self, algorithm: object, key: CryptoKey, wanted: object, extractable: bool, usages: Iterable[str]
    ) -> CryptoKey:
        """A key of another algorithm, by PBKDF2 or HKDF."""
        told, target = algorithm_of(algorithm, _NAMES), algorithm_of(wanted, _NAMES)
        used = checked(key, "deriveKey", told)
        length = int(target.get("length") or _BLOCK_BITS.get(target.get("hash", {}).get("name"), 256))
        raw = await asyncio.to_thread(_family(told).bits, used, told, length // 8)
        return await self.importKey("raw", raw, target, extractable, usages)

    def timingSafeEqual(self, one: object, other: object) -> bool:  # noqa: N802 - JavaScript's name
        """Whether two buffers are equal, in a time that does not tell where they differ."""
        first, second = (bytes_of(value, what="timingSafeEqual(a, b)") for value in (one, other))
        if len(first) != len(second):
            raise TypeError("Input buffers must have the same byte length.")
        return hmac.compare_digest(first, second)


class Crypto:
    """`js.crypto`."""

    def __init__(self) -> None:
        self.subtle = SubtleCrypto()

    def randomUUID(self) -> str:  # noqa: N802 - JavaScript's name
        """A random UUID, version 4."""
        return str(uuid.uuid4())

    def getRandomValues(self, array: Array) -> Array:  # noqa: N802 - JavaScript's name
        """Fill a Uint8Array or bytearray with random bytes; the same one. QuotaExceededError beyond 65,536."""
        if not isinstance(array, bytearray):
            raise TypeError(f"getRandomValues(array): expected a Uint8Array, got {type(array).__name__}")
        if len(array) > MAX_RANDOM_BYTES:
            raise DOMException(
                f"getRandomValues() only accepts buffers of size <= 64K but provided {len(array)} bytes.",
                "QuotaExceededError",
            )
        array[:] = secrets.token_bytes(len(array))
        return array


crypto = Crypto()
