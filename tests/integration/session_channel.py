"""The far end of a session channel, record by record, as a script's process would hold it.

Law 1: records are written and read by this file alone, not by the code that is tested on either side.
Law 2: each read has the limit of `waiting`; an edge that says nothing is a failure, not a hang.
"""

import socket
import struct
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from holdfast._native import WorkerTarget
from tests.integration.waiting import LIMIT_S
from tests.integration.wire import Wire

HEAD: Final = struct.Struct("<IBBHQI")

# What an edge says.
HELLO, OPENED, RESUMED, TEXT, BINARY, CLOSED, FAILED, BACKLOG, AUTO_ANSWERED, READY, ADOPT_FAILED = range(1, 12)
# What a process says.
OWN_HELLO: Final = 32
SEND_TEXT, SEND_BINARY, MANY, CLOSE, STATE, ACK, AUTO, BIND, ABORT, BYE, UNKNOWN, ADOPT = range(33, 45)


@dataclass(frozen=True, slots=True)
class Record:
    """One record. `seq` is 0 where it says nothing."""

    kind: int
    sid: int = 0
    payload: bytes = b""
    flags: int = 0
    seq: int = 0

    def encode(self) -> bytes:
        return HEAD.pack(len(self.payload), self.kind, self.flags, 0, self.sid, self.seq) + self.payload


class Channel:
    """One connection of an edge's loop, which has been greeted. `hello` is what the edge has said of itself."""

    def __init__(self, sock: socket.socket, script: str) -> None:
        self._wire = Wire(sock)
        first = self.read()
        assert first.kind == HELLO, first
        self.hello: dict[str, Any] = msgspec.msgpack.decode(first.payload)
        own = {"version": 1, "script": script, "script_version": "v1", "pid": 1}
        self.send(Record(OWN_HELLO, payload=msgspec.msgpack.encode(own)))

    def read(self) -> Record:
        """The next record."""
        size, kind, flags, _, sid, seq = HEAD.unpack(self._wire.read_exactly(HEAD.size))
        return Record(kind, sid, self._wire.read_exactly(size), flags, seq)

    def expect(self, *kinds: int) -> Record:
        """The next record of one of these kinds; those before it are passed over."""
        while (record := self.read()).kind not in kinds:
            pass
        return record

    def send(self, *records: Record) -> None:
        self._wire.send(b"".join(record.encode() for record in records))

    def close(self) -> None:
        """As a process that has died."""
        self._wire.sock.close()

    def opened(self, *, flags: int = 0b10, state: bytes = b"") -> tuple[int, bytes]:
        """Take the next session that opens: its number, and the ticket that it has."""
        record = self.expect(OPENED)
        self.send(Record(BIND, record.sid, bytes(8) + state, flags=flags))
        return record.sid, record.payload


@contextmanager
def listening(target: WorkerTarget) -> Iterator[socket.socket]:
    """The listening socket of a script's channel."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.settimeout(LIMIT_S)
        listener.bind(target.channel)
        listener.listen(8)
        yield listener


@contextmanager
def accepted(listener: socket.socket, script: str = "chat") -> Iterator[Channel]:
    """The next connection of an edge."""
    sock, _ = listener.accept()
    with sock:
        yield Channel(sock, script)


@dataclass(frozen=True, slots=True)
class Taken:
    """The first session of a connection, which has been bound."""

    process: Channel
    sid: int
    ticket: bytes


@contextmanager
def taking(listener: socket.socket, script: str = "chat") -> Iterator[Future[Taken]]:
    """Have the first session taken that opens on the next connection, while the test is its client and waits for the 101."""

    def take() -> Taken:
        sock, _ = listener.accept()
        try:
            process = Channel(sock, script)
            return Taken(process, *process.opened())
        except BaseException:
            sock.close()
            raise

    with ThreadPoolExecutor(1) as thread:
        taken = thread.submit(take)
        try:
            yield taken
        finally:
            if taken.exception() is None:
                taken.result().process.close()
