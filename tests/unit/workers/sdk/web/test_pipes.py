"""WritableStream and TransformStream: a write ends when its chunk has been taken."""

import asyncio
from typing import Any

import pytest

from holdfast.workers.sdk.errors import JsException, JsTypeError
from holdfast.workers.sdk.web.pipes import TransformStream, WritableStream
from holdfast.workers.sdk.web.streams import StreamController


async def test_a_write_ends_when_its_chunk_has_been_taken() -> None:
    pipe = TransformStream.new()
    writer = pipe.writable.getWriter()
    first, second = writer.write("a"), writer.write("b")
    reader = pipe.readable.getReader()
    assert (await reader.read()).value == "a"
    assert (first.done(), second.done()) == (True, False)
    assert (await reader.read()).value == "b"
    await second
    closing = writer.close()
    assert (await reader.read()).done
    await closing


async def test_what_was_written_without_being_awaited_is_read_all_the_same() -> None:
    pipe = TransformStream()
    writer = pipe.writable.getWriter()
    for chunk in (1, 2):
        _ = writer.write(chunk)
    closing = writer.close()
    assert not closing.done()
    assert [chunk async for chunk in pipe.readable] == [1, 2]
    await closing


async def test_nothing_can_be_written_after_the_end_or_after_the_reader_has_gone() -> None:
    pipe = TransformStream()
    writer = pipe.writable.getWriter()
    await writer.close()
    with pytest.raises(JsTypeError, match="closed"):
        await writer.write(1)
    other = TransformStream()
    waiting = other.writable.getWriter().write(1)
    await other.readable.cancel(None)
    with pytest.raises(JsTypeError, match="cancelled"):
        await waiting


async def test_a_writer_knows_how_its_stream_is() -> None:
    pipe = TransformStream()
    writer = pipe.writable.getWriter()
    await writer.ready
    ended = writer.closed
    rooms = [writer.desiredSize]
    _ = writer.write(1)
    rooms.append(writer.desiredSize)
    _ = writer.close()
    rooms.append(writer.desiredSize)
    assert (rooms, ended.done()) == ([1, 0, 0], False)
    assert [chunk async for chunk in pipe.readable] == [1]
    await ended
    await writer.closed
    other = TransformStream()
    broken = other.writable.getWriter()
    ended = broken.closed
    await broken.abort("broken")
    for one in (ended, broken.closed):
        with pytest.raises(JsException, match="broken"):
            await one
    assert broken.desiredSize is None


async def test_a_transformer_that_fails_fails_both_ends() -> None:
    def fails(_chunk: object, _controller: object) -> None:
        raise ValueError("no such chunk")

    pipe = TransformStream({"transform": fails})
    writer = pipe.writable.getWriter()
    first, second = writer.write(1), writer.write(2)
    with pytest.raises(ValueError, match="no such chunk"):
        await pipe.readable.getReader().read()
    await first
    with pytest.raises(ValueError, match="no such chunk"):
        await second


async def test_who_breaks_off_gives_the_reader_its_error() -> None:
    pipe = TransformStream()
    await pipe.writable.abort("broken")
    with pytest.raises(JsException, match="broken"):
        await pipe.readable.getReader().read()


async def test_a_stream_has_one_writer_at_a_time() -> None:
    stream = TransformStream().writable
    writer = stream.getWriter()
    was_locked = stream.locked
    with pytest.raises(JsTypeError, match="locked to a writer"):
        stream.getWriter()
    writer.releaseLock()
    assert (was_locked, stream.locked) == (True, False)
    await stream.close()


async def test_a_transformer_may_begin_change_and_end_what_passes() -> None:
    def transform(chunk: int, controller: StreamController) -> None:
        if chunk % 2:
            controller.enqueue(chunk * 10)

    pipe = TransformStream.new(
        {
            "start": lambda controller: controller.enqueue("begin"),
            "transform": transform,
            "flush": lambda controller: controller.enqueue("end"),
        }
    )
    writer = pipe.writable.getWriter()
    for chunk in (1, 2, 3):
        _ = writer.write(chunk)
    _ = writer.close()
    assert [chunk async for chunk in pipe.readable] == ["begin", 10, 30, "end"]


async def test_a_sink_gets_each_chunk_and_hears_of_the_end_and_of_failures() -> None:
    heard: list[Any] = []
    ended = asyncio.Event()

    async def write(chunk: object) -> None:
        heard.append(chunk)

    def end(*reason: object) -> None:
        heard.extend(map(str, reason) if reason else ["closed"])
        ended.set()

    writer = WritableStream.new(write=write, close=end, start=lambda _controller: heard.append("start")).getWriter()
    await writer.write(1)
    await writer.close()
    async with asyncio.timeout(5):
        await ended.wait()
    assert heard == ["start", 1, "closed"]
    ended.clear()
    await WritableStream.new(write=write, abort=end).getWriter().abort("why")
    async with asyncio.timeout(5):
        await ended.wait()
    assert heard[3:] == ["Error: why"]
