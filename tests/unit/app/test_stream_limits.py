"""WebSockets of the API, met by clients that take nothing, say nothing, or flood: each ends in time and holds little."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import h11
import pytest
import uvicorn
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from holdfast.app import stream_limits
from holdfast.app.http_limits import LimitedProtocol
from holdfast.app.stream_limits import StreamProtocol
from tests.unit.loop_clock import LoopClock

LIMIT_S = 30.0
STREAM = "/client/v4/zones/0123/websocket_connections/stream"


class Patient(StreamProtocol):
    """The same, whatever a busy machine takes for a closing handshake."""

    close_limit_s = LIMIT_S


class Server:
    """A server whose application does what the query says."""

    def __init__(self) -> None:
        self.ended, self.lets_in = asyncio.Event(), asyncio.Event()
        self.lets_in.set()
        self.state = uvicorn.server.ServerState()
        self.config = uvicorn.Config(
            self._serve,
            interface="asgi3",
            http=LimitedProtocol,
            ws=Patient,
            ws_max_size=4096,
            ws_ping_interval=LIMIT_S,
            ws_ping_timeout=LIMIT_S,
            ws_per_message_deflate=False,
            log_config=None,
            log_level="critical",
            lifespan="off",
        )

    async def start(self) -> str:
        self.config.load()
        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(
            lambda: LimitedProtocol(config=self.config, server_state=self.state, app_state={}, _loop=loop),
            "127.0.0.1",
            0,
        )
        return f"127.0.0.1:{self.server.sockets[0].getsockname()[1]}"

    async def _serve(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        try:
            if scope["type"] == "http":
                await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
                await send({"type": "http.response.body", "body": b"ok"})
                return
            await receive()
            await self.lets_in.wait()
            await send({"type": "websocket.accept"})
            if scope["query_string"] == b"flood":
                with suppress(TimeoutError):
                    async with asyncio.timeout(0.5):
                        while True:
                            await send({"type": "websocket.send", "text": "x" * 4096})
                await send({"type": "websocket.close", "code": 1013, "reason": "too slow"})
            while (await receive())["type"] != "websocket.disconnect":
                pass
        finally:
            self.ended.set()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who leaves a Close unanswered is cut soon."""
    monkeypatch.setattr(Patient, "close_limit_s", 0.2)


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Server]:
    server = Server()
    yield server
    server.server.close()
    monkeypatch.setattr(Patient, "close_limit_s", 0.01)
    for connection in list(server.state.connections):
        connection.shutdown()
    async with asyncio.timeout(LIMIT_S):
        await asyncio.gather(*server.state.tasks, return_exceptions=True)


async def ended(client: ClientConnection) -> tuple[int, str]:
    """Code and reason of the server's Close."""
    with suppress(ConnectionClosed):
        async with asyncio.timeout(LIMIT_S):
            while True:
                await client.recv()
    return client.close_code or 0, client.close_reason or ""


HANDSHAKE = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
UNREADABLE = [
    "",
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n",
    f"{HANDSHAKE}Content-Length: 5\r\n",
    f"{HANDSHAKE}Transfer-Encoding: chunked\r\n",
    f"X: {'x' * 20_000}\r\n{HANDSHAKE}",
    "".join(f"X{number}: 1\r\n" for number in range(200)) + HANDSHAKE,
]


@pytest.mark.parametrize("fields", UNREADABLE)
async def test_a_handshake_that_cannot_be_read_is_answered_at_once(server: Server, fields: str) -> None:
    host, port = (await server.start()).split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"GET {STREAM} HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{fields}\r\n"
    writer.write(head.encode())
    async with asyncio.timeout(LIMIT_S):
        answer = await reader.read()
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 426 "))
    writer.close()
    await until_gone(server)


def handshake(query: str = "") -> bytes:
    head = f"GET {STREAM}?{query} HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    return f"{head}{HANDSHAKE}\r\n".encode()


async def connected(address: str) -> socket.socket:
    """A client that takes little at once, and does nothing by itself."""
    host, port = address.split(":")
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(0)
    await asyncio.get_running_loop().sock_connect(client, (host, int(port)))
    return client


async def raw(address: str, query: str = "") -> socket.socket:
    """The same after its handshake."""
    client, loop = await connected(address), asyncio.get_running_loop()
    await loop.sock_sendall(client, handshake(query))
    answer = await asyncio.wait_for(loop.sock_recv(client, 12), LIMIT_S)
    assert answer == b"HTTP/1.1 101"
    return client


