"""What is counted of the objects of one class: events by kind, how many failed, how long they took, and what became of the objects.

Law 1: an event costs two additions and two questions, and no call: whoever has events does those on `begun`, `every`, `events` and `timed`. How long it takes is looked at for each while they are few, and for one of
SAMPLE of them where they are many; that one stands for the others.
Law 2: what is timed is taken note of in `timed`, and forgotten when it ends, or with its instance.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from holdfast.model.worker_figures import Times

# One event of so many is timed, once EACH_UNTIL have been timed since the last look at the figures.
SAMPLE = 16
EACH_UNTIL = 512


class Tally:
    """See above."""

    __slots__ = ("_left", "_times", "begun", "errors", "events", "every", "happened", "timed")

    def __init__(self) -> None:
        # By kind of event (`events.Event.kind`).
        self.events: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        # "woken", "hibernated", "evicted", "reset", "commits", "rows_changed".
        self.happened: Counter[str] = Counter()
        # Events that have begun; of so many one is timed; those that run and are timed, with when they began and how many they stand for.
        self.begun, self.every = 0, 1
        self.timed: dict[object, tuple[float, int]] = {}
        self._times = Times()
        self._left = EACH_UNTIL

    def began(self, event: object, now: float) -> None:
        """Time this event, which begins at `now` of a clock that does not jump."""
        self.timed[event] = (now, self.every)
        self._left -= 1
        if self._left <= 0:
            self.every = SAMPLE

    def ended(self, event: object, now: float) -> None:
        """An event has ended, which may be one of `timed`."""
        if (timed := self.timed.pop(event, None)) is not None:
            began, weight = timed
            self._times.add(now - began, weight=weight)

    def forget(self, events: Iterable[object]) -> None:
        """These do not end any more: their instance is gone."""
        for event in events:
            self.timed.pop(event, None)

    def figures(self) -> dict[str, int]:
        """All of it (`model.worker_figures`); from now on each event is timed again, until they are many."""
        self.every, self._left = 1, EACH_UNTIL
        return {
            **{f"events_{kind}": count for kind, count in self.events.items()},
            **{f"errors_{kind}": count for kind, count in self.errors.items()},
            **self.happened,
            **self._times.flat("handler"),
        }
