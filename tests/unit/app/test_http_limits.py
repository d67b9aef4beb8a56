"""A client of the API that keeps the server waiting is cut; one that waits is not."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import h11
import pytest
import uvicorn

from holdfast.app import http_limits
from holdfast.app.http_limits import LimitedProtocol
from tests.unit.loop_clock import LoopClock

# So long that none of it passes by itself.
LIMIT_S = 1000.0


class Impatient(LimitedProtocol):
    """The same with limits of the tests' own, and it says how much it was sent."""

    limits = {h11.IDLE: LIMIT_S, h11.SEND_BODY: LIMIT_S}  # noqa: RUF012  as its base has it
    received = 0

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self.received += len(data)


class Server:
    """It, with its clock. What is asked for `/slow` is answered when `may_answer` is set, once."""

    def __init__(self) -> None:
        self.clock = LoopClock(asyncio.get_running_loop())
        self.state = uvicorn.server.ServerState()
        self.may_answer = asyncio.Event()
        self.asked = 0
        self.port = 0

    async def application(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Reads the body, and takes its time to answer where it is asked to."""
        while (await receive()).get("more_body"):
            pass
        self.asked += 1
        if scope["path"] == "/slow":
            await self.may_answer.wait()
            self.may_answer.clear()
        await application(scope, receive, send)

    @property
    def only(self) -> Impatient:
        """The one connection that there is."""
        [found] = self.state.connections
        assert isinstance(found, Impatient)
        return found


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answers."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    config = uvicorn.Config(made.application, interface="asgi3", http=Impatient, log_config=None, lifespan="off")
    config.load()
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(
        lambda: Impatient(config=config, server_state=made.state, app_state={}, _loop=loop), "127.0.0.1", 0
    )
    made.port = int(listener.sockets[0].getsockname()[1])
    yield made
    listener.close()
    assert not made.state.connections
    await asyncio.gather(*made.state.tasks, return_exceptions=True)


async def until(what: Callable[[], object]) -> None:
    """Return when this is so."""
    async with asyncio.timeout(30):
        while not what():
            await asyncio.wait([asyncio.create_task(asyncio.Event().wait())], timeout=0.01)


async def some_turns() -> None:
    """Let the loop do what is due, and what follows from it."""
    for _ in range(20):
        await asyncio.to_thread(bool)


class Talk:
    """A client that says `pieces`, and then waits for the end of its connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.ended = asyncio.create_task(reader.read())

    @classmethod
    async def with_server(cls, server: Server, *pieces: bytes) -> "Talk":
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        await until(lambda: server.state.connections)
        for piece in pieces:
            writer.write(piece)
        return cls(reader, writer)

    async def answers(self) -> bytes:
        """All that has come when the connection has ended."""
        try:
            answer = await asyncio.wait_for(self.ended, 30)
        except ConnectionResetError:
            answer = b""
        self.writer.close()
        return answer


@pytest.mark.parametrize(
    ("pieces", "owed"),
    [
        ((), h11.IDLE),
        ((b"GET / HT",), h11.IDLE),
        ((b"GET / HTTP/1.1\r\nHost: h\r\n",), h11.IDLE),
        ((b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf",), h11.SEND_BODY),
    ],
)
async def test_a_client_that_owes_the_rest_of_a_request_is_cut(
    server: Server, pieces: tuple[bytes, ...], owed: type
) -> None:
    talk = await Talk.with_server(server, *pieces)
    await until(lambda: server.only.received == len(b"".join(pieces)))
    assert server.only.conn.their_state is owed
    server.clock.passes(0.8 * LIMIT_S)
    await some_turns()
    assert not talk.ended.done()
    server.clock.passes(0.3 * LIMIT_S)
    assert await talk.answers() == b""


async def test_a_client_that_drips_bytes_has_no_more_time(server: Server) -> None:
    talk = await Talk.with_server(server, b"GET / HTTP/1.1\r\nX: ")
    for _ in range(8):
        before = server.only.received
        talk.writer.write(b"x")
        await until(lambda before=before: server.only.received > before)  # type: ignore[misc]
        server.clock.passes(0.1 * LIMIT_S)
        await some_turns()
        assert not talk.ended.done()
    server.clock.passes(0.3 * LIMIT_S)
    assert await talk.answers() == b""


async def test_a_client_that_waits_for_its_answer_is_not_cut(server: Server) -> None:
    talk = await Talk.with_server(server, b"GET /slow HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    await until(lambda: server.asked == 1)
    server.clock.passes(3 * LIMIT_S)
    await some_turns()
    server.may_answer.set()
    answer = await talk.answers()
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"ok")


async def test_each_request_of_a_connection_has_its_own_time(server: Server) -> None:
    request = b"GET /slow HTTP/1.1\r\nHost: h\r\n\r\n"
    talk = await Talk.with_server(server, request, request)
    for number in (1, 2):
        await until(lambda number=number: server.asked == number)  # type: ignore[misc]
        server.clock.passes(3 * LIMIT_S)
        await some_turns()
        server.may_answer.set()
    await until(lambda: server.only.conn.their_state is h11.IDLE)
    server.clock.passes(1.1 * LIMIT_S)
    assert (await talk.answers()).count(b"HTTP/1.1 200 ") == 2


@pytest.mark.parametrize("before", [b"", b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"])
async def test_nothing_is_a_request_behind_one_whose_length_is_said_twice(server: Server, before: bytes) -> None:
    both = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    talk = await Talk.with_server(server, before + both + b"GET / HTTP/1.1\r\nHost: smuggled\r\n\r\n")
    assert (await talk.answers()).count(b"HTTP/1.1 200 ") == (2 if before else 1)


@pytest.mark.parametrize("has_asked_before", [False, True])
async def test_who_is_about_to_ask_when_control_stops_is_answered_and_goes_then(
    has_asked_before: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_limits, "LINGER_S", 60.0)
    config = uvicorn.Config(application, interface="asgi3", http=LimitedProtocol, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    config.load()
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(
        lambda: LimitedProtocol(config=config, server_state=server.server_state, app_state={}, _loop=loop),
        "127.0.0.1",
        0,
    )
    server.servers, server.lifespan = [listener], config.lifespan_class(config)
    request = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.sockets[0].getsockname()[1])
    if has_asked_before:
        writer.write(request)
        assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200 ")
    await until(lambda: bool(server.server_state.connections))
    stopping = asyncio.create_task(server.shutdown())
    await until(lambda: not listener.is_serving())
    writer.write(request)
    answer = await asyncio.wait_for(reader.read(), 30)
    assert answer.startswith(b"HTTP/1.1 200 ")
    writer.close()
    await asyncio.wait_for(stopping, 30)
    assert not server.server_state.connections


async def test_who_asks_nothing_when_control_stops_keeps_it_no_longer_than_a_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http_limits, "LINGER_S", 0.01)
    config = uvicorn.Config(application, interface="asgi3", http=LimitedProtocol, log_config=None, lifespan="off")
    config.load()
    state = uvicorn.server.ServerState()
    one = LimitedProtocol(config=config, server_state=state, app_state={}, _loop=asyncio.get_running_loop())
    peer = Peer("192.0.2.1")
    one.connection_made(peer)
    one.shutdown()
    assert not peer.is_closed
    await until(lambda: peer.is_closed)
    one.connection_lost(None)


class Crowded(LimitedProtocol):
    """The same with places for three, two of them for one address."""

    max_connections = 3
    max_connections_per_address = 2


class Peer(asyncio.Transport):
    """The transport of a connection from an address; `written` is what went out."""

    def __init__(self, address: str) -> None:
        super().__init__({"peername": (address, 1)})
        self.written = b""
        self.is_closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def close(self) -> None:
        self.is_closed = True

    def get_protocol(self) -> asyncio.BaseProtocol:
        return asyncio.Protocol()

    def is_closing(self) -> bool:
        return self.is_closed


async def test_an_address_has_no_more_than_its_places_and_others_have_theirs() -> None:
    config = uvicorn.Config(application, interface="asgi3", http=Crowded, log_config=None, lifespan="off")
    config.load()
    state = uvicorn.server.ServerState()

    def connected(address: str) -> tuple[Crowded, Peer]:
        one = Crowded(config=config, server_state=state, app_state={}, _loop=asyncio.get_running_loop())
        peer = Peer(address)
        one.connection_made(peer)
        return one, peer

    first = connected("2001:db8::1")
    peers = [first, connected("2001:db8::2"), connected("2001:db8::3"), connected("192.0.2.1"), connected("192.0.2.2")]
    assert [peer.written.split(b" ")[1:2] for _, peer in peers] == [[], [], [b"429"], [], [b"503"]]
    for one, peer in peers:
        if peer.written:
            head, _, body = peer.written.partition(b"\r\n\r\n")
            assert b"Content-Length: %d\r\nRetry-After: " % len(body) in head
            assert (json.loads(body)["success"], peer.is_closed) == (False, True)
            one.data_received(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            one.connection_lost(None)
    assert not state.tasks
    first[0].connection_lost(None)
    again = connected("2001:db8::4")
    assert again[1].written == b""
    for one, _ in (peers[1], peers[3], again):
        one.connection_lost(None)
    assert not state.connections
