"""From measurements to rows: medians, ratios, verdicts. Pure.

Law 1: a median is over the rounds that succeeded; one that failed is counted and told, never taken as a number.
Law 2: a target whose figure could not be measured has not been met.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from bench.figures import Verdict, ratio_to
from bench.workers.cases import OURS, PEER, Bound, Case, Figure, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One side under one load, once: figures by their keys, or why there are none."""

    round: int
    case: Case
    side: str
    figures: Mapping[str, float] = field(default_factory=dict)
    failure: str | None = None

    def flat(self) -> dict[str, object]:
        """As a record keeps it."""
        return {
            "round": self.round,
            "case": self.case.name,
            "side": self.side,
            "figures": dict(self.figures),
            "failure": self.failure,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure of one case: each side's median, its least and greatest, and how many rounds failed."""

    case: Case
    figure: Figure
    medians: Mapping[str, float]
    ranges: Mapping[str, tuple[float, float]]
    failures: Mapping[str, int]
    ratio: float | None
    verdict: Verdict | None


@dataclass(frozen=True, slots=True)
class Turn:
    """One side's turn in a round."""

    round: int
    case: Case
    side: str


def turns(cases: Sequence[Case], rounds: int, sides: Sequence[str]) -> Iterator[Turn]:
    """Every side once for each case of each round, next to one another; who is first changes from turn to turn."""
    place = 0
    for round_ in range(rounds):
        for case in cases:
            if case.once and round_ > 0:
                continue
            able = [side for side in case.sides() if side in sides]
            if place % 2:
                able.reverse()
            place += 1
            for side in able:
                yield Turn(round_, case, side)


def rows(measurements: Sequence[Measurement]) -> list[Row]:
    """A row for each figure of each case that was measured, in the order in which they first come."""
    groups: dict[Case, list[Measurement]] = {}
    for one in measurements:
        groups.setdefault(one.case, []).append(one)
    return [_row(case, figure, group) for case, group in groups.items() for figure in case.figures]


def _row(case: Case, figure: Figure, group: Sequence[Measurement]) -> Row:
    values: dict[str, list[float]] = {}
    failures: dict[str, int] = {}
    for one in group:
        if one.failure is not None:
            failures[one.side] = failures.get(one.side, 0) + 1
        elif figure.key in one.figures:
            values.setdefault(one.side, []).append(one.figures[figure.key])
    medians = {side: median(several) for side, several in values.items()}
    # A count of what should have been done says nothing by its ratio.
    ratio = ratio_to(medians.get(OURS), medians.get(PEER)) if figure.unit else None
    return Row(
        case=case,
        figure=figure,
        medians=medians,
        ranges={side: (min(several), max(several)) for side, several in values.items()},
        failures=failures,
        ratio=ratio,
        verdict=None if figure.target is None else verdict(figure.target, medians.get(OURS), ratio, failures),
    )


def verdict(target: Target, ours: float | None, ratio: float | None, failures: Mapping[str, int]) -> Verdict:
    """Whether `target` was reached. Where a round of ours failed it was not."""
    if failures.get(OURS):
        return Verdict.MISSED
    value = ours if target.bound is Bound.AT_MOST else ratio
    if value is None:
        return Verdict.UNKNOWN
    if target.bound is Bound.RATIO_AT_LEAST:
        return Verdict.MET if value >= target.value else Verdict.MISSED
    return Verdict.MET if value <= target.value else Verdict.MISSED


def missed(table: Iterable[Row]) -> list[Row]:
    """The rows whose target was missed."""
    return [row for row in table if row.verdict is Verdict.MISSED]
