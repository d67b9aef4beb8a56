"""HTTP/1.1 for the edges: each connection on the script's Unix socket, one request after another, bodies streamed both ways.

The protocol itself is h11's. Edges keep connections and use them again; none of them is a stranger, but what they pass on is.

Law 1: nothing of a body is read that nobody asked for, and nothing is written faster than the edge takes it.
Law 2: after a 101 the connection ends: the edge speaks with the client from there on.
Law 3: a request whose edge has gone is cancelled, within LOOK_S.
Law 4: an answer that was begun and cannot be ended ends its connection, so that nobody takes it for whole.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from http import HTTPStatus

import h11

CHUNK_BYTES = 64 * 1024
# Longest head; edges themselves take 32 KiB of a client, and add a few fields, of which one has a path of at most 16 KiB with three bytes for each.
MAX_HEAD_BYTES = 128 * 1024
# How long an edge may take to send the rest of a body that nobody reads, so that its connection can be used again.
DRAIN_S = 1.0
# Beyond these the rest of a body is not read for the connection's sake.
MAX_DRAIN_BYTES = 256 * 1024
# How often it is looked for edges that went while user code takes its time. A connection that ends wakes nobody who waits for something else.
LOOK_S = 1.0
# How long a connection without a request is kept once no more are accepted: what was accepted or sent just then is answered.
STILL_S = 0.05
# The same as the edges' own queue: they open no more to one origin.
BACKLOG = 1024

Fields = list[tuple[bytes, bytes]]


class Gone(ConnectionError):
    """The edge ended the connection."""


class NoHttp(Gone):
    """What came is no request that can be read."""


class Exchange:
    """One request and its answer. `target` is as it was sent; `fields` in order, names lower case. `status` is what is being answered, 0 before."""

    def __init__(self, connection: Connection, request: h11.Request) -> None:
        self._connection = connection
        self.method = request.method.decode("ascii")
        self.target = request.target.decode("ascii")
        self.fields: Fields = [(bytes(name), bytes(value)) for name, value in request.headers]
        self.is_begun = self.is_ended = False
        self.status = 0

    def field(self, name: bytes) -> str:
        """The first field of this (lower-case) name, or ""."""
        return next((value.decode("latin-1") for found, value in self.fields if found == name), "")

    def count_as_answered(self) -> None:
        """What was asked is answered, though its body stays open: nobody who retires need wait for that."""
        self._connection.answered.set()

    @property
    def has_body(self) -> bool:
        """Whether the head announces a body."""
        return any(
            name == b"transfer-encoding" or (name == b"content-length" and value != b"0") for name, value in self.fields
        )

    async def body(self) -> AsyncIterator[bytes]:
        """The request's body, as it comes. Raises Gone if it breaks off, or once the answer has ended: what comes then is another request's."""
        while not self.is_ended and (chunk := await self._connection.body_chunk()) is not None:
            yield chunk
        if self.is_ended:
            raise Gone("the request has been answered")

    async def answer(
        self,
        status: int,
        fields: Iterable[tuple[bytes, bytes]],
        body: bytes | AsyncIterator[bytes] | None,
        *,
        reason: str = "",
        length: int | None = None,
    ) -> None:
        """Send the answer. `length`: of a body that comes in pieces, or does not come (HEAD, 304), where it is known. Raises Gone, and whatever the body raises."""
        head = self._head(status, list(fields), body, reason, length)
        self.is_begun, self.status = True, status
        may_have_body = self.method != "HEAD" and status not in {204, 304}
        if isinstance(head, h11.InformationalResponse):
            await self._connection.send(head)
        elif isinstance(body, bytes) or body is None or not may_have_body:
            data = [h11.Data(data=body)] if may_have_body and isinstance(body, bytes) and body else []
            await self._connection.send(head, *data, h11.EndOfMessage())
        else:
            await self._connection.send(head)
            async for chunk in body:
                if chunk:
                    await self._connection.send(h11.Data(data=chunk))
            await self._connection.send(h11.EndOfMessage())
        self.is_ended = True

    def _head(
        self, status: int, fields: Fields, body: bytes | AsyncIterator[bytes] | None, reason: str, length: int | None
    ) -> h11.Response | h11.InformationalResponse:
        phrase = (reason or _phrase(status)).encode("latin-1", "replace")
        if status == HTTPStatus.SWITCHING_PROTOCOLS:
            return h11.InformationalResponse(status_code=status, headers=fields, reason=phrase)
        if self._connection.is_last:
            fields.append((b"connection", b"close"))
        if (size := self._size(status, body, length)) is not None:
            fields.append((b"content-length", b"%d" % size))
        return h11.Response(status_code=status, headers=fields, reason=phrase)

    def _size(self, status: int, body: bytes | AsyncIterator[bytes] | None, length: int | None) -> int | None:
        """What the head says of the body's size, if anything. RFC 9110 §8.6: to HEAD, and with 304, it is that of a body which is not sent."""
        if status == HTTPStatus.NO_CONTENT:
            return None
        if isinstance(body, bytes):
            return None if status == HTTPStatus.NOT_MODIFIED else len(body)
        is_all = body is None and self.method != "HEAD" and status != HTTPStatus.NOT_MODIFIED
        return 0 if is_all else length


