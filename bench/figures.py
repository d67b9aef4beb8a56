"""From measurements to the rows of the table: medians, ratios, verdicts. Pure.

Law 1: a median is over the rounds that succeeded; one that failed is counted and told, never taken as a number.
Law 2: the best peer is the one with the least median in that row, in that run; Holdfast is not its own peer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import median

from bench.cases import FIGURES, TARGETS, Case, Figure, Leg, Target

OURS = "holdfast"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One proxy under one load, once: figures by their keys, or why there are none."""

    round: int
    leg: Leg
    case: Case
    proxy: str
    figures: Mapping[str, float] = field(default_factory=dict)
    failure: str | None = None


class Verdict(StrEnum):
    """Whether a target was reached."""

    MET = "met"
    MISSED = "missed"
    UNKNOWN = "not measured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure of one case on one leg, for every proxy: the median, and the least and greatest of the rounds."""

    leg: Leg
    case: Case
    figure: Figure
    medians: Mapping[str, float]
    ranges: Mapping[str, tuple[float, float]]
    failures: Mapping[str, int]
    best_peer: str | None
    ratio: float | None
    target: Target | None
    verdict: Verdict | None


def rows(measurements: Sequence[Measurement]) -> list[Row]:
    """A row for each leg, case and figure that was measured, in the order in which they first come."""
    groups: dict[tuple[Leg, Case], list[Measurement]] = {}
    for one in measurements:
        groups.setdefault((one.leg, one.case), []).append(one)
    return [_row(leg, case, figure, group) for (leg, case), group in groups.items() for figure in FIGURES[case.kind]]


def _row(leg: Leg, case: Case, figure: Figure, group: Sequence[Measurement]) -> Row:
    values: dict[str, list[float]] = {}
    failures: dict[str, int] = {}
    for one in group:
        if one.failure is None:
            values.setdefault(one.proxy, []).append(one.figures[figure.key])
        else:
            failures[one.proxy] = failures.get(one.proxy, 0) + 1
    medians = {proxy: median(rounds) for proxy, rounds in values.items()}
    best = best_peer(medians)
    ratio = ratio_to(medians.get(OURS), medians.get(best) if best else None)
    target = TARGETS.get((case.kind, figure.key, leg))
    return Row(
        leg=leg,
        case=case,
        figure=figure,
        medians=medians,
        ranges={proxy: (min(rounds), max(rounds)) for proxy, rounds in values.items()},
        failures=failures,
        best_peer=best,
        ratio=ratio,
        target=target,
        verdict=None if target is None else verdict(target, medians.get(OURS), ratio),
    )


def best_peer(medians: Mapping[str, float]) -> str | None:
    """The peer with the least median; None if there is none."""
    peers = {proxy: value for proxy, value in medians.items() if proxy != OURS}
    return min(peers, key=peers.__getitem__, default=None)


def ratio_to(ours: float | None, best: float | None) -> float | None:
    """Ours to the best peer's; None where either is missing, or the peer's is not above zero."""
    if ours is None or best is None or best <= 0:
        return None
    return ours / best


def verdict(target: Target, ours: float | None, ratio: float | None) -> Verdict:
    """Whether `target` was reached."""
    value, bound = (ratio, target.ratio) if target.ratio is not None else (ours, target.value)
    if value is None or bound is None:
        return Verdict.UNKNOWN
    return Verdict.MET if value <= bound else Verdict.MISSED


def missed(table: Iterable[Row]) -> list[Row]:
    """The rows whose target was missed."""
    return [row for row in table if row.verdict is Verdict.MISSED]
