"""One socket that an edge holds for us: what it sends, what we send, what of it is done with.

A session is made by OPENED or RESUMED, and is over with CLOSED, ABORT, or its edge. Between, its link may end and another one take
its place: a hibernatable session lives on meanwhile.

Law 1: an event that was given to the socket is not given to it again, however often an edge sends it.
Law 2: what is acknowledged never grows smaller; one ACK a turn of the loop, behind everything that was sent before it.
Law 3: what is sent while there is no link is held, up to MAX_HELD_BYTES; beyond them the session is over.
"""

from __future__ import annotations

from typing import Protocol

from holdfast.workers.channel.records import AUTO_REPLY, HIBERNATABLE, ToEdge, bind, close

# Sends held for a session without a link. Precedent: what an edge holds unsent for one socket (16 MiB) before it closes it.
MAX_HELD_BYTES = 16 * 1024 * 1024
# How an edge closes a socket whose client takes too little (IANA registry of close codes: "Try Again Later").
TRY_AGAIN_LATER, TOO_MUCH = 1013, "too much waits to be taken"

_SEQ, _HALF = 0xFFFF_FFFF, 0x8000_0000
_TEXT, _BINARY = int(ToEdge.TEXT), int(ToEdge.BINARY)


class Carrier(Protocol):
    """What a session goes by: its link. `in_flight` counts events that are not acknowledged, `messages_out` what was sent."""

    in_flight: int
    messages_out: int

    def write(self, kind: int, sid: int, payload: bytes, *, flags: int = 0, seq: int = 0) -> None:
        """Have a record sent."""

    def acknowledge(self, session: Session) -> None:
        """Tell up to where `session` is done with its events."""

    def joined(self, group: int) -> None:
        """A session of `group` is told of here."""

    def left(self, session: Session) -> None:
        """`session` is over."""


class Receiver(Protocol):
    """Who hears of a session: its WebSocket."""

    def arrived(self, data: str | bytes, seq: int) -> None:
        """A whole message."""

    def ended(self, code: int, reason: str, *, was_clean: bool, seq: int) -> None:
        """It is closed, and the peer has been answered; the last event. `seq` 0: nobody waits for an acknowledgement."""

    def broke(self, error: str, seq: int) -> None:
        """Something that is no disconnect went wrong."""

    def auto_answered(self, at_ms: int) -> None:
        """The edge answered a message for us, then (Unix milliseconds)."""


