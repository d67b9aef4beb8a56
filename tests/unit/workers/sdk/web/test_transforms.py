"""Streams that change what goes through them."""

import asyncio
import gzip
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.workers.sdk.errors import JsTypeError
from holdfast.workers.sdk.response import Response
from holdfast.workers.sdk.web.pipes import BothEnds
from holdfast.workers.sdk.web.streams import ReadableStream
from holdfast.workers.sdk.web.transforms import (
    CompressionStream,
    DecompressionStream,
    FixedLengthStream,
    IdentityTransformStream,
    TextDecoderStream,
    TextEncoderStream,
)

FORMATS = ("gzip", "deflate", "deflate-raw")


async def through(*transforms: BothEnds, chunks: list[Any]) -> list[Any]:
    """What comes out of these, one behind the other."""
    stream = ReadableStream.from_(chunks)
    for one in transforms:
        stream = stream.pipeThrough(one)
    return [chunk async for chunk in stream]


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@given(data=st.binary(max_size=2_000), size=st.integers(1, 700), coding=st.sampled_from(FORMATS))
def test_what_was_made_smaller_becomes_itself_again_however_it_is_cut(data: bytes, size: int, coding: str) -> None:
    async def there_and_back() -> bytes:
        packed = b"".join(await through(CompressionStream.new(coding), chunks=cut(data, size)))
        return b"".join(await through(DecompressionStream.new(coding), chunks=cut(packed, size)))

    assert asyncio.run(there_and_back()) == data


async def test_the_formats_are_those_that_everybody_reads() -> None:
    packed = [b"".join(await through(CompressionStream(one), chunks=[b"hello"])) for one in FORMATS]
    assert gzip.decompress(packed[0]) == zlib.decompress(packed[1]) == zlib.decompress(packed[2], -15) == b"hello"


@pytest.mark.parametrize("more", [0, *range(15, 40)])
async def test_what_fills_a_piece_to_its_last_byte_is_not_incomplete(more: int) -> None:
    data = bytes(256 * 1024 + more)
    packer = zlib.compressobj(wbits=-15)
    pieces = await through(DecompressionStream("deflate-raw"), chunks=[packer.compress(data) + packer.flush()])
    assert b"".join(pieces) == data


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"no gzip at all", "Decompression failed"),
        (gzip.compress(b"hello", mtime=0)[:-1], "incomplete data"),
        (gzip.compress(b"hello", mtime=0) + b"x", "Trailing bytes"),
    ],
)
async def test_what_is_not_in_the_format_breaks_the_stream(data: bytes, complaint: str) -> None:
    with pytest.raises(JsTypeError, match=complaint):
        await through(DecompressionStream("gzip"), chunks=[data])


@pytest.mark.parametrize("kind", [CompressionStream, DecompressionStream])
def test_another_format_is_refused(kind: Any) -> None:
    with pytest.raises(JsTypeError, match="must be either 'deflate', 'deflate-raw' or 'gzip', got 'br'"):
        kind.new("br")


async def test_a_small_body_does_not_become_a_large_one_at_once() -> None:
    pieces = await through(DecompressionStream("gzip"), chunks=[gzip.compress(bytes(3_000_000))])
    assert sum(map(len, pieces)) == 3_000_000
    assert max(map(len, pieces)) <= 256 * 1024


@given(text=st.text(), size=st.integers(1, 5))
def test_texts_become_themselves_again_however_their_bytes_are_cut(text: str, size: int) -> None:
    async def there_and_back() -> str:
        data = b"".join(await through(TextEncoderStream.new(), chunks=[text]))
        return "".join(await through(TextDecoderStream.new("utf-8", ignoreBOM=True), chunks=cut(data, size)))

    assert asyncio.run(there_and_back()) == text


async def test_what_is_no_text_breaks_the_stream_where_it_was_asked_to() -> None:
    assert await through(TextDecoderStream(), chunks=[b"a\xff"]) == ["a\ufffd"]
    with pytest.raises(JsTypeError):
        await through(TextDecoderStream.new("utf-8", {"fatal": True}), chunks=[b"a\xff"])


@pytest.mark.parametrize(
    ("chunks", "complaint"), [([b"abc"], None), ([b"ab"], "all expected"), ([b"ab", b"cd"], "too many")]
)
async def test_a_stream_of_a_known_length_has_it(chunks: list[bytes], complaint: str | None) -> None:
    if complaint is None:
        assert b"".join(await through(FixedLengthStream.new(3), chunks=chunks)) == b"abc"
    else:
        with pytest.raises(JsTypeError, match=complaint):
            await through(FixedLengthStream.new(3), chunks=chunks)


async def test_bytes_pass_as_they_are_into_an_answer() -> None:
    pipe = IdentityTransformStream.new()
    writer = pipe.writable.getWriter()
    answer = Response(pipe.readable)
    writing = [writer.write(b"ab"), writer.write(bytearray(b"c")), writer.close()]
    assert await answer.text() == "abc"
    await asyncio.gather(*writing)


async def test_a_stream_is_made_of_whatever_can_be_gone_through() -> None:
    async def later() -> Any:
        yield 1
        yield 2

    assert [chunk async for chunk in ReadableStream.from_(later())] == [1, 2]
    assert [chunk async for chunk in getattr(ReadableStream, "from")(iter("ab"))] == ["a", "b"]
