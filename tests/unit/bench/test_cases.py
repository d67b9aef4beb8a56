"""What is measured, and by what names."""

from __future__ import annotations

import pytest

from bench.cases import CASES, CPU, FIGURES, PSS, TARGETS, Case, Kind, cases_named


def test_every_case_has_a_name_of_its_own() -> None:
    assert [case.name for case in CASES] == [
        "relay-50-125",
        "relay-2000-125",
        "relay-50-16384",
        "relay-2000-16384",
        "paced-50-125",
        "upgrade",
        "idle",
    ]


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        ("idle", ["idle"]),
        ("idle, relay-50", ["relay-50-125", "relay-50-16384", "idle"]),
        ("relay", ["relay-50-125", "relay-2000-125", "relay-50-16384", "relay-2000-16384"]),
        ("relay-2000-125,relay-2000-125", ["relay-2000-125"]),
    ],
)
def test_a_beginning_of_a_name_chooses_all_that_share_it(names: str, chosen: list[str]) -> None:
    assert [case.name for case in cases_named(names)] == chosen


@pytest.mark.parametrize("names", ["relay-5", "idle,upgrades"])
def test_a_name_that_fits_nothing_is_told_with_those_there_are(names: str) -> None:
    with pytest.raises(ValueError, match=r"there are relay-50-125, .*idle"):
        cases_named(names)


def test_every_target_is_on_a_figure_that_is_measured() -> None:
    measured = {(kind, figure.key) for kind, figures in FIGURES.items() for figure in figures}
    assert {(kind, key) for kind, key, _ in TARGETS} <= measured
    assert {(Kind.RELAY, CPU), (Kind.UPGRADE, CPU), (Kind.IDLE, PSS)} == {(kind, key) for kind, key, _ in TARGETS}


def test_every_kind_of_case_has_figures() -> None:
    assert set(FIGURES) == set(Kind)
    assert Case(kind=Kind.PACED, connections=3, message_bytes=7).name == "paced-3-7"
