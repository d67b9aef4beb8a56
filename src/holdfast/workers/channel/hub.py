"""All links of a script's process to the tunnel loops of all edges, and the sessions that come by them.

Law 1: the hub knows no user code: what opens or resumes goes to its Reception, which says who takes it; what nobody takes is answered
UNKNOWN, and the edge closes it.
Law 2: before anything happens to a socket, all of those that an edge kept are there: at the start, events wait until each link that
is there has said READY, GATHER_S at most; so an object that wakes finds all its sockets.
Law 3: a session may outlive its link for a moment (`away.py`).
"""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol

from holdfast.workers.channel import records as wire
from holdfast.workers.channel.acceptor import Acceptor
from holdfast.workers.channel.away import Away, Mark
from holdfast.workers.channel.binding import Binding, BindingError, decode
from holdfast.workers.channel.link import Link
from holdfast.workers.channel.records import FromEdge, ProcessHello, Record, RecordError, ToEdge
from holdfast.workers.channel.session import Carrier, Receiver, Session
from holdfast.workers.channel.sleepers import Sleepers
from holdfast.workers.channel.turn import Handlers, Turn

# Edges that are there answer within a millisecond; one that is stopped or overloaded must not hold up the others.
GATHER_S = 1.0
# One link for each loop of each edge; an edge has a loop a core, and up to 16 edges of earlier releases may be there.
MAX_LINKS = 4096
# How long a record to an edge that is about to connect waits for its link.
LINK_S = 5.0
# A token begins with the instance of the edge that gave it, as in its HELLO.
EDGE_CHARACTERS = 8
# Sockets named in one MANY: their numbers are to fit into what a record has beside the longest message (`records.MAX_PAYLOAD_BYTES`).
MAX_NAMES = 8_000

_MESSAGES = frozenset({int(FromEdge.TEXT), int(FromEdge.BINARY)})


class Reception(Protocol):
    """Who knows what the sessions are for."""

    def opened(self, session: Session, ticket: str) -> bool:
        """A socket whose client waits for its 101 until it is bound, or the one that ADOPT asked for. Set `session.socket` and bind it, or return False."""

    def resumed(self, session: Session, binding: Binding) -> bool:
        """A socket of a process before this one. Set `session.socket`, or return False."""

    def not_adopted(self, token: str) -> None:
        """There is no such socket any more."""


