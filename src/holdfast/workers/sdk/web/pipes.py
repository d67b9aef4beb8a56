"""WritableStream and TransformStream: what is written at one end is read at the other, one chunk after the other.

Law 1: a `write` ends when its chunk has been taken, by a sink when that is done with it, so who awaits it writes no faster than is read. Where the
sink fails, so does whatever is written.
Law 2: what JavaScript starts when it is called (`write`, `close`, `abort`) starts here too, awaited or not.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from typing import Any

from holdfast.workers.sdk.arity import as_many
from holdfast.workers.sdk.errors import JsException, JsTypeError
from holdfast.workers.sdk.web.callbacks import members_of, settled, started
from holdfast.workers.sdk.web.streams import ReadableStream, StreamController


class WritableStream:
    """Where chunks are written to; each `write` ends when its chunk has been taken."""

    def __init__(self, pipe: _Pipe) -> None:
        self._pipe = pipe
        self._locked = False

    @classmethod
    def new(cls, sink: object = None, _strategy: object = None, **given: object) -> WritableStream:
        """Of an underlying sink: a mapping or an object with `write`, `close` and `abort`."""
        return cls(_Sink(members_of(sink, given)))

    @property
    def locked(self) -> bool:
        """Whether somebody writes it."""
        return self._locked

    def getWriter(self) -> StreamWriter:  # noqa: N802 - JavaScript's name
        """The writer of this stream. TypeError if it has one."""
        if self._locked:
            raise JsTypeError("This WritableStream is currently locked to a writer.")
        self._locked = True
        return StreamWriter(self, self._pipe)

    def close(self) -> asyncio.Future[None]:
        """Nothing more will be written."""
        return self._pipe.close()

    def abort(self, reason: object = None) -> asyncio.Future[None]:
        """Whoever reads the other end gets this error."""
        return self._pipe.abort(reason)

    def unlock(self) -> None:
        """Let another writer have it."""
        self._locked = False


class StreamWriter:
    """`stream.getWriter()`."""

    def __init__(self, stream: WritableStream, pipe: _Pipe) -> None:
        self._stream, self._pipe = stream, pipe

    @property
    def ready(self) -> asyncio.Future[None]:
        """Done: what is written waits for its reader by itself."""
        done = _future()
        done.set_result(None)
        return done

    @property
    def closed(self) -> asyncio.Future[None]:
        """Done when the stream has been closed and all been taken; fails with what broke it."""
        return self._pipe.ended()

    @property
    def desiredSize(self) -> int | None:  # noqa: N802 - JavaScript's name
        """1 where nothing waits to be taken, less where something does; 0 when closed, None when broken."""
        return self._pipe.room

    def write(self, chunk: object) -> asyncio.Future[None]:
        """Write one chunk; done when it has been taken."""
        return self._pipe.write(chunk)

    def close(self) -> asyncio.Future[None]:
        """Nothing more will be written; done when all has been taken."""
        return self._pipe.close()

    def abort(self, reason: object = None) -> asyncio.Future[None]:
        """Whoever reads the other end gets this error."""
        return self._pipe.abort(reason)

    def releaseLock(self) -> None:  # noqa: N802 - JavaScript's name
        """Others may write on."""
        self._stream.unlock()


class BothEnds:
    """A `writable` and a `readable`: what is written to the one is read from the other, as `_join` has it converted."""

    writable: WritableStream
    readable: ReadableStream

    def _join(self, convert: Callable[[AsyncGenerator[Any, None]], AsyncGenerator[Any, None]]) -> None:
        pipe = _Pipe()
        self.writable = WritableStream(pipe)
        self.readable = ReadableStream(_telling(pipe, convert(pipe.chunks())), pipe.refuse)


class TransformStream(BothEnds):
    """The two, with what user code makes of what goes through."""

    def __init__(self, transformer: object = None, **given: object) -> None:
        member = members_of(transformer, given)
        self._join(lambda chunks: _transformed(chunks, member))

    @classmethod
    def new(cls, transformer: object = None, *_strategies: object, **given: object) -> TransformStream:
        """With a transformer: a mapping or an object with `start`, `transform` and `flush`; without one unchanged."""
        return cls(transformer, **given)


class _Pipe:
    """Chunks between who writes and who reads; a write is done when its chunk has been read."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[object, asyncio.Future[None]]] = deque()
        self._changed = asyncio.Event()
        self._is_closed = False
        self._error: BaseException | None = None
        # Who waits for the end.
        self._watching: list[asyncio.Future[None]] = []

    def write(self, chunk: object) -> asyncio.Future[None]:
        done = _future()
        if self._error is not None or self._is_closed:
            closed = JsTypeError("This WritableStream has been closed.")
            done.set_exception(closed if self._error is None else self._error)
            done.exception()
        else:
            self._waiting.append((chunk, done))
            self._changed.set()
        return done

    def close(self) -> asyncio.Future[None]:
        done = _future()
        if self._error is not None:
            self._tell(done)
            return done
        self._is_closed = True
        self._changed.set()
        if self._waiting:
            self._waiting[-1][1].add_done_callback(lambda _: _resolve(done))
        else:
            done.set_result(None)
        return done

    @property
    def room(self) -> int | None:
        if self._error is not None:
            return None
        return 0 if self._is_closed else 1 - len(self._waiting)

    def ended(self) -> asyncio.Future[None]:
        done = _future()
        if self._error is not None or (self._is_closed and not self._waiting):
            self._tell(done)
        else:
            self._watching.append(done)
        return done

    def _tell(self, done: asyncio.Future[None]) -> None:
        if done.done():
            return
        if self._error is None:
            done.set_result(None)
        else:
            done.set_exception(self._error)
            # Nobody need await it.
            done.exception()

    def abort(self, reason: object = None) -> asyncio.Future[None]:
        self._fail(reason if isinstance(reason, BaseException) else JsException(str(reason)))
        done = _future()
        done.set_result(None)
        return done

    def refuse(self, reason: object) -> None:
        """The reader has gone: whoever writes gets an error."""
        self._fail(reason if isinstance(reason, BaseException) else JsTypeError("The readable side was cancelled."))

    def _fail(self, error: BaseException) -> None:
        self._error = error
        while self._waiting:
            _, done = self._waiting.popleft()
            if not done.done():
                done.set_exception(error)
                done.exception()
        self._changed.set()
        self._told_end()

    def _told_end(self) -> None:
        while self._watching:
            self._tell(self._watching.pop())

    async def chunks(self) -> AsyncGenerator[Any, None]:
        while True:
            while self._waiting:
                chunk, done = self._waiting.popleft()
                _resolve(done)
                yield chunk
            if self._error is not None:
                raise self._error
            if self._is_closed:
                self._told_end()
                return
            self._changed.clear()
            await self._changed.wait()


