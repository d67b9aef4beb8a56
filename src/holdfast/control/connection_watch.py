"""Who watches the WebSockets of which zones, and the events of edges on their way there. No I/O.

Law 1: edges are told which zones are watched when that changes, and never more than all watchers together ask for.
Law 2: a watcher that takes events more slowly than they happen has MAX_WAITING of them waiting, and then is over (`overflow`):
it cannot hold back edges, nor other watchers.
Law 3: what was missed is said before what follows it, as a number; where nobody knows how much, as 1 at least.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from holdfast.model.connection import Connection, ConnectionEvent
from holdfast.model.connection_messages import ConnectionEvents, WatchConnections

# Events that may wait for one watcher, some 500 bytes each: ten seconds of a hundred opens and as many closes a second.
MAX_WAITING = 2_000

Matches = Callable[[Connection], bool]


class Watcher:
    """One who watches a zone."""

    def __init__(self, matches: Matches) -> None:
        self._matches = matches
        self._events: list[ConnectionEvent] = []
        self._lost = 0
        self._is_over = asyncio.Event()
        self._has_news = asyncio.Event()

    async def next(self) -> tuple[int, Sequence[ConnectionEvent]]:
        """Wait for the next events; and how many before them are not known."""
        await self._has_news.wait()
        self._has_news.clear()
        news = self._lost, self._events
        self._lost, self._events = 0, []
        return news

    async def overflow(self) -> None:
        """Return when too many events wait for `next`: there will be no more of them."""
        await self._is_over.wait()

    def put(self, events: Sequence[ConnectionEvent]) -> None:
        """These have happened."""
        if self._is_over.is_set():
            return
        ours = [event for event in events if self._matches(event.connection)]
        if len(self._events) + len(ours) > MAX_WAITING:
            self._is_over.set()
            self._events = []
        elif ours:
            self._events += ours
            self._has_news.set()

    def lose(self, count: int) -> None:
        """So many events are not known."""
        # What is lost is told before what waits, though it came after it: the watcher has to look again in any case.
        self._lost += count
        self._has_news.set()


class ConnectionWatch:
    """All watchers. `tell` says to every edge what is watched."""

    def __init__(self, tell: Callable[[WatchConnections], None]) -> None:
        self._tell = tell
        self._watchers: dict[str, set[Watcher]] = {}

    @property
    def zones(self) -> tuple[str, ...]:
        """The zones that are watched."""
        return tuple(sorted(self._watchers))

    def statistics(self) -> dict[str, int]:
        """How many watch, and how many zones."""
        return {"zones": len(self._watchers), "watchers": sum(map(len, self._watchers.values()))}

    @contextmanager
    def watching(self, zone_id: str, matches: Matches) -> Iterator[Watcher]:
        """Watch a zone until the block ends."""
        watcher = Watcher(matches)
        if zone_id not in self._watchers:
            self._watchers[zone_id] = set()
            self._tell(WatchConnections(zones=self.zones))
        self._watchers[zone_id].add(watcher)
        try:
            yield watcher
        finally:
            self._watchers[zone_id].discard(watcher)
            if not self._watchers[zone_id]:
                del self._watchers[zone_id]
                self._tell(WatchConnections(zones=self.zones))

    def take(self, message: ConnectionEvents) -> None:
        """An edge tells of what happened."""
        if message.lost:
            self._lose(message.lost)
        by_zone: dict[str, list[ConnectionEvent]] = defaultdict(list)
        for event in message.events:
            by_zone[event.connection.zone_id].append(event)
        for zone_id, events in by_zone.items():
            for watcher in self._watchers.get(zone_id, ()):
                watcher.put(events)

    def edge_left(self) -> None:
        """An edge is gone that held something, and with it what it had not told: that its WebSockets have ended, at least."""
        self._lose(1)

    def _lose(self, count: int) -> None:
        for watchers in self._watchers.values():
            for watcher in watchers:
                watcher.lose(count)
