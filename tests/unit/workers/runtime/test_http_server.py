"""HTTP of the script's process, as an edge speaks it."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from holdfast.workers.runtime import http_server
from holdfast.workers.runtime.http_server import Exchange, HttpServer

Answer = Callable[[Exchange], Awaitable[None]]


class Stage:
    """A server whose answers are the test's."""

    def __init__(self, directory: Path, answer: Answer) -> None:
        self.path = directory / "http.sock"
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.reports: list[str] = []
        self.server = HttpServer(answer, report=self.reports.append)

    async def ask(self, *requests: bytes) -> bytes:
        """Everything that is answered on one connection, until the server closes it or we have sent all."""
        reader, writer = await asyncio.open_unix_connection(str(self.path))
        for request in requests:
            writer.write(request)
        writer.write_eof()
        try:
            return await asyncio.wait_for(reader.read(), 30)
        finally:
            writer.close()

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_unix_connection(str(self.path))


@pytest.fixture
async def stage(tmp_path: Path) -> Any:
    stages: list[Stage] = []

    async def make(answer: Answer) -> Stage:
        made = Stage(tmp_path, answer)
        stages.append(made)
        await made.server.serve(made.listener)
        return made

    yield make
    for made in stages:
        await made.server.retire(1)
        made.listener.close()


def _get(target: str = "/", fields: str = "") -> bytes:
    return f"GET {target} HTTP/1.1\r\nHost: example.com\r\n{fields}\r\n".encode()


async def _target(exchange: Exchange) -> None:
    await exchange.answer(200, [(b"x-a", b"b")], exchange.target.encode())


async def test_one_connection_has_one_request_after_another(stage: Any) -> None:
    made = await stage(_target)
    answered = await made.ask(_get("/1"), _get("/2?q"))
    assert answered.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answered.count(b"x-a: b") == 2
    assert answered.endswith(b"content-length: 4\r\n\r\n/2?q")


async def test_a_body_is_streamed_both_ways(stage: Any) -> None:
    async def echo(exchange: Exchange) -> None:
        await exchange.answer(200, [], exchange.body())

    made = await stage(echo)
    chunked = b"POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked\r\n\r\n"
    reader, writer = await made.open()
    writer.write(chunked + b"3\r\nabc\r\n")
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n3\r\nabc\r\n"), 30)
    assert b"transfer-encoding: chunked" in head.lower()
    writer.write(b"2\r\nde\r\n0\r\n\r\n")
    assert await asyncio.wait_for(reader.readuntil(b"0\r\n\r\n"), 30) == b"2\r\nde\r\n0\r\n\r\n"
    writer.close()


