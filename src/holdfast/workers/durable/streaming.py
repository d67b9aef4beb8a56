"""The body of an object's answer, where user code makes it while it is sent: events of a server, rows of a long list.

It is made where the object is: its steps are admitted by the input gate, it keeps the object in memory until it has ended, and each chunk
leaves when the writes before it are durable. Whoever reads it, the client's connection or another object, only asks for chunks.

Law 1: nothing is made that was not asked for: a client that does not read holds up who makes it.
Law 2: who stops reading, or forgets the answer, ends who makes it; an object that breaks ends the body with its error.
"""

import asyncio
import weakref
from collections.abc import AsyncIterator
from contextvars import Context
from typing import Any

from holdfast.workers.durable import current
from holdfast.workers.durable.errors import SOCKET_LOST, ObjectReset
from holdfast.workers.sdk.web.bodies import Payload
from holdfast.workers.sdk.web.response import Response
from holdfast.workers.sdk.web.streams import ReadableStream


def keep_at_home(answer: Response, context: Context) -> None:
    """Have the body of an answer made in this context, if it is made while it is sent."""
    payload = answer.payload
    if payload.is_null or payload.is_used or payload.length is not None or payload.coding:
        return
    if (stream := payload.readable) is not None:
        feed = Feed(stream, context)
        body = ReadableStream(feed.chunks(), feed.abandon)
        # An answer that nobody reads, ever, must not keep its object.
        weakref.finalize(body, feed.end_soon).atexit = False
        answer.payload = Payload(body)


class Feed:
    """A stream that is read in one context and asked for from another."""

    __slots__ = ("_asked", "_end", "_stream", "_task", "_waiting")

    def __init__(self, stream: ReadableStream, context: Context) -> None:
        self._stream = stream
        self._asked = asyncio.Event()
        self._waiting: asyncio.Future[Any] | None = None
        # How it ended; this, unless it comes to say otherwise.
        self._end: Exception = ObjectReset(SOCKET_LOST)
        # Begun now, not when the first chunk is asked for: the object is not to leave before.
        self._task = asyncio.get_running_loop().create_task(self._make(), context=context.copy())
        self._task.set_name("a streamed answer")

    async def chunks(self) -> AsyncIterator[Any]:
        """The chunks, each made when it is asked for. Raises what user code raised, and what broke the object."""
        try:
            while True:
                if self._task.done():
                    raise self._end
                self._waiting = asyncio.get_running_loop().create_future()
                self._asked.set()
                yield await self._waiting
        except EndOfStream:
            return
        finally:
            self._task.cancel()

    def end_soon(self) -> None:
        """Nobody has it any more. From any thread, at any time."""
        loop = self._task.get_loop()
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._task.cancel, context=Context())

    async def abandon(self, reason: object = None) -> None:
        """Nobody reads on."""
        self._task.cancel()
        await self._stream.abandon(reason)

    async def _make(self) -> None:
        try:
            while True:
                await self._asked.wait()
                self._asked.clear()
                chunk = await self._stream.next_chunk()
                await current.confirmed()
                if self._waiting is not None and not self._waiting.done():
                    self._waiting.set_result(chunk)
        except StopAsyncIteration:
            self._end = EndOfStream()
        except Exception as error:  # noqa: BLE001  user code's; who reads is told
            self._end = error
        finally:
            if self._waiting is not None and not self._waiting.done():
                self._waiting.set_exception(self._end)


class EndOfStream(Exception):
    """There are no more chunks. (A future takes no StopAsyncIteration of its own kind in silence.)"""
