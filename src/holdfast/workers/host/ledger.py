"""What a script's processes have counted, all of them together, and what its host counts about it. Pure.

Law 1: what counts never goes down while the host lives: the last that a process said is kept when it ends. What it counted after that, in
COUNTERS_EVERY_S, is lost with a process that did not retire.
Law 2: sizes are those of the process that serves; where none does there are none.
Law 3: what is kept is bounded, whatever processes say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from holdfast.model.worker_figures import (
    GAUGES,
    MAX_CLASS_FIGURES,
    MAX_CLASSES,
    MAX_FIGURES,
    MAX_NAME_CHARACTERS,
    added,
    added_by_class,
    bounded,
    counted,
    known,
)
from holdfast.model.worker_messages import MAX_BUSIEST, BusyObject, Counters


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
        self._past = known(added(({"cpu_ms": cpu_ms}, self._past, counted(counters.counters))), MAX_FIGURES)
        self._past_classes = bounded(_counted_by_class((self._past_classes, counters.classes)))

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


def heard(counters: Counters) -> Counters:
    """What a process says, as far as it is what ours say: user code may say anything in its name."""
    return Counters(
        counters=known(counters.counters, MAX_FIGURES),
        objects=known(counters.objects, MAX_CLASSES),
        classes={
            name: known(figures, MAX_CLASS_FIGURES)
            for name, figures in bounded(counters.classes).items()
            if len(name) <= MAX_NAME_CHARACTERS
        },
        busiest=tuple(one for one in counters.busiest[:MAX_BUSIEST] if _is_short(one)),
    )


def _is_short(one: BusyObject) -> bool:
    return max(len(one.class_name), len(one.id), len(one.name) // 16) <= MAX_NAME_CHARACTERS


def _counted_by_class(several: Iterable[dict[str, dict[str, int]]]) -> dict[str, dict[str, int]]:
    return added_by_class({name: counted(figures) for name, figures in classes.items()} for classes in several)
