"""Records of the session channel, version 1: bytes in, records out, whatever the chopping; and the other way.

A record is a header of 20 bytes, little-endian (`u32 length of what follows · u8 kind · u8 flags · u16 0 · u64 sid · u32 seq`), and its payload.
`sid` is the socket's number, chosen by its edge; `seq` the number of an event of that socket, or of an output that its object has written down.

Law 1: nothing here knows a socket or a clock, and no record costs an object but a tuple.
Law 2: any chopping of the same bytes gives the same records.
Law 3: what is no record raises RecordError once, and the reader is of no more use. A kind that is not known here is a record
all the same: whoever reads it passes over it, so that an edge may be newer than a process.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Any

import msgspec

HEADER = struct.Struct("<IBBHQI")
HEADER_BYTES = HEADER.size
# The longest payload: a message of 32 MiB (the original's limit) and what goes with one.
MAX_PAYLOAD_BYTES = 32 * 1024 * 1024 + 64 * 1024
VERSION = 1

# (kind, flags, sid, seq, payload); the payload of a TEXT is `str`, of all others `bytes`: whoever has looked at the kind knows.
Record = tuple[int, int, int, int, Any]

_BACKLOG = struct.Struct("<QQ")
_CLOSED = struct.Struct("<HB")
# Of a client that is gone without a Close, in the original's words.
GONE = "WebSocket disconnected without sending Close frame."
# What an edge says then to the far end of a WebSocket that it passed on (`left_alone` of the core's tunnels). Where another script
# passed it on to this one, that far end is here.
_GOING_AWAY = 1001
_LEFT_ALONE = tuple(
    f"{why}: the connection to the client " for why in ("end_of_stream", "transport_error", "tls_error")
)
_CODE = struct.Struct("<H")
_RESUMED = struct.Struct("<QI")
_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")


class FromEdge(IntEnum):
    """Kinds of records that an edge sends."""

    HELLO = 1
    OPENED = 2
    RESUMED = 3
    TEXT = 4
    BINARY = 5
    CLOSED = 6
    FAILED = 7
    BACKLOG = 8
    AUTO_ANSWERED = 9
    READY = 10
    ADOPT_FAILED = 11


class ToEdge(IntEnum):
    """Kinds of records that the script's process sends."""

    HELLO = 32
    TEXT = 33
    BINARY = 34
    MANY = 35
    CLOSE = 36
    STATE = 37
    ACK = 38
    AUTO = 39
    BIND = 40
    ABORT = 41
    BYE = 42
    UNKNOWN = 43
    ADOPT = 44


# Flags of RESUMED and BIND; of RESUMED (a process has closed it); of BIND; of MANY.
HIBERNATABLE = 1
RESUMED_CLOSED = 2
AUTO_REPLY = 2
MANY_BINARY = 1
MANY_DROPS = 2


# Compared for each record: a plain number is cheaper than a member.
_TEXT = int(FromEdge.TEXT)


class RecordError(ValueError):
    """The peer does not keep to the protocol. `str` says how; its connection cannot go on."""


class EdgeHello(msgspec.Struct, frozen=True, kw_only=True):
    """Who connected: `edge` is its instance (hex), `loop` the tunnel loop of it, `pid` its process."""

    version: int
    edge: str
    loop: int
    pid: int = 0


class ProcessHello(msgspec.Struct, frozen=True, kw_only=True):
    """Who answers: the script's name, the version of its code, the process's number."""

    version: int
    script: str
    script_version: str
    pid: int


class Reader:
    """Takes bytes as they come, gives the records they complete."""

    __slots__ = ("_pending", "_wanted")

    def __init__(self) -> None:
        self._pending = bytearray()
        # How many bytes must be pending before another look is worth it: a long record is looked at twice, not at each read.
        self._wanted = HEADER_BYTES

    @property
    def pending_bytes(self) -> int:
        """Bytes of a record that is not complete."""
        return len(self._pending)

    @property
    def wanted_bytes(self) -> int:
        """Bytes that are missing before there can be another record."""
        return self._wanted - len(self._pending)

    def feed(self, data: bytes | bytearray | memoryview) -> list[Record]:
        """The records that `data` completes, in order. Raises RecordError."""
        if not self._pending:
            records, used, self._wanted = _split(memoryview(data))
            if used < len(data):
                self._pending += memoryview(data)[used:]
            return records
        self._pending += data
        if len(self._pending) < self._wanted:
            return []
        with memoryview(self._pending) as view:
            records, used, self._wanted = _split(view)
        del self._pending[:used]
        return records


