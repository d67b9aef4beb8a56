"""The control link: what control and an edge say to each other, and how it is framed. No I/O.

The edge connects to control's Unix socket and says `Hello`; control answers `Welcome`, then `FullSnapshot` unless the
edge has the newest revision already, then a `Delta` for each change. Control asks, the edge answers, by `request_id`.

Law 1: a frame is four bytes of length (big-endian) and that many bytes of MessagePack, one message with its tag.
Law 2: a frame longer than MAX_FRAME_BYTES, or one that is no message, raises LinkError: the connection is given up.
Law 3: the first message of each side carries its version. Control takes edges from OLDEST_EDGE on, answers each in the edge's
own version and asks it nothing that is newer, so that an edge that ends lives through a release; others part with a reason.
Law 4: an edge whose revision is not a delta's `base` asks for everything (`Resync`); it never guesses.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from holdfast.model.connection_messages import (
    AskConnection,
    AskConnections,
    CloseSelected,
    ConnectionEvents,
    ConnectionFound,
    Connections,
    QuestionRefused,
    Retired,
    WatchConnections,
)
from holdfast.model.event_messages import AskRequests, EventsTaken, RecentRequests, SecurityEvents
from holdfast.model.rule_documents import AccountDocument, ListDocument, ManagedDocument
from holdfast.model.zone_document import Kind, SnapshotDocument, ZoneDocument
from holdfast.model.zone_statistics import ZoneStatistics

# 2: rules. An edge that reads 1 would pass over accounts, lists and managed rules, and let in what they keep out.
# 3: open WebSockets are listed, watched and closed one by one.
VERSION = 3
# The oldest edge that control lets in; and since when an edge can be asked about its WebSockets.
OLDEST_EDGE = 2
KNOWS_CONNECTIONS = 3
# 10,000 zones with 3 records each are about 3 MB, a list of 100,000 addresses 1.5 MB; a thousandfold margin would let a
# broken peer take the memory.
MAX_FRAME_BYTES = 256 * 1024 * 1024
_LENGTH_BYTES = 4


class LinkError(Exception):
    """The peer does not keep to the protocol. `str` is a sentence; the connection cannot go on."""


class _Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type"):
    """What all messages share: they are told apart by their tag."""


class Hello(_Message, frozen=True, kw_only=True, tag="hello"):
    """Edge, first of all: who it is, and the snapshot it serves (`source` "" for none). `is_retired`: it accepts nothing new."""

    version: int
    edge: str
    pid: int
    source: str = ""
    revision: int = 0
    is_retired: bool = False


class Welcome(_Message, frozen=True, kw_only=True, tag="welcome"):
    """Control, in answer to `Hello`: the version that both speak. Where it is not the edge's, the connection ends after it."""

    version: int


class FullSnapshot(_Message, frozen=True, kw_only=True, tag="full"):
    """Control: serve this instead of all you have."""

    snapshot: SnapshotDocument


class Delta(_Message, frozen=True, kw_only=True, tag="delta"):
    """Control: `revision` is `base` of `source` with these documents added or replaced, and those of `removed` (ids, of
    whatever kind) gone."""

    source: str
    base: int
    revision: int
    zones: tuple[ZoneDocument, ...] = ()
    accounts: tuple[AccountDocument, ...] = ()
    lists: tuple[ListDocument, ...] = ()
    managed: tuple[ManagedDocument, ...] = ()
    removed: tuple[str, ...] = ()


class Applied(_Message, frozen=True, kw_only=True, tag="applied"):
    """Edge: requests from now on are decided by this revision. `certificates_left_out` are those it cannot show."""

    revision: int
    certificates_left_out: int = 0


class Refused(_Message, frozen=True, kw_only=True, tag="refused"):
    """Edge: the document `id` of this revision does not compile, for `reason`; its previous version is kept, the rest is
    served."""

    revision: int
    kind: Kind
    id: str
    reason: str


class Resync(_Message, frozen=True, kw_only=True, tag="resync"):
    """Edge: I cannot use what came; send everything."""

    revision: int


class CloseConnections(_Message, frozen=True, kw_only=True, tag="close_connections"):
    """Control: close every WebSocket of this zone with this code and reason (RFC 6455 §7.4)."""

    request_id: int
    zone_id: str
    code: int
    reason: str


class ConnectionsClosed(_Message, frozen=True, kw_only=True, tag="connections_closed"):
    """Edge, in answer: how many were told."""

    request_id: int
    count: int


class AskReport(_Message, frozen=True, kw_only=True, tag="ask_report"):
    """Control: what are your figures?"""

    request_id: int


class Report(_Message, frozen=True, kw_only=True, tag="report"):
    """Edge, in answer. `decide_buckets` are (upper bound in seconds, decisions that took at most that), cumulative;
    `security_events` are (zone, source, action, how many since the edge started)."""

    request_id: int
    revision: int
    statistics: dict[str, int]
    zones: tuple[ZoneStatistics, ...] = ()
    decide_buckets: tuple[tuple[float, int], ...] = ()
    decide_sum_s: float = 0.0
    decide_count: int = 0
    security_events: tuple[tuple[str, str, str, int], ...] = ()


Message = (
    Hello
    | Welcome
    | FullSnapshot
    | Delta
    | Applied
    | Refused
    | Resync
    | CloseConnections
    | ConnectionsClosed
    | AskReport
    | Report
    | SecurityEvents
    | EventsTaken
    | AskRequests
    | RecentRequests
    | AskConnections
    | Connections
    | AskConnection
    | ConnectionFound
    | CloseSelected
    | WatchConnections
    | ConnectionEvents
    | QuestionRefused
    | Retired
)

_ENCODER = msgspec.msgpack.Encoder()
_DECODER: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)


def frame(message: Message) -> bytes:
    """`message` as it goes over the link. Raises LinkError where it is longer than a frame may be."""
    body = _ENCODER.encode(message)
    if len(body) > MAX_FRAME_BYTES:
        raise LinkError(f"a message of {len(body)} bytes is longer than a frame may be ({MAX_FRAME_BYTES})")
    return len(body).to_bytes(_LENGTH_BYTES, "big") + body


class FrameReader:
    """Bytes in, messages out, whatever the chopping. What is incomplete waits here."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that `data` completes. Raises LinkError; then this reader is of no more use."""
        return map(decoded, self.bodies(data))

    def bodies(self, data: bytes) -> Iterator[bytes]:
        """The same before they are decoded, for who wants to do that in pieces."""
        self._pending += data
        while (length := self._length()) is not None and len(self._pending) >= _LENGTH_BYTES + length:
            body = bytes(self._pending[_LENGTH_BYTES : _LENGTH_BYTES + length])
            del self._pending[: _LENGTH_BYTES + length]
            yield body

    def _length(self) -> int | None:
        if len(self._pending) < _LENGTH_BYTES:
            return None
        length = int.from_bytes(self._pending[:_LENGTH_BYTES], "big")
        if length > MAX_FRAME_BYTES:
            raise LinkError(f"a frame of {length} bytes was announced, {MAX_FRAME_BYTES} are allowed")
        return length


def decoded(body: bytes) -> Message:
    """The message in a frame's body. Raises LinkError."""
    try:
        return _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise LinkError(f"a frame holds no message of this protocol: {error}") from error
