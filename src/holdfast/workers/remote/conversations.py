"""The two streams of one call of a method, where functions went along: frames out, frames in, until nobody needs them any more.

Who is called ends them: when it has answered, and neither side has a function of the other. So a callback may be kept, and called, long
after the call by which it came.

Law 1: who sends nothing says at least that it lives, so that nobody between takes a stream for dead.
Law 2: however the streams end, the session is closed, and whoever waits for something of it is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from contextvars import copy_context
from typing import Any

from holdfast.workers.durable.errors import ObjectError
from holdfast.workers.durable.transfer import copied
from holdfast.workers.remote.functions import LOST, Session, is_given, replaced
from holdfast.workers.remote.messages import ALIVE, BadFrame, Frames, Message, frame, no_functions

# Edges cut a request whose body is silent for 60 s, an answer for 10 min.
ALIVE_EVERY_S = 20.0


class Stream:
    """Frames on their way out: an async iterator of bytes, until it is ended."""

    def __init__(self) -> None:
        self._frames: asyncio.Queue[bytes | None] = asyncio.Queue()

    def write(self, data: bytes) -> None:
        """Send this."""
        self._frames.put_nowait(data)

    def end(self) -> None:
        """What was written before still goes out."""
        self._frames.put_nowait(None)

    async def pieces(self) -> AsyncIterator[bytes]:
        """What goes out, and signs of life between."""
        while True:
            piece: bytes | None = ALIVE
            with suppress(TimeoutError):
                async with asyncio.timeout(ALIVE_EVERY_S):
                    piece = await self._frames.get()
            if piece is None:
                return
            yield piece


class Asking:
    """The calling end. Without functions in what is `taken` there is no session, and nothing of this is needed."""

    def __init__(self) -> None:
        self.session: Session | None = None
        self._stream = Stream()
        self._result: asyncio.Future[Message] | None = None

    def taken(self, value: Any) -> Any:  # noqa: ANN401  whatever user code sends
        """A copy of arguments. Raises DOMException "DataCloneError"."""
        context = copy_context()
        return replaced(copied(value, lambda function: self._needed().give(context, function)), self._passed_on)

    def framed(self, message: Message) -> bytes:
        """The call as it goes out."""
        return frame(message) if self.session is None else self.session.sent(message)

    async def body(self, call: bytes) -> AsyncIterator[bytes]:
        """The request's body: the call, then what functions have to say."""
        yield call
        async for piece in self._stream.pieces():
            yield piece

    def _needed(self) -> Session:
        if self.session is None:
            self.session = Session(self._stream.write, _nothing)
        return self.session

    def _passed_on(self, part: Any) -> Any:  # noqa: ANN401  as above
        return self._needed().passed_on(part) if is_given(part) else part

    async def result(self, chunks: AsyncIterator[bytes], session: Session) -> Message:
        """How the call ended; what comes after that is heard as long as it comes."""
        result: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._result = result
        reading = asyncio.get_running_loop().create_task(self._read(chunks, session))
        _reading.add(reading)
        reading.add_done_callback(_reading.discard)
        return await result

    async def _read(self, chunks: AsyncIterator[bytes], session: Session) -> None:
        frames = Frames()
        why: Exception | None = None
        try:
            async for data in chunks:
                for message in frames.feed(data):
                    if not session.hear(message):
                        self._ended(message, session)
        except (BadFrame, ObjectError) as error:
            why = error
        finally:
            session.close()
            self._stream.end()
            if self._result is not None and not self._result.done():
                lost = ObjectError(LOST, retryable=True)
                lost.__cause__ = why
                self._result.set_exception(lost)

    def _ended(self, message: Message, session: Session) -> None:
        result, self._result = self._result, None
        if result is None or result.done():
            return
        if "done" in message:
            # Taken out of the message, and not kept here: the streams end when nobody has the functions in it any more.
            result.set_result({"done": session.found(message.pop("done"), message)})
        else:
            result.set_result(message)


class Asked:
    """The called end: hears what follows the call in `chunks`, and sends what `session` says and the result."""

    def __init__(self, chunks: AsyncIterator[bytes], frames: Frames) -> None:
        self._stream = Stream()
        self.session = Session(self._stream.write, self._rested)
        self._has_answered = False
        self._reading = asyncio.get_running_loop().create_task(self._read(chunks, frames))

    def answer(self, data: bytes) -> None:
        """The call has ended."""
        self._stream.write(data)
        self._has_answered = True
        self._rested()

    def pieces(self) -> AsyncIterator[bytes]:
        """What goes out."""
        return self._stream.pieces()

    def end(self) -> None:
        """The exchange is over."""
        self._reading.cancel()
        self.session.close()

    async def _read(self, chunks: AsyncIterator[bytes], frames: Frames) -> None:
        with suppress(BadFrame, ConnectionError):
            # Some may have come with the call.
            for message in frames.feed(b""):
                self.session.hear(message)
            async for data in chunks:
                for message in frames.feed(data):
                    self.session.hear(message)
        self.session.close()
        self._rested()

    def _rested(self) -> None:
        if self._has_answered and not (self.session.is_open and self.session.is_needed):
            self._stream.end()


def plain(value: Any) -> Any:  # noqa: ANN401  whatever user code sends
    """A copy of a result where no functions can go along. Raises DOMException "DataCloneError"."""
    return replaced(copied(value, no_functions), lambda part: no_functions(part) if is_given(part) else part)


def _nothing() -> None:
    """Who is called ends the streams."""


_reading: set[asyncio.Task[None]] = set()