async def until_gone(server: Server) -> None:
    """Return when no connection is left. The server tells nobody."""
    async with asyncio.timeout(LIMIT_S):
        while server.state.connections:
            await asyncio.wait([asyncio.create_task(asyncio.Event().wait())], timeout=0.02)


async def test_a_handshake_becomes_a_websocket_only_where_there_is_one(server: Server) -> None:
    address = await server.start()
    async with connect(f"ws://{address}{STREAM}") as client:
        assert client.response is not None
        assert client.response.status_code == 101
    for other in ("/client/v4/zones/0123/websocket_connections", f"{STREAM}/x", "/metrics"):
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"ws://{address}{other}")
        assert refused.value.response.status_code == 200, "it is the ordinary request that it also is"


async def test_the_server_that_stops_says_so_with_1012(server: Server) -> None:
    address = await server.start()
    async with connect(f"ws://{address}{STREAM}") as client:
        for connection in list(server.state.connections):
            connection.shutdown()
        assert await ended(client) == (1012, "control is stopping, connect again")


@pytest.mark.usefixtures("impatient")
async def test_a_client_that_takes_nothing_is_closed_behind_what_waits_and_then_cut(server: Server) -> None:
    address = await server.start()
    with await raw(address, "flood"):
        await until_gone(server)
    await asyncio.wait_for(server.ended.wait(), LIMIT_S)


@pytest.mark.usefixtures("impatient")
async def test_a_client_that_leaves_pings_unanswered_is_cut(server: Server) -> None:
    server.config.ws_ping_interval = server.config.ws_ping_timeout = 0.2
    address = await server.start()
    with await raw(address):
        await until_gone(server)
    await asyncio.wait_for(server.ended.wait(), LIMIT_S)


async def test_a_client_that_pings_and_takes_no_pong_is_not_read_from(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_limits, "MAX_PINGS", 10**9)
    address = await server.start()
    ping = bytes([0x89, 0x80 | 125, 0, 0, 0, 0]) + bytes(125)
    with await raw(address) as client:
        [protocol] = [one for one in server.state.connections if isinstance(one, StreamProtocol)]
        with suppress(TimeoutError, OSError):
            async with asyncio.timeout(1.0):
                while not server.ended.is_set():
                    await asyncio.get_running_loop().sock_sendall(client, ping * 500)
                    assert protocol.transport.get_write_buffer_size() < 1_000_000


async def test_a_client_that_pings_without_an_end_is_closed_with_1008(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_limits, "PING_INTERVAL_S", LIMIT_S)
    address = await server.start()
    async with connect(f"ws://{address}{STREAM}", ping_interval=None) as client:
        pongs = [await client.ping() for _ in range(stream_limits.MAX_PINGS)]
        await asyncio.wait_for(pongs[-1], LIMIT_S)
        pongs.append(await client.ping())
        assert await ended(client) == (1008, "too many pings")


async def test_until_it_is_let_in_nothing_more_is_read_of_a_client(server: Server) -> None:
    address = await server.start()
    server.lets_in.clear()
    loop = asyncio.get_running_loop()
    with await connected(address) as client:
        await loop.sock_sendall(client, handshake())
        sending = asyncio.create_task(loop.sock_sendall(client, bytes(64 * 1024 * 1024)))
        assert not (await asyncio.wait([sending], timeout=1.0))[0], "the server has taken it all"
        sending.cancel()
        server.lets_in.set()
        assert await asyncio.wait_for(loop.sock_recv(client, 12), LIMIT_S) == b"HTTP/1.1 101"


@pytest.mark.parametrize("size", [4097, 100_000])
async def test_a_message_that_is_too_long_ends_it_with_1009(server: Server, size: int) -> None:
    address = await server.start()
    async with connect(f"ws://{address}{STREAM}") as client:
        await client.send("x" * size)
        assert (await ended(client))[0] == 1009


async def test_it_owes_no_body_and_outlives_the_time_for_one(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LimitedProtocol, "limits", {h11.IDLE: 1000.0, h11.SEND_BODY: 1000.0})
    clock = LoopClock(asyncio.get_running_loop())
    address = await server.start()
    async with connect(f"ws://{address}{STREAM}", ping_interval=None) as client:
        clock.passes(5000.0)
        for _ in range(2):
            pong = await client.ping()
            await asyncio.wait_for(pong, LIMIT_S)
    assert client.close_code == 1000


async def test_it_counts_among_the_connections_of_its_address(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LimitedProtocol, "max_connections_per_address", 2)
    address = await server.start()
    async with connect(f"ws://{address}{STREAM}"), connect(f"ws://{address}{STREAM}"):
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"ws://{address}{STREAM}")
        assert refused.value.response.status_code == 429
