"""What is measured of Workers can be chosen by name."""

import pytest

from bench.workers.cases import CASES, OURS, PEER, cases_named


def test_cases_are_chosen_by_name_and_come_in_their_own_order() -> None:
    chosen = cases_named("wake, echoes")
    assert [case.name for case in chosen] == ["echoes", "wake"]


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ("wake,naps", "--only: no case is named 'naps'; there are echoes, ping-pong"),
        (" , ", "--only: at least one case is wanted, of echoes, ping-pong"),
    ],
)
def test_a_name_that_no_case_has_is_refused_with_those_there_are(names: str, sentence: str) -> None:
    with pytest.raises(ValueError, match="--only") as refused:
        cases_named(names)
    assert str(refused.value).startswith(sentence)


def test_every_case_has_figures_and_the_peer_is_measured_unless_it_has_no_such_thing() -> None:
    assert all(case.figures for case in CASES)
    assert {case.name: case.sides() for case in CASES if case.ours_alone} == {"loop": (OURS,), "deploys": (OURS,)}
    assert (OURS, PEER) in {case.sides() for case in CASES}
