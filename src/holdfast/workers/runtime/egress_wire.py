"""One connection to an edge as its HTTP/1.1 client: a request written, its answer read, both at once where bodies stream.

Law 1: neither body is taken faster than the other side takes it; what is held here is one chunk each way.
Law 2: an answer may begin before the request has ended, and may make the rest of it unwanted (RFC 9112 §9.5).
Law 3: every wait has a limit: for the head of an answer once the request is sent, for each chunk of either body.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import h11

from holdfast.workers.sdk.errors import NetworkError, TimedOut

# A little more than the edge gives an origin (19 s to accept, 125 s to answer), so that its answer is seen.
ANSWER_TIMEOUT_S = 150.0
# A body that is silent, or not taken, for so long: the other side is gone. Precedent: the edge's own limit, 10 min.
SILENCE_TIMEOUT_S = 600.0
# Longest head of an answer, as the edge's own bound.
MAX_HEAD_BYTES = 128 * 1024
CHUNK_BYTES = 64 * 1024

Answer = h11.Response | h11.InformationalResponse


class Connection:
    """See above. `idle_since` is its owner's."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
        self._uploading: asyncio.Task[None] | None = None
        self.idle_since = 0.0

    @property
    def is_fresh(self) -> bool:
        """Whether another request may be sent on it, as far as can be seen from here."""
        return not self._reader.at_eof() and not self._writer.is_closing()

    async def ask(self, head: h11.Request, body: bytes | AsyncIterator[bytes] | None) -> Answer:
        """Send the request, read the head of its answer: a final one, or 101. NetworkError, TimedOut, what `body` raises."""
        self._write(head)
        if body is None or isinstance(body, bytes):
            if body:
                self._write(h11.Data(data=body))
            self._write(h11.EndOfMessage())
        else:
            self._uploading = asyncio.get_running_loop().create_task(self._upload(body))
        while True:
            event = await self._event_or_failure()
            if isinstance(event, h11.Response):
                return event
            if isinstance(event, h11.InformationalResponse) and event.status_code == 101:
                return event

    async def more(self) -> bytes | None:
        """The next bytes of the answer's body; None at its end. NetworkError if it ends before."""
        while True:
            event = await self._event(SILENCE_TIMEOUT_S)
            if isinstance(event, h11.Data):
                return bytes(event.data)
            if isinstance(event, h11.EndOfMessage):
                return None

    def can_go_on(self) -> bool:
        """Whether it is between two requests now; it is ready for the next one then."""
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        self._uploading = None
        return self.is_fresh

    def abort(self) -> None:
        """Close it at once."""
        if self._uploading is not None and not self._uploading.done():
            self._uploading.cancel()
        self._writer.transport.abort()

    async def _event_or_failure(self) -> object:
        """The next event of HTTP, or the error of who sends the body, whichever comes first."""
        uploading = self._uploading
        if uploading is None or (uploading.done() and uploading.exception() is None):
            return await self._event(ANSWER_TIMEOUT_S)
        reading = asyncio.get_running_loop().create_task(self._event(None))
        try:
            await asyncio.wait({reading, uploading}, return_when=asyncio.FIRST_COMPLETED)
            if not (reading.done() and reading.exception() is None) and uploading.done():
                # Its own fault says more than that the connection has ended by it.
                uploading.result()
            await asyncio.wait({reading}, timeout=ANSWER_TIMEOUT_S)
            if not reading.done():
                raise _no_answer()
            return reading.result()
        finally:
            reading.cancel()

    async def _upload(self, body: AsyncIterator[bytes]) -> None:
        async for chunk in body:
            if chunk:
                self._write(h11.Data(data=chunk))
                await self._drained()
        self._write(h11.EndOfMessage())
        await self._drained()

    async def _drained(self) -> None:
        try:
            async with asyncio.timeout(SILENCE_TIMEOUT_S):
                await self._writer.drain()
        except TimeoutError:
            raise TimedOut(f"The request's body was not taken for {SILENCE_TIMEOUT_S:.0f} s.") from None
        except ConnectionError:
            # An edge that has closed may have answered before; what there is to read says so.
            return

    async def _event(self, timeout_s: float | None) -> object:
        while True:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as error:
                raise NetworkError(f"Network connection lost: {error}") from error
            if event is not h11.NEED_DATA:
                if isinstance(event, h11.ConnectionClosed) or event is h11.PAUSED:
                    raise NetworkError("Network connection lost.")
                return event
            self._http.receive_data(await self._read(timeout_s))

    async def _read(self, timeout_s: float | None) -> bytes:
        try:
            async with asyncio.timeout(timeout_s):
                return await self._reader.read(CHUNK_BYTES)
        except TimeoutError:
            raise _no_answer() from None
        except OSError as error:
            raise NetworkError(f"Network connection lost: {error}") from error

    def _write(self, event: Any) -> None:  # noqa: ANN401 - h11's events have no common type
        try:
            data = self._http.send(event)
        except h11.LocalProtocolError as error:
            self.abort()
            raise NetworkError(f"The request cannot be sent: {error}") from error
        if data:
            self._writer.write(data)


def _no_answer() -> TimedOut:
    return TimedOut("Nothing was received in time.")
