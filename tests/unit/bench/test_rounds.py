"""Who is measured when, and what becomes of a failure."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from bench.cases import CASES, Leg
from bench.errors import MeasurementError
from bench.figures import Measurement
from bench.rounds import Turn, run, turns

PROXIES = ["holdfast", "nginx", "haproxy", "envoy"]


@given(st.integers(1, 6), st.integers(1, len(PROXIES)), st.integers(1, len(CASES)))
def test_every_proxy_takes_every_load_once_a_round_and_next_to_the_others(
    rounds: int, proxies: int, cases: int
) -> None:
    names, loads = PROXIES[:proxies], CASES[:cases]
    schedule = list(turns(rounds, list(Leg), loads, names))
    assert Counter(schedule) == Counter(
        Turn(round_, leg, case, proxy) for round_ in range(rounds) for leg in Leg for case in loads for proxy in names
    )
    for start in range(0, len(schedule), proxies):
        together = schedule[start : start + proxies]
        assert len({(turn.round, turn.leg, turn.case) for turn in together}) == 1


def test_no_proxy_is_always_first() -> None:
    schedule = list(turns(len(PROXIES), [Leg.PLAIN], CASES[:1], PROXIES))
    assert [turn.proxy for turn in schedule[:: len(PROXIES)]] == PROXIES


def test_a_failure_is_recorded_and_told_and_the_others_go_on() -> None:
    told: list[Measurement] = []

    def measure(turn: Turn) -> dict[str, float]:
        if turn.proxy == "nginx":
            raise MeasurementError("nginx ended with status 1")
        return {"cpu_us": 1.0}

    done = run(turns(1, [Leg.PLAIN], CASES[:1], ["nginx", "envoy"]), measure, told.append)
    assert [(one.proxy, dict(one.figures), one.failure) for one in done] == [
        ("nginx", {}, "nginx ended with status 1"),
        ("envoy", {"cpu_us": 1.0}, None),
    ]
    assert told == done
