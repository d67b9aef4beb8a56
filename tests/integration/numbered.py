"""Messages that are numbered in both directions, and the end of a connection that checks what it receives of them.

Law 1: bytes in, values out: no socket and no clock is in here, so that a test can feed it loss, doubles and disorder.
Law 2: each end counts its own messages from 0 and says who it is, which connection this is and when it was said; what follows
is filler that both ends can work out, so that one byte that differs is noticed.
Law 3: what was received is always right or told (`Tally`). What was sent last may still be under way: `cut_off` compares both ends.
"""

import os
import random
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import IntEnum
from typing import Any, Final

from tests.integration.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Frame, FrameReader, close

# What a message may be as a whole: the lengths at which a frame's header grows (RFC 6455 §5.2), and one beyond a read of 32 KiB.
SIZES: Final = (40, 125, 126, 127, 400, 1_500)
LARGE, LARGE_EVERY = 70_000, 97
# Every so many messages are sent in two frames, with a ping between them (§5.4), or with a ping after them.
SPLIT_EVERY, PING_EVERY = 11, 17
_HEAD = struct.Struct(">BIIQ")
_CHECK = struct.Struct(">I")
HEAD_BYTES: Final = _HEAD.size + _CHECK.size
_FILLER = random.Random("numbered").randbytes(LARGE + 65_536)
# A gap beyond this is a number that was never sent.
_WIDEST_GAP = 100_000


class Side(IntEnum):
    """Who says a message."""

    CLIENT = 1
    ORIGIN = 2


@dataclass(frozen=True, slots=True)
class Message:
    """What a message says of itself. `said_ns` is of the clock of who began the exchange: an echo gives it back."""

    side: Side
    connection: int
    number: int
    said_ns: int


def size_of(number: int) -> int:
    """How long the message with this number is, in bytes."""
    return LARGE if number % LARGE_EVERY == LARGE_EVERY - 1 else SIZES[number % len(SIZES)]


def payload_of(message: Message) -> bytes:
    """The whole message."""
    head = _HEAD.pack(message.side, message.connection, message.number, message.said_ns)
    return head + _CHECK.pack(zlib.crc32(head)) + _filler_of(message)


def _filler_of(message: Message) -> bytes:
    at = (message.connection * 7_919 + message.number * 104_729 + message.side) % 65_536
    return _FILLER[at : at + size_of(message.number) - HEAD_BYTES]


def read(payload: bytes) -> Message | None:
    """The message, or None where a byte of it is not what was sent."""
    if len(payload) < HEAD_BYTES:
        return None
    side, connection, number, said_ns = _HEAD.unpack_from(payload)
    (check,) = _CHECK.unpack_from(payload, _HEAD.size)
    if check != zlib.crc32(payload[: _HEAD.size]) or side not in {Side.CLIENT, Side.ORIGIN}:
        return None
    message = Message(Side(side), connection, number, said_ns)
    return message if payload[HEAD_BYTES:] == _filler_of(message) else None


@dataclass(slots=True)
class Tally:
    """What was wrong with what was received. All zero is as it must be."""

    lost: int = 0
    twice: int = 0
    reordered: int = 0
    changed: int = 0

    def add(self, other: "Tally") -> None:
        """Count these too."""
        self.lost += other.lost
        self.twice += other.twice
        self.reordered += other.reordered
        self.changed += other.changed

    @property
    def is_clean(self) -> bool:
        return self == Tally()


@dataclass(slots=True)
class Receiver:
    """One direction of one connection, as its receiver sees it. `taken` is the number that should come next."""

    side: Side
    connection: int
    taken: int = 0
    arrived: int = 0
    twice: int = 0
    reordered: int = 0
    changed: int = 0
    _missing: set[int] = field(default_factory=set)

    def take(self, payload: bytes) -> Message | None:
        """Note a message; None where it is not one that was said to this receiver."""
        message = read(payload)
        if message is None or (message.side, message.connection) != (self.side, self.connection):
            self.changed += 1
            return None
        number = message.number
        if number - self.taken > _WIDEST_GAP:
            self.changed += 1
            return None
        self.arrived += 1
        if number >= self.taken:
            self._missing.update(range(self.taken, number))
            self.taken = number + 1
        elif number in self._missing:
            self._missing.discard(number)
            self.reordered += 1
        else:
            self.twice += 1
        return message

    @property
    def tally(self) -> Tally:
        """What was wrong so far: what is missing before something that came counts as lost."""
        return Tally(len(self._missing), self.twice, self.reordered, self.changed)


