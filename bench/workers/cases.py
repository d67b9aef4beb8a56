"""What is measured, and what each figure must reach. Pure.

Law: the targets are here and nowhere else; a figure without one is told, and judged by nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

OURS, PEER = "holdfast", "workerd"


class Bound(StrEnum):
    """How a target bounds a figure. Ratios are ours to the peer's."""

    RATIO_AT_LEAST = "ratio >="
    RATIO_AT_MOST = "ratio <="
    AT_MOST = "<="


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure must reach."""

    bound: Bound
    value: float


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of a case: its key in what is measured, what it says, its unit, digits after the point."""

    key: str
    title: str
    unit: str
    digits: int = 0
    target: Target | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One load. `once`: not again in each round, because it takes long and varies little. `ours_alone`: the peer has no such thing."""

    name: str
    figures: tuple[Figure, ...]
    once: bool = False
    ours_alone: bool = False

    def sides(self) -> tuple[str, ...]:
        """Who can be measured."""
        return (OURS,) if self.ours_alone else (OURS, PEER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much of everything is done in one run."""

    rounds: int
    warm_up_s: float
    seconds: float
    crowd: int = 1_000
    wakes: int
    sleepers: int
    sleeping_objects: int
    deploys: int


FULL = Effort(rounds=5, warm_up_s=1.0, seconds=2.5, wakes=200, sleepers=10_000, sleeping_objects=1_000, deploys=100)
QUICK = Effort(rounds=1, warm_up_s=0.5, seconds=1.0, wakes=20, sleepers=1_000, sleeping_objects=100, deploys=5)

MESSAGE_BYTES = 125
IN_FLIGHT = 256
# So much comes at the objects while their code is deployed: over all connections, a second.
DEPLOY_CONNECTIONS, DEPLOY_OBJECTS, DEPLOY_RATE = 100, 10, 1_000

CASES = (
    Case(
        "echoes",
        (Figure("per_second", "pipelined echoes on one socket", "1/s", target=Target(Bound.RATIO_AT_LEAST, 2.0)),),
    ),
    Case(
        "ping-pong",
        (
            Figure("p50_us", "one echo after the other, p50", "µs", target=Target(Bound.RATIO_AT_MOST, 1.2)),
            Figure("p99_us", "one echo after the other, p99", "µs"),
        ),
    ),
    Case(
        "broadcast",
        (Figure("per_second", "deliveries of a broadcast", "1/s", target=Target(Bound.RATIO_AT_LEAST, 4.0)),),
    ),
    Case("loop", (Figure("per_second", "deliveries, a send for each socket", "1/s"),), ours_alone=True),
    Case(
        "wake",
        (
            Figure("p50_ms", "an echo that wakes its object, p50", "ms", 2, Target(Bound.AT_MOST, 10.0)),
            Figure("p99_ms", "an echo that wakes its object, p99", "ms", 2),
            Figure("not_woken", "objects that had not slept", ""),
        ),
        once=True,
    ),
    Case(
        "sleepers",
        (
            Figure("total_mb", "memory of all processes, sockets hibernated", "MB", 1, Target(Bound.AT_MOST, 60.0)),
            Figure("empty_mb", "memory of all processes before", "MB", 1),
            Figure("each_bytes", "memory of a hibernated socket", "B"),
            Figure("opened", "sockets opened; others are counted at the memory of each", ""),
        ),
        once=True,
    ),
    Case(
        "deploys",
        (
            Figure("faults", "sockets or messages lost, doubled, moved", "", target=Target(Bound.AT_MOST, 0.0)),
            Figure("deploys", "deployments under load", ""),
            Figure("echoes", "messages answered meanwhile", ""),
            Figure("deploy_p50_ms", "a deployment, p50", "ms"),
            Figure("longest_ms", "longest wait for an answer", "ms"),
        ),
        once=True,
        ours_alone=True,
    ),
)


def cases_named(names: str) -> tuple[Case, ...]:
    """The cases of a list with commas, in the order of CASES. Raises ValueError, a sentence, for a name that none has."""
    by_name: Mapping[str, Case] = {case.name: case for case in CASES}
    asked = [name.strip() for name in names.split(",") if name.strip()]
    for name in asked:
        if name not in by_name:
            raise ValueError(f"--only: no case is named {name!r}; there are {', '.join(by_name)}")
    if not asked:
        raise ValueError(f"--only: at least one case is wanted, of {', '.join(by_name)}")
    return tuple(case for case in CASES if case.name in asked)
