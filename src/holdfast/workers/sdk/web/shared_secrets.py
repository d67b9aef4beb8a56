"""Algorithms of Web Cryptography by a secret that both sides know, as far as Python has them itself: HMAC, PBKDF2 and HKDF."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import Any

from holdfast.workers.sdk.buffers import bytes_of
from holdfast.workers.sdk.errors import DOMException
from holdfast.workers.sdk.values import JsDict
from holdfast.workers.sdk.web.crypto_keys import (
    HASHES,
    CryptoKey,
    Unsupported,
    bad_data,
    from_base64url,
    needs_hash,
    to_base64url,
    unsupported,
)

# Of PBKDF2. Precedent: workerd's own limit.
MAX_ITERATIONS = 100_000


def raw_secret(form: str, data: Any) -> bytes:  # noqa: ANN401 - bytes or a JWK
    """A secret of a "raw" key or of a JWK. NotSupportedError, DataError."""
    if form == "raw":
        return bytes_of(data, what="importKey(raw)")
    if form == "jwk":
        if not isinstance(data, Mapping) or data.get("kty") != "oct":
            raise bad_data('Symmetric "jwk" key import requires a JWK with "kty" equal to "oct".')
        return from_base64url(data, "k")
    raise unsupported(f'importKey of a secret as "{form}"')


def secret_saved(key: CryptoKey, form: str) -> Any:  # noqa: ANN401 - bytes or a JWK
    """A secret as "raw" or "jwk"."""
    if form == "raw":
        return key.material
    if form == "jwk":
        return JsDict(kty="oct", k=to_base64url(key.material), ext=True, key_ops=list(key.usages))
    raise unsupported(f'exportKey of a secret as "{form}"')


class Hmac(Unsupported):
    """HMAC (RFC 2104)."""

    def load(self, form: str, data: Any, algorithm: JsDict) -> tuple[str, Any, JsDict]:  # noqa: ANN401 - bytes or a JWK
        """A secret, "raw" or "jwk". DataError for an empty one."""
        secret = raw_secret(form, data)
        if not secret:
            raise bad_data("Imported HMAC key length (0) must be a non-zero value.")
        return "secret", secret, JsDict(needs_hash(algorithm), length=len(secret) * 8)

    def save(self, key: CryptoKey, form: str) -> Any:  # noqa: ANN401 - bytes or a JWK
        """The secret."""
        return secret_saved(key, form)

    def generate(self, algorithm: JsDict) -> tuple[Mapping[str, Any], JsDict]:
        """A secret of `length` bits, else of a block of the hash."""
        block = hashlib.new(HASHES[needs_hash(algorithm)["hash"]["name"]], usedforsecurity=False).block_size
        length = int(algorithm.get("length") or block * 8)
        return {"secret": secrets.token_bytes((length + 7) // 8)}, JsDict(algorithm, length=length)

    def sign(self, key: CryptoKey, algorithm: JsDict, data: bytes) -> bytes:
        """The code."""
        return hmac.digest(key.material, data, key.hash)

    def verify(self, key: CryptoKey, algorithm: JsDict, signature: bytes, data: bytes) -> bool:
        """Compared in even time."""
        return hmac.compare_digest(self.sign(key, algorithm, data), signature)


class Derivation(Unsupported):
    """PBKDF2 (RFC 8018 §5.2) and HKDF (RFC 5869)."""

    def load(self, form: str, data: Any, algorithm: JsDict) -> tuple[str, Any, JsDict]:  # noqa: ANN401 - bytes
        """A password or a secret, "raw"."""
        if form != "raw":
            raise unsupported(f'importKey of {algorithm["name"]} as "{form}"')
        return "secret", bytes_of(data, what="importKey(raw)"), algorithm

    def bits(self, key: CryptoKey, algorithm: JsDict, length: int) -> bytes:
        """By `salt`, and `iterations` or `info`."""
        digest = HASHES[needs_hash(algorithm)["hash"]["name"]]
        salt = bytes_of(algorithm.get("salt", b""), what="salt")
        if key.name == "PBKDF2":
            iterations = int(algorithm.get("iterations") or 0)
            if not 0 < iterations <= MAX_ITERATIONS:
                raise DOMException(
                    f"Pbkdf2 failed: expected iterations from 1 to {MAX_ITERATIONS}, got {iterations}.",
                    "NotSupportedError",
                )
            return hashlib.pbkdf2_hmac(digest, key.material, salt, iterations, length)
        return _hkdf(digest, key.material, salt, bytes_of(algorithm.get("info", b""), what="info"), length)


def _hkdf(digest: str, secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    size = hashlib.new(digest, usedforsecurity=False).digest_size
    if length > 255 * size:
        raise DOMException(f"HKDF gives at most {255 * size} bytes, asked for {length}.", "OperationError")
    extracted = hmac.digest(salt or bytes(size), secret, digest)
    made = block = b""
    for count in range(1, -(-length // size) + 1):
        block = hmac.digest(extracted, block + info + bytes([count]), digest)
        made += block
    return made[:length]
