"""Arrays of numbers, and views of bytes."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.workers.sdk.buffers import ArrayBuffer, Uint8Array, bytes_of
from holdfast.workers.sdk.errors import JsRangeError, JsTypeError
from holdfast.workers.sdk.sending import sendable
from holdfast.workers.sdk.web import typed_arrays
from holdfast.workers.sdk.web.response import Response
from holdfast.workers.sdk.web.typed_arrays import (
    DataView,
    Float32Array,
    Float64Array,
    Int16Array,
    TypedArray,
    Uint8ClampedArray,
    Uint16Array,
)

KINDS: list[type[TypedArray]] = [
    one for one in vars(typed_arrays).values()
    if isinstance(one, type) and issubclass(one, TypedArray) and one is not TypedArray
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_an_array_is_made_of_a_length_of_numbers_and_of_bytes(kind: type[TypedArray]) -> None:
    made = kind.of(1, 2, 3)
    size = kind.BYTES_PER_ELEMENT
    assert (list(made), made.length, made.byteLength, made.itemsize) == ([1, 2, 3], 3, 3 * size, size)
    assert list(kind.new(2)) == [0, 0]
    assert list(kind.new(made.buffer)) == [1, 2, 3]
    assert list(kind.new(made.to_bytes(), size, 1)) == [2]
    assert list(made.to_py()) == [1, 2, 3]
    assert (list(made.slice(1)), list(made.subarray(0, -1))) == ([2, 3], [1, 2])
    made.set([9], 2)
    assert list(made) == [1, 2, 9]
    with pytest.raises(JsRangeError, match="out of bounds"):
        made.set([1, 2], 2)


def test_bytes_that_are_no_whole_numbers_are_refused() -> None:
    with pytest.raises(JsRangeError, match="Int16Array should be a multiple of 2"):
        Int16Array.new(b"abc")
    with pytest.raises(JsRangeError, match="multiple of 2"):
        Int16Array.new(b"ab", 0, 2)
    with pytest.raises(OverflowError):
        Uint16Array.of(-1)
    assert list(Int16Array.of(1.9)) == [1]
    assert list(Float64Array.of(1)) == [1.0]


async def test_an_array_is_taken_where_bytes_are() -> None:
    numbers = Float32Array.of(1.5)
    assert bytes_of(numbers, what="data") == struct.pack("=f", 1.5)
    assert await Response(numbers).arrayBuffer() == struct.pack("=f", 1.5)


@given(
    st.sampled_from(["Int8", "Uint8", "Int16", "Uint16", "Int32", "Uint32", "BigInt64", "BigUint64"]),
    st.integers(0, 127),
    st.booleans(),
)
def test_a_view_reads_what_it_wrote(kind: str, value: int, little: bool) -> None:
    view = DataView.new(Uint8Array.new(9))
    getattr(view, f"set{kind}")(1, value, little)
    assert getattr(view, f"get{kind}")(1, little) == value


def test_a_view_is_big_endian_unless_told_and_has_an_end() -> None:
    memory = Uint8Array.new(4)
    view = DataView.new(memory, 1, 2)
    writes: Any = view
    writes.setInt16(0, 1)
    assert (bytes(memory), view.byteLength, view.byteOffset) == (b"\0\0\1\0", 2, 1)
    writes.setInt16(0, 1, little_endian=True)
    assert bytes(memory) == b"\0\1\0\0"
    with pytest.raises(JsRangeError, match="outside the bounds of the DataView"):
        writes.getInt16(1)
    with pytest.raises(JsRangeError, match="Start offset 5"):
        DataView.new(memory, 5)
    wrong: Any = "text"
    with pytest.raises(JsTypeError, match="expected bytes, got str"):
        DataView.new(wrong)


def test_a_buffer_that_does_not_change_is_not_written() -> None:
    view: Any = DataView(ArrayBuffer(b"\0\0"))
    assert view.getUint16(0) == 0
    with pytest.raises(JsTypeError, match="does not change here"):
        view.setUint8(0, 1)


def test_a_clamped_array_takes_any_number() -> None:
    one = Uint8ClampedArray.new([-5, 300, 1.5, 2.5, float("nan"), 7])
    assert list(one) == [0, 255, 2, 2, 0, 7]
    one[5] = 1_000
    assert (one[5], bytes(one)) == (255, b"\0\xff\2\2\0\xff")
    assert (list(Uint8ClampedArray.new(2)), list(Uint8ClampedArray.new(b"ab"))) == ([0, 0], [97, 98])


async def test_a_view_is_a_body_and_a_message() -> None:
    view = DataView.new(b"abcdef", 1, 3)
    assert await Response(view).text() == "bcd"
    assert sendable(view, by="send()") == b"bcd"
