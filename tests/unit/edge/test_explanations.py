"""The table of explanations: complete, and words for people."""

import pytest

from holdfast.edge.explanations import (
    CHALLENGE,
    EXPLANATIONS,
    LIMIT_EXPLANATIONS,
    NOT_CONFIGURED,
    SETTING_EXPLANATIONS,
    Explanation,
    Side,
    explanation,
)

# Every status a fault may have (the boundary), and what decide refuses with.
ANSWERED = (
    421, 502, 503, 504, 508, *range(520, 527), 530,
    1000, 1001, 1004, 1005, 1006, 1009, 1014, 1015, 1016, 1019, 1020, 1101, 1102,
)  # fmt: skip
OTHERS = [*SETTING_EXPLANATIONS.values(), *LIMIT_EXPLANATIONS.values(), NOT_CONFIGURED, CHALLENGE]
ALL = [*(EXPLANATIONS[code] for code in ANSWERED), *OTHERS]


@pytest.mark.parametrize("meaning", ALL, ids=lambda meaning: meaning.name)
def test_each_code_we_answer_is_explained(meaning: Explanation) -> None:
    assert meaning.checks
    assert all(check.endswith((".", "?")) for check in meaning.checks)
    assert meaning.name.replace("_", "").isalnum()
    assert meaning.name == meaning.name.lower()


def test_names_are_unique() -> None:
    names = [meaning.name for meaning in (*EXPLANATIONS.values(), *OTHERS)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("status", "code", "name"),
    [
        (530, 1016, "origin_dns_error"),
        (530, 1999, "origin_error"),
        (521, 521, "origin_down"),
        (418, 418, "bad_request"),
        (599, 599, "edge_error"),
        (200, 0, "edge_error"),
    ],
)
def test_the_most_exact_explanation_is_taken(status: int, code: int, name: str) -> None:
    assert explanation(status=status, code=code).name == name


@pytest.mark.parametrize(
    ("code", "side"), [(502, Side.ORIGIN), (503, Side.EDGE), (508, Side.EDGE), (526, Side.ORIGIN), (1016, Side.ORIGIN)]
)
def test_the_side_is_where_the_cause_is(code: int, side: Side) -> None:
    assert EXPLANATIONS[code].side is side


@pytest.mark.parametrize(
    ("code", "seconds"),
    [
        (1004, 120),
        (1005, 120),
        (1006, None),
        (1015, 30),
        (1020, None),
        (1033, 120),
        (1200, 60),
        (421, None),
        (525, None),
        (526, None),
        (508, None),
    ],
)
def test_waits_are_given_only_where_waiting_helps(code: int, seconds: int | None) -> None:
    assert EXPLANATIONS[code].retry_after_s == seconds


def test_every_limit_is_worth_another_try() -> None:
    assert all(meaning.retry_after_s for meaning in LIMIT_EXPLANATIONS.values())
