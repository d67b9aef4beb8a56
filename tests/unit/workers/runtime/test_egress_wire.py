"""One connection to an edge, on a pair of sockets: chopped answers, interim ones, and limits."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.workers.runtime import egress_wire
from holdfast.workers.runtime.egress_wire import Connection
from holdfast.workers.sdk.errors import NetworkError, TimedOut

HEAD = h11.Request(method="GET", target="http://a.test/", headers=[("Host", "a.test")])
ANSWER = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[Connection, asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection, and the edge's end of it."""
    ours, theirs = socket.socketpair()
    connection = Connection(*await asyncio.open_connection(sock=ours))
    reader, writer = await asyncio.open_connection(sock=theirs)
    try:
        yield connection, reader, writer
    finally:
        connection.abort()
        writer.transport.abort()


async def all_of(connection: Connection) -> bytes:
    whole = b""
    while (data := await connection.more()) is not None:
        whole += data
    return whole


@given(st.integers(1, 20))
async def test_any_chopping_of_an_answer_gives_the_same(size: int) -> None:
    async with connected() as (connection, _, writer):
        asking = asyncio.ensure_future(connection.ask(HEAD, None))
        for at in range(0, len(ANSWER), size):
            writer.write(ANSWER[at : at + size])
            await writer.drain()
        answer = await asking
        assert (answer.status_code, await all_of(connection)) == (200, b"abcde")
        assert connection.can_go_on()
        assert connection.is_fresh


async def test_both_bodies_stream_at_once() -> None:
    async with connected() as (connection, reader, writer):
        sent: asyncio.Queue[bytes] = asyncio.Queue()

        async def body() -> AsyncIterator[bytes]:
            while (chunk := await sent.get()) != b"end":
                yield chunk

        head = h11.Request(method="POST", target="http://a/", headers=[("Host", "a"), ("Transfer-Encoding", "chunked")])
        asking = asyncio.ensure_future(connection.ask(head, body()))
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
        assert (await asking).status_code == 200
        for chunk in (b"p", b"q"):
            sent.put_nowait(chunk)
            assert await reader.readuntil(chunk + b"\r\n") == b"1\r\n" + chunk + b"\r\n"
            writer.write(chunk * 2)
            assert await connection.more() == chunk * 2
        sent.put_nowait(b"end")
        assert await reader.readuntil(b"0\r\n\r\n") == b"0\r\n\r\n"
        assert await connection.more() is None
        assert connection.can_go_on()


async def test_a_connection_whose_request_has_not_ended_is_of_no_more_use() -> None:
    async with connected() as (connection, _, writer):
        never = asyncio.Event()

        async def body() -> AsyncIterator[bytes]:
            yield b"x"
            await never.wait()

        head = h11.Request(method="POST", target="http://a/", headers=[("Host", "a"), ("Transfer-Encoding", "chunked")])
        writer.write(b"HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n")
        assert (await connection.ask(head, body())).status_code == 413
        assert await all_of(connection) == b""
        assert not connection.can_go_on()


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 200", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"x" * (egress_wire.MAX_HEAD_BYTES + 1)],
)
async def test_no_answer_and_a_broken_one_are_network_errors(answer: bytes) -> None:
    async with connected() as (connection, _, writer):
        writer.write(answer)
        writer.close()
        with pytest.raises(NetworkError, match="Network connection lost"):
            await connection.ask(HEAD, None)


async def test_waits_for_the_other_side_have_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(egress_wire, "ANSWER_TIMEOUT_S", 0.01)
    monkeypatch.setattr(egress_wire, "SILENCE_TIMEOUT_S", 0.01)

    async def body() -> AsyncIterator[bytes]:
        yield b"x"

    head = h11.Request(method="POST", target="http://a/", headers=[("Host", "a"), ("Transfer-Encoding", "chunked")])
    for request, content in ((HEAD, None), (head, body())):
        async with connected() as (connection, _, _):
            with pytest.raises(TimedOut):
                await connection.ask(request, content)
    async with connected() as (connection, _, writer):
        # What has come is taken, whatever the machine does meanwhile.
        monkeypatch.setattr(egress_wire, "ANSWER_TIMEOUT_S", 30.0)
        monkeypatch.setattr(egress_wire, "SILENCE_TIMEOUT_S", 30.0)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na")
        await connection.ask(HEAD, None)
        assert await connection.more() == b"a"
        monkeypatch.setattr(egress_wire, "SILENCE_TIMEOUT_S", 0.01)
        with pytest.raises(TimedOut):
            await connection.more()


async def test_a_body_that_nobody_takes_has_a_limit_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(egress_wire, "SILENCE_TIMEOUT_S", 0.05)

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65_536

    head = h11.Request(method="POST", target="http://a/", headers=[("Host", "a"), ("Transfer-Encoding", "chunked")])
    async with connected() as (connection, reader, _):
        reader._transport.pause_reading()  # type: ignore[attr-defined]  # the other side takes nothing
        with pytest.raises(TimedOut, match="was not taken"):
            await connection.ask(head, endless())
