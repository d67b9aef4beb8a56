"""Medians, best peers, ratios, verdicts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.cases import CPU, PSS, Case, Kind, Leg, Target
from bench.figures import Measurement, Verdict, best_peer, missed, ratio_to, rows, verdict

RELAY = Case(kind=Kind.RELAY, connections=50)
IDLE = Case(kind=Kind.IDLE, connections=5_000)


def relay(round_: int, proxy: str, cpu: float, leg: Leg = Leg.PLAIN) -> Measurement:
    figures = {CPU: cpu, "p50_us": 10 * cpu, "p99_us": 100 * cpu}
    return Measurement(round=round_, leg=leg, case=RELAY, proxy=proxy, figures=figures)


def failed(round_: int, proxy: str) -> Measurement:
    return Measurement(round=round_, leg=Leg.PLAIN, case=RELAY, proxy=proxy, failure="it fell over")


def test_a_row_has_the_median_of_each_proxy_and_the_ratio_to_the_best_peer() -> None:
    cpu = {"holdfast": [9.0, 12.0, 10.0], "nginx": [20.0, 11.0, 12.5], "haproxy": [30.0, 5.0, 14.0]}
    measurements = [relay(round_, proxy, cpu[proxy][round_]) for round_ in range(3) for proxy in cpu]
    row, p50, p99 = rows(measurements)
    assert row.medians == {"holdfast": 10.0, "nginx": 12.5, "haproxy": 14.0}
    assert row.ranges["haproxy"] == (5.0, 30.0)
    assert (row.best_peer, row.ratio, row.verdict) == ("nginx", 0.8, Verdict.MET)
    assert (p50.medians["nginx"], p99.medians["nginx"]) == (125.0, 1250.0)
    assert p50.target is None
    assert p50.verdict is None


def test_a_round_that_failed_is_counted_and_is_no_number() -> None:
    row = rows([relay(0, "holdfast", 9.0), failed(1, "holdfast"), failed(0, "nginx"), relay(0, "envoy", 18.0)])[0]
    assert row.medians == {"holdfast": 9.0, "envoy": 18.0}
    assert row.failures == {"holdfast": 1, "nginx": 1}
    assert (row.best_peer, row.ratio) == ("envoy", 0.5)


def test_without_peers_a_ratio_and_its_verdict_are_unknown() -> None:
    row = rows([relay(0, "holdfast", 9.0)])[0]
    assert (row.best_peer, row.ratio, row.verdict) == (None, None, Verdict.UNKNOWN)


def test_without_ours_nothing_is_said_to_be_met() -> None:
    assert rows([relay(0, "nginx", 9.0)])[0].verdict is Verdict.UNKNOWN


def test_the_same_ratio_may_meet_the_plain_target_and_miss_the_one_with_tls() -> None:
    table = rows([relay(0, proxy, cpu, leg) for leg in Leg for proxy, cpu in (("holdfast", 9.0), ("nginx", 10.0))])
    verdicts = {row.leg: row.verdict for row in table if row.figure.key == CPU}
    assert verdicts == {Leg.PLAIN: Verdict.MET, Leg.TLS: Verdict.MISSED}
    assert [row.leg for row in missed(table)] == [Leg.TLS]


@pytest.mark.parametrize(("pss", "expected"), [(2048.0, Verdict.MET), (2049.0, Verdict.MISSED)])
def test_an_absolute_target_looks_at_our_value_alone(pss: float, expected: Verdict) -> None:
    one = Measurement(round=0, leg=Leg.PLAIN, case=IDLE, proxy="holdfast", figures={PSS: pss})
    assert rows([one])[0].verdict is expected


@pytest.mark.parametrize(("ours", "best"), [(None, 1.0), (1.0, None), (1.0, 0.0), (1.0, -3.0)])
def test_there_is_no_ratio_without_two_numbers_and_a_positive_one_below(ours: float | None, best: float | None) -> None:
    assert ratio_to(ours, best) is None


@given(st.dictionaries(st.sampled_from(["holdfast", "nginx", "haproxy", "envoy"]), st.floats(0.1, 1e6)))
def test_the_best_peer_is_never_ours_and_no_peer_is_better(medians: dict[str, float]) -> None:
    best = best_peer(medians)
    peers = medians.keys() - {"holdfast"}
    assert (best is None) == (not peers)
    assert best is None or all(medians[best] <= medians[peer] for peer in peers)
    assert best != "holdfast"


@given(st.floats(0.01, 100), st.floats(0.01, 100))
def test_a_ratio_at_the_target_meets_it_and_one_above_does_not(bound: float, excess: float) -> None:
    target = Target(ratio=bound)
    assert verdict(target, None, bound) is Verdict.MET
    assert verdict(target, None, bound + excess) is Verdict.MISSED
