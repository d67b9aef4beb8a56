"""When failed alarms are tried again, by a clock that nobody sets.

The time of day at which an alarm is tried again is in its object's file: it outlives the process. But a clock that is set back a day would make the wait
a day longer; so what a process has seen fail, or has found at its start, is due here as well.

Law 1: times are monotonic, in seconds; nothing here reads a clock.
Law 2: what is due is told until it is forgotten. One that has been set anew meanwhile is told too: whoever looks finds the truth in its file.
"""

from __future__ import annotations

import heapq
from typing import Any

from holdfast.workers.durable.alarm_marks import Key


class Retries:
    """The rows (`store.objects.alarms.AlarmRow`) of alarms that have failed: one for each object whose alarm has."""

    __slots__ = ("_due", "_line")

    def __init__(self) -> None:
        self._due: dict[Key, tuple[float, Any]] = {}
        # By time; what is in here and not in `_due`, or there at another time, is of no use any more.
        self._line: list[tuple[float, Key]] = []

    def __len__(self) -> int:
        return len(self._due)

    def expect(self, key: Key, row: Any, at: float) -> None:  # noqa: ANN401
        """It is due at this time, and not at the one that was said before."""
        said_before, self._due[key] = self._due.get(key), (at, row)
        if said_before is not None and said_before[0] == at:
            return
        heapq.heappush(self._line, (at, key))
        if len(self._line) > 2 * len(self._due) + 64:
            self._line = [(at, key) for key, (at, _) in self._due.items()]
            heapq.heapify(self._line)

    def forget(self, key: Key) -> None:
        """It is tried now."""
        self._due.pop(key, None)

    def due(self, now: float, limit: int) -> list[Any]:
        """At most `limit` rows that are due, the earliest first."""
        found: list[tuple[float, Key]] = []
        while len(found) < limit and (at := self.next()) is not None and at <= now:
            found.append(heapq.heappop(self._line))
        # One that was said twice, and another time between, stands there twice.
        found = list(dict.fromkeys(found))
        for one in found:
            heapq.heappush(self._line, one)
        return [self._due[key][1] for _, key in found]

    def next(self) -> float | None:
        """When the next one is due."""
        while self._line:
            at, key = self._line[0]
            if key in self._due and self._due[key][0] == at:
                return at
            heapq.heappop(self._line)
        return None
