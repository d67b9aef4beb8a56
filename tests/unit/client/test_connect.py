"""A conversation with a real server on loopback: what is sent, what is shown, how it ends."""

import asyncio
import errno
import io
import os
import socket
import ssl
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from prompt_toolkit.application import create_app_session
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output.vt100 import Vt100_Output
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection as ThreadConnection
from websockets.sync.server import serve as serve_in_thread

from holdfast.client.connect import _tls_context, converse, opened, run_connect
from holdfast.client.options import ConnectOptions
from holdfast.client.screen import Message
from holdfast.errors import ConnectError, OutputError, UsageError

Handler = Callable[[ServerConnection], Awaitable[None]]


class Transcript:
    """A screen that remembers."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, Message]] = []
        self.came = asyncio.Event()

    def sent(self, text: str) -> None:
        self.lines.append(("sent", text))

    def received(self, message: Message) -> None:
        self.lines.append(("received", message))
        self.came.set()

    def control(self, text: str) -> None:
        self.lines.append(("control", text))

    def notice(self, text: str) -> None:
        self.lines.append(("notice", text))


async def _lines(*lines: str, then: asyncio.Event | None = None) -> AsyncIterator[str]:
    for line in lines:
        yield line
    if then is not None:
        await then.wait()


async def _echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


@asynccontextmanager
async def _served(handler: Handler = _echo, **options: Any) -> AsyncIterator[int]:
    async with serve(handler, "127.0.0.1", 0, **options) as server:
        yield next(iter(server.sockets)).getsockname()[1]


def _options(url: str, **more: Any) -> ConnectOptions:
    return ConnectOptions.parse({"target": url, "data_dir": "/nonexistent", **more})


async def _conversation(options: ConnectOptions, lines: AsyncIterator[str], screen: Transcript) -> int:
    async with asyncio.timeout(30):
        connection = await opened(options, on_control=screen.control)
        return await converse(connection, screen, lines)


async def _refusal(options: ConnectOptions) -> str:
    with pytest.raises(ConnectError) as caught:
        await _conversation(options, _lines(), Transcript())
    return str(caught.value)


async def test_replies_that_come_after_our_close_are_still_shown() -> None:
    screen = Transcript()
    async with _served() as port:
        status = await _conversation(_options(f"ws://127.0.0.1:{port}/"), _lines("a", "b"), screen)
    assert status == 0
    assert [text for kind, text in screen.lines if kind == "sent"] == ["a", "b"]
    assert [text for kind, text in screen.lines if kind == "received"] == ["a", "b"]
    assert screen.lines[-1] == ("notice", "closed: 1000 (normal closure: the work is done)")


async def test_a_person_who_leaves_closes_with_1000() -> None:
    closed: list[tuple[int | None, str | None]] = []

    async def handler(connection: ServerConnection) -> None:
        await connection.wait_closed()
        closed.append((connection.close_code, connection.close_reason))

    async with _served(handler) as port:
        await _conversation(_options(f"ws://127.0.0.1:{port}/"), _lines(), Transcript())
    assert closed == [(1000, "")]


@pytest.mark.parametrize(
    ("code", "reason", "status", "said"),
    [
        (1001, "bye", 0, 'the server closed: 1001 "bye" (going away'),
        (4001, "\x1b[2J", 1, 'the server closed: 4001 "\\x1b[2J" (a code of the application'),
        (1011, "", 1, "the server closed: 1011 (internal error"),
    ],
)
async def test_a_server_that_closes_ends_the_conversation(code: int, reason: str, status: int, said: str) -> None:
    screen = Transcript()

    async def handler(connection: ServerConnection) -> None:
        await connection.close(code, reason)

    async with _served(handler) as port:
        never = asyncio.Event()
        assert await _conversation(_options(f"ws://127.0.0.1:{port}/"), _lines(then=never), screen) == status
    (kind, text) = screen.lines[-1]
    assert kind == "notice"
    assert str(text).startswith(said)


async def test_a_connection_that_is_cut_is_told_as_lost() -> None:
    screen = Transcript()

    async def handler(connection: ServerConnection) -> None:
        connection.transport.abort()

    async with _served(handler) as port:
        never = asyncio.Event()
        assert await _conversation(_options(f"ws://127.0.0.1:{port}/"), _lines(then=never), screen) == 1
    assert screen.lines[-1][1] == "the connection was lost: 1006 (the connection was lost without a Close frame)"


async def test_pings_and_binary_messages_are_shown_in_their_order() -> None:
    screen = Transcript()

    async def handler(connection: ServerConnection) -> None:
        await (await connection.ping(b"hi"))
        await connection.send(b"\x00\x01")
        await connection.wait_closed()

    async with _served(handler) as port:
        await _conversation(_options(f"ws://127.0.0.1:{port}/"), _lines(then=screen.came), screen)
    assert screen.lines[:2] == [("control", "ping received, pong sent (2 bytes: 68 69)"), ("received", b"\x00\x01")]


async def test_header_fields_and_subprotocols_go_with_the_handshake() -> None:
    seen: list[Request] = []

    async def handler(connection: ServerConnection) -> None:
        assert connection.request is not None
        seen.append(connection.request)

    async with _served(handler, subprotocols=["v2"]) as port:
        options = _options(f"ws://127.0.0.1:{port}/x?y=z", headers=["X-A: b"], subprotocols=["v1", "v2"])
        connection = await opened(options, on_control=lambda _: None)
        assert connection.subprotocol == "v2"
        await connection.wait_closed()
    (request,) = seen
    assert request.path == "/x?y=z"
    assert request.headers["X-A"] == "b"
    assert request.headers["Sec-WebSocket-Protocol"] == "v1, v2"
    assert request.headers["User-Agent"].startswith("holdfast/")


async def test_a_refused_handshake_is_explained_and_no_redirect_followed() -> None:
    asked: list[str] = []

    async def answer(connection: ServerConnection, request: Request) -> Response:
        asked.append(request.path)
        response = connection.respond(302 if request.path == "/" else 200, "moved\n")
        response.headers["Location"] = "/login"
        return response

    async with _served(process_request=answer) as port:
        sentence = await _refusal(_options(f"ws://127.0.0.1:{port}/"))
    assert "the server answered 302 Found, not 101; it points to /login; moved" in sentence
    assert asked == ["/"]


async def test_nobody_there_is_told() -> None:
    # It is nobody else's meanwhile.
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        assert "nothing listens there" in await _refusal(_options(f"ws://127.0.0.1:{port}/"))


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


async def test_an_unknown_authority_is_not_trusted(server_tls: ssl.SSLContext) -> None:
    async with _served(ssl=server_tls) as port:
        assert "the certificate is not trusted" in await _refusal(_options(f"wss://127.0.0.1:{port}/"))


async def test_each_way_to_trust_is_enough(authority: trustme.CA, server_tls: ssl.SSLContext, tmp_path: Path) -> None:
    ca_file = tmp_path / "data" / "tls" / "ca.pem"
    ca_file.parent.mkdir(parents=True)
    authority.cert_pem.write_to_path(ca_file)
    async with _served(ssl=server_tls) as port:
        for trust in ({"ca_file": str(ca_file)}, {"insecure": True}, {"data_dir": str(tmp_path / "data")}):
            screen = Transcript()
            assert await _conversation(_options(f"wss://127.0.0.1:{port}/", **trust), _lines("a"), screen) == 0
            assert ("received", "a") in screen.lines


async def test_a_local_authority_is_not_asked_about_another_host(authority: trustme.CA, tmp_path: Path) -> None:
    ca_file = tmp_path / "tls" / "ca.pem"
    ca_file.parent.mkdir()
    authority.cert_pem.write_to_path(ca_file)
    ours = ssl.PEM_cert_to_DER_cert(authority.cert_pem.bytes().decode())
    for url, is_trusted in (("wss://localhost/", True), ("wss://example.com/", False)):
        trusted = _tls_context(_options(url, data_dir=str(tmp_path))).get_ca_certs(binary_form=True)
        assert (ours in trusted) is is_trusted


@pytest.mark.parametrize("content", [None, b"nonsense"])
async def test_authorities_that_cannot_be_read_are_a_usage_error(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        await _conversation(_options("wss://127.0.0.1:1/", ca_file=str(file)), _lines(), Transcript())
    assert caught.value.field == "--cacert"


# `run_connect` runs a loop of its own, so its server runs in a thread.


def _echo_in_thread(connection: ThreadConnection) -> None:
    for message in connection:
        connection.send(message)


@contextmanager
def _served_in_thread(handler: Callable[[ThreadConnection], None] = _echo_in_thread) -> Iterator[ConnectOptions]:
    with serve_in_thread(handler, "127.0.0.1", 0, subprotocols=["v1"]) as server:  # type: ignore[list-item]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        port = server.socket.getsockname()[1]
        try:
            yield ConnectOptions.parse({"target": f"ws://127.0.0.1:{port}/", "subprotocols": ["v1"], "data_dir": "/d"})
        finally:
            server.shutdown()
            thread.join(timeout=30)


@contextmanager
def _piped(monkeypatch: pytest.MonkeyPatch, text: bytes) -> Iterator[None]:
    reader, writer = os.pipe()
    os.write(writer, text)
    os.close(writer)
    with os.fdopen(reader) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield


def test_a_pipe_gets_the_replies_and_the_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # The machine may be busy: what is quiet for a person is not for a test.
    monkeypatch.setattr("holdfast.client.connect.QUIET_S", 5)
    with _served_in_thread() as options, _piped(monkeypatch, b"one\ntwo"):
        assert run_connect(options) == 0
    out, err = capsys.readouterr()
    assert out == "one\ntwo\n"
    assert err == "holdfast connect: closed: 1000 (normal closure: the work is done)\n"


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reply is waited for, however long a busy machine takes for it: what ends these tests is that it comes."""
    monkeypatch.setattr("holdfast.client.connect.QUIET_S", 60)
    monkeypatch.setattr("holdfast.client.connect.MAX_LINGER_S", 60)


