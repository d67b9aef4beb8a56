"""ReadableStream: read once, no faster than asked for, by one reader."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.workers.sdk.errors import JsException, JsTypeError
from holdfast.workers.sdk.web import streams
from holdfast.workers.sdk.web.streams import ReadableStream, StreamController


async def chunks_of(*chunks: object) -> AsyncIterator[object]:
    for chunk in chunks:
        yield chunk


async def read_all(stream: ReadableStream) -> list[Any]:
    return [chunk async for chunk in stream]


async def test_it_is_read_chunk_by_chunk_or_with_a_reader() -> None:
    assert await read_all(ReadableStream(chunks_of(1, 2))) == [1, 2]
    reader = ReadableStream(chunks_of(b"a")).getReader()
    assert await reader.read() == {"done": False, "value": b"a"}
    last = await reader.read()
    assert (last.done, last.value) == (True, None)


async def test_bytes_answer_to_javascripts_names_for_user_code_and_are_uncopied_for_the_runtime() -> None:
    chunk = b"bytes"
    reader = ReadableStream(chunks_of(chunk)).getReader()
    for read in ((await reader.read()).value, (await read_all(ReadableStream(chunks_of(chunk))))[0]):
        assert read == chunk
        assert read.to_bytes() == chunk
    assert await anext(ReadableStream(chunks_of(chunk)).chunks()) is chunk


async def test_it_has_one_reader_at_a_time() -> None:
    stream = ReadableStream(chunks_of(1, 2))
    reader = stream.getReader()
    assert stream.locked
    for attempt in (stream.getReader, stream.tee, stream.cancel):
        with pytest.raises(JsTypeError, match="locked to a reader"):
            attempt()
    await reader.read()
    reader.releaseLock()
    assert await read_all(stream) == [2]


@given(st.lists(st.binary(max_size=3), max_size=8), st.lists(st.booleans(), max_size=20))
async def test_both_branches_of_a_tee_see_everything_in_order(chunks: list[bytes], turns: list[bool]) -> None:
    first, second = ReadableStream(chunks_of(*chunks)).tee()
    readers, seen = (first.getReader(), second.getReader()), ([], [])  # type: tuple[Any, Any], tuple[list[Any], list[Any]]
    for turn in [*turns, *([True] * 9), *([False] * 9)]:
        got = await readers[turn].read()
        if not got.done:
            seen[turn].append(got.value)
    assert seen == (chunks, chunks)


async def test_a_tee_keeps_no_more_than_a_script_may_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MAX_BUFFERED_BYTES", 10)
    first, _slow = ReadableStream(chunks_of(b"x" * 8, b"y" * 8)).tee()
    with pytest.raises(JsException, match="Memory limit exceeded"):
        await read_all(first)


async def test_a_source_enqueues_at_its_start_and_when_pulled() -> None:
    pulled = 0

    def pull(controller: StreamController) -> None:
        nonlocal pulled
        pulled += 1
        controller.enqueue(pulled)
        if pulled == 2:
            controller.close()

    stream = ReadableStream.new({"start": lambda controller: controller.enqueue(0), "pull": pull})
    assert pulled == 0
    assert await read_all(stream) == [0, 1, 2]


async def test_a_source_may_be_slow_and_fail() -> None:
    async def start(controller: StreamController) -> None:
        controller.enqueue("a")
        await asyncio.wait_for(asyncio.Event().wait(), 0.001)

    reader = ReadableStream.new(start=start).getReader()
    assert (await reader.read()).value == "a"
    with pytest.raises(TimeoutError):
        await reader.read()
    failing = ReadableStream.new(start=lambda controller: controller.error("broken"))
    with pytest.raises(JsException, match="broken"):
        await read_all(failing)


async def test_who_feeds_it_is_told_when_nobody_reads_on() -> None:
    told: list[object] = []
    stream = ReadableStream.new(cancel=told.append, start=lambda controller: controller.enqueue(1))
    await stream.cancel("enough")
    reader = ReadableStream.new(cancel=told.append).getReader()
    await reader.cancel("me too")
    assert told == ["enough", "me too"]


async def test_reads_take_turns_and_are_over_when_nobody_reads_on() -> None:
    controllers: list[StreamController] = []
    told: list[object] = []
    reader = ReadableStream.new({"start": controllers.append, "cancel": told.append}).getReader()
    first, *others = [asyncio.ensure_future(reader.read()) for _ in range(3)]
    await asyncio.wait({first, *others}, timeout=0)
    controllers[0].enqueue("a")
    assert await first == {"done": False, "value": "a"}
    async with asyncio.timeout(30):
        await reader.cancel("why")
        await reader.cancel("again")
        assert [(await read).done for read in (*others, reader.read())] == [True] * 3
    assert told == ["why"]
    with pytest.raises(JsTypeError, match="closed"):
        controllers[0].enqueue("b")


async def test_a_generator_that_waits_for_its_next_chunk_is_closed_when_that_is_there() -> None:
    begun, go_on, closed = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def chunks() -> AsyncIterator[int]:
        try:
            begun.set()
            await go_on.wait()
            yield 1
        finally:
            closed.set()

    reader = ReadableStream(chunks()).getReader()
    read = asyncio.ensure_future(reader.read())
    async with asyncio.timeout(30):
        await begun.wait()
        await reader.cancel()
        go_on.set()
        assert (await read).done
        await closed.wait()


async def test_a_stream_that_is_broken_stays_so() -> None:
    controllers: list[StreamController] = []
    reader = ReadableStream.new(start=controllers.append).getReader()
    controllers[0].error("gone")
    for _ in range(2):
        with pytest.raises(JsException, match="gone"):
            await reader.read()


async def test_nothing_can_be_enqueued_after_the_end() -> None:
    controller = StreamController()
    assert controller.desiredSize == 1
    controller.close()
    with pytest.raises(JsTypeError, match="closed"):
        controller.enqueue(1)


async def test_it_is_written_to_a_sink_and_breaks_off_with_its_source() -> None:
    from holdfast.workers.sdk.web.pipes import TransformStream, WritableStream

    written: list[object] = []
    await ReadableStream(chunks_of(1, 2)).pipeTo(WritableStream.new(write=written.append))
    assert written == [1, 2]
    doubled = TransformStream.new(transform=lambda chunk, controller: controller.enqueue(chunk * 2))
    assert await read_all(ReadableStream(chunks_of(1, 2)).pipeThrough(doubled)) == [2, 4]

    async def broken() -> AsyncIterator[int]:
        yield 1
        raise OSError("gone")

    identity = TransformStream()
    output = ReadableStream(broken()).pipeThrough(identity)
    with pytest.raises(OSError, match="gone"):
        await read_all(output)
