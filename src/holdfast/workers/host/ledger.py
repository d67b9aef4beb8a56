"""What a script's processes have counted, all of them together, and what its host counts about it. Pure.

Law 1: what counts never goes down while the host lives: the last that a process said is kept when it ends. What it counted after that, in
COUNTERS_EVERY_S, is lost with a process that did not retire.
Law 2: sizes are those of the process that serves; where none does there are none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from holdfast.model.worker_figures import GAUGES, added, added_by_class, bounded, counted
from holdfast.model.worker_messages import Counters


class Ledger:
    """See above."""

    def __init__(self) -> None:
        self._past: dict[str, int] = {}
        self._past_classes: dict[str, dict[str, int]] = {}
        # "deploys_served", "deploys_refused", "restarts_<why>".
        self._own: Counter[str] = Counter()

    def count(self, what: str) -> None:
        """One more of it."""
        self._own[what] += 1

    def ended(self, counters: Counters, cpu_ms: int) -> None:
        """A process has ended; what it said last, and the processor time that it had."""
        self._past = added((self._past, counted(counters.counters), {"cpu_ms": cpu_ms}))
        self._past_classes = _counted_by_class((self._past_classes, counters.classes))

    def totals(self, living: Iterable[tuple[Counters, int]]) -> dict[str, int]:
        """All that counts, with that of processes which live: what each said last, and its processor time in milliseconds."""
        now = [{**counted(counters.counters), "cpu_ms": cpu_ms} for counters, cpu_ms in living]
        return added((self._past, self._own, *now))

    def classes(self, living: Iterable[Counters], serving: Counters) -> dict[str, dict[str, int]]:
        """The same, class by class, and the sizes of the process that serves."""
        found = _counted_by_class((self._past_classes, *(one.classes for one in living)))
        for name, figures in serving.classes.items():
            found.setdefault(name, {}).update({key: value for key, value in figures.items() if key in GAUGES})
        return bounded(found)


def _counted_by_class(several: Iterable[dict[str, dict[str, int]]]) -> dict[str, dict[str, int]]:
    return added_by_class({name: counted(figures) for name, figures in classes.items()} for classes in several)
