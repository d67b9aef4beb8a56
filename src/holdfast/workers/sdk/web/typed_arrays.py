"""JavaScript's arrays of numbers other than bytes, and DataView, over Python's own `array`.

Law 1: an array is a sequence of numbers, and its memory is bytes: it is taken wherever bytes are.
Law 2: it is made of a length, of numbers, or of bytes, of which it has a copy: buffers here do not change.
Law 3: a number that does not fit is an OverflowError; JavaScript would cut it off without a word.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from holdfast.workers.sdk.arity import as_many
from holdfast.workers.sdk.array_methods import ArrayMethods, in_order
from holdfast.workers.sdk.buffers import ArrayBuffer, BytesLike
from holdfast.workers.sdk.errors import JsRangeError, JsTypeError

Number = int | float


class TypedArray(array, ArrayMethods):  # type: ignore[type-arg]  # numbers of either kind, by its class
    """What all of them have. `code` is the type of `array`."""

    code: ClassVar[str]
    BYTES_PER_ELEMENT: ClassVar[int]

    def __new__(cls, source: int | Iterable[Number] | BytesLike = 0, offset: int = 0, length: int | None = None) -> Any:  # noqa: ANN401 - `array`'s own
        """See law 2; of bytes optionally a part, `offset` in bytes and `length` in numbers. RangeError where it does not divide."""
        if isinstance(source, (bytes, bytearray, memoryview)):
            data = bytes(source)[offset:]
            size = cls.BYTES_PER_ELEMENT
            if length is not None:
                data = data[: length * size]
            if len(data) % size or (length is not None and len(data) != length * size):
                raise JsRangeError(f"byte length of {cls.__name__} should be a multiple of {size}")
            return super().__new__(cls, cls.code, data)
        if isinstance(source, int):
            return super().__new__(cls, cls.code, bytes(source * cls.BYTES_PER_ELEMENT))
        whole = cls.code not in "fd"
        return super().__new__(cls, cls.code, [int(one) if whole else float(one) for one in source])

    @classmethod
    def new(cls, source: int | Iterable[Number] | BytesLike = 0, offset: int = 0, length: int | None = None) -> Any:  # noqa: ANN401
        """As the constructor."""
        return cls(source, offset, length)

    @classmethod
    def of(cls, *numbers: Number) -> Any:  # noqa: ANN401 - one of these
        """As `Int16Array.of(1, 2)`."""
        return cls(numbers)

    @classmethod
    def from_(cls, source: Iterable[Any], convert: Callable[..., Number] | None = None) -> Any:  # noqa: ANN401 - as above
        """Of what can be gone through, each item converted."""
        items = list(source)
        return cls(items if convert is None else [as_many(convert, item, at) for at, item in enumerate(items)])

    def fill(self, number: Number, start: int = 0, end: int | None = None) -> Any:  # noqa: ANN401 - as above
        """Have it everywhere between; this array."""
        for at in range(*slice(start, end).indices(len(self))):
            self[at] = number
        return self

    def sort(self, compare: Callable[[Any, Any], float] | None = None) -> Any:  # noqa: ANN401 - as above
        """Put the numbers in order; this array."""
        self[:] = array(self.code, in_order(self, compare))
        return self

    @property
    def byteLength(self) -> int:  # noqa: N802 - JavaScript's name
        """How many bytes."""
        return len(self) * self.BYTES_PER_ELEMENT

    @property
    def buffer(self) -> ArrayBuffer:
        """The bytes as they are now."""
        return ArrayBuffer(self.tobytes())

    def to_bytes(self) -> bytes:
        """The bytes as they are now."""
        return self.tobytes()

    def to_py(self, **_options: object) -> memoryview:
        """A view of the numbers, as Pyodide gives."""
        return memoryview(self)

    def set(self, source: Iterable[Number], offset: int = 0) -> None:
        """Overwrite from `offset` on. RangeError if it does not fit."""
        numbers = type(self)(source)
        if offset < 0 or offset + len(numbers) > len(self):
            raise JsRangeError("offset is out of bounds")
        self[offset : offset + len(numbers)] = numbers

    def slice(self, start: int = 0, end: int | None = None) -> Any:  # noqa: ANN401 - one of these
        """A copy of a part."""
        return type(self)(self[start:end])

    def subarray(self, start: int = 0, end: int | None = None) -> Any:  # noqa: ANN401 - one of these
        """A part; a copy here."""
        return type(self)(self[start:end])


# `from` is a word of Python's: `from_`, as Pyodide spells it, or `getattr(Int16Array, "from")`.
setattr(TypedArray, "from", TypedArray.from_)


class Int8Array(TypedArray):
    """Whole numbers of 8 bits."""

    code, BYTES_PER_ELEMENT = "b", 1


class Uint8ClampedArray(TypedArray):
    """Whole numbers of 8 bits, without sign: what is beyond them is 0 or 255 (law 3 does not hold), halves go to the even one."""

    code, BYTES_PER_ELEMENT = "B", 1

    def __new__(cls, source: int | Iterable[Number] | BytesLike = 0, offset: int = 0, length: int | None = None) -> Any:  # noqa: ANN401 - `array`'s own
        """As the others."""
        if not isinstance(source, (int, bytes, bytearray, memoryview)):
            source = [_clamped(one) for one in source]
        return super().__new__(cls, source, offset, length)

    def __setitem__(self, where: Any, value: Any) -> None:  # noqa: ANN401 - as `array`
        super().__setitem__(where, value if isinstance(where, slice) else _clamped(value))


def _clamped(number: Number) -> int:
    return 0 if number != number or number < 0 else 255 if number > 255 else round(number)  # noqa: PLR0124 - NaN is 0


class Int16Array(TypedArray):
    """Whole numbers of 16 bits."""

    code, BYTES_PER_ELEMENT = "h", 2


class Uint16Array(TypedArray):
    """Whole numbers of 16 bits, without sign."""

    code, BYTES_PER_ELEMENT = "H", 2


class Int32Array(TypedArray):
    """Whole numbers of 32 bits."""

    code, BYTES_PER_ELEMENT = "i", 4


class Uint32Array(TypedArray):
    """Whole numbers of 32 bits, without sign."""

    code, BYTES_PER_ELEMENT = "I", 4


class BigInt64Array(TypedArray):
    """Whole numbers of 64 bits."""

    code, BYTES_PER_ELEMENT = "q", 8


class BigUint64Array(TypedArray):
    """Whole numbers of 64 bits, without sign."""

    code, BYTES_PER_ELEMENT = "Q", 8


class Float32Array(TypedArray):
    """Numbers of 32 bits."""

    code, BYTES_PER_ELEMENT = "f", 4


class Float64Array(TypedArray):
    """Numbers of 64 bits."""

    code, BYTES_PER_ELEMENT = "d", 8


class DataView:
    """Numbers of any kind anywhere in bytes: `view.getInt16(2)`, `view.setInt16(2, 5)`; big-endian unless told.

    It writes into a `bytearray` or Uint8Array; an ArrayBuffer does not change (TypeError).
    """

    def __init__(self, source: BytesLike, offset: int = 0, length: int | None = None) -> None:
        if not isinstance(source, (bytes, bytearray, memoryview)):
            raise JsTypeError(f"DataView: expected bytes, got {type(source).__name__}")
        if offset < 0 or offset + (length or 0) > len(source):
            raise JsRangeError(f"Start offset {offset} is outside the bounds of the buffer")
        self.buffer, self.byteOffset = source, offset
        self._view = memoryview(source)[offset : None if length is None else offset + length]

    @classmethod
    def new(cls, source: BytesLike, offset: int = 0, length: int | None = None) -> DataView:
        """As the constructor."""
        return cls(source, offset, length)

    @property
    def byteLength(self) -> int:  # noqa: N802 - JavaScript's name
        """How many bytes."""
        return len(self._view)

    def to_bytes(self) -> bytes:
        """The bytes that it shows."""
        return bytes(self._view)

    def _read(self, code: str, at: int, little: bool) -> Any:  # noqa: ANN401 - a number
        self._check(code, at)
        return struct.unpack_from(f"{'<' if little else '>'}{code}", self._view, at)[0]

    def _write(self, code: str, at: int, value: Number, little: bool) -> None:
        self._check(code, at)
        if self._view.readonly:
            raise JsTypeError("DataView: an ArrayBuffer does not change here; make it of a Uint8Array")
        struct.pack_into(f"{'<' if little else '>'}{code}", self._view, at, value)

    def _check(self, code: str, at: int) -> None:
        if at < 0 or at + struct.calcsize(f">{code}") > len(self._view):
            raise JsRangeError("Offset is outside the bounds of the DataView")


_KINDS = {
    "Int8": "b", "Uint8": "B", "Int16": "h", "Uint16": "H", "Int32": "i", "Uint32": "I", "BigInt64": "q", "BigUint64": "Q",
    "Float32": "f", "Float64": "d",
}  # fmt: skip


def _reader(code: str) -> Any:  # noqa: ANN401 - a method
    def read(self: DataView, offset: int, little_endian: bool = False) -> Any:  # noqa: ANN401 - a number
        """The number there. RangeError beyond the end."""
        return self._read(code, offset, little_endian)

    return read


def _writer(code: str) -> Any:  # noqa: ANN401 - a method
    def write(self: DataView, offset: int, value: Number, little_endian: bool = False) -> None:
        """Write a number there. RangeError beyond the end."""
        self._write(code, offset, value, little_endian)

    return write


for _kind, _code in _KINDS.items():
    setattr(DataView, f"get{_kind}", _reader(_code))
    setattr(DataView, f"set{_kind}", _writer(_code))
