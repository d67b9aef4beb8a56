"""The rounds: who is measured when. Pure, but for the callable that measures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bench.cases import Case, Leg
from bench.errors import MeasurementError
from bench.figures import Measurement


@dataclass(frozen=True, slots=True)
class Turn:
    """One proxy's turn in a round."""

    round: int
    leg: Leg
    case: Case
    proxy: str


def turns(rounds: int, legs: Sequence[Leg], cases: Sequence[Case], proxies: Sequence[str]) -> Iterator[Turn]:
    """Every proxy once for each case of each round, next to one another, so that they are compared at one time.

    The order turns by one place from case to case and from round to round: none is always first.
    """
    for round_ in range(rounds):
        for place, (leg, case) in enumerate((leg, case) for leg in legs for case in cases):
            first = (round_ + place) % len(proxies)
            for proxy in (*proxies[first:], *proxies[:first]):
                yield Turn(round_, leg, case, proxy)


def run(
    schedule: Iterator[Turn],
    measure: Callable[[Turn], dict[str, float]],
    tell: Callable[[Measurement], None],
) -> list[Measurement]:
    """Take every turn. One that fails is recorded as such, and told, and the others go on."""
    done = []
    for turn in schedule:
        try:
            figures, failure = measure(turn), None
        except MeasurementError as error:
            figures, failure = {}, str(error)
        one = Measurement(
            round=turn.round, leg=turn.leg, case=turn.case, proxy=turn.proxy, figures=figures, failure=failure
        )
        tell(one)
        done.append(one)
    return done
