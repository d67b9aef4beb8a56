"""A client of the API that keeps the server waiting is cut; one that waits is not."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import h11
import pytest
import uvicorn

from holdfast.app import http_limits
from holdfast.app.http_limits import LimitedProtocol

LIMIT_S = 0.2


class Impatient(LimitedProtocol):
    """The same with short limits."""

    limits = {h11.IDLE: LIMIT_S, h11.SEND_BODY: LIMIT_S}  # noqa: RUF012  as its base has it


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Reads the body, and takes its time to answer where it is asked to."""
    while (await receive()).get("more_body"):
        pass
    if scope["path"] == "/slow":
        await asyncio.wait([asyncio.create_task(asyncio.Event().wait())], timeout=3 * LIMIT_S)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
async def port() -> AsyncIterator[int]:
    config = uvicorn.Config(application, interface="asgi3", http=Impatient, log_config=None, lifespan="off")
    config.load()
    state = uvicorn.server.ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Impatient(config=config, server_state=state, app_state={}, _loop=loop), "127.0.0.1", 0
    )
    yield int(server.sockets[0].getsockname()[1])
    server.close()
    assert not state.connections
    await asyncio.gather(*state.tasks, return_exceptions=True)


async def until(what: Callable[[], bool]) -> None:
    """Return when this is so."""
    async with asyncio.timeout(30):
        while not what():
            await asyncio.wait([asyncio.create_task(asyncio.Event().wait())], timeout=0.01)


async def talk(port: int, *pieces: bytes) -> tuple[bytes, float]:
    """All that comes back for these pieces until the server ends the connection, and how long that took."""
    began = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
    try:
        answer = await asyncio.wait_for(reader.read(), 30)
    except ConnectionResetError:
        answer = b""
    writer.close()
    return answer, time.monotonic() - began


@pytest.mark.parametrize(
    "pieces",
    [
        (),
        (b"GET / HT",),
        (b"GET / HTTP/1.1\r\nHost: h\r\n",),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf",),
    ],
)
async def test_a_client_that_owes_the_rest_of_a_request_is_cut(port: int, pieces: tuple[bytes, ...]) -> None:
    answer, took_s = await talk(port, *pieces)
    assert answer == b""
    assert took_s >= LIMIT_S


async def test_a_client_that_drips_bytes_has_no_more_time(port: int) -> None:
    began = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    ended = asyncio.create_task(reader.read())
    for byte in b"GET / HTTP/1.1\r\nX: " + b"x" * 1_000:
        writer.write(bytes([byte]))
        if (await asyncio.wait([ended], timeout=0.02))[0]:
            break
    assert ended.done()
    assert isinstance(ended.exception(), ConnectionResetError) or ended.result() == b""
    assert time.monotonic() - began >= LIMIT_S
    writer.close()


async def test_a_client_that_waits_for_its_answer_is_not_cut(port: int) -> None:
    answer, _ = await talk(port, b"GET /slow HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"ok")


async def test_each_request_of_a_connection_has_its_own_time(port: int) -> None:
    request = b"GET /slow HTTP/1.1\r\nHost: h\r\n\r\n"
    answer, _ = await talk(port, request, request)
    assert answer.count(b"HTTP/1.1 200 ") == 2


@pytest.mark.parametrize("before", [b"", b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"])
async def test_nothing_is_a_request_behind_one_whose_length_is_said_twice(port: int, before: bytes) -> None:
    both = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    answer, _ = await talk(port, before + both + b"GET / HTTP/1.1\r\nHost: smuggled\r\n\r\n")
    assert answer.count(b"HTTP/1.1 200 ") == (2 if before else 1)


@pytest.mark.parametrize("has_asked_before", [False, True])
async def test_who_is_about_to_ask_when_control_stops_is_answered_and_goes_then(has_asked_before: bool) -> None:
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
    monkeypatch.setattr(http_limits, "LINGER_S", LIMIT_S)
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