@pytest.mark.parametrize(
    ("method", "status", "length", "expected"),
    [
        ("GET", 200, None, b"transfer-encoding: chunked"),
        ("GET", 200, 4, b"content-length: 4"),
        ("HEAD", 200, 4, b"content-length: 4"),
    ],
)
async def test_the_length_of_a_streamed_body_is_told_where_it_is_known(
    stage: Any, method: str, status: int, length: int | None, expected: bytes
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"ab"
        yield b"cd"

    async def answer(exchange: Exchange) -> None:
        await exchange.answer(status, [], pieces(), length=length)

    made = await stage(answer)
    head, _, body = (await made.ask(f"{method} / HTTP/1.1\r\nHost: e\r\n\r\n".encode())).partition(b"\r\n\r\n")
    assert expected in head.lower()
    assert (body == b"") == (method == "HEAD")


@pytest.mark.parametrize(
    ("method", "status", "length", "expected"),
    [
        ("HEAD", 200, 185, [b"content-length: 185"]),
        ("HEAD", 200, None, [b"transfer-encoding: chunked"]),
        ("HEAD", 304, 185, [b"content-length: 185"]),
        ("GET", 304, 185, [b"content-length: 185"]),
        ("GET", 304, None, []),
        ("GET", 204, 185, []),
        ("GET", 200, None, [b"content-length: 0"]),
    ],
)
async def test_the_length_of_what_is_not_sent_is_the_one_that_is_known(
    stage: Any, method: str, status: int, length: int | None, expected: list[bytes]
) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.answer(status, [], None, length=length)

    made = await stage(answer)
    _, *fields = (await made.ask(f"{method} / HTTP/1.1\r\nHost: e\r\n\r\n".encode())).lower().split(b"\r\n")
    assert fields == [*expected, b"", b""]


async def test_answers_without_bodies_have_none(stage: Any) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.answer(204, [], b"left out", reason="Nothing")

    made = await stage(answer)
    assert await made.ask(_get()) == b"HTTP/1.1 204 Nothing\r\n\r\n"


async def test_after_a_101_the_connection_ends(stage: Any) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.answer(101, [(b"Upgrade", b"websocket"), (b"Connection", b"Upgrade")], None)

    made = await stage(answer)
    answered = await made.ask(_get(fields="Connection: Upgrade\r\nUpgrade: websocket\r\n"))
    assert answered.startswith(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n")
    assert made.server.connections == 0


async def test_an_answer_that_breaks_off_ends_its_connection(stage: Any) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"ab"
        raise ValueError("of user code")

    async def answer(exchange: Exchange) -> None:
        try:
            await exchange.answer(200, [], pieces())
        except ValueError:
            assert exchange.is_begun

    made = await stage(answer)
    answered = await made.ask(_get(), _get())
    assert answered.endswith(b"2\r\nab\r\n")
    assert answered.count(b"HTTP/1.1") == 1


async def test_a_fault_of_ours_is_reported_and_ends_one_connection(stage: Any) -> None:
    async def answer(exchange: Exchange) -> None:
        if exchange.target == "/fault":
            raise LookupError("ours")
        await _target(exchange)

    made = await stage(answer)
    assert await made.ask(_get("/fault")) == b""
    assert "LookupError('ours')" in made.reports[0]
    assert (await made.ask(_get("/next"))).endswith(b"/next")


@pytest.mark.parametrize(
    ("body", "answers"), [(b"x" * 1000, 2), (b"x" * (http_server.MAX_DRAIN_BYTES + 2 * http_server.CHUNK_BYTES), 1)]
)
async def test_a_body_that_nobody_reads_is_passed_over_if_it_is_short(
    stage: Any, body: bytes, answers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "DRAIN_S", 60.0)
    made = await stage(_target)
    post = b"POST / HTTP/1.1\r\nHost: e\r\nContent-Length: %d\r\n\r\n" % len(body)
    reader, writer = await made.open()
    writer.write(post + body + _get("/2"))
    writer.write_eof()
    try:
        answered = await asyncio.wait_for(reader.read(), 30)
    except ConnectionError:
        answered = b"HTTP/1.1 200"
    assert answered.count(b"HTTP/1.1 200") == answers
    writer.close()


async def test_a_client_that_waits_for_a_100_gets_it_when_its_body_is_wanted(stage: Any) -> None:
    async def echo(exchange: Exchange) -> None:
        await exchange.answer(200, [], b"".join([chunk async for chunk in exchange.body()]))

    made = await stage(echo)
    reader, writer = await made.open()
    writer.write(b"POST / HTTP/1.1\r\nHost: e\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30) == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"ab")
    assert (await asyncio.wait_for(reader.readuntil(b"ab"), 30)).startswith(b"HTTP/1.1 200")
    writer.close()


async def test_what_is_no_http_is_not_answered(stage: Any) -> None:
    made = await stage(_target)
    assert await made.ask(b"nonsense\r\n\r\n") == b""
    assert await made.ask(b"GET / HTTP/1.1\r\n" + b"x: " + b"a" * http_server.MAX_HEAD_BYTES) == b""
    assert [report.partition(":")[0] for report in made.reports] == ["what an edge sent is no HTTP"] * 2


@pytest.mark.parametrize("sent", [_get()[:20], b"POST / HTTP/1.1\r\nHost: e\r\nContent-Length: 100\r\n\r\nabc"])
async def test_who_breaks_off_is_heard_by_who_reads_and_told_to_nobody(stage: Any, sent: bytes) -> None:
    heard: list[str] = []

    async def reads(exchange: Exchange) -> None:
        try:
            heard.extend([chunk.decode() async for chunk in exchange.body()])
        except http_server.Gone as error:
            heard.append(type(error).__name__)
            raise

    made = await stage(reads)
    assert await made.ask(sent) == b""
    assert heard == (["Gone"] if sent.startswith(b"POST") else [])
    assert made.reports == []


async def test_a_body_cannot_be_read_behind_the_answer(stage: Any) -> None:
    outcomes: list[object] = []
    tasks: list[asyncio.Task[None]] = []
    waiting, answered = asyncio.Event(), asyncio.Event()

    async def read(exchange: Exchange) -> None:
        if exchange.target == "/later":
            await answered.wait()
        waiting.set()
        try:
            outcomes.append([chunk async for chunk in exchange.body()])
        except http_server.Gone as error:
            outcomes.append(str(error))

    async def answer(exchange: Exchange) -> None:
        if exchange.has_body:
            tasks.append(asyncio.create_task(read(exchange)))
        if exchange.target == "/now":
            await asyncio.wait_for(waiting.wait(), 30)
        await exchange.answer(200, [], b"")

    made = await stage(answer)
    for target in ("/now", "/later"):
        reader, writer = await made.open()
        writer.write(f"POST {target} HTTP/1.1\r\nHost: e\r\nContent-Length: 4\r\n\r\n".encode())
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
        answered.set()
        await asyncio.wait_for(tasks.pop(), 30)
        writer.close()
    assert len(outcomes) == 2
    assert outcomes[1] == "the request has been answered"
    assert made.reports == []


async def test_retiring_lets_what_runs_end_and_closes_what_is_idle(stage: Any) -> None:
    entered, gate = asyncio.Event(), asyncio.Event()

    async def answer(exchange: Exchange) -> None:
        entered.set()
        await gate.wait()
        await _target(exchange)

    made = await stage(answer)
    idle, idle_writer = await made.open()
    busy, busy_writer = await made.open()
    busy_writer.write(_get("/busy"))
    await asyncio.wait_for(entered.wait(), 30)
    retiring = asyncio.create_task(made.server.retire(60))
    assert await asyncio.wait_for(idle.read(), 30) == b""
    gate.set()
    assert (await asyncio.wait_for(busy.read(), 30)).endswith(b"/busy")
    await asyncio.wait_for(retiring, 30)
    for writer in (idle_writer, busy_writer):
        writer.close()


async def _rest(reader: asyncio.StreamReader) -> bytes:
    """What comes until the connection ends, in whatever way."""
    try:
        return await reader.read()
    except ConnectionError:
        return b""


async def test_what_was_accepted_and_not_yet_read_is_answered(stage: Any) -> None:
    made = await stage(_target)
    ends = [await made.open() for _ in range(5)]
    for number, (_, writer) in enumerate(ends):
        writer.write(_get(f"/{number}"))
    made.server.stop()
    for number, (reader, writer) in enumerate(ends):
        answered = await asyncio.wait_for(reader.read(), 30)
        assert answered.endswith(f"/{number}".encode())
        assert b"connection: close" in answered
        writer.close()


async def test_who_retires_waits_for_answers_and_not_for_what_stays_open_behind_one(stage: Any) -> None:
    bodies = {"/kept": asyncio.Event(), "/busy": asyncio.Event()}
    exchanges: dict[str, Exchange] = {}

    async def answer(exchange: Exchange) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"answer"
            await bodies[exchange.target].wait()
            yield b" and more"

        exchanges[exchange.target] = exchange
        await exchange.answer(200, [], pieces())

    made = await stage(answer)
    kept, kept_writer = await made.open()
    busy, busy_writer = await made.open()
    for reader, writer, target in ((kept, kept_writer, "/kept"), (busy, busy_writer, "/busy")):
        writer.write(_get(target))
        await asyncio.wait_for(reader.readuntil(b"answer"), 30)
    exchanges["/kept"].count_as_answered()
    made.server.stop()
    answered = asyncio.create_task(made.server.answered(60))
    bodies["/busy"].set()
    assert b" and more" in await asyncio.wait_for(busy.read(), 30)
    await asyncio.wait_for(answered, 30)
    # It goes on all the same.
    bodies["/kept"].set()
    assert b" and more" in await asyncio.wait_for(kept.read(), 30)
    for writer in (kept_writer, busy_writer):
        writer.close()


async def test_what_does_not_end_within_the_limit_is_cut(stage: Any) -> None:
    entered, never = asyncio.Event(), asyncio.Event()

    async def answer(_: Exchange) -> None:
        entered.set()
        await never.wait()

    made = await stage(answer)
    reader, writer = await made.open()
    writer.write(_get())
    await asyncio.wait_for(entered.wait(), 30)
    await made.server.retire(0.01)
    assert await asyncio.wait_for(_rest(reader), 30) == b""
    writer.close()
    never.set()


async def test_a_request_whose_edge_has_gone_is_cancelled(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "LOOK_S", 0.01)
    entered, cancelled, never = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def answer(_: Exchange) -> None:
        entered.set()
        try:
            await never.wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    made = await stage(answer)
    _, writer = await made.open()
    writer.write(_get())
    await asyncio.wait_for(entered.wait(), 30)
    writer.close()
    await asyncio.wait_for(cancelled.wait(), 30)
    never.set()