class _Sink(_Pipe):
    """Chunks for a sink of user code; a write is done when the sink is done with it, and so is the end."""

    def __init__(self, member: Callable[[str], Callable[..., object] | None]) -> None:
        super().__init__()
        self._member = member
        self._is_over = False
        self._feeding = started(self._feed())

    def close(self) -> asyncio.Future[None]:
        self._is_closed = True
        self._changed.set()
        return self.ended()

    def ended(self) -> asyncio.Future[None]:
        done = _future()
        if self._error is not None or self._is_over:
            self._tell(done)
        else:
            self._watching.append(done)
        return done

    def abort(self, reason: object = None) -> asyncio.Future[None]:
        if self._error is not None or self._is_over:
            done = _future()
            done.set_result(None)
            return done
        _ = super().abort(reason)
        return started(self._aborted(reason))

    async def _aborted(self, reason: object) -> None:
        # What the sink is at is done first.
        await self._feeding
        if (abort := self._member("abort")) is not None:
            await settled(as_many(abort, reason))

    async def _feed(self) -> None:
        write, close = self._member("write"), self._member("close")
        controller = SinkController(self)
        try:
            if (start := self._member("start")) is not None:
                await settled(as_many(start, controller))
            while await self._has_next():
                chunk, done = self._waiting[0]
                if write is not None:
                    await settled(as_many(write, chunk, controller))
                if self._error is None:
                    self._waiting.popleft()
                    _resolve(done)
            if self._error is None and close is not None:
                await settled(close())
        except Exception as error:  # noqa: BLE001 - user code's, and who writes hears it
            self.refuse(error)
        if self._error is None:
            self._is_over = True
            self._told_end()

    async def _has_next(self) -> bool:
        while not (self._waiting or self._is_closed or self._error is not None):
            self._changed.clear()
            await self._changed.wait()
        return bool(self._waiting) and self._error is None


class SinkController:
    """What a sink is given to say that it has failed."""

    def __init__(self, pipe: _Sink) -> None:
        self._pipe = pipe

    def error(self, reason: object = None) -> None:
        """Whoever writes gets this error."""
        self._pipe.refuse(reason if isinstance(reason, BaseException) else JsException(str(reason)))


async def _telling(pipe: _Pipe, made: AsyncGenerator[Any, None]) -> AsyncGenerator[Any, None]:
    """What comes out; where that fails, whoever writes is told."""
    try:
        async for chunk in made:
            yield chunk
    except Exception as error:
        pipe.refuse(error)
        raise


async def _transformed(
    chunks: AsyncGenerator[Any, None], member: Callable[[str], Callable[..., object] | None]
) -> AsyncGenerator[Any, None]:
    transform = member("transform")
    if transform is None:
        async for chunk in chunks:
            yield chunk
        return
    controller = StreamController()
    if (start := member("start")) is not None:
        await settled(start(controller))
    async for chunk in chunks:
        await settled(transform(chunk, controller))
        for made in controller.taken():
            yield made
    if (flush := member("flush")) is not None:
        await settled(flush(controller))
    for made in controller.taken():
        yield made


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _future() -> asyncio.Future[None]:
    return asyncio.get_running_loop().create_future()
