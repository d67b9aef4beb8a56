"""The page: which leg is broken, and that it needs nothing from anywhere."""

import re

import pytest

from holdfast.edge.answers import Problem
from holdfast.edge.error_page import error_page

BROKEN_LEG = '<li class="leg bad"'
WHOLE_LEG = '<li class="leg"'


def _problem(side: str, retry_after: int | None = None) -> Problem:
    return Problem(
        type="about:blank",
        title="It broke",
        status=520,
        detail="It did <not> work.",
        instance="urn:ray:a",
        error_code=520,
        error_name="broke",
        side=side,
        host="example.com",
        ray_id="a-LOC",
        timestamp="2026-03-01T12:00:00Z",
        retryable=retry_after is not None,
        retry_after=retry_after,
        what_to_check=("Look <here>.", "And there."),
    )


@pytest.mark.parametrize(
    ("side", "legs", "at_fault"),
    [
        ("origin", [WHOLE_LEG, BROKEN_LEG], "Origin"),
        ("client", [BROKEN_LEG, WHOLE_LEG], "You"),
        ("edge", [WHOLE_LEG, WHOLE_LEG], "Edge"),
    ],
)
def test_the_broken_leg_is_marked_in_form_and_word(side: str, legs: list[str], at_fault: str) -> None:
    page = error_page(_problem(side)).decode()
    assert re.findall(r'<li class="leg(?: bad)?"', page) == legs
    assert re.findall(r'<li class="node bad"><i aria-hidden="true">✕</i><b>(\w+)</b>', page) == [at_fault]
    assert page.count("<em>Error</em>") == 1


def test_the_operator_is_told_what_to_check() -> None:
    page = error_page(_problem("origin")).decode()
    assert "<li>Look &lt;here&gt;.</li><li>And there.</li>" in page
    assert "It did &lt;not&gt; work." in page


def test_a_wait_is_told_only_where_there_is_one() -> None:
    assert "Try again in 10 seconds." in error_page(_problem("origin", retry_after=10)).decode()
    assert "Try again" not in error_page(_problem("origin")).decode()


def test_the_page_fetches_and_runs_nothing() -> None:
    page = error_page(_problem("origin")).decode()
    assert not re.search(r"<(script|link|img|iframe|object|embed)|\s(src|href|on\w+)=|@import|url\(", page)
    assert "prefers-color-scheme:dark" in page