class Connection:
    """One connection of an edge."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)
        self.is_idle = True
        # Whether it ends with the answer under way, which says so.
        self.is_last = False
        # Set when what it was asked last is answered, and when it has ended.
        self.answered = asyncio.Event()
        self._is_reading = self._has_ended = False

    async def next_request(self) -> h11.Request | None:
        """The next request, or None when there is none any more."""
        self.is_idle = True
        self.answered.clear()
        try:
            event = await self._next_event()
        except NoHttp:
            raise
        except Gone:
            return None
        self.is_idle = False
        return event if isinstance(event, h11.Request) else None

    async def body_chunk(self) -> bytes | None:
        """A piece of the body of the request, None at its end."""
        if self._h11.their_state is h11.DONE:
            return None
        if self._h11.they_are_waiting_for_100_continue:
            await self.send(h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue"))
        self._is_reading = True
        try:
            event = await self._next_event()
        finally:
            self._is_reading = False
        return bytes(event.data) if isinstance(event, h11.Data) else None

    async def send(self, *parts: h11.InformationalResponse | h11.Response | h11.Data | h11.EndOfMessage) -> None:
        """Write all of it together, as fast as the edge takes it. Raises Gone."""
        data = b"".join(self._h11.send(part) or b"" for part in parts)
        try:
            if data:
                self._writer.write(data)
            await self._writer.drain()
        except OSError as error:
            raise Gone(str(error)) from error

    async def again(self) -> bool:
        """Whether the connection can have another request; reads what little may be left of the last one's body."""
        if self._is_reading:
            # Somebody waits for a piece of the body, behind the answer.
            return False
        drained = 0
        with contextlib.suppress(TimeoutError, Gone, h11.RemoteProtocolError):
            async with asyncio.timeout(DRAIN_S):
                while self._h11.their_state is h11.SEND_BODY and drained < MAX_DRAIN_BYTES:
                    if self._h11.they_are_waiting_for_100_continue:
                        return False
                    drained += len(await self.body_chunk() or b"")
        if self._h11.our_state is not h11.DONE or self._h11.their_state is not h11.DONE:
            return False
        self._h11.start_next_cycle()
        return True

    @property
    def is_left(self) -> bool:
        """Whether the edge has closed it altogether; one that only has nothing more to send waits for its answer."""
        if not self._reader.at_eof():
            return False
        poll = select.poll()
        poll.register(self._writer.get_extra_info("socket").fileno(), 0)
        return any(event & select.POLLHUP for _, event in poll.poll(0))

    def close(self) -> None:
        """End it."""
        self._writer.close()

    def abort(self) -> None:
        """End it, whatever is on its way."""
        self._writer.transport.abort()

    async def _next_event(self) -> h11.Request | h11.Data | h11.EndOfMessage:
        while True:
            try:
                event = self._h11.next_event()
            except h11.RemoteProtocolError as error:
                if self._has_ended:
                    # In the midst of something: the client has broken off, and the edge with it.
                    raise Gone(str(error)) from error
                raise NoHttp(f"what an edge sent is no HTTP: {error}") from error
            if event is h11.NEED_DATA:
                try:
                    data = await self._reader.read(CHUNK_BYTES)
                    self._has_ended = not data
                    self._h11.receive_data(data)
                except OSError as error:
                    raise Gone(str(error)) from error
            elif isinstance(event, (h11.Request, h11.Data, h11.EndOfMessage)):
                return event
            else:
                raise Gone("the edge closed the connection")


