"""The edge's end of the session channel, and its requests, by plain sockets: what a script's process is tested against without an edge.

Law 1: it keeps to the protocol unless a test has it do otherwise, and understands each record by its bytes alone, not by the code under test.
Law 2: every wait has a limit.
"""

import base64
import json
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import msgspec

LIMIT_S = 30.0
HEADER = struct.Struct("<IBBHQI")

HELLO, OPENED, RESUMED, TEXT, BINARY, CLOSED, FAILED, BACKLOG, AUTO_ANSWERED, READY, ADOPT_FAILED = range(1, 12)
(
    P_HELLO,
    P_TEXT,
    P_BINARY,
    P_MANY,
    P_CLOSE,
    P_STATE,
    P_ACK,
    P_AUTO,
    P_BIND,
    P_ABORT,
    P_BYE,
    P_UNKNOWN,
    P_ADOPT,
) = range(32, 45)


@dataclass(frozen=True)
class Record:
    """A record of the process's."""

    kind: int
    flags: int
    sid: int
    seq: int
    payload: bytes


class ChannelEnded(Exception):
    """The process closed the connection."""


class FakeLoop:
    """One connection of a tunnel loop to a script's process."""

    def __init__(self, path: Path, *, edge: str = "0badcafe", loop: int = 0) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(LIMIT_S)
        self.socket.connect(str(path))
        self.seen: list[Record] = []
        self._pending = b""
        self.send(HELLO, payload=msgspec.msgpack.encode({"version": 1, "edge": edge, "loop": loop, "pid": 1}))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, kind: int, sid: int = 0, payload: bytes = b"", *, seq: int = 0, flags: int = 0) -> None:
        """Send a record."""
        self.socket.sendall(HEADER.pack(len(payload), kind, flags, 0, sid, seq) + payload)

    def ready(self) -> None:
        """There is nothing more that was kept."""
        self.send(READY)

    def resumed(self, sid: int, state: bytes, *, next_seq: int, taken: int = 0) -> None:
        """A hibernatable session that was kept."""
        self.send(RESUMED, sid, struct.pack("<QI", taken, 0) + state, seq=next_seq, flags=1)

    def closed(self, sid: int, code: int, reason: str = "", *, was_clean: bool = True, seq: int) -> None:
        """The client closed, and has been answered."""
        self.send(CLOSED, sid, struct.pack("<HB", code, was_clean) + reason.encode(), seq=seq)

    def next(self) -> Record:
        """The next record of the process's. Raises ChannelEnded."""
        while len(self._pending) < HEADER.size or len(self._pending) < HEADER.size + self._length():
            data = self.socket.recv(1 << 16)
            if not data:
                raise ChannelEnded
            self._pending += data
        length, kind, flags, _, sid, seq = HEADER.unpack_from(self._pending)
        end = HEADER.size + length
        record = Record(kind, flags, sid, seq, self._pending[HEADER.size : end])
        self._pending = self._pending[end:]
        self.seen.append(record)
        return record

    def until(self, kind: int, *, where: Callable[[Record], bool] = lambda _: True) -> Record:
        """The next record of this kind; what comes before it is in `seen`."""
        while True:
            record = self.next()
            if record.kind == kind and where(record):
                return record

    def rest(self) -> list[Record]:
        """All records until the process closes the connection."""
        before = len(self.seen)
        try:
            while True:
                self.next()
        except ChannelEnded:
            return self.seen[before:]

    def _length(self) -> int:
        return int(HEADER.unpack_from(self._pending)[0])


@dataclass
class Answer:
    """An answer of the process's; names of fields in lower case."""

    status: int
    fields: dict[str, str]
    body: bytes = b""

    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)


@dataclass
class FakeClient:
    """Requests as an edge makes them."""

    path: Path
    context: dict[str, Any] = field(
        default_factory=lambda: {"ray": "0123456789abcdef", "script": "0" * 12, "scheme": "https"}
    )

    def ask(
        self, target: str = "/", *, method: str = "GET", body: bytes = b"", fields: dict[str, str] | None = None
    ) -> Answer:
        """Ask, and read the whole answer."""
        field_ = base64.urlsafe_b64encode(msgspec.msgpack.encode(self.context)).rstrip(b"=").decode()
        told = {"Host": "example.com", "Holdfast-Context": field_, **(fields or {})}
        if body:
            told["Content-Length"] = str(len(body))
        head = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in told.items())
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(LIMIT_S)
            connection.connect(str(self.path))
            connection.sendall(head.encode("latin-1") + b"\r\n" + body)
            return _read(connection, method)

    def upgrade(self, target: str = "/", *, fields: dict[str, str] | None = None) -> Answer:
        """Ask for a WebSocket."""
        key = base64.b64encode(b"0123456789abcdef").decode()
        handshake = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": key,
        }
        return self.ask(target, fields={**handshake, **(fields or {})})


def _read(connection: socket.socket, method: str) -> Answer:
    with connection.makefile("rb") as stream:
        status = int(stream.readline().split()[1])
        fields: dict[str, str] = {}
        while (line := stream.readline().decode("latin-1").strip()) != "":
            name, _, value = line.partition(":")
            fields[name.lower()] = value.strip()
        if method == "HEAD" or status in {101, 204, 304}:
            return Answer(status, fields)
        if "content-length" in fields:
            return Answer(status, fields, stream.read(int(fields["content-length"])))
        body = b""
        while size := int(stream.readline().split(b";")[0] or b"0", 16):
            body += stream.read(size)
            stream.readline()
        return Answer(status, fields, body)
