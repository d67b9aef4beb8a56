"""Bytes as user code gets them: `bytes` and `bytearray` of Python that answer to the names of JavaScript's buffers too.

Law: an ArrayBuffer is `bytes` (equal, hashable, sliced as such); a typed array is a `bytearray`. Neither copies to convert.
A message is read in either way of the original, whatever `binaryType` says: at once as an ArrayBuffer, awaited as a Blob.
"""

from __future__ import annotations

import base64
from array import array
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from holdfast.workers.sdk.arity import as_many
from holdfast.workers.sdk.array_methods import ArrayMethods, in_order
from holdfast.workers.sdk.errors import JsSyntaxError
from holdfast.workers.sdk.proxied import Constructed

# What user code may hand over where bytes are asked for.
BytesLike: TypeAlias = bytes | bytearray | memoryview


class ArrayBuffer(bytes, Constructed):
    """Binary data that came from outside: a message, a body. It answers to a Blob's names as well."""

    # As a Blob: of no type.
    type = ""

    @classmethod
    def new(cls, length: int = 0) -> ArrayBuffer:
        """`length` zeros, as `js.ArrayBuffer.new(8)`."""
        return cls(length)

    @staticmethod
    def isView(value: object) -> bool:  # noqa: N802 - JavaScript's name
        """Whether it is an array of numbers, or a DataView."""
        return isinstance(value, (bytearray, array)) or type(value).__name__ == "DataView"

    @property
    def byteLength(self) -> int:  # noqa: N802 - JavaScript's name
        """How many bytes."""
        return len(self)

    @property
    def length(self) -> int:
        """How many bytes: what `to_js(b"…")` gives is an array of bytes on the original."""
        return len(self)

    @property
    def buffer(self) -> ArrayBuffer:
        """This: what such an array is a view of."""
        return self

    def to_bytes(self) -> bytes:
        """The bytes."""
        return bytes(self)

    def tobytes(self) -> bytes:
        """The bytes, by the name that a memoryview has for them."""
        return bytes(self)

    def tolist(self) -> list[int]:
        """The numbers, by the name that a memoryview has for them."""
        return list(self)

    def to_py(self, **_options: object) -> memoryview:
        """A view of them, as Pyodide gives."""
        return memoryview(self)

    def to_memoryview(self) -> memoryview:
        """A view of them."""
        return memoryview(self)

    def to_string(self, encoding: str = "utf-8") -> str:
        """Them decoded."""
        return self.decode(encoding)

    def slice(self, start: int = 0, end: int | None = None) -> ArrayBuffer:
        """A copy of a part; negative positions count from the end."""
        return ArrayBuffer(self[start:end])

    @property
    def size(self) -> int:
        """How many bytes, as a Blob says it."""
        return len(self)

    async def arrayBuffer(self) -> ArrayBuffer:  # noqa: N802 - JavaScript's name
        """This."""
        return self

    async def text(self) -> str:
        """It decoded as UTF-8, what is not replaced by U+FFFD."""
        return self.decode("utf-8", "replace")

    # Last: further up it would be taken for the type.
    async def bytes(self) -> ArrayBuffer:
        """This."""
        return self