class _ClosedPipe(io.StringIO):
    """An output whose reader has left."""

    def write(self, _text: str) -> int:
        raise BrokenPipeError


@pytest.mark.usefixtures("patient")
def test_a_reader_that_leaves_ends_it_without_a_complaint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", _ClosedPipe())
    with _served_in_thread() as options, _piped(monkeypatch, b"one\n"):
        assert run_connect(options) == 1


class _Full(io.StringIO):
    """An output on a disk without room."""

    def write(self, _text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.usefixtures("patient")
def test_a_full_disk_below_stdout_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", _Full())
    with (
        _served_in_thread() as options,
        _piped(monkeypatch, b"one\n"),
        pytest.raises(OutputError, match="what arrived could not be written: no space left on device"),
    ):
        run_connect(options)
    assert sys.stdout is None


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class _Screen(io.StringIO):
    """Presses Ctrl-D when an answer is on it: a person leaves after having read."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: PipeInput | None = None

    def write(self, text: str) -> int:
        written = super().write(text)
        if self.keys is not None and "← " in self.getvalue():
            self.keys.send_text("\x04")
            self.keys = None
        return written


def test_a_terminal_gets_a_greeting_a_prompt_and_a_farewell(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = _Screen()
    output = Vt100_Output(screen, lambda: Size(rows=24, columns=120), term="dumb")
    monkeypatch.setattr(sys, "stdin", _Terminal())
    monkeypatch.setattr(sys, "stdout", _Terminal())
    with _served_in_thread() as options, create_pipe_input() as keys, create_app_session(input=keys, output=output):
        screen.keys = keys
        keys.send_text("hello\r")
        assert run_connect(options) == 0
    shown = screen.getvalue()
    for expected in (
        f"connected to {options.target.url}, subprotocol v1, permessage-deflate. Type a line",
        "→ ",
        "← ",
        "closed: 1000 (normal closure",
    ):
        assert expected in shown
