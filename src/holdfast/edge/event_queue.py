"""Security events between the policy thread, which has no time, and the thread that passes them on.

Law 1: `put` never waits and never raises, and costs under a microsecond an event. What finds the queue full is left out,
and counted.
Law 2: every event is in `counts`, also one that is left out: they are what the zone's figures are made of.
Law 3: one thread puts, one other takes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from queue import Empty, SimpleQueue

from holdfast.model.security_event import SecurityEvent

# Events that may wait. Of the longest there are that is 30 MB (`security_event.MAX_EVENT_CHARS`), of usual ones 1 MB. They are
# taken every 100 ms: 20,000 a second fit, and no more requests than that are decided.
MAX_WAITING = 2048
# Events of one request that are kept: of more, the first and the last, which decided. A zone may have a thousand `log` rules.
MAX_OF_ONE = 32

Counts = dict[tuple[str, str, str], int]
_NOTHING: tuple[SecurityEvent, ...] = ()


class EventQueue:
    """The events that wait. `put` is for the policy thread, `wait` and `drain` for one other, the rest for any."""

    def __init__(self) -> None:
        self._items: SimpleQueue[Sequence[SecurityEvent]] = SimpleQueue()
        # Each is written by one thread only, so that no lock is needed: what waits is the difference.
        self._put = 0
        self._taken = 0
        self._left_out = 0
        self._counts: Counts = {}

    def put(self, events: Sequence[SecurityEvent]) -> None:
        """Take the events of one request over."""
        counts = self._counts
        for event in events:
            key = (event.zone, event.source, event.action)
            counts[key] = counts.get(key, 0) + 1
        if len(events) > MAX_OF_ONE:
            self._left_out += len(events) - MAX_OF_ONE
            events = (*events[: MAX_OF_ONE - 1], events[-1])
        if self._put + len(events) - self._taken > MAX_WAITING:
            self._left_out += len(events)
            return
        self._put += len(events)
        self._items.put(events)

    def nudge(self) -> None:
        """Have `wait` return."""
        self._items.put(_NOTHING)

    def wait(self, limit_s: float) -> list[SecurityEvent]:
        """The events that wait; where there are none, those of the first request that has some, or what comes in `limit_s`."""
        try:
            first = self._items.get(timeout=limit_s)
        except Empty:
            return []
        self._taken += len(first)
        return [*first, *self.drain()]

    def drain(self) -> list[SecurityEvent]:
        """The events that wait."""
        found: list[SecurityEvent] = []
        # No more than there are now: they might come as fast as they are taken.
        for _ in range(self._items.qsize()):
            events = self._items.get_nowait()
            self._taken += len(events)
            found += events
        return found

    def counts(self, *, keep: Collection[str] | None = None) -> Counts:
        """How many events there were since the start, by zone, source and action. Zones that are not in `keep` are forgotten
        after this."""
        found = self._counts.copy()
        if keep is not None:
            for key in found:
                if key[0] not in keep:
                    self._counts.pop(key, None)
        return found

    def statistics(self) -> dict[str, int]:
        """`security_events_queued` now, and `security_events_left_out` since the start because too many waited."""
        return {
            "security_events_queued": self._put - self._taken,
            "security_events_left_out": self._left_out,
        }
