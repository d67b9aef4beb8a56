"""ReadableStream: something to be read once, over an async iterator, as user code reads it and makes it.

Law 1: a stream is read once, by one reader; it is read no faster than it is asked for, so what feeds it is held up.
Law 2: user code gets bytes that answer to JavaScript's names too; the runtime takes chunks as they are, uncopied.
Law 3: what JavaScript starts when it is called (`cancel`, `pipeTo`) starts here too, awaited or not.
"""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable
from typing import Any, Protocol

from holdfast.workers.sdk.arity import as_many
from holdfast.workers.sdk.buffers import ArrayBuffer
from holdfast.workers.sdk.errors import JsException, JsTypeError
from holdfast.workers.sdk.proxied import Proxied
from holdfast.workers.sdk.values import JsDict, JsList
from holdfast.workers.sdk.web.callbacks import members_of, settled, started

# What a stream may hold for the slower of two readers, or when it is read as a whole: beyond it reading fails.
# Precedent: the memory of a Worker on the original, 128 MB.
MAX_BUFFERED_BYTES = 128 * 1024 * 1024
_LOCKED = "This ReadableStream is currently locked to a reader."


class Writer(Protocol):
    """Where chunks are written to."""

    def write(self, chunk: object) -> asyncio.Future[None]:
        """Write one."""

    def close(self) -> asyncio.Future[None]:
        """Write no more."""

    def abort(self, reason: object = None) -> asyncio.Future[None]:
        """Break off."""

    def releaseLock(self) -> None:  # noqa: N802 - JavaScript's name
        """Others may write on."""


class Writable(Protocol):
    """A WritableStream (`pipes.py`)."""

    def getWriter(self) -> Writer:  # noqa: N802 - JavaScript's name
        """Its writer."""


class Transform(Protocol):
    """A TransformStream, or anything with both ends."""

    writable: Any
    readable: ReadableStream


class ReadableStream(Proxied):
    """Something to be read once: `async for chunk in stream`, or with `getReader()`."""

    def __init__(self, chunks: AsyncIterable[Any], on_cancel: Callable[[object], object] | None = None) -> None:
        self._chunks = aiter(chunks)
        self._on_cancel = on_cancel
        self._locked = False
        self._is_abandoned = False
        # What has broken it: whoever reads on gets it again.
        self._failure: Exception | None = None
        # Held while a chunk is awaited: reads take turns.
        self._turn = asyncio.Lock()
        self.is_disturbed = False

    @classmethod
    def new(cls, source: object = None, _strategy: object = None, **given: object) -> ReadableStream:
        """Of an underlying source: a mapping or an object with `start`, `pull` and `cancel`."""
        member = members_of(source, given)
        controller = StreamController()
        if (start := member("start")) is not None:
            controller.follow(start(controller))
        cancel = member("cancel")

        def cancelled(reason: object) -> object:
            controller.end()
            return None if cancel is None else as_many(cancel, reason)

        return cls(controller.drained(member("pull")), cancelled)

    @classmethod
    def from_(cls, chunks: Iterable[Any] | AsyncIterable[Any]) -> ReadableStream:
        """Of what can be gone through, asynchronously or not."""
        return cls(chunks if isinstance(chunks, AsyncIterable) else _each(chunks))

    @classmethod
    def of_bytes(cls, data: bytes) -> ReadableStream:
        """A stream of one chunk; of none, if it is empty."""
        return cls(_one(data))

    @property
    def locked(self) -> bool:
        """Whether somebody reads it."""
        return self._locked

    def getReader(self, _options: object = None) -> StreamReader:  # noqa: N802 - JavaScript's name
        """The reader of this stream. TypeError if it has one."""
        self.lock()
        return StreamReader(self)

    def lock(self) -> None:
        """Take the one right to read. TypeError if it is taken."""
        if self._locked:
            raise JsTypeError(_LOCKED)
        self._locked = True

    def unlock(self) -> None:
        """Give it back."""
        self._locked = False

    async def next_chunk(self) -> Any:  # noqa: ANN401 - streams of user code carry anything
        """The next chunk. StopAsyncIteration at the end, and once nobody reads on."""
        self.is_disturbed = True
        async with self._turn:
            chunk = None
            if self._failure is not None:
                raise self._failure
            try:
                if not self._is_abandoned:
                    chunk = await anext(self._chunks)
            except StopAsyncIteration:
                raise
            except Exception as error:
                if not self._is_abandoned:
                    self._failure = error
                    raise
            if self._is_abandoned:
                await self._close()
                raise StopAsyncIteration
            return chunk

    def cancel(self, reason: object = None) -> asyncio.Future[None]:
        """Nobody will read on: whoever feeds it is told. TypeError while a reader has it."""
        if self._locked:
            raise JsTypeError(_LOCKED)
        return started(self.abandon(reason))

    async def abandon(self, reason: object = None) -> None:
        """The same, whoever has it."""
        self.is_disturbed = True
        was_abandoned, self._is_abandoned = self._is_abandoned, True
        if self._on_cancel is not None and not was_abandoned:
            await settled(self._on_cancel(reason))
        if not self._turn.locked():
            await self._close()

    async def _close(self) -> None:
        if isinstance(self._chunks, AsyncGenerator):
            await self._chunks.aclose()

    def tee(self) -> JsList[ReadableStream]:
        """Two streams of the same chunks; this one is locked from now on. What one has not read is kept for it."""
        self.lock()
        fork = _Fork(self)
        return JsList((ReadableStream(fork.branch(0)), ReadableStream(fork.branch(1))))

    def pipeTo(self, target: Writable, options: object = None) -> asyncio.Future[None]:  # noqa: N802
        """Write everything to `target`, then close it. `options`: `{"preventClose": True}` leaves it open, `preventAbort` where this fails."""
        return started(self._pipe(target, options))

    def pipeThrough(self, transform: Transform, _options: object = None) -> ReadableStream:  # noqa: N802
        """What comes out when everything is written to `transform`."""
        _ = self.pipeTo(transform.writable)
        return transform.readable

    async def _pipe(self, target: Writable, options: object) -> None:
        said = members_of(options, {})
        writer = target.getWriter()
        try:
            self.lock()
            try:
                self.is_disturbed = True
                async for chunk in self._chunks:
                    await writer.write(chunk)
            except Exception as error:
                if not said("preventAbort"):
                    await writer.abort(error)
                raise
            finally:
                self.unlock()
            if not said("preventClose"):
                await writer.close()
        finally:
            writer.releaseLock()

    async def chunks(self) -> AsyncGenerator[Any, None]:
        """The chunks as they are, for the runtime; locks the stream."""
        self.lock()
        self.is_disturbed = True
        async for chunk in self._chunks:
            yield chunk

    async def __aiter__(self) -> AsyncIterator[Any]:
        async for chunk in self.chunks():
            yield _richer(chunk)

    def values(self) -> AsyncIterator[Any]:
        """As `async for` reads it."""
        return aiter(self)


