"""A client of the API that keeps the server waiting is cut; one that waits is not."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import h11
import pytest
import uvicorn

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


async def talk(port: int, *pieces: bytes) -> tuple[bytes, float]:
    """All that comes back for these pieces until the server ends the connection, and how long that took."""
    began = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
    try:
        answer = await asyncio.wait_for(reader.read(), 10)
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
