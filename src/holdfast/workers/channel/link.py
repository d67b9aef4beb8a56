"""One connection of the session channel, seen from the script's process: the asyncio end of it.

The edge connects and says HELLO, so do we; then come RESUMED for each session it keeps for this script, READY, and what happens.

Law 1: what is written in one turn of the loop goes out together (`flush`), acknowledgements last, or where somebody asks how far they go.
Law 2: while more than HIGH_BYTES wait to go out, nothing is read: who echoes to an edge that takes nothing stops hearing from it. A
socket that a script sends far more than an edge takes for it is closed (`waiting.py`); beyond MAX_WAITING_BYTES the link is given up.
Law 3: while more than MAX_IN_FLIGHT events are with their handlers, nothing is read either.
Law 4: a link ends once, for whatever reason, and says so to its hub once.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Protocol

from holdfast.workers.channel.records import (
    HEADER,
    VERSION,
    FromEdge,
    ProcessHello,
    Reader,
    Record,
    RecordError,
    ToEdge,
    close,
    edge_hello,
    hello,
)
from holdfast.workers.channel.session import TOO_MUCH, TRY_AGAIN_LATER
from holdfast.workers.channel.sleepers import Sleepers, another
from holdfast.workers.channel.waiting import Waiting

if TYPE_CHECKING:
    from holdfast.workers.channel.session import Session

# One read: a thousand messages that all wait for their handlers cost more than reading more often.
READ_BYTES = 64 * 1024
# A read of what is left of a long record.
LONG_READ_BYTES = 1024 * 1024
# What may wait to go out before we stop reading, and what is little enough to go on.
HIGH_BYTES = 4 * 1024 * 1024
LOW_BYTES = 1024 * 1024
# Events that have been given and are not done with: each may be a handler that is suspended, of some kilobytes. The edge itself allows
# a session 1,024 of them.
MAX_IN_FLIGHT = 65_536
# A handler that sends and sends has what it sends leave after each so many bytes, though the loop does not come round.
SEND_EACH_BYTES = 1024 * 1024
# What may wait for one socket, looked at when so much more waits for all of them: an edge holds no more for a client that reads. When
# too much waits for all, it is what an edge holds for one that does not (`native/core/src/sessions`).
MAX_SOCKET_BYTES = 64 * 1024 * 1024
MAX_SOCKET_BYTES_OF_MANY = 16 * 1024 * 1024
# Longest message is 32 MiB; an edge that leaves four of them and more untaken, of many sockets, is not there.
MAX_WAITING_BYTES = 256 * 1024 * 1024
# An edge that is told goodbye closes its end at once.
FAREWELL_S = 1.0

_ACK = int(ToEdge.ACK)
_HELLO = int(FromEdge.HELLO)


class LinkOwner(Protocol):
    """Who has the links: the hub."""

    def greeted(self, link: Link) -> None:
        """`link` has said whose it is."""

    def arrived(self, link: Link, records: list[Record]) -> None:
        """`records` came, none of them a HELLO. Raises RecordError."""

    def wrote(self, link: Link) -> None:
        """`link` has something to flush."""

    def before_bind(self, link: Link, group: int) -> None:
        """The first socket of `group` is about to be told of on `link`."""

    def emptied(self, link: Link) -> None:
        """`link` has no sockets of objects any more."""

    def ended(self, link: Link, reason: str, *, is_fault: bool) -> None:
        """`link` is gone."""


class Sleeper(Protocol):
    """An object whose sessions are put away (`durable.actor.Actor`)."""

    def rouse(self) -> None:
        """Have them all in their links' `sessions` again."""

    def answered(self, sid: int, at_ms: int) -> None:
        """An edge answered a message for one of them, then (Unix milliseconds)."""