class Uint8Array(bytearray, ArrayMethods):
    """`js.Uint8Array`: made of a length, of numbers or of bytes. `find` and `join` are `bytearray`'s."""

    BYTES_PER_ELEMENT = 1
    byteOffset = 0  # noqa: N815 - JavaScript's name

    @classmethod
    def new(cls, source: int | Iterable[int] | BytesLike = 0, offset: int = 0, length: int | None = None) -> Uint8Array:
        """A new array; of a buffer optionally a part. A copy, unlike JavaScript's view: buffers here do not change."""
        if isinstance(source, (bytes, bytearray, memoryview)):
            return cls(bytes(source)[offset : None if length is None else offset + length])
        return cls(source) if isinstance(source, int) else cls(int(number) & 0xFF for number in source)

    @classmethod
    def of(cls, *numbers: int) -> Uint8Array:
        """As `Uint8Array.of(1, 2)`."""
        return cls.new(numbers)

    @classmethod
    def from_(cls, source: Iterable[Any], convert: Callable[..., int] | None = None) -> Uint8Array:
        """Of what can be gone through, each item converted."""
        items = list(source)
        return cls.new(items if convert is None else [as_many(convert, item, at) for at, item in enumerate(items)])

    @classmethod
    def fromBase64(cls, text: str, _options: object = None) -> Uint8Array:  # noqa: N802 - JavaScript's name
        """Of base64, of either alphabet. SyntaxError (ValueError) for what is none."""
        plain = "".join(text.split()).translate(str.maketrans("-_", "+/"))
        try:
            return cls(base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True))
        except ValueError:
            raise JsSyntaxError("The base64 input is not valid.") from None

    @classmethod
    def fromHex(cls, text: str) -> Uint8Array:  # noqa: N802 - JavaScript's name
        """Of pairs of hex digits. SyntaxError (ValueError) for what is none."""
        try:
            return cls(bytes.fromhex(text))
        except ValueError:
            raise JsSyntaxError("The hex input is not valid.") from None

    @property
    def byteLength(self) -> int:  # noqa: N802 - JavaScript's name
        """How many bytes."""
        return len(self)

    @property
    def buffer(self) -> ArrayBuffer:
        """The bytes as they are now."""
        return ArrayBuffer(self)

    def _made(self, items: Iterable[Any]) -> Uint8Array:
        return Uint8Array.new(items)

    def sort(self, compare: Callable[[int, int], float] | None = None) -> Uint8Array:
        """Put the numbers in order; this array."""
        self[:] = bytes(in_order(self, compare))
        return self

    def toBase64(self, _options: object = None) -> str:  # noqa: N802 - JavaScript's name
        """Base64 of them."""
        return base64.b64encode(self).decode()

    def toHex(self) -> str:  # noqa: N802 - JavaScript's name
        """Two hex digits for each."""
        return self.hex()

    def to_string(self, encoding: str = "utf-8") -> str:
        """Them decoded."""
        return self.decode(encoding)

    def to_memoryview(self) -> memoryview:
        """A view of them."""
        return memoryview(self)

    def assign_to(self, target: bytearray | memoryview) -> None:
        """Copy them into something that is as long, as Pyodide's `assign_to`."""
        target[:] = self

    def fill(self, number: int, start: int = 0, end: int | None = None) -> Uint8Array:
        """Have it everywhere between; this array."""
        part = slice(start, end)
        self[part] = bytes([int(number) & 0xFF]) * len(range(*part.indices(len(self))))
        return self

    def to_bytes(self) -> bytes:
        """The bytes as they are now."""
        return bytes(self)

    def to_py(self, **_options: object) -> memoryview:
        """A view of them."""
        return memoryview(self)

    def set(self, source: Iterable[int], offset: int = 0) -> None:
        """Overwrite from `offset` on. RangeError (ValueError) if it does not fit."""
        data = bytes(source)
        if offset < 0 or offset + len(data) > len(self):
            raise ValueError("offset is out of bounds")
        self[offset : offset + len(data)] = data

    def slice(self, start: int = 0, end: int | None = None) -> Uint8Array:
        """A copy of a part."""
        return Uint8Array(self[start:end])

    def subarray(self, start: int = 0, end: int | None = None) -> Uint8Array:
        """A part; a copy here."""
        return self.slice(start, end)

    def assign(self, source: BytesLike) -> None:
        """Overwrite all, as Pyodide's `assign`."""
        self.set(bytes(source))


# `from` is a word of Python's: `Uint8Array.from_`, as Pyodide spells it, or `getattr(Uint8Array, "from")`.
setattr(Uint8Array, "from", Uint8Array.from_)


def bytes_of(value: object, *, what: str) -> bytes:
    """`value` as bytes. TypeError that names `what` if it has none."""
    if isinstance(value, (bytes, bytearray, memoryview, array)):
        return bytes(value)
    raise TypeError(f"{what}: expected bytes, got {type(value).__name__}")