Answerer = Callable[[Exchange], Awaitable[None]]


class HttpServer:
    """Serves on a listening socket until it retires. `answer` answers each exchange; what it raises ends the connection."""

    def __init__(self, answer: Answerer, *, report: Callable[[str], None]) -> None:
        self._answer = answer
        self._report = report
        self._server: asyncio.Server | None = None
        self._open: dict[Connection, asyncio.Task[None]] = {}
        self._is_retiring = False
        # Set when connections without a request have been ended.
        self._still = asyncio.Event()
        self._looking: asyncio.TimerHandle | None = None

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._open)

    async def serve(self, listener: socket.socket) -> None:
        """Accept from now on."""
        self._server = await asyncio.start_unix_server(
            self._connected, sock=listener, limit=CHUNK_BYTES, backlog=BACKLOG
        )

    def stop(self) -> None:
        """Accept nothing more; end idle connections in a moment, others after their answer."""
        if self._is_retiring:
            return
        self._is_retiring = True
        if self._server is not None:
            # Not `close`: the listening socket is the host's, and shared.
            loop = asyncio.get_running_loop()
            for listener in self._server.sockets:
                loop.remove_reader(listener.fileno())
        for connection in self._open:
            connection.is_last = True
        asyncio.get_running_loop().call_later(STILL_S, self._close_idle)

    async def answered(self, limit_s: float) -> None:
        """After `stop`: wait until every request is answered, or the limit is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await self._still.wait()
                while (late := next((one for one in self._open if not one.answered.is_set()), None)) is not None:
                    await late.answered.wait()

    async def retire(self, limit_s: float) -> None:
        """`stop`, and end what has not ended after `limit_s`."""
        self.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await self._still.wait()
                while self._open:
                    await asyncio.wait(list(self._open.values()), return_when=asyncio.FIRST_COMPLETED)
        for connection in self._open:
            connection.abort()
        if self._looking is not None:
            self._looking.cancel()

    def _close_idle(self) -> None:
        for connection in self._open:
            if connection.is_idle:
                connection.close()
        self._still.set()

    def _look(self) -> None:
        busy = [(connection, task) for connection, task in self._open.items() if not connection.is_idle]
        for connection, task in busy:
            if connection.is_left:
                task.cancel()
        self._looking = asyncio.get_running_loop().call_later(LOOK_S, self._look) if busy else None

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(reader, writer)
        connection.is_last = self._is_retiring
        task = asyncio.current_task()
        if task is not None:
            self._open[connection] = task
        try:
            await self._serve_all(connection)
        except NoHttp as error:
            connection.abort()
            self._report(str(error))
        except (Gone, asyncio.CancelledError):
            # Cancelled: its edge has gone, or the loop ends. asyncio would take a cancelled task of a connection for a fault.
            connection.abort()
        except Exception as error:  # noqa: BLE001 - of ours; told, and only this connection ends
            connection.abort()
            self._report(f"a connection ended by a fault: {error!r}")
        finally:
            self._open.pop(connection, None)
            connection.answered.set()
            connection.close()

    async def _serve_all(self, connection: Connection) -> None:
        while (request := await connection.next_request()) is not None:
            exchange = Exchange(connection, request)
            if self._looking is None:
                self._looking = asyncio.get_running_loop().call_later(LOOK_S, self._look)
            await self._answer(exchange)
            if not exchange.is_ended:
                connection.abort()
                return
            if self._is_retiring or not await connection.again():
                return


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