class Session:
    """See above. `socket` is set by whoever takes the session, before its first event."""

    __slots__ = (
        "_held",
        "_held_bytes",
        "acknowledged",
        "group",
        "is_half_open",
        "is_hibernatable",
        "is_over",
        "last_number",
        "last_seq",
        "link",
        "received",
        "sent_bytes",
        "sid",
        "skipped_seq",
        "socket",
        "taken_bytes",
        "unwritten_bytes",
    )

    def __init__(
        self, sid: int, link: Carrier | None, *, received: int = 0, taken_bytes: int = 0, number: int = 0
    ) -> None:
        self.sid = sid
        self.link = link
        self.socket: Receiver | None = None
        self.group = 0
        self.is_hibernatable = False
        self.is_over = self.is_half_open = False
        # The number of the last event that was given to the socket, and of the last one that is done with.
        self.received = self.acknowledged = received
        # The number of CLOSED, once it came: with its acknowledgement all is over; and of an event that user code is not to hear of.
        self.last_seq = self.skipped_seq = 0
        self.sent_bytes = self.taken_bytes = taken_bytes
        self.unwritten_bytes = 0
        # The number of the last output of a process before this one that the edge has taken; 0 where none had one.
        self.last_number = number
        self._held: list[tuple[int, bytes, int]] | None = None
        self._held_bytes = 0

    @property
    def buffered_bytes(self) -> int:
        """Bytes that were sent and are not yet written to the socket, as far as the edge has told."""
        return self.sent_bytes - self.taken_bytes + self.unwritten_bytes

    def send(self, data: str | bytes, number: int = 0) -> None:
        """Send a message; nothing happens when the session is over. `number`: under which it was written down, if it was."""
        kind, payload = (_TEXT, data.encode()) if isinstance(data, str) else (_BINARY, data)
        if self.link is None or self.is_over:
            self._hold(kind, payload, len(payload), number)
        else:
            link = self.link
            self.sent_bytes += len(payload)
            link.messages_out += 1
            link.write(kind, self.sid, payload, seq=number)

    def close(self, code: int, reason: str, number: int = 0) -> None:
        """Begin to close, or answer the peer's Close where the edge does not; code 0 is a Close without one."""
        self._write(int(ToEdge.CLOSE), close(code, reason), number)
        self.is_half_open = False
        self._end()

    def keep(self, state: bytes, number: int = 0) -> None:
        """Have the edge keep `state` beside the socket."""
        self._write(int(ToEdge.STATE), state, number)

    def bind(self, group: int, state: bytes, *, is_hibernatable: bool, is_half_open: bool = False) -> None:
        """Say whose this is: the answer to OPENED. `is_half_open`: the peer's Close is answered by `close`, not by the edge."""
        self.group, self.is_hibernatable, self.is_half_open = group, is_hibernatable, is_half_open
        if (link := self.link) is not None:
            link.joined(group)
            flags = (0 if is_half_open else AUTO_REPLY) | (HIBERNATABLE if is_hibernatable else 0)
            link.write(int(ToEdge.BIND), self.sid, bind(group, state), flags=flags)

    def abort(self, code: int, reason: str) -> None:
        """Close at once, without another event."""
        if not self.is_over:
            self._write(int(ToEdge.ABORT), close(code, reason))
            self.over()

    def drown(self) -> None:
        """Close at once: far more was sent than its edge takes, which would close it for the same. Its socket hears of it."""
        self.abort(TRY_AGAIN_LATER, TOO_MUCH)
        if self.socket is not None:
            self.socket.ended(TRY_AGAIN_LATER, TOO_MUCH, was_clean=False, seq=0)

    def number(self, seq: int) -> int:
        """The number of the event that comes as `seq`: on the channel they wrap at 32 bits."""
        return self.received + (((seq - self.received) + _HALF) & _SEQ) - _HALF

    def ack(self, seq: int) -> None:
        """Everything up to and including `seq` is done with."""
        if seq > self.acknowledged:
            seq = seq + 1 if seq + 1 == self.skipped_seq != self.last_seq else seq
            done, self.acknowledged = seq - self.acknowledged, seq
            if self.link is not None:
                self.link.in_flight -= done
                self.link.acknowledge(self)
            self._end()

    def skip(self, seq: int) -> None:
        """Event `seq` is not to be given to the socket: it is done with when those before it are."""
        self.skipped_seq = seq
        if self.acknowledged == seq - 1:
            self.ack(seq)

    def counted(self, payload_bytes: int) -> None:
        """A message of so many bytes went to this socket among others."""
        self.sent_bytes += payload_bytes

    def resume(self, link: Carrier, *, next_seq: int, taken_bytes: int) -> None:
        """The edge has come back by another link, and will send from `next_seq` on."""
        self.link = link
        self.taken_bytes, self.sent_bytes = taken_bytes, taken_bytes + self._held_bytes
        link.joined(self.group)
        held, self._held, self._held_bytes = self._held, None, 0
        for kind, payload, number in held or ():
            link.write(kind, self.sid, payload, seq=number)
        next_seq = self.number(next_seq)
        if next_seq > self.received + 1:
            # What it takes for done with, is.
            self.received = self.acknowledged = next_seq - 1
        link.in_flight += self.received - self.acknowledged
        if self.acknowledged >= next_seq:
            link.acknowledge(self)

    def over(self) -> None:
        """Nothing comes or goes any more."""
        if not self.is_over:
            self.is_over = True
            self._held, self._held_bytes = None, 0
            if self.link is not None:
                self.link.in_flight -= self.received - self.acknowledged
                self.link.left(self)

    def _end(self) -> None:
        """All is over with the acknowledgement of its end, and with our Close where that is ours to send."""
        if self.last_seq and self.acknowledged >= self.last_seq and not self.is_half_open:
            self.over()

    def _write(self, kind: int, payload: bytes, number: int = 0) -> None:
        if self.link is None or self.is_over:
            self._hold(kind, payload, 0, number)
        else:
            self.link.write(kind, self.sid, payload, seq=number)

    def _hold(self, kind: int, payload: bytes, message_bytes: int, number: int) -> None:
        if self.is_over:
            return
        self._held = self._held or []
        self._held.append((kind, payload, number))
        self.sent_bytes += message_bytes
        self._held_bytes += message_bytes
        if self._held_bytes > MAX_HELD_BYTES:
            self.over()
            if self.socket is not None:
                self.socket.ended(1006, "too much was sent while the edge was away", was_clean=False, seq=0)
