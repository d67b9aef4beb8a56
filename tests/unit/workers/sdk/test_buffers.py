"""Bytes that answer to JavaScript's names, and are bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.workers.sdk.buffers import ArrayBuffer, Uint8Array, bytes_of
from holdfast.workers.sdk.errors import JsSyntaxError
from holdfast.workers.sdk.web.typed_arrays import DataView, Int16Array


@given(st.binary(max_size=20), st.integers(-25, 25), st.integers(-25, 25))
def test_an_array_buffer_is_its_bytes(data: bytes, start: int, end: int) -> None:
    buffer = ArrayBuffer(data)
    assert buffer == data
    assert hash(buffer) == hash(data)
    assert (len(buffer), buffer.byteLength, buffer.to_bytes(), bytes(buffer.to_py())) == (
        len(data),
        len(data),
        data,
        data,
    )
    assert type(buffer.to_bytes()) is bytes
    assert buffer.slice(start, end) == data[start:end]
    assert bytes(buffer.to_memoryview()) == data


def test_what_to_js_makes_of_bytes_has_a_buffer_and_a_length_as_an_array_of_bytes_has() -> None:
    buffer = ArrayBuffer(b"abc")
    assert buffer.buffer is buffer
    assert buffer.length == 3


def test_an_array_buffer_is_made_and_read_as_text() -> None:
    assert ArrayBuffer.new(2) == b"\0\0"
    assert ArrayBuffer("ü".encode()).to_string() == "ü"


@given(st.lists(st.integers(0, 255), max_size=20))
def test_a_typed_array_is_a_bytearray(numbers: list[int]) -> None:
    array = Uint8Array.new(numbers)
    assert list(array) == numbers
    assert (array.length, array.byteLength, array.to_bytes(), array.buffer) == (
        len(numbers),
        len(numbers),
        bytes(numbers),
        bytes(numbers),
    )
    assert isinstance(array, bytearray)


def test_a_typed_array_is_made_of_lengths_numbers_and_buffers() -> None:
    made = (Uint8Array.new(2), Uint8Array.of(1, 257), Uint8Array.new(b"abcd", 1, 2))
    assert [array.to_bytes() for array in made] == [b"\0\0", b"\1\1", b"bc"]
    array = Uint8Array.new(4)
    array.set([1, 2], 2)
    parts = (array, array.slice(2), array.subarray(0, 3), array.to_py())
    assert [bytes(part) for part in parts] == [b"\0\0\1\2", b"\1\2", b"\0\0\1", b"\0\0\1\2"]
    array.assign(b"wxyz")
    assert array == b"wxyz"
    for offset in (-1, 3):
        with pytest.raises(ValueError, match="out of bounds"):
            array.set(b"ab", offset)


def test_a_typed_array_is_made_of_what_can_be_gone_through_and_of_texts() -> None:
    made = (
        Uint8Array.from_("123"),
        Uint8Array.from_([1, 2], lambda item, at: item * 2 + at),
        getattr(Uint8Array, "from")((5,)),
        Uint8Array.fromBase64("_-8 A"),
        Uint8Array.fromHex("ff00"),
    )
    assert [list(one) for one in made] == [[1, 2, 3], [2, 5], [5], [255, 239, 0], [255, 0]]
    assert (Uint8Array.of(255, 239).toBase64(), Uint8Array.of(255, 0).toHex()) == ("/+8=", "ff00")
    with pytest.raises(JsSyntaxError, match="base64 input is not valid"):
        Uint8Array.fromBase64("!")
    with pytest.raises(JsSyntaxError, match="hex input is not valid"):
        Uint8Array.fromHex("f")


def test_a_typed_array_is_filled_viewed_and_copied() -> None:
    array = Uint8Array.new(4).fill(7, 1, 3)
    assert (list(array), array.byteOffset, array.fill(-1, -1)[3]) == ([0, 7, 7, 0], 0, 255)
    array.to_memoryview()[0] = 65
    target = bytearray(4)
    array.assign_to(target)
    assert (target, Uint8Array(b"hi").to_string()) == (array, "hi")


def test_what_is_a_view_of_a_buffer_is_told() -> None:
    views = Uint8Array(1), Int16Array(1), DataView(b"ab")
    assert [ArrayBuffer.isView(one) for one in (*views, ArrayBuffer(b"a"), b"a", [1])] == [True] * 3 + [False] * 3


def test_what_has_no_bytes_is_refused_by_name() -> None:
    assert bytes_of(memoryview(b"x"), what="data") == b"x"
    with pytest.raises(TypeError, match=r"^data: expected bytes, got str$"):
        bytes_of("x", what="data")


@given(st.binary())
async def test_what_came_is_read_as_a_blob_too(data: bytes) -> None:
    message = ArrayBuffer(data)
    read = await message.arrayBuffer()
    assert (read.to_bytes(), await message.bytes(), message.size, message.type) == (data, data, len(data), "")
    assert await message.text() == data.decode("utf-8", "replace")