class Link:
    """See above. `edge`, `loop` and `pid` say whose it is once HELLO came."""

    def __init__(self, connection: socket.socket, owner: LinkOwner, greeting: ProcessHello) -> None:
        self._socket = connection
        self._owner = owner
        self._reader = Reader()
        self._loop = asyncio.get_running_loop()
        self._out = Waiting()
        self._rest = memoryview(b"")
        # When it is looked at whom so much is for.
        self._look_at_bytes = MAX_SOCKET_BYTES
        self._send_at_bytes = HIGH_BYTES
        # Events that have been given to the sockets of this link and are not acknowledged.
        self.in_flight = 0
        # What has come and gone: messages, to how many sockets they went; and bytes, heads of records and all.
        self.messages_in = self.bytes_in = self.messages_out = self.bytes_out = 0
        self._is_reading = self._is_writing = self._is_marked = self._is_leaving = self._is_held = False
        self._gone = self._loop.create_future()
        self._groups: dict[int, int] = {}
        self._unacknowledged: dict[int, Session] = {}
        self.sessions: dict[int, Session] = {}
        # Sessions that are put away while nothing happens to them, by who has them.
        self.asleep: Sleepers[Sleeper] = Sleepers()
        self.edge = ""
        self.loop, self.pid = -1, 0
        self.is_ready = self.is_over = False
        connection.setblocking(False)  # noqa: FBT003 - the method takes nothing else
        self.write(int(ToEdge.HELLO), 0, hello(greeting))
        self.resume_reading()

    @property
    def waiting_bytes(self) -> int:
        """Bytes that the edge has not taken."""
        return self._out.size

    @property
    def has_waiting(self) -> bool:
        """Whether anything was written or acknowledged that the edge has not taken."""
        return bool(self._out.size or self._unacknowledged)

    def mark(self) -> int:
        """How far everything goes that was written or acknowledged until now."""
        if self._unacknowledged:
            self._put_acknowledgements()
        return self._out.mark()

    def has_passed(self, mark: int) -> bool:
        """Whether the kernel has everything up to there: whatever becomes of us, it gives that to the edge."""
        return self.is_over or self._out.has_passed(mark)

    def write(self, kind: int, sid: int, payload: bytes, *, flags: int = 0, seq: int = 0) -> None:
        """Have a record sent with the next flush; nothing happens once the link is over."""
        if self.is_over:
            return
        out = self._out
        out.put(HEADER.pack(len(payload), kind, flags, 0, sid, seq), payload)
        if out.size > self._send_at_bytes:
            self._send_at_bytes = out.size + SEND_EACH_BYTES
            self._send()
        if not self._is_marked:
            self._mark()

    def acknowledge(self, session: Session) -> None:
        """Tell with the next flush up to where `session` is done with its events."""
        self._unacknowledged[session.sid] = session
        if not self._is_marked and not self.is_over:
            self._mark()

    def joined(self, group: int) -> None:
        """A session of `group` is told of on this link."""
        if group and group not in self._groups:
            self._owner.before_bind(self, group)
        self._groups[group] = self._groups.get(group, 0) + 1

    def session(self, sid: int) -> Session | None:
        """The session with this number, awake from now on."""
        found = self.sessions.get(sid)
        if found is None and (sleeper := self.asleep.get(sid)) is not None:
            sleeper.rouse()
            found = self.sessions.get(sid)
        return found

    def settle(self) -> object:
        """Have what is kept of sessions that are put away lie where there is room now; what it was until now."""
        before = self._groups
        self._groups = {another(group): count for group, count in before.items()}
        return before, self.asleep.settle()

    def rouse(self) -> None:
        """Have all sessions in `sessions`."""
        while (sleeper := self.asleep.any()) is not None:
            sleeper.rouse()

    def left(self, session: Session) -> None:
        """`session` is over."""
        self.sessions.pop(session.sid, None)
        if (count := self._groups.get(session.group, 0) - 1) > 0:
            self._groups[session.group] = count
        else:
            self._groups.pop(session.group, None)
            if session.group and not self.has_objects:
                self._owner.emptied(self)

    @property
    def has_objects(self) -> bool:
        """Whether sockets of objects are told of on this link; 0 is who has none."""
        return len(self._groups) > (0 in self._groups)

    def has(self, group: int) -> bool:
        """Whether a session of `group` is told of on this link."""
        return group in self._groups

    def flush(self) -> None:
        """Send what waits, as far as the edge takes it."""
        self._is_marked = False
        if self._unacknowledged:
            self._put_acknowledgements()
        self._send_at_bytes = HIGH_BYTES
        if not self._is_writing:
            self._send()
        elif not self._is_reading:
            self.resume_reading()

    def give_up(self) -> None:
        """Have the edge close all sessions that it would keep for another process."""
        kept = [sid for sid, session in self.sessions.items() if session.is_hibernatable]
        for sid in (*kept, *self.asleep):
            self.write(int(ToEdge.UNKNOWN), sid, b"")

    async def leave(self) -> bool:
        """Say BYE behind everything else, and end when the edge has taken it and closed, or after FAREWELL_S; whether it has."""
        if self.is_over:
            return True
        self.flush()
        self.write(int(ToEdge.BYE), 0, b"")
        self._is_leaving = True
        self.resume_reading()
        self.flush()
        await asyncio.wait([self._gone], timeout=FAREWELL_S)
        has_gone = not self._out.size
        self.end("this process said goodbye")
        return has_gone

    def _put_acknowledgements(self) -> None:
        for sid, session in self._unacknowledged.items():
            self._out.put(HEADER.pack(0, _ACK, 0, 0, sid, session.acknowledged & 0xFFFF_FFFF), b"")
        self._unacknowledged.clear()

    def end(self, reason: str, *, is_fault: bool = False) -> None:
        """Close the connection, once. `is_fault`: it ends otherwise than it should."""
        if self.is_over:
            return
        self.is_over = True
        self.pause_reading()
        if self._is_writing:
            self._loop.remove_writer(self._socket)
        self._socket.close()
        self._out.clear()
        self._rest = memoryview(b"")
        self._gone.set_result(None)
        self._owner.ended(self, reason, is_fault=is_fault)

    def hold(self) -> None:
        """Read nothing until `release`."""
        self._is_held = True
        self.pause_reading()

    def release(self) -> None:
        """Read on."""
        self._is_held = False
        self.resume_reading()

    def pause_reading(self) -> None:
        """Read nothing until `resume_reading`."""
        if self._is_reading:
            self._is_reading = False
            self._loop.remove_reader(self._socket)

    def resume_reading(self) -> None:
        """Read on, unless too much waits to go out."""
        has_room = self._out.size < HIGH_BYTES and self.in_flight < MAX_IN_FLIGHT
        may_read = self._is_leaving or (not self._is_held and has_room)
        if may_read and not self._is_reading and not self.is_over:
            self._is_reading = True
            self._loop.add_reader(self._socket, self._readable)

    def _mark(self) -> None:
        self._is_marked = True
        self._owner.wrote(self)

    def _readable(self) -> None:
        try:
            data = self._socket.recv(LONG_READ_BYTES if self._reader.wanted_bytes > READ_BYTES else READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self.end(f"reading failed: {error.strerror}")
            return
        self.bytes_in += len(data)
        if not data:
            self.end("the edge closed it")
        elif not self._is_leaving:
            self._take(data)

    def _take(self, data: bytes) -> None:
        try:
            records = self._reader.feed(data)
            if not self.edge and records:
                self._greeted(records.pop(0))
            if records:
                self._owner.arrived(self, records)
            if self.in_flight >= MAX_IN_FLIGHT:
                self.pause_reading()
        except RecordError as error:
            self.end(f"the edge does not keep to the protocol: {error}", is_fault=True)
        except Exception as error:
            # A fault of ours. What was not given to its socket comes again by the next link.
            self.end(f"an event could not be given on: {error!r}", is_fault=True)
            raise

    def _greeted(self, record: Record) -> None:
        if record[0] != _HELLO:
            raise RecordError(f"the first record is of kind {record[0]}; expected HELLO of version {VERSION}")
        greeting = edge_hello(record[4])
        self.edge, self.loop, self.pid = greeting.edge, greeting.loop, greeting.pid
        self._owner.greeted(self)

    def _send(self) -> None:
        try:
            while self._rest or (chunk := self._out.next_chunk()):
                if not self._rest:
                    self._rest = memoryview(chunk)
                sent = self._socket.send(self._rest)
                self._out.went(sent)
                self.bytes_out += sent
                self._rest = self._rest[sent:]
        except BlockingIOError:
            self._wait_to_write()
            return
        except OSError as error:
            self.end(f"writing failed: {error.strerror}")
            return
        if self._is_writing:
            self._is_writing = False
            self._loop.remove_writer(self._socket)
        self.resume_reading()

    def _wait_to_write(self) -> None:
        if not self._is_writing:
            self._is_writing = True
            self._loop.add_writer(self._socket, self._send)
        if self._out.size > self._look_at_bytes:
            self._relieve()
        if self._out.size > MAX_WAITING_BYTES:
            self.end(f"the edge leaves {self._out.size} bytes untaken", is_fault=True)
        elif self._out.size > HIGH_BYTES and not self._is_leaving:
            self.pause_reading()
        elif self._out.size < LOW_BYTES:
            self._look_at_bytes = MAX_SOCKET_BYTES
            self.resume_reading()

    def _relieve(self) -> None:
        """Close the sockets that most of what waits is for, where that is too much."""
        out = self._out
        sids = out.larger_than(MAX_SOCKET_BYTES if out.size <= MAX_WAITING_BYTES else MAX_SOCKET_BYTES_OF_MANY)
        if sids:
            out.give_up(sids)
        self._look_at_bytes = out.size + MAX_SOCKET_BYTES
        for sid in sids:
            if (session := self.session(sid)) is not None:
                session.drown()
            else:
                # It has closed this one, and would not wait for what becomes of it.
                self.write(int(ToEdge.ABORT), sid, close(TRY_AGAIN_LATER, TOO_MUCH))
