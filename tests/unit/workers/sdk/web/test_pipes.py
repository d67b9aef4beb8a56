"""WritableStream and TransformStream: a write ends when its chunk has been taken."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from holdfast.workers.sdk.errors import JsException, JsTypeError
from holdfast.workers.sdk.web.pipes import TransformStream, WritableStream
from holdfast.workers.sdk.web.streams import ReadableStream, StreamController


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
    for one in (ended, broken.closed, broken.close()):
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
    async with asyncio.timeout(30):
        await ended.wait()
    assert heard == ["start", 1, "closed"]
    ended.clear()
    await WritableStream.new(write=write, abort=end).getWriter().abort("why")
    async with asyncio.timeout(30):
        await ended.wait()
    assert heard[3:] == ["why"]


async def test_a_sink_that_fails_fails_whatever_is_written() -> None:
    def fails(chunk: int, _controller: object) -> None:
        if chunk:
            raise ValueError("full")

    writer = WritableStream.new({"write": fails}).getWriter()
    ended = writer.closed
    await writer.write(0)
    waiting = [writer.write(1), writer.write(0)]
    for one in (*waiting, writer.write(0), ended, writer.close()):
        with pytest.raises(ValueError, match="full"):
            await one
    with pytest.raises(ValueError, match="full"):
        await ReadableStream.from_([0, 1, 0]).pipeTo(WritableStream.new({"write": fails}))


async def test_a_sink_may_say_that_it_has_failed_and_one_that_cannot_begin_has() -> None:
    controllers: list[Any] = []
    writer = WritableStream.new({"start": controllers.append}).getWriter()
    await writer.write(1)
    controllers[0].error("gone")
    with pytest.raises(JsException, match="gone"):
        await writer.write(2)

    async def start() -> None:
        raise ValueError("not to be begun")

    with pytest.raises(ValueError, match="not to be begun"):
        await WritableStream.new(start=start).getWriter().write(1)


async def test_the_end_of_a_sink_is_awaited_and_so_is_what_it_does_when_it_is_broken_off() -> None:
    heard: list[object] = []
    writer = WritableStream.new(write=heard.append, close=lambda: heard.append("closed")).getWriter()
    _ = writer.write(1)
    await writer.close()
    assert heard == [1, "closed"]
    assert writer.desiredSize == 0
    other = WritableStream.new(abort=heard.append)
    await other.abort({"why": 5})
    assert heard[2:] == [{"why": 5}]


async def test_a_pipe_lets_go_of_both_streams_and_closes_what_it_may() -> None:
    heard: list[object] = []
    target = WritableStream.new(write=heard.append, close=lambda: heard.append("closed"), abort=heard.append)
    source = ReadableStream.from_([1])
    await source.pipeTo(target, {"preventClose": True})
    assert (source.locked, target.locked) == (False, False)

    async def failing() -> AsyncIterator[int]:
        yield 2
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await ReadableStream(failing()).pipeTo(target, {"preventAbort": True})
    await ReadableStream.from_([3]).pipeTo(target)
    assert heard == [1, 2, 3, "closed"]
