"""Bytes as user code gets them: `bytes` and `bytearray` of Python that answer to the names of JavaScript's buffers too.

Law: an ArrayBuffer is `bytes` (equal, hashable, sliced as such); a typed array is a `bytearray`. Neither copies to convert.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import TypeAlias

# What user code may hand over where bytes are asked for.
BytesLike: TypeAlias = bytes | bytearray | memoryview


class ArrayBuffer(bytes):
    """Binary data that came from outside: a message, a body."""

    @classmethod
    def new(cls, length: int = 0) -> ArrayBuffer:
        """`length` zeros, as `js.ArrayBuffer.new(8)`."""
        return cls(length)

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


class Uint8Array(bytearray):
    """`js.Uint8Array`: made of a length, of numbers or of bytes."""

    BYTES_PER_ELEMENT = 1

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

    @property
    def length(self) -> int:
        """How many elements."""
        return len(self)

    @property
    def byteLength(self) -> int:  # noqa: N802 - JavaScript's name
        """How many bytes."""
        return len(self)

    @property
    def buffer(self) -> ArrayBuffer:
        """The bytes as they are now."""
        return ArrayBuffer(self)

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


def bytes_of(value: object, *, what: str) -> bytes:
    """`value` as bytes. TypeError that names `what` if it has none."""
    if isinstance(value, (bytes, bytearray, memoryview, array)):
        return bytes(value)
    raise TypeError(f"{what}: expected bytes, got {type(value).__name__}")
