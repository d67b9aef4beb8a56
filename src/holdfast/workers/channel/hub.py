"""All links of a script's process to the tunnel loops of all edges: who is there, what goes out, when what comes may happen.

What the records of a link mean is told in `intake.py`.

Law 1: before anything happens to a socket, all of those that an edge kept are there: at the start, events wait until each link that
is there has said READY, GATHER_S at most, and for those that are to come (`keepers.py`), RETURN_S at most; so an object that wakes finds
all its sockets.
Law 2: a session may outlive its link for a moment (`away.py`).
"""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial

from holdfast.workers.channel import records as wire
from holdfast.workers.channel.acceptor import Acceptor
from holdfast.workers.channel.away import Away, Mark
from holdfast.workers.channel.intake import Intake, Reception
from holdfast.workers.channel.keepers import Keepers
from holdfast.workers.channel.link import Link
from holdfast.workers.channel.records import ProcessHello, Record, RecordError, ToEdge
from holdfast.workers.channel.session import Carrier, Session
from holdfast.workers.channel.sleepers import Sleepers
from holdfast.workers.channel.turn import Handlers, Turn

# Edges that are there answer within a millisecond; one that is stopped or overloaded must not hold up the others.
GATHER_S = 1.0
# How long it is waited for an edge that lives and kept sockets: longer than one takes that has no processor for seconds. And how often it is looked whether it lives.
RETURN_S = 5.0
LOOK_S = 0.05
# One link for each loop of each edge; an edge has a loop a core, and up to 16 edges of earlier releases may be there.
MAX_LINKS = 4096
# How long a record to an edge that is about to connect waits for its link.
LINK_S = 5.0
# A token begins with the instance of the edge that gave it, as in its HELLO.
EDGE_CHARACTERS = 8
# Sockets named in one MANY: their numbers are to fit into what a record has beside the longest message (`records.MAX_PAYLOAD_BYTES`).
MAX_NAMES = 8_000


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
        self._greeting = greeting
        self._report = report
        self._loop = asyncio.get_running_loop()
        self._acceptor: Acceptor | None = None
        self._links: set[Link] = set()
        self._marked: list[Link] = []
        self._is_flush_due = False
        self._autos: dict[int, bytes] = {}
        self._away = Away()
        self._intake = Intake(reception, self._away, report)
        # What came before all had said what they kept; None once they have.
        self._early: list[tuple[Link, list[Record]]] | None = []
        self._keepers: Keepers | None = None
        self._changed = asyncio.Event()
        self._broadcasts = 0
        # What links that are gone have carried, by the name of the figure.
        self._carried: Counter[str] = Counter()

    # --- Life ---

    async def gather(
        self,
        listener: socket.socket,
        *,
        poison: frozenset[tuple[int, int]] = frozenset(),
        keepers: Keepers | None = None,
    ) -> None:
        """Accept links on `listener` from now on; returns when those that wait there, and those that had sockets before, have told what they
        keep. Then `release`.

        `poison`: (sid, seq) of events that are acknowledged without being given to anybody: each has ended a process before. `keepers`: who had
        sockets, and where it is written down from now on.
        """
        self._intake.poison = poison
        self._keepers = keepers
        self._acceptor = Acceptor(listener, self._accepted, report=self._report)
        try:
            async with asyncio.timeout(GATHER_S):
                while not all(link.is_ready for link in self._links):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            self._report(f"after {GATHER_S:g} s not every edge has said which sockets it keeps; serving all the same")
        if keepers is not None:
            await self._gather_missed(keepers)

    async def _gather_missed(self, keepers: Keepers) -> None:
        until = self._loop.time() + RETURN_S
        while keepers.still_missed() and (left_s := until - self._loop.time()) > 0:
            self._changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left_s, LOOK_S)):
                    await self._changed.wait()
        if keepers.missed:
            self._report(f"after {RETURN_S:g} s not every edge that keeps sockets has come back; serving all the same")
            keepers.give_up()

    def release(self) -> None:
        """Let happen what happens to the sockets that were gathered, and to all that come."""
        early, self._early = self._early or [], None
        for link, records in early:
            self._guarded(link, records)
            link.release()

    async def retire(self, *, is_last: bool = False) -> bool:
        """Take no new links, say BYE on those that are there, and end them when all has gone out; whether it has. `is_last`: edges need not
        keep sockets for a process that comes next."""
        is_all_here = not self._away
        self._stop_accepting()
        if is_last:
            for link in self._links:
                link.give_up()
                self.emptied(link)
        have_gone = await asyncio.gather(*(link.leave() for link in list(self._links)))
        self._away.stop()
        if self._keepers is not None:
            self._keepers.close()
        return is_all_here and all(have_gone)

    def mark(self) -> Mark:
        """How far everything goes that was sent until now."""
        return Mark(self._marks, self._away)

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
        while (behind := self._intake.take(link, records)) is not None:
            records = behind
            link.is_ready = True
            if self._keepers is not None:
                self._keepers.came((link.edge, link.loop))
                if not link.has_objects:
                    self._keepers.discard((link.edge, link.loop))
            self._changed.set()
            self._away.give_up((link.edge, link.loop))
            if self._early is not None:
                self._early.append((link, records))
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
        if self._keepers is not None:
            self._keepers.add((link.edge, link.loop), link.pid)
        if (payload := self._autos.get(group)) is not None:
            link.write(int(ToEdge.AUTO), group, payload)

    def emptied(self, link: Link) -> None:
        """`link` has no sockets of objects any more."""
        if self._keepers is not None:
            self._keepers.discard((link.edge, link.loop))

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

    # --- Parts ---

    def _marks(self) -> list[tuple[Link, int]]:
        return [(link, link.mark()) for link in self._links if link.has_waiting]

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

    def _guarded(self, link: Link, records: list[Record]) -> None:
        try:
            self.took(link, records)
        except RecordError as error:
            link.end(f"the edge does not keep to the protocol: {error}", is_fault=True)

    def _link_of(self, edge: str) -> Link | None:
        return next((link for link in self._links if link.is_ready and link.edge == edge), None)


def _carried_by(link: Link) -> dict[str, int]:
    return {
        "messages_in": link.messages_in,
        "bytes_in": link.bytes_in,
        "messages_out": link.messages_out,
        "bytes_out": link.bytes_out,
    }