class Channels:
    """See above."""

    def __init__(
        self,
        reception: Reception,
        greeting: ProcessHello,
        *,
        report: Callable[[str], None],
        handlers: Handlers | None = None,
    ) -> None:
        """`report` is told, in a sentence, of links that ended otherwise than they should. `handlers` are run for each read of a link,
        in the turn of the loop that brought it; without them, whoever runs them flushes.
        """
        self._turn = Turn(handlers, self.flush)
        self._reception = reception
        self._greeting = greeting
        self._report = report
        self._loop = asyncio.get_running_loop()
        self._acceptor: Acceptor | None = None
        self._links: set[Link] = set()
        self._marked: list[Link] = []
        self._is_flush_due = False
        self._autos: dict[int, bytes] = {}
        # (socket, event) that has ended a process before: it is passed over.
        self._poison: tuple[int, int] | None = None
        self._away = Away()
        # What came before all had said what they kept; None once they have.
        self._early: list[tuple[Link, list[Record]]] | None = []
        self._changed = asyncio.Event()
        self._broadcasts = 0
        # What links that are gone have carried, by the name of the figure.
        self._carried: Counter[str] = Counter()
        self._handlers: dict[int, Callable[[Link, Record], None]] = {
            int(FromEdge.OPENED): self._opened,
            int(FromEdge.RESUMED): self._resumed,
            int(FromEdge.CLOSED): self._closed,
            int(FromEdge.FAILED): self._failed,
            int(FromEdge.BACKLOG): self._backlog,
            int(FromEdge.AUTO_ANSWERED): self._auto_answered,
            int(FromEdge.READY): self._ready,
            int(FromEdge.ADOPT_FAILED): self._adopt_failed,
        }

    # --- Life ---

    async def gather(self, listener: socket.socket, *, poison: tuple[int, int] | None = None) -> None:
        """Accept links on `listener` from now on; returns when those that wait there have told what they keep. Then `release`.

        `poison`: (sid, seq) of a message that is acknowledged without being given to anybody: it has ended a process before.
        """
        self._poison = poison
        self._acceptor = Acceptor(listener, self._accepted, report=self._report)
        try:
            async with asyncio.timeout(GATHER_S):
                while not all(link.is_ready for link in self._links):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            self._report(f"after {GATHER_S:g} s not every edge has said which sockets it keeps; serving all the same")

    def release(self) -> None:
        """Let happen what happens to the sockets that were gathered, and to all that come."""
        early, self._early = self._early or [], None
        for link, records in early:
            self._guarded(link, records)
            link.release()

    async def retire(self) -> bool:
        """Take no new links, say BYE on those that are there, and end them when all has gone out; whether it has."""
        is_all_here = not self._away
        self._stop_accepting()
        have_gone = await asyncio.gather(*(link.leave() for link in list(self._links)))
        self._away.stop()
        return is_all_here and all(have_gone)

    def mark(self) -> Mark:
        """How far everything goes that was sent until now."""
        return Mark([(link, link.mark()) for link in self._links if link.has_waiting], self._away)

    def statistics(self) -> dict[str, int]:
        """`links`, `sessions`, `sessions_hibernatable`, `sessions_away`, `events_in_flight` (with their handlers), `waiting_bytes` (to go
        out), `unsent_bytes` (which edges have and clients have not taken, as far as edges have told); since the start `broadcasts`, messages in and out, and bytes of the links, heads and all."""
        carried = Counter(self._carried)
        for link in self._links:
            carried.update(_carried_by(link))
        return {
            **carried,
            "broadcasts": self._broadcasts,
            "links": len(self._links),
            "sessions": sum(len(link.sessions) + len(link.asleep) for link in self._links),
            "sessions_hibernatable": sum(
                len(link.asleep) + sum(one.is_hibernatable for one in link.sessions.values()) for link in self._links
            ),
            "sessions_away": len(self._away),
            "events_in_flight": sum(link.in_flight for link in self._links),
            "unsent_bytes": sum(one.buffered_bytes for link in self._links for one in link.sessions.values()),
            "waiting_bytes": sum(link.waiting_bytes for link in self._links),
        }

    # --- What objects and sockets ask for ---

    def set_auto(self, group: int, request: str | None, response: str | None = None) -> None:
        """Have edges answer `request` with `response` on all sockets of `group`, or (None) no longer."""
        payload = wire.auto(None if request is None else request.encode(), (response or "").encode())
        if request is None:
            self._autos.pop(group, None)
        else:
            self._autos[group] = payload
        for link in self._links:
            if link.has(group):
                link.write(int(ToEdge.AUTO), group, payload)

    def forget(self, group: int) -> None:
        """`group` has no sockets any more, and nobody who would set its answer again needs it kept."""
        self._autos.pop(group, None)

    def settle(self) -> object:
        """Have what is kept of sessions that are put away lie where there is room now; what it was until now."""
        return [link.settle() for link in self._links]

    def broadcast(
        self,
        sessions: Iterable[Session],
        data: str | bytes,
        *,
        drop: bool = False,
        max_backlog_bytes: int = 0,
        number: int = 0,
    ) -> None:
        """Send `data` to all `sessions`: one record a link. `drop`: those whose unsent bytes are over `max_backlog_bytes`
        (0: what the edge allows) go without it. `number`: under which it was written down, if it was.
        """
        payload = data.encode() if isinstance(data, str) else data
        flags = (0 if isinstance(data, str) else wire.MANY_BINARY) | (wire.MANY_DROPS if drop else 0)
        by_link: dict[Carrier, list[int]] = {}
        for session in sessions:
            if session.is_over:
                continue
            if session.link is None:
                session.send(data, number)
            else:
                session.counted(len(payload))
                by_link.setdefault(session.link, []).append(session.sid)
        self._broadcasts += 1
        for link, sids in by_link.items():
            link.messages_out += len(sids)
            for start in range(0, len(sids), MAX_NAMES):
                names = sids[start : start + MAX_NAMES]
                many = wire.many(names, payload, max_backlog_bytes=max_backlog_bytes)
                link.write(int(ToEdge.MANY), 0, many, flags=flags, seq=number)

    async def adopt(self, token: str) -> bool:
        """Ask the edge that keeps the connection `token` (which begins with its instance) to make it a session; False: no such edge is there."""
        edge = token[:EDGE_CHARACTERS]
        try:
            async with asyncio.timeout(LINK_S):
                while (link := self._link_of(edge)) is None:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        link.write(int(ToEdge.ADOPT), 0, token.encode())
        return True

    def session(self, sid: int) -> Session | None:
        """The session with this number, if it is on a link."""
        return next((found for link in self._links if (found := link.sessions.get(sid)) is not None), None)

    def in_turn(self, act: Callable[[], object]) -> None:
        """Do this in a callback of the loop, and all that comes of it, before this returns (`turn.py`)."""
        self._turn.run(act)

    def soon(self, act: Callable[[], object]) -> None:
        """Do this when what has come is handled."""
        self._turn.soon(act)

    def flush(self) -> None:
        """Send now what was written in this turn."""
        if not self._marked:
            return
        marked, self._marked = self._marked, []
        for link in marked:
            link.flush()

    # --- What links say ---

    def greeted(self, link: Link) -> None:
        """A loop has one link: one that connects anew has given up the one before, whether we have seen the end of that or not."""
        for other in list(self._links):
            if other is not link and (other.edge, other.loop) == (link.edge, link.loop):
                other.end("its loop has connected anew")

    def arrived(self, link: Link, records: list[Record]) -> None:
        """`records` came by `link`, in a callback of the loop."""
        self._turn.run(partial(self.took, link, records))

    def took(self, link: Link, records: list[Record]) -> None:
        """`records` came by `link`."""
        if self._early is not None and link.is_ready:
            self._early.append((link, records))
            link.hold()
            return
        sessions = link.sessions
        for position, record in enumerate(records):
            kind, _, sid, seq, payload = record
            if kind in _MESSAGES:
                session = sessions.get(sid) or link.session(sid)
                new = 0 if session is None else _next(session, seq)
                if session is not None and new and not (self._poison and self._is_poison(session, new)):
                    link.messages_in += 1
                    _socket_of(session).arrived(payload, new)
                continue
            handler = self._handlers.get(kind)
            if handler is not None:
                handler(link, record)
            if kind == FromEdge.READY and self._early is not None:
                self._early.append((link, records[position + 1 :]))
                link.hold()
                return

    def wrote(self, link: Link) -> None:
        """`link` has something to flush: at the end of this turn of the loop, if nobody does before."""
        self._marked.append(link)
        if not (self._is_flush_due or self._turn.is_open):
            self._is_flush_due = True
            self._loop.call_soon(self._flush_turn)

    def before_bind(self, link: Link, group: int) -> None:
        """The first socket of `group` comes on `link`: its answer goes ahead of it."""
        if (payload := self._autos.get(group)) is not None:
            link.write(int(ToEdge.AUTO), group, payload)

    def ended(self, link: Link, reason: str, *, is_fault: bool) -> None:
        """`link` is gone."""
        self._links.discard(link)
        self._carried.update(_carried_by(link))
        self._changed.set()
        if is_fault or not link.is_ready:
            self._report(f"a link of edge {link.edge or '(unknown)'} has ended: {reason}")
        if self._acceptor is None:
            link.sessions, link.asleep = {}, Sleepers()
            return
        link.rouse()
        sessions, link.sessions = link.sessions, {}
        self._away.add((link.edge, link.loop), sessions.values())

    # --- Records ---

    def _opened(self, link: Link, record: Record) -> None:
        _, _, sid, _, payload = record
        session = self._new(link, Session(sid, link))
        name = payload.decode("ascii", "replace")
        if not self._reception.opened(session, name):
            self._refuse(session)

    def _resumed(self, link: Link, record: Record) -> None:
        _, _, sid, seq, payload = record
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
        if not self._reception.resumed(session, binding):
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

    def _ready(self, link: Link, _: Record) -> None:
        link.is_ready = True
        self._changed.set()
        self._away.give_up((link.edge, link.loop))

    def _closed(self, link: Link, record: Record) -> None:
        _, _, sid, seq, payload = record
        session = link.session(sid)
        if session is None:
            return
        code, reason, was_clean = wire.closed(payload)
        if seq := _next(session, seq):
            session.last_seq = seq
            _socket_of(session).ended(code, reason, was_clean=was_clean, seq=seq)

    def _failed(self, link: Link, record: Record) -> None:
        _, _, sid, seq, payload = record
        session = link.session(sid)
        if session is not None and (seq := _next(session, seq)):
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

    # --- Parts ---

    def _accepted(self, connection: socket.socket) -> None:
        if len(self._links) >= MAX_LINKS:
            connection.close()
        else:
            self._links.add(Link(connection, self, self._greeting))

    def _stop_accepting(self) -> None:
        if self._acceptor is not None:
            self._acceptor.stop()
            self._acceptor = None

    def _flush_turn(self) -> None:
        self._is_flush_due = False
        self.flush()

    def _is_poison(self, session: Session, seq: int) -> bool:
        if self._poison != (session.sid, seq):
            return False
        self._poison = None
        session.skip(seq)
        return True

    def _guarded(self, link: Link, records: list[Record]) -> None:
        try:
            self.took(link, records)
        except RecordError as error:
            link.end(f"the edge does not keep to the protocol: {error}", is_fault=True)

    def _link_of(self, edge: str) -> Link | None:
        return next((link for link in self._links if link.is_ready and link.edge == edge), None)


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


def _carried_by(link: Link) -> dict[str, int]:
    return {
        "messages_in": link.messages_in,
        "bytes_in": link.bytes_in,
        "messages_out": link.messages_out,
        "bytes_out": link.bytes_out,
    }
