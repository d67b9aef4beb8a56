"""`run_connect`: a terminal gets a prompt, anything else a pipe; in both the process ends with a status."""

import io
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output.vt100 import Vt100_Output
from websockets.sync.server import ServerConnection, serve

from holdfast.client.connect import run_connect
from holdfast.client.options import ConnectOptions


def _echo(connection: ServerConnection) -> None:
    for message in connection:
        connection.send(message)


@contextmanager
def _served(handler: Callable[[ServerConnection], None] = _echo) -> Iterator[ConnectOptions]:
    with serve(handler, "127.0.0.1", 0, subprotocols=["v1"]) as server:  # type: ignore[list-item]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        port = server.socket.getsockname()[1]
        try:
            yield ConnectOptions.parse({"target": f"ws://127.0.0.1:{port}/", "subprotocols": ["v1"], "data_dir": "/d"})
        finally:
            server.shutdown()
            thread.join(timeout=10)


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
    monkeypatch.setattr("holdfast.client.connect.QUIET_S", 2)
    with _served() as options, _piped(monkeypatch, b"one\ntwo"):
        assert run_connect(options) == 0
    out, err = capsys.readouterr()
    assert out == "one\ntwo\n"
    assert err == "holdfast connect: closed: 1000 (normal closure: the work is done)\n"


class _ClosedPipe(io.StringIO):
    """An output whose reader has left."""

    def write(self, _text: str) -> int:
        raise BrokenPipeError


def test_a_reader_that_leaves_ends_it_without_a_complaint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", _ClosedPipe())
    with _served() as options, _piped(monkeypatch, b"one\n"):
        assert run_connect(options) == 1


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_greeting_a_prompt_and_a_farewell(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    output = Vt100_Output(screen, lambda: Size(rows=24, columns=120), term="dumb")
    monkeypatch.setattr(sys, "stdin", _Terminal())
    monkeypatch.setattr(sys, "stdout", _Terminal())
    with _served() as options, create_pipe_input() as keys, create_app_session(input=keys, output=output):
        keys.send_text("hello\r\x04")
        assert run_connect(options) == 0
    shown = screen.getvalue()
    for expected in (
        f"connected to {options.target.url}, subprotocol v1, permessage-deflate. Type a line",
        "→ ",
        "← ",
        "closed: 1000 (normal closure",
    ):
        assert expected in shown
