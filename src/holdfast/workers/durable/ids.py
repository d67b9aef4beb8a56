"""Ids of Durable Objects: which object a name means, and whether 64 hex digits are an id at all.

An id is 32 bytes. The first 16 are a MAC of the name (or random, for an id without one), the last 16 a MAC of the first, both
under a key that is the hash of the namespace's unique key, `<script>-<Class>`. So an id says of itself that it belongs to its
namespace, and ids and file names are those of workerd.

Law 1: the same name in the same namespace is the same id, for ever; nothing is looked up.
Law 2: no string of another namespace, and no damaged one, is taken.
Law 3: ids are equal by their bytes; what was said of them beside (name, jurisdiction) does not count.
Source: workerd `actor-id-impl.c++`; the error texts are its own.
"""

# The original's methods keep their names.
# ruff: noqa: N802

import hashlib
import hmac
import os
import re

from holdfast.workers.sdk.sending import as_text

HALF_BYTES = 16
JURISDICTIONS = ("eu", "fedramp", "fedramp-high", "us")
_HEX = re.compile(r"[0-9a-fA-F]{64}")


class DurableObjectId:
    """The id of an object: `str(id)` is its 64 hex digits, `name` what it was made from (None for a unique id)."""

    __slots__ = ("_hex", "jurisdiction", "name")

    def __init__(self, digits: str, *, name: str | None = None, jurisdiction: str | None = None) -> None:
        self._hex = digits
        self.name = name
        self.jurisdiction = jurisdiction

    def anew(self) -> "DurableObjectId":
        """The same, in memory that is taken now (`resting`)."""
        # Parts put together: a copy of a str is that str.
        name = self.name if self.name is None else self.name[:1] + self.name[1:]
        return DurableObjectId(
            self._hex[:HALF_BYTES] + self._hex[HALF_BYTES:], name=name, jurisdiction=self.jurisdiction
        )

    def toString(self) -> str:
        """The 64 hex digits."""
        return self._hex

    to_string = toString

    def equals(self, other: object) -> bool:
        """Whether the other is the id of the same object."""
        return self == other

    def __str__(self) -> str:
        return self._hex

    def __repr__(self) -> str:
        return f"DurableObjectId({self._hex})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DurableObjectId) and self._hex == other._hex

    def __hash__(self) -> int:
        return hash(self._hex)


class IdSpace:
    """The ids of one namespace, by its unique key: `<script>-<Class>`."""

    __slots__ = ("_key",)

    def __init__(self, unique_key: str) -> None:
        self._key = hashlib.sha256(unique_key.encode()).digest()

    def from_name(self, name: str | int, *, jurisdiction: str | None = None) -> DurableObjectId:
        """The id that a name means. Raises TypeError where the name is neither text nor number."""
        # Names of a browser may hold lone surrogates; they must not end in an error of an encoding.
        if (text := as_text(name)) is None:
            raise TypeError(f"idFromName(): the name is {type(name).__name__}, a str was expected")
        half = self._mac(text.encode())
        return DurableObjectId(self._whole(half), name=text, jurisdiction=jurisdiction)

    def from_string(self, digits: str, *, jurisdiction: str | None = None) -> DurableObjectId:
        """The id that 64 hex digits are. Raises TypeError, in the original's words, where they are none of this namespace."""
        text = str(digits)
        if not _HEX.fullmatch(text):
            raise TypeError("Invalid Durable Object ID: must be 64 hex digits")
        lower = text.lower()
        if not hmac.compare_digest(self._whole(bytes.fromhex(lower[: 2 * HALF_BYTES])), lower):
            raise TypeError("Durable Object ID is not valid for this namespace.")
        return DurableObjectId(lower, jurisdiction=jurisdiction)

    def unique(self, *, jurisdiction: str | None = None, half: bytes | None = None) -> DurableObjectId:
        """A new id, of 16 random bytes (`half`, where they are given)."""
        return DurableObjectId(self._whole(half or os.urandom(HALF_BYTES)), jurisdiction=jurisdiction)

    def _mac(self, data: bytes) -> bytes:
        return hmac.digest(self._key, data, "sha256")[:HALF_BYTES]

    def _whole(self, half: bytes) -> str:
        return (half + self._mac(half)).hex()
