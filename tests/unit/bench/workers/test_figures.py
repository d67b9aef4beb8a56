"""Medians, ratios and verdicts of Workers beside workerd."""

import pytest

from bench.figures import Verdict
from bench.workers.cases import CASES, OURS, PEER, Bound, Target, cases_named
from bench.workers.figures import Measurement, missed, rows, turns, verdict

(ECHOES,) = cases_named("echoes")
(WAKE,) = cases_named("wake")


def echoes(side: str, *values: float | None) -> list[Measurement]:
    return [
        Measurement(round=number, case=ECHOES, side=side, figures={"per_second": value})
        if value is not None
        else Measurement(round=number, case=ECHOES, side=side, failure="it fell over")
        for number, value in enumerate(values)
    ]


def test_a_row_has_medians_of_the_rounds_that_succeeded() -> None:
    (row,) = rows([*echoes(OURS, 50, 70, 60), *echoes(PEER, 20, None, 30)])
    assert row.medians == {OURS: 60, PEER: 25}
    assert row.ranges == {OURS: (50, 70), PEER: (20, 30)}
    assert row.failures == {PEER: 1}
    assert row.ratio == pytest.approx(2.4)
    assert row.verdict is Verdict.MET
    assert missed([row]) == []


def test_a_round_of_ours_that_failed_misses_the_target() -> None:
    (row,) = rows([*echoes(OURS, 90, None), *echoes(PEER, 20, 20)])
    assert row.verdict is Verdict.MISSED
    assert missed([row]) == [row]


def test_a_count_has_no_ratio_and_no_target_no_verdict() -> None:
    figures = {"p50_ms": 2.0, "p99_ms": 3.0, "not_woken": 1.0}
    found = rows([Measurement(round=0, case=WAKE, side=side, figures=figures) for side in (OURS, PEER)])
    assert [(row.figure.key, row.ratio, row.verdict) for row in found] == [
        ("p50_ms", 1.0, Verdict.MET),
        ("p99_ms", 1.0, None),
        ("not_woken", None, None),
    ]


@pytest.mark.parametrize(
    ("target", "ours", "ratio", "wanted"),
    [
        (Target(Bound.RATIO_AT_LEAST, 2.0), 1.0, 2.0, Verdict.MET),
        (Target(Bound.RATIO_AT_LEAST, 2.0), 1.0, 1.99, Verdict.MISSED),
        (Target(Bound.RATIO_AT_MOST, 1.2), 1.0, 1.2, Verdict.MET),
        (Target(Bound.RATIO_AT_MOST, 1.2), 1.0, 1.21, Verdict.MISSED),
        (Target(Bound.RATIO_AT_MOST, 1.2), 1.0, None, Verdict.UNKNOWN),
        (Target(Bound.AT_MOST, 60.0), 60.0, None, Verdict.MET),
        (Target(Bound.AT_MOST, 0.0), 1.0, 0.1, Verdict.MISSED),
        (Target(Bound.AT_MOST, 0.0), None, None, Verdict.UNKNOWN),
    ],
)
def test_a_target_is_met_or_missed_or_not_known(
    target: Target, ours: float | None, ratio: float | None, wanted: Verdict
) -> None:
    assert verdict(target, ours, ratio, {}) is wanted


def test_sides_take_turns_at_being_first_and_what_takes_long_is_done_once() -> None:
    chosen = cases_named("echoes,wake,deploys")
    taken = [(one.round, one.case.name, one.side) for one in turns(chosen, 2, [OURS, PEER])]
    assert taken == [
        (0, "echoes", OURS),
        (0, "echoes", PEER),
        (0, "wake", PEER),
        (0, "wake", OURS),
        (0, "deploys", OURS),
        (1, "echoes", PEER),
        (1, "echoes", OURS),
    ]


def test_without_the_peer_ours_has_all_turns() -> None:
    assert {one.side for one in turns(CASES, 1, [OURS])} == {OURS}


def test_a_measurement_is_kept_flat() -> None:
    (one,) = echoes(PEER, 3)
    assert one.flat() == {"round": 0, "case": "echoes", "side": PEER, "figures": {"per_second": 3}, "failure": None}
