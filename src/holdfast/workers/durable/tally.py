"""What is counted of the objects of one class: events by kind, how many failed, how long they took, and what became of the objects.

Law 1: an event costs two additions, whatever else is counted. How long it takes is looked at for each while they are few, and for one of
SAMPLE of them where they are many; that one stands for the others.
Law 2: what begins is taken note of in `_timed`, and forgotten when it ends, or with its instance.
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

    __slots__ = ("_begun", "_every", "_left", "_timed", "_times", "errors", "events", "happened")

    def __init__(self) -> None:
        # By kind of event (`events.Event.kind`).
        self.events: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        # "woken", "hibernated", "evicted", "reset", "commits".
        self.happened: Counter[str] = Counter()
        self._times = Times()
        self._timed: dict[object, tuple[float, int]] = {}
        self._begun = 0
        self._every, self._left = 1, EACH_UNTIL

    def is_timed(self) -> bool:
        """An event begins: whether it is to be timed, by `began`."""
        self._begun += 1
        return not self._begun % self._every

    def began(self, event: object, now: float) -> None:
        """It begins, at `now` of a clock that does not jump."""
        self._timed[event] = (now, self._every)
        self._left -= 1
        if self._left <= 0:
            self._every = SAMPLE

    def ended(self, event: object, kind: str, now: float) -> None:
        """An event of this kind has ended."""
        self.events[kind] += 1
        if self._timed and (timed := self._timed.pop(event, None)) is not None:
            began, weight = timed
            self._times.add(now - began, weight=weight)

    def forget(self, events: Iterable[object]) -> None:
        """These do not end any more: their instance is gone."""
        for event in events:
            self._timed.pop(event, None)

    def figures(self) -> dict[str, int]:
        """All of it (`model.worker_figures`); from now on each event is timed again, until they are many."""
        self._every, self._left = 1, EACH_UNTIL
        return {
            **{f"events_{kind}": count for kind, count in self.events.items()},
            **{f"errors_{kind}": count for kind, count in self.errors.items()},
            **self.happened,
            **self._times.flat("handler"),
        }
