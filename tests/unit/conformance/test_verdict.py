"""The conformance verdict: what is worse, what is unexpected, and what is neither."""

import itertools

import pytest

from conformance.verdict import RANKS, Outcome, case_key, differences, is_worse, rank, worse_cases

GOOD = Outcome("OK", "OK", 1000)


@pytest.mark.parametrize(
    ("through", "direct", "worse"),
    [
        (GOOD, GOOD, False),
        (Outcome("NON-STRICT", "OK", 1000), GOOD, True),
        (Outcome("INFORMATIONAL", "INFORMATIONAL", 1000), GOOD, False),
        (Outcome("OK", "UNCLEAN", None), GOOD, True),
        (Outcome("OK", "WRONG CODE", 1000), GOOD, True),
        (Outcome("FAILED", "OK", 1000), Outcome("FAILED", "OK", 1000), False),
        (GOOD, Outcome("FAILED", "FAILED", None), False),
        (Outcome("FAILED", "OK", 1000), Outcome("UNIMPLEMENTED", "OK", 1000), True),
    ],
)
def test_a_case_is_worse_if_either_part_of_it_is(through: Outcome, direct: Outcome, worse: bool) -> None:
    assert is_worse(through, direct) is worse


def test_nothing_is_worse_than_itself_and_never_both_ways() -> None:
    words = [word for row in RANKS for word in sorted(row)]
    outcomes = [Outcome(behavior, close, None) for behavior, close in itertools.product(words, words)]
    assert not any(is_worse(outcome, outcome) for outcome in outcomes)


def test_an_unknown_word_is_an_error_not_a_pass() -> None:
    with pytest.raises(ValueError, match="MAYBE"):
        rank("MAYBE")


def test_a_case_that_did_not_run_through_the_edge_is_a_fault() -> None:
    assert worse_cases({}, {"1.1.1": GOOD}) == ["1.1.1: was not run"]


def test_worse_cases_are_told_in_the_order_of_the_suite() -> None:
    bad = Outcome("FAILED", "OK", 1000)
    direct = {"10.1.1": GOOD, "9.1.1": GOOD, "2.1": GOOD}
    told = worse_cases({"10.1.1": bad, "9.1.1": bad, "2.1": GOOD}, direct)
    assert [sentence.split(":")[0] for sentence in told] == ["9.1.1", "10.1.1"]
    assert "directly: OK" in told[0]


def test_any_difference_from_what_is_expected_is_told() -> None:
    assert differences({"1.1.1": GOOD}, {"1.1.1": GOOD, "1.1.2": GOOD}) == []
    assert len(differences({"1.1.1": Outcome("OK", "OK", 1001)}, {"1.1.1": GOOD})) == 1
    assert "nothing is expected" in differences({"1.1.1": GOOD}, {})[0]


def test_an_entry_of_the_suites_index_is_read() -> None:
    entry = {
        "behavior": "OK",
        "behaviorClose": "UNCLEAN",
        "remoteCloseCode": None,
        "duration": 3,
        "reportfile": "x.json",
    }
    assert Outcome.read(entry) == Outcome("OK", "UNCLEAN", None)


def test_case_numbers_sort_as_numbers() -> None:
    assert sorted(["10.1.1", "9.1", "1.1.10", "1.1.9"], key=case_key) == ["1.1.9", "1.1.10", "9.1", "10.1.1"]