def _split(view: memoryview) -> tuple[list[Record], int, int]:
    """(records, bytes they took, bytes wanted from there on before there can be another one)."""
    records: list[Record] = []
    start, end = 0, len(view)
    unpack = HEADER.unpack_from
    while end - start >= HEADER_BYTES:
        length, kind, flags, _, sid, seq = unpack(view, start)
        if length > MAX_PAYLOAD_BYTES:
            raise RecordError(f"a record of kind {kind} has {length} bytes; expected at most {MAX_PAYLOAD_BYTES}")
        body = start + HEADER_BYTES
        after = body + length
        if after > end:
            return records, start, HEADER_BYTES + length
        records.append((kind, flags, sid, seq, _text(view[body:after]) if kind == _TEXT else bytes(view[body:after])))
        start = after
    return records, start, HEADER_BYTES


def _text(view: memoryview) -> str:
    try:
        return str(view, "utf-8")
    except UnicodeDecodeError as error:
        raise RecordError(f"a text message is not UTF-8: {error}") from error


def record(kind: int, sid: int = 0, payload: bytes = b"", *, flags: int = 0, seq: int = 0) -> bytes:
    """One record as it goes over the channel. Raises ValueError where the payload is too long for one."""
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise ValueError(f"a payload of {len(payload)} bytes; expected at most {MAX_PAYLOAD_BYTES}")
    return HEADER.pack(len(payload), kind, flags, 0, sid, seq) + payload


def hello(value: EdgeHello | ProcessHello) -> bytes:
    """The payload of a HELLO."""
    return msgspec.msgpack.encode(value)


def edge_hello(payload: bytes) -> EdgeHello:
    """Who connected. Raises RecordError where it is none, or one of another version."""
    try:
        value = msgspec.msgpack.decode(payload, type=EdgeHello)
    except msgspec.DecodeError as error:
        raise RecordError(f"HELLO is not understood: {error}") from error
    if value.version != VERSION:
        raise RecordError(f"HELLO has version {value.version}; expected {VERSION}")
    return value


def closed(payload: bytes) -> tuple[int, str, bool]:
    """(code, reason, was clean) of a CLOSED."""
    if len(payload) < _CLOSED.size:
        raise RecordError(f"CLOSED has {len(payload)} bytes; expected at least {_CLOSED.size}")
    code, was_clean = _CLOSED.unpack_from(payload)
    reason = payload[_CLOSED.size :].decode("utf-8", "replace")
    if code == _GOING_AWAY and reason.startswith(_LEFT_ALONE):
        return 1006, GONE, False
    return code, reason, bool(was_clean)


def backlog(payload: bytes) -> tuple[int, int]:
    """(bytes of this socket's sends that the edge has taken since it opened, bytes of those not yet written) of a BACKLOG."""
    if len(payload) != _BACKLOG.size:
        raise RecordError(f"BACKLOG has {len(payload)} bytes; expected {_BACKLOG.size}")
    taken, unwritten = _BACKLOG.unpack(payload)
    return taken, unwritten


def milliseconds(payload: bytes) -> int:
    """When an AUTO_ANSWERED says it was, in Unix milliseconds."""
    if len(payload) != _U64.size:
        raise RecordError(f"AUTO_ANSWERED has {len(payload)} bytes; expected {_U64.size}")
    return int(_U64.unpack(payload)[0])


def resumed(payload: bytes) -> tuple[int, int, bytes]:
    """(bytes of this socket's sends that the edge has taken since it opened, the number of the last of them that had one, the state
    it kept for us) of a RESUMED."""
    if len(payload) < _RESUMED.size:
        raise RecordError(f"RESUMED has {len(payload)} bytes; expected at least {_RESUMED.size}")
    taken, number = _RESUMED.unpack_from(payload)
    return taken, number, payload[_RESUMED.size :]


def close(code: int, reason: str) -> bytes:
    """The payload of a CLOSE or an ABORT; code 0 is a Close without one."""
    return _CODE.pack(code) + reason.encode()


def bind(group: int, state: bytes) -> bytes:
    """The payload of a BIND."""
    return _U64.pack(group) + state


def auto(request: bytes | None, response: bytes) -> bytes:
    """The payload of an AUTO: no request clears it."""
    if request is None:
        return b"\x00" + _U32.pack(0)
    return b"\x01" + _U32.pack(len(request)) + request + response


def many(sids: list[int], message: bytes, *, max_backlog_bytes: int = 0) -> bytes:
    """The payload of a MANY."""
    return struct.pack(f"<I{len(sids)}QI", len(sids), *sids, max_backlog_bytes) + message
