"""Content negotiation (RFC 9110 §12.5.1), as Cloudflare settles its ties."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.edge.accept import preferred

HTML, JSON, PROBLEM = OFFERS = ("text/html", "application/json", "application/problem+json")


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ([], HTML),
        ([""], HTML),
        (["*/*"], HTML),
        (["text/html"], HTML),
        (["text/*"], HTML),
        (["application/json"], JSON),
        (["APPLICATION/JSON"], JSON),
        (["application/problem+json"], PROBLEM),
        (["application/*"], JSON),
        # What axios and fetch wrappers send; what Chromium sends for a page.
        (["application/json, text/plain, */*"], JSON),
        (["text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"], HTML),
        (["text/html;q=0.5, application/json;q=0.8"], JSON),
        (["text/html;q=0.8, application/json;q=0.5"], HTML),
        # Of equal weights, the one named first.
        (["application/json, text/html"], JSON),
        (["text/html, application/json"], HTML),
        (["application/json", "text/html"], JSON),
        # The more specific range has the say, wherever it stands.
        (["*/*, text/html;q=0"], JSON),
        (["text/html;q=0, */*"], JSON),
        (["application/json;q=0.1, application/*;q=0.9"], PROBLEM),
        (["application/json ; q=1.000 ;ext=1"], JSON),
        (["application/json;version=2;q=0.9, text/html;q=0.8"], JSON),
        # Nothing fits: an answer is better than none.
        (["image/png"], HTML),
        (["application/json;q=0"], HTML),
        # What cannot be read is skipped.
        (["application/json;q=2"], HTML),
        (["application/json;q=0.1234"], HTML),
        (["application/json;q="], HTML),
        (["application/json;q=nan, text/html;q=0.1"], HTML),
        (["application"], HTML),
        (["app lication/json"], HTML),
        ([",,;;q=1,application/json"], JSON),
    ],
)
def test_the_form_is_what_the_field_wants_most(accept: list[str], chosen: str) -> None:
    assert preferred(accept, OFFERS) == chosen


@given(st.lists(st.text(st.characters(max_codepoint=0xFF), max_size=60), max_size=5))
def test_any_field_gives_one_of_the_offers(accept: list[str]) -> None:
    assert preferred(accept, OFFERS) in OFFERS


_RANGES = st.tuples(st.sampled_from(OFFERS), st.integers(1, 1000))


@given(st.lists(_RANGES, min_size=1, max_size=6, unique_by=lambda one: one[0]))
def test_among_weights_the_heaviest_wins(ranges: list[tuple[str, int]]) -> None:
    field = ", ".join(f"{offer};q={weight / 1000:.3f}" for offer, weight in ranges)
    heaviest = max(weight for _, weight in ranges)
    assert preferred([field], OFFERS) == next(offer for offer, weight in ranges if weight == heaviest)


@pytest.mark.parametrize(
    "field", ["a/b," * 8000, ";" * 32_000, "," * 32_000, "a/b;q=" * 6000, "*/*;q=0.1" + ";x" * 15_000]
)
def test_a_field_of_32_kib_costs_no_time_to_speak_of(field: str) -> None:
    started = time.thread_time()
    preferred([field], OFFERS)
    # It takes about a millisecond; a second is a hundred thousand times the bound of the rest of a decision.
    assert time.thread_time() - started < 1
