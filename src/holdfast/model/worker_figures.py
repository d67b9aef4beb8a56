"""The figures of scripts: what a process counts, what its host adds up, what control shows. Names and sums; pure.

Law 1: a figure is a name and a whole number. A name of GAUGES is a size now; every other counts, and never goes down.
Law 2: what counts is added up over the processes of a script, one after the other and beside each other; sizes are those of the process that
serves.
Law 3: names come from tables of ours, and what a process says of others is bounded; a script shows MAX_CLASSES classes, and the others as one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping
from itertools import islice

# How long handlers and requests take, in seconds: the upper ends of the buckets; above the last one is what is left.
BOUNDS_S = (0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0)
MAX_CLASSES = 64
# Figures of one script, and of one class, and characters of a name: more than there are of ours, whatever a process says.
MAX_FIGURES, MAX_CLASS_FIGURES, MAX_NAME_CHARACTERS = 256, 64, 256
OTHER_CLASS = "(other)"

# Sizes now, of a process and of a class.
GAUGES = frozenset(
    {
        "links", "sessions", "sessions_hibernatable", "sessions_away", "events_in_flight", "waiting_bytes", "unsent_bytes", "requests_running",
        "handlers_suspended", "sockets_expected", "objects_live", "objects_known", "object_sockets", "live", "asleep", "sockets",
    }
)  # fmt: skip

Figures = Mapping[str, int]


class Times:
    """How long something took: how often within each of BOUNDS_S and beyond, and in all."""

    __slots__ = ("_counts", "_sum_us")

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS_S) + 1)
        self._sum_us = 0

    def add(self, seconds: float, *, weight: int = 1) -> None:
        """It took so long, once, or as often as this one stands for."""
        self._counts[bisect_left(BOUNDS_S, seconds)] += weight
        self._sum_us += round(seconds * 1e6) * weight

    def flat(self, name: str) -> dict[str, int]:
        """As figures, those that are not 0: `<name>_took_<bucket>` and `<name>_took_us`."""
        found = {f"{name}_took_{place}": count for place, count in enumerate(self._counts) if count}
        return {**found, f"{name}_took_us": self._sum_us} if found else found


def times_of(figures: Figures, name: str) -> tuple[list[tuple[float, int]], int, float] | None:
    """What `Times.flat` said: (upper end, how often up to it) for each bucket, how often in all, seconds in all. None: it never was."""
    counts = [figures.get(f"{name}_took_{place}", 0) for place in range(len(BOUNDS_S) + 1)]
    if not any(counts):
        return None
    buckets, sum_ = [], 0
    for bound, count in zip(BOUNDS_S, counts, strict=False):
        sum_ += count
        buckets.append((bound, sum_))
    return buckets, sum_ + counts[-1], figures.get(f"{name}_took_us", 0) / 1e6


def counted(figures: Figures) -> dict[str, int]:
    """Those that count."""
    return {name: value for name, value in figures.items() if name not in GAUGES}


def known(figures: Figures, most: int) -> dict[str, int]:
    """So many of them, those with names that are none too long."""
    return dict(islice(((name, value) for name, value in figures.items() if len(name) <= MAX_NAME_CHARACTERS), most))


def added(several: Iterable[Figures]) -> dict[str, int]:
    """The sum, name by name."""
    total: dict[str, int] = {}
    for figures in several:
        for name, value in figures.items():
            total[name] = total.get(name, 0) + value
    return total


def added_by_class(several: Iterable[Mapping[str, Figures]]) -> dict[str, dict[str, int]]:
    """The same, class by class."""
    total: dict[str, dict[str, int]] = {}
    for classes in several:
        for name, figures in classes.items():
            total[name] = added((total.get(name, {}), figures))
    return total


def bounded(classes: Mapping[str, Figures]) -> dict[str, dict[str, int]]:
    """MAX_CLASSES of the classes, and the others as one."""
    names = sorted(name for name in classes if name != OTHER_CLASS)
    found = {name: dict(classes[name]) for name in names[:MAX_CLASSES]}
    others = [*names[MAX_CLASSES:], *([OTHER_CLASS] if OTHER_CLASS in classes else [])]
    if others:
        found[OTHER_CLASS] = added(classes[name] for name in others)
    return found


class Rising:
    """What counts, seen from one who reads it now and then: where it began anew meanwhile, it goes on from what was read last."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, ...], tuple[int, int]] = {}

    def read(self, key: tuple[str, ...], value: int) -> int:
        """The value of what `key` names, never less than the last time."""
        last, before = self._seen.get(key, (0, 0))
        if value < last:
            before += last
        self._seen[key] = (value, before)
        return before + value

    def retain(self, firsts: Collection[str]) -> None:
        """Forget all whose key begins with none of these."""
        for key in [one for one in self._seen if one[0] not in firsts]:
            del self._seen[key]
