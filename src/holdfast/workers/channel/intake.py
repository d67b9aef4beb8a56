"""What an edge's records mean: sessions that begin, come back and end, and what happens to them.

Law 1: nothing here knows user code: what opens or resumes goes to the Reception, which says who takes it; what nobody takes is answered
UNKNOWN, and the edge closes it.
Law 2: an event is given to its session once, in its turn: one that was given before is passed over, one that is missing is a RecordError.
Law 3: a kind that is not known here is passed over, so that an edge may be newer than a process.
Law 4: of an event that has ended a process user code hears nothing; what it means for the session holds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from holdfast.workers.channel import records as wire
from holdfast.workers.channel.away import Away
from holdfast.workers.channel.binding import Binding, BindingError, decode
from holdfast.workers.channel.link import Link
from holdfast.workers.channel.records import FromEdge, Record, RecordError, ToEdge
from holdfast.workers.channel.session import Receiver, Session

_MESSAGES = frozenset({int(FromEdge.TEXT), int(FromEdge.BINARY)})


class Reception(Protocol):
    """Who knows what the sessions are for."""

    def opened(self, session: Session, ticket: str) -> bool:
        """A socket whose client waits for its 101 until it is bound, or the one that ADOPT asked for. Set `session.socket` and bind it, or return False."""

    def resumed(self, session: Session, binding: Binding, *, is_closed: bool) -> bool:
        """A socket of a process before this one, which may have closed it. Set `session.socket`, or return False."""

    def not_adopted(self, token: str) -> None:
        """There is no such socket any more."""


class Intake:
    """See above."""

    def __init__(self, reception: Reception, away: Away, report: Callable[[str], None]) -> None:
        """`away`: who may come back. `report` is told, in a sentence, of what an edge kept and nobody can read."""
        self._reception, self._away, self._report = reception, away, report
        # (socket, event) that have ended a process before: they are passed over.
        self.poison: frozenset[tuple[int, int]] = frozenset()
        self._handlers: dict[int, Callable[[Link, Record], None]] = {
            int(FromEdge.OPENED): self._opened,
            int(FromEdge.RESUMED): self._resumed,
            int(FromEdge.CLOSED): self._closed,
            int(FromEdge.FAILED): self._failed,
            int(FromEdge.BACKLOG): self._backlog,
            int(FromEdge.AUTO_ANSWERED): self._auto_answered,
            int(FromEdge.ADOPT_FAILED): self._adopt_failed,
        }

    def take(self, link: Link, records: list[Record]) -> list[Record] | None:
        """These came by `link`. What came behind READY, if that is among them: it is not looked at. Raises RecordError."""
        sessions = link.sessions
        for position, record in enumerate(records):
            kind, _, sid, seq, payload = record
            if kind in _MESSAGES:
                session = sessions.get(sid) or link.session(sid)
                new = 0 if session is None else _next(session, seq)
                if session is None or not new:
                    continue
                if self.poison and self._is_poison(session, new):
                    session.skip(new)
                    continue
                link.messages_in += 1
                _socket_of(session).arrived(payload, new)
                continue
            if kind == FromEdge.READY:
                return records[position + 1 :]
            handler = self._handlers.get(kind)
            if handler is not None:
                handler(link, record)
        return None

    def _opened(self, link: Link, record: Record) -> None:
        _, _, sid, _, payload = record
        session = self._new(link, Session(sid, link))
        name = payload.decode("ascii", "replace")
        if not self._reception.opened(session, name):
            self._refuse(session)

    def _resumed(self, link: Link, record: Record) -> None:
        _, flags, sid, seq, payload = record
        taken_bytes, number, state = wire.resumed(payload)
        known = self._away.take((link.edge, link.loop), sid)
        if known is not None:
            link.sessions[sid] = known
            known.resume(link, next_seq=seq, taken_bytes=taken_bytes)
            return
        session = self._new(link, Session(sid, link, received=max(seq - 1, 0), taken_bytes=taken_bytes, number=number))
        session.is_hibernatable = True
        try:
            binding = decode(state)
        except BindingError as error:
            self._report(f"a socket that an edge kept is given up: {error}")
            self._refuse(session)
            return
        session.group = binding.group
        link.joined(session.group)
        if not self._reception.resumed(session, binding, is_closed=bool(flags & wire.RESUMED_CLOSED)):
            self._refuse(session)

    def _new(self, link: Link, session: Session) -> Session:
        if session.sid in link.sessions or session.sid in link.asleep:
            raise RecordError(f"socket {session.sid:#x} is opened twice")
        link.sessions[session.sid] = session
        return session

    def _refuse(self, session: Session) -> None:
        if session.link is not None:
            session.link.write(int(ToEdge.UNKNOWN), session.sid, b"")
        session.over()

    def _closed(self, link: Link, record: Record) -> None:
        _, _, sid, seq, payload = record
        session = link.session(sid)
        if session is None:
            return
        code, reason, was_clean = wire.closed(payload)
        if seq := _next(session, seq):
            session.last_seq = seq
            if self._is_poison(session, seq):
                # It is done with when its socket is.
                session.skipped_seq = seq
            _socket_of(session).ended(code, reason, was_clean=was_clean, seq=seq)

    def _failed(self, link: Link, record: Record) -> None:
        _, _, sid, seq, payload = record
        session = link.session(sid)
        if session is None or not (seq := _next(session, seq)):
            return
        if self._is_poison(session, seq):
            session.skip(seq)
        else:
            _socket_of(session).broke(payload.decode("utf-8", "replace"), seq)

    def _backlog(self, link: Link, record: Record) -> None:
        session = link.session(record[2])
        if session is not None:
            session.taken_bytes, session.unwritten_bytes = wire.backlog(record[4])

    def _auto_answered(self, link: Link, record: Record) -> None:
        session = link.sessions.get(record[2])
        if session is not None:
            _socket_of(session).auto_answered(wire.milliseconds(record[4]))
        elif (sleeper := link.asleep.get(record[2])) is not None:
            sleeper.answered(record[2], wire.milliseconds(record[4]))

    def _adopt_failed(self, _: Link, record: Record) -> None:
        self._reception.not_adopted(record[4].decode("ascii", "replace"))

    def _is_poison(self, session: Session, seq: int) -> bool:
        return (session.sid, seq) in self.poison


def _next(session: Session, seq: int) -> int:
    """The number of an event that is new to `session`, which counts as given from now on; 0 for one that was given before."""
    if seq != session.received + 1:
        expected, seq = session.received + 1, session.number(seq)
        if seq < expected:
            return 0
        if seq > expected:
            raise RecordError(f"event {seq} of socket {session.sid:#x}; expected {expected}")
    session.received = seq
    if session.link is not None:
        session.link.in_flight += 1
    return seq


def _socket_of(session: Session) -> Receiver:
    if session.socket is None:
        raise RecordError(f"an event for socket {session.sid:#x}, which nobody has")
    return session.socket
