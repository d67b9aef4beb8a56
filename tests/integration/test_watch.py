"""`holdfast connections --watch` at a terminal: whatever ends or stops it, the terminal is as it was before.

Law: the terminal is a real one, and the API one that answers whoever asks; a program reads what is shown.
"""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.integration.command import PROGRAM, START_LIMIT_S
from tests.integration.waiting import LIMIT_S

ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"
ZONE = {"id": "0" * 32, "name": "example.com"}


class _Api(BaseHTTPRequestHandler):
    """One zone, without any WebSockets."""

    def do_GET(self) -> None:
        result: list[Any] = [] if "websocket_connections" in self.path else [ZONE]
        info = {"page": 1, "per_page": 100, "count": len(result), "total_count": len(result)}
        said = {"success": True, "errors": [], "messages": [], "result": result, "result_info": info}
        body = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def api() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Api) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class Watched:
    """A terminal, and the command that runs on it."""

    def __init__(self, far: int, near: int, api: str, term: str) -> None:
        self._far, self._near = far, near
        self.before = termios.tcgetattr(near)
        self.shown = b""
        self.process = subprocess.Popen(
            [PROGRAM, "connections", "--watch", "--interval", "0.5"],
            stdin=near,
            stdout=near,
            stderr=near,
            env={**os.environ, "HOLDFAST_API": api, "HOLDFAST_TOKEN": "x" * 40, "TERM": term},
            start_new_session=True,
        )

    def until(self, text: bytes, *, count: int = 1) -> None:
        """Return when `text` has been shown so many times."""
        while self.shown.count(text) < count:
            ready, _, _ = select.select([self._far], [], [], START_LIMIT_S)
            assert ready, f"{text!r} is not shown: {self.shown[-2000:]!r}"
            self.shown += os.read(self._far, 65_536)

    def type(self, keys: bytes) -> None:
        os.write(self._far, keys)

    @property
    def modes(self) -> list[Any]:
        return termios.tcgetattr(self._near)


@contextmanager
def watching(api: str, term: str = "xterm-256color") -> Iterator[Watched]:
    far, near = pty.openpty()
    watched = Watched(far, near, api, term)
    try:
        yield watched
    finally:
        watched.process.kill()
        watched.process.wait(LIMIT_S)
        os.close(far)
        os.close(near)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_it_and_the_terminal_is_as_before(api: str, number: signal.Signals) -> None:
    with watching(api) as watched:
        watched.until(b"0 open")
        assert watched.modes != watched.before
        watched.process.send_signal(number)
        watched.until(LEAVE)
        assert watched.process.wait(LIMIT_S) == (0 if number == signal.SIGINT else 128 + number)
        assert watched.modes == watched.before
        assert b"Traceback" not in watched.shown


def test_who_stops_it_has_the_terminal_meanwhile_and_the_screen_again_after_that(api: str) -> None:
    with watching(api) as watched:
        watched.until(b"0 open")
        changed = watched.modes
        # Of a session of its own, it has no shell that could let it go on: the kernel does not stop it, and it does at once.
        watched.process.send_signal(signal.SIGTSTP)
        watched.until(ENTER, count=2)
        drawn = watched.shown.count(b"0 open")
        watched.until(b"0 open", count=drawn + 1)
        assert watched.shown.index(LEAVE) < watched.shown.rindex(ENTER)
        assert watched.modes == changed
        watched.type(b"q")
        watched.until(LEAVE, count=2)
        assert watched.process.wait(LIMIT_S) == 0
        assert watched.modes == watched.before


def test_a_dumb_terminal_gets_lines(api: str) -> None:
    with watching(api, "dumb") as watched:
        watched.until(b"no such WebSocket is open", count=2)
        assert b"\x1b[?" not in watched.shown
        watched.process.send_signal(signal.SIGINT)
        assert watched.process.wait(LIMIT_S) == 0
        assert watched.modes == watched.before
