"""`js.crypto`: random numbers and digests. For signatures and ciphers Python has `hmac`, `hashlib` and more."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import uuid
from typing import TypeVar

from holdfast.workers.sdk.buffers import ArrayBuffer, bytes_of
from holdfast.workers.sdk.errors import DOMException

Array = TypeVar("Array", bound=bytearray)

# Web Cryptography §20.1: one call fills at most so many bytes.
MAX_RANDOM_BYTES = 65_536
_DIGESTS = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}
# Digests of more are worked out on another thread, so that the loop goes on.
_LONG_BYTES = 1024 * 1024


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