class Conversation:
    """One end of one numbered connection, without its socket.

    `closed_with` is the Close that came (code, reason), once it has; `close_sent` whether one of ours is out.
    """

    __slots__ = (
        "_parts",
        "_reader",
        "close_sent",
        "closed_with",
        "connection",
        "pings",
        "pongs",
        "receiver",
        "sent",
        "side",
    )

    def __init__(self, side: Side, connection: int) -> None:
        self.side = side
        self.connection = connection
        self.receiver = Receiver(Side.ORIGIN if side is Side.CLIENT else Side.CLIENT, connection)
        self.sent = 0
        # Pings of ours, and pongs that came. An edge that asks for itself must swallow what answers it.
        self.pings = self.pongs = 0
        self.closed_with: tuple[int, str] | None = None
        self.close_sent = False
        self._reader = FrameReader()
        self._parts: list[bytes] | None = None

    def say(self, said_ns: int) -> bytes:
        """The next message, as it goes on the wire."""
        return b"".join(self._encoded(frame) for frame in self._next_frames(said_ns))

    def half_a_message(self, said_ns: int) -> bytes:
        """The next message's first frame of two: whoever ends here ends within a fragmented message."""
        first, *_ = self._split(self._next_payload(said_ns))
        return self._encoded(first)

    def half_a_frame(self, said_ns: int) -> bytes:
        """The next message up to the middle of its frame."""
        whole = self._encoded(Frame(BINARY, self._next_payload(said_ns)))
        return whole[: len(whole) // 2]

    def say_close(self, code: int, reason: str = "") -> bytes:
        """A Close of ours."""
        self.close_sent = True
        return self._encoded(close(code, reason))

    def hear(self, data: bytes) -> tuple[list[Message], bytes]:
        """The whole messages in what came, and what must be answered at once: pongs, and our Close for theirs."""
        messages: list[Message] = []
        answers = []
        for frame in self._reader.feed(data):
            if frame.opcode == PING:
                answers.append(self._encoded(Frame(PONG, frame.payload)))
            elif frame.opcode == PONG:
                self.pongs += 1
            elif frame.opcode == CLOSE:
                answers.append(self._take_close(frame))
            elif (payload := self._assembled(frame)) is not None:
                message = self.receiver.take(payload)
                messages += [message] if message is not None else []
        return messages, b"".join(answers)

    @property
    def is_within_a_frame(self) -> bool:
        """Whether what came last is a part of a frame."""
        return bool(self._reader.pending)

    def _next_payload(self, said_ns: int) -> bytes:
        payload = payload_of(Message(self.side, self.connection, self.sent, said_ns))
        self.sent += 1
        return payload

    def _next_frames(self, said_ns: int) -> Iterator[Frame]:
        number = self.sent
        payload = self._next_payload(said_ns)
        with_ping = self.side is Side.CLIENT and number % PING_EVERY == PING_EVERY - 1
        if number % SPLIT_EVERY != SPLIT_EVERY - 1:
            yield Frame(BINARY, payload)
            yield from [self._ping(number)] if with_ping else []
            return
        first, second = self._split(payload)
        yield first
        yield from [self._ping(number)] if self.side is Side.CLIENT else []
        yield second

    def _ping(self, number: int) -> Frame:
        self.pings += 1
        return Frame(PING, b"ping %d" % number)

    @staticmethod
    def _split(payload: bytes) -> tuple[Frame, Frame]:
        middle = len(payload) // 2
        return Frame(BINARY, payload[:middle], fin=False), Frame(CONTINUATION, payload[middle:])

    def _encoded(self, frame: Frame) -> bytes:
        if self.side is Side.ORIGIN:
            return frame.encode()
        return Frame(frame.opcode, frame.payload, frame.fin, frame.rsv, os.urandom(4)).encode()

    def _assembled(self, frame: Frame) -> bytes | None:
        if (frame.opcode == CONTINUATION) == (self._parts is None) or frame.opcode not in {CONTINUATION, BINARY, TEXT}:
            self.receiver.changed += 1
            self._parts = None
            return None
        parts = [*(self._parts or []), frame.payload]
        self._parts = None if frame.fin else parts
        return b"".join(parts) if frame.fin else None

    def _take_close(self, frame: Frame) -> bytes:
        self.closed_with = (frame.close_code, frame.close_reason)
        if self.close_sent:
            return b""
        self.close_sent = True
        return self._encoded(Frame(CLOSE, frame.payload[:2]))


@dataclass(slots=True)
class Account:
    """What one end tells of one connection, for the other process to compare. Shape of the reports' `connections`."""

    sent: int
    taken: int
    pings: int = 0
    pongs: int = 0
    # The Close that came, if one did; what ended the transport ("eof", "reset", "" while open); when, on the machine's clock.
    code: int | None = None
    reason: str = ""
    ended: str = ""
    at_s: float = 0.0
    is_whole: bool = True
    # What went wrong before it was open.
    failed: str = ""

    @classmethod
    def of(cls, end: Conversation, *, ended: str, at_s: float) -> "Account":
        code, reason = end.closed_with or (None, "")
        return cls(
            sent=end.sent,
            taken=end.receiver.taken,
            pings=end.pings,
            pongs=end.pongs,
            code=code,
            reason=reason,
            ended=ended,
            at_s=at_s,
            is_whole=not end.is_within_a_frame,
        )

    def told(self) -> dict[str, Any]:
        return asdict(self)


def cut_off(sent: Mapping[int, Account], taken: Mapping[int, Account]) -> dict[int, int]:
    """How many of the last messages of each connection have not arrived: {connection: count}, those with none left out.

    Negative where more has arrived than was sent.
    """
    missing = {
        connection: account.sent - (taken[connection].taken if connection in taken else 0)
        for connection, account in sent.items()
    }
    return {connection: count for connection, count in missing.items() if count}


def quantile(ordered: Sequence[float], q: float) -> float:
    """The value below which `q` of an ordered sequence are, and one of it; 0 for none."""
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))] if ordered else 0.0
