"""What is measured, and how far Holdfast must come.

Rule 1: a case is a load; each gives one or more figures, and of every figure less is better.
Rule 2: a target is a bound on the ratio to the best peer of the same run, or on the figure itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Leg(StrEnum):
    """How the client speaks to the proxy. The origin is plain in both."""

    PLAIN = "plain"
    TLS = "tls"


class Kind(StrEnum):
    """A mode of the load generator, and how it is used."""

    RELAY = "relay"
    PACED = "paced"
    UPGRADE = "upgrade"
    IDLE = "idle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One load: `connections` that carry messages of `message_bytes`, or, for UPGRADE, are opened one by one."""

    kind: Kind
    connections: int
    message_bytes: int = 125

    @property
    def name(self) -> str:
        """What `--case` calls it."""
        match self.kind:
            case Kind.RELAY | Kind.PACED:
                return f"{self.kind}-{self.connections}-{self.message_bytes}"
            case Kind.UPGRADE | Kind.IDLE:
                return str(self.kind)


# The messages a second of a PACED case: what all proxies carry on two processors without queueing.
PACED_PER_SECOND = 4_000

CASES = (
    Case(kind=Kind.RELAY, connections=50),
    Case(kind=Kind.RELAY, connections=2_000),
    Case(kind=Kind.RELAY, connections=50, message_bytes=16_384),
    Case(kind=Kind.RELAY, connections=2_000, message_bytes=16_384),
    Case(kind=Kind.PACED, connections=50),
    Case(kind=Kind.UPGRADE, connections=2_000),
    Case(kind=Kind.IDLE, connections=5_000),
)


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of a case: its key in a measurement, its unit in the table, and what a person reads."""

    key: str
    unit: str
    title: str
    digits: int = 1


CPU = "cpu_us"
PSS = "pss_bytes"

_RELAY = (
    Figure(CPU, "µs", "CPU per round trip"),
    Figure("p50_us", "µs", "latency p50, closed loop", 0),
    Figure("p99_us", "µs", "latency p99, closed loop", 0),
)
FIGURES: Mapping[Kind, tuple[Figure, ...]] = MappingProxyType(
    {
        Kind.RELAY: _RELAY,
        Kind.PACED: (
            Figure(CPU, "µs", f"CPU per round trip at {PACED_PER_SECOND:,}/s"),
            Figure("p50_us", "µs", f"latency p50 at {PACED_PER_SECOND:,}/s", 0),
            Figure("p99_us", "µs", f"latency p99 at {PACED_PER_SECOND:,}/s", 0),
        ),
        Kind.UPGRADE: (
            Figure(CPU, "µs", "CPU per upgrade", 0),
            Figure("p50_us", "µs", "connect to 101, p50", 0),
            Figure("p99_us", "µs", "connect to 101, p99", 0),
        ),
        Kind.IDLE: (Figure(PSS, "B", "PSS per idle connection", 0),),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """At most `ratio` of the best peer, or at most `value` in the figure's unit."""

    ratio: float | None = None
    value: float | None = None


TARGETS: Mapping[tuple[Kind, str, Leg], Target] = MappingProxyType(
    {
        (Kind.RELAY, CPU, Leg.PLAIN): Target(ratio=0.95),
        (Kind.RELAY, CPU, Leg.TLS): Target(ratio=0.85),
        (Kind.UPGRADE, CPU, Leg.PLAIN): Target(ratio=1.2),
        (Kind.UPGRADE, CPU, Leg.TLS): Target(ratio=0.7),
        (Kind.IDLE, PSS, Leg.PLAIN): Target(value=2 * 1024),
        (Kind.IDLE, PSS, Leg.TLS): Target(value=9 * 1024),
    }
)

# `decide` for the catch-all zone, in microseconds.
DECIDE_TARGET = Target(value=10.0)


def cases_named(names: str) -> tuple[Case, ...]:
    """The cases of a comma-separated list; a name's beginning stands for all that share it ("relay", "relay-50").

    Raises ValueError, with a sentence that lists the names, where one fits none.
    """
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    for name in wanted:
        if not any(_fits(name, case) for case in CASES):
            raise ValueError(f"no case is named {name!r}; there are {', '.join(case.name for case in CASES)}")
    return tuple(case for case in CASES if any(_fits(name, case) for name in wanted))


def _fits(name: str, case: Case) -> bool:
    return case.name == name or case.name.startswith(f"{name}-")