class StreamReader:
    """`stream.getReader()`."""

    def __init__(self, stream: ReadableStream) -> None:
        self._stream = stream

    async def read(self) -> JsDict:
        """`{done, value}`."""
        try:
            return JsDict(done=False, value=_richer(await self._stream.next_chunk()))
        except StopAsyncIteration:
            return JsDict(done=True, value=None)

    def releaseLock(self) -> None:  # noqa: N802 - JavaScript's name
        """Others may read on."""
        self._stream.unlock()

    def cancel(self, reason: object = None) -> asyncio.Future[None]:
        """Nobody will read on."""
        return started(self._stream.abandon(reason))


class StreamController:
    """What an underlying source enqueues with."""

    def __init__(self) -> None:
        self._queue: deque[Any] = deque()
        self._changed = asyncio.Event()
        self._is_closed = False
        self._error: BaseException | None = None

    @property
    def desiredSize(self) -> int:  # noqa: N802 - JavaScript's name
        """How many chunks more are welcome; at most one."""
        return 1 - len(self._queue)

    def enqueue(self, chunk: object) -> None:
        """Add a chunk. TypeError after `close`."""
        if self._is_closed:
            raise JsTypeError("This ReadableStream is closed.")
        self._queue.append(chunk)
        self._changed.set()

    def close(self) -> None:
        """No more comes."""
        self._is_closed = True
        self._changed.set()

    terminate = close

    def error(self, reason: object = None) -> None:
        """Whoever reads gets this error."""
        self._error = reason if isinstance(reason, BaseException) else JsException(str(reason))
        self._changed.set()

    def follow(self, outcome: object) -> None:
        """Let what `start` returned run, and fail with it."""
        if inspect.isawaitable(outcome):
            started(outcome).add_done_callback(self._fail_with)

    def _fail_with(self, done: asyncio.Future[Any]) -> None:
        if not done.cancelled() and (error := done.exception()) is not None:
            self.error(error)

    def taken(self) -> list[Any]:
        """What is in the queue, taken out of it."""
        chunks = list(self._queue)
        self._queue.clear()
        return chunks

    def end(self) -> None:
        """Nobody reads on."""
        self._queue.clear()
        self.close()

    async def drained(self, pull: Callable[..., object] | None) -> AsyncGenerator[Any, None]:
        """The chunks, asking `pull` for more where nothing is there."""
        while True:
            while self._queue:
                yield self._queue.popleft()
            if self._error is not None:
                raise self._error
            if self._is_closed:
                return
            self._changed.clear()
            if pull is not None:
                await settled(pull(self))
            if self._has_nothing_to_say():
                await self._changed.wait()

    def _has_nothing_to_say(self) -> bool:
        return not self._queue and not self._is_closed and self._error is None


class _Fork:
    """The chunks of a stream for two readers."""

    def __init__(self, source: ReadableStream) -> None:
        self._source = source
        self._kept: tuple[deque[Any], deque[Any]] = (deque(), deque())
        self._lock = asyncio.Lock()
        self._has_ended = False
        self._kept_bytes = 0

    async def branch(self, number: int) -> AsyncGenerator[Any, None]:
        mine = self._kept[number]
        while True:
            if not mine:
                await self._fill(mine)
            if not mine:
                return
            chunk = mine.popleft()
            self._kept_bytes -= _size(chunk)
            yield chunk

    async def _fill(self, mine: deque[Any]) -> None:
        async with self._lock:
            if mine or self._has_ended:
                return
            try:
                chunk = await self._source.next_chunk()
            except StopAsyncIteration:
                self._has_ended = True
                return
            self._kept_bytes += 2 * _size(chunk)
            if self._kept_bytes > 2 * MAX_BUFFERED_BYTES:
                raise JsException("Memory limit exceeded before EOF.")
            for kept in self._kept:
                kept.append(chunk)


# `from` is a word of Python's: `ReadableStream.from_`, as Pyodide spells it, or `getattr(ReadableStream, "from")`.
setattr(ReadableStream, "from", ReadableStream.from_)


async def _each(chunks: Iterable[Any]) -> AsyncGenerator[Any, None]:
    for chunk in chunks:
        yield chunk


async def _one(data: bytes) -> AsyncGenerator[bytes, None]:
    if data:
        yield data


def _size(chunk: object) -> int:
    return len(chunk) if isinstance(chunk, (bytes, bytearray, str)) else 1


def _richer(chunk: object) -> object:
    return ArrayBuffer(chunk) if type(chunk) is bytes else chunk
