"""What stands in for a Worker's process: sockets and bytes where the real one runs user code.

Law: whatever a test has it answer, it answers in a thread of its own and ends with the test.
"""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from holdfast._native import Origin, WorkerTarget
from holdfast.edge.decision import Forward
from holdfast.model.request import Request
from tests.integration import wire
from tests.integration.origin import Head
from tests.integration.origin_websocket_paths import switching
from tests.integration.waiting import LIMIT_S
from tests.integration.wire import Wire

# What it does with one request.
Handler = Callable[[socket.socket, Head], None]

LABEL = "worker:chat"


class ScriptProcess:
    """The listening socket of a script, answered by `handler`. `heads` are the requests that it has got, over
    so many `connections`."""

    def __init__(self, directory: Path, handler: Handler, *, key: str = "chat", **options: Any) -> None:
        self.path = str(directory / f"{key}.http.sock")
        self.heads: list[Head] = []
        self.connections = 0
        # So many of the next connections are ended when a request has come, which nobody reads.
        self.unread = 0
        self.target = WorkerTarget(script=key, channel=str(directory / f"{key}.channel.sock"))
        self.origin = Origin(label=LABEL, scheme="http", unix_path=self.path, **options)
        self._handler = handler
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def decide(self, _: Request) -> Forward:
        """A policy that gives it every request."""
        return Forward(origin=self.origin, worker=self.target, set_headers=(("Holdfast-Context", "true"),))

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError, wire.EndedError):
            if self.unread:
                self.unread -= 1
                connection.recv(1, socket.MSG_PEEK)
                return
            client = Wire(connection)
            while True:
                head = Head.parse(client.read_until(b"\r\n\r\n"))
                self.heads.append(head)
                self._handler(connection, head)

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@contextmanager
def script_process(directory: Path, handler: Handler, *, key: str = "chat", **options: Any) -> Iterator[ScriptProcess]:
    """`options` are those of its `Origin`."""
    process = ScriptProcess(directory, handler, key=key, **options)
    try:
        yield process
    finally:
        process.close()


def says(text: str) -> Handler:
    """Answers everything with this text."""
    return lambda connection, _: connection.sendall(text.encode())


def agrees(*lines: str) -> Handler:
    """Answers an upgrade with a right 101 and these fields."""
    return lambda connection, head: connection.sendall(switching(head, *lines))


def passing(path: str, url: str, *fields: str, before: Callable[[], None] = lambda: None) -> Handler:
    """A script that opens a WebSocket to `url` for each client, with what the client offers, and passes it on; `before` that,
    it does this."""

    def handle(connection: socket.socket, head: Head) -> None:
        with egress_connection(path) as script:
            names = ("Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version")
            offers = ("Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions")
            given = [f"{name}: {value}" for name in (*names, *offers) for value in head.values(name)]
            script.send(fetch(url, *given))
            parked = script.read_answer()
            assert parked.status == 101, parked
            before()
            connection.sendall(switching(head, f"Holdfast-Pass: {parked.value('Holdfast-Parked')}", *fields))
            assert script.read_to_end() == b""

    return handle


@contextmanager
def egress(directory: Path) -> Iterator[tuple[socket.socket, str]]:
    """A listening Unix socket for what scripts fetch, as the supervisor holds it, and its path."""
    path = str(directory / "egress.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(64)
        yield listener, path


def shared(listener: socket.socket) -> int:
    """A descriptor for one edge of a socket that others keep."""
    return os.dup(listener.fileno())


@contextmanager
def egress_connection(path: str) -> Iterator[Wire]:
    """A connection as a script's process makes it for a fetch."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(LIMIT_S)
        sock.connect(path)
        yield Wire(sock)


def fetch(url: str, *fields: str, method: str = "GET") -> bytes:
    """A request as it goes over the egress socket: its target is the whole URL."""
    host = url.partition("://")[2].partition("/")[0]
    return "\r\n".join([f"{method} {url} HTTP/1.1", f"Host: {host}", *fields, "", ""]).encode()
