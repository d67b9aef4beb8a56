"""`holdfast.model.rate_limit_terms`: what a rule counts, and what is refused by name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.limits.counters import MAX_COUNT, MAX_SECONDS
from holdfast.model.rate_limit_terms import (
    MAX_CHARACTERISTICS,
    MAX_REQUESTS,
    MITIGATION_TIMEOUTS,
    PERIODS,
    RateLimit,
    parse_rate_limit,
)
from holdfast.model.rule_error import RuleError

TERMS: dict[str, Any] = {"characteristics": ["cf.colo.id", "ip.src"], "period": 60, "requests_per_period": 5}


def test_terms_have_defaults() -> None:
    assert parse_rate_limit(TERMS) == RateLimit(
        characteristics=("cf.colo.id", "ip.src"), period=60, requests_per_period=5
    )
    full = {**TERMS, "mitigation_timeout": 600, "counting_expression": " ssl ", "requests_to_origin": True, "more": 1}
    assert parse_rate_limit(full) == RateLimit(
        characteristics=("cf.colo.id", "ip.src"),
        period=60,
        requests_per_period=5,
        mitigation_timeout=600,
        counting_expression="ssl",
        requests_to_origin=True,
    )


def test_the_place_is_no_expression() -> None:
    given_ = {**TERMS, "characteristics": ["http.host", "cf.colo.id", "ip.src"]}
    assert parse_rate_limit(given_).counted_by == ((0, "http.host"), (2, "ip.src"))


def test_a_counter_holds_what_is_taken() -> None:
    assert MAX_REQUESTS < MAX_COUNT
    assert max(*PERIODS, *MITIGATION_TIMEOUTS) <= MAX_SECONDS


@pytest.mark.parametrize("period", PERIODS)
@pytest.mark.parametrize("timeout", MITIGATION_TIMEOUTS)
def test_the_original_s_times_are_taken(period: int, timeout: int) -> None:
    terms = parse_rate_limit({**TERMS, "period": period, "mitigation_timeout": timeout})
    assert (terms.period, terms.mitigation_timeout) == (period, timeout)


@pytest.mark.parametrize(
    ("members", "code", "pointer"),
    [
        ({"characteristics": None}, 20122, "/characteristics"),
        ({"characteristics": []}, 20122, "/characteristics"),
        ({"characteristics": "ip.src"}, 20122, "/characteristics"),
        ({"characteristics": ["ip.src"]}, 20120, "/characteristics"),
        ({"characteristics": ["cf.colo.id", 1]}, 20120, "/characteristics/1"),
        ({"characteristics": ["cf.colo.id", "a\0"]}, 20120, "/characteristics/1"),
        ({"characteristics": ["cf.colo.id", "\ud800"]}, 20120, "/characteristics/1"),
        ({"characteristics": ["cf.colo.id", "x" * 5000]}, 20120, "/characteristics/1"),
        ({"characteristics": ["cf.colo.id", "cf.colo.id"]}, 20120, "/characteristics/1"),
        ({"characteristics": ["cf.colo.id", "cf.unique_visitor_id"]}, 20120, "/characteristics/1"),
        ({"characteristics": ["cf.colo.id", "cf.bot_management.ja4"]}, 20120, "/characteristics/1"),
        ({"characteristics": [str(number) for number in range(MAX_CHARACTERISTICS + 1)]}, 20120, "/characteristics"),
        ({"period": None}, 20122, "/period"),
        ({"period": 61}, 20120, "/period"),
        ({"period": True}, 20120, "/period"),
        ({"period": 60.0}, 20120, "/period"),
        ({"requests_per_period": None}, 20122, "/requests_per_period"),
        ({"requests_per_period": 0}, 20120, "/requests_per_period"),
        ({"requests_per_period": MAX_REQUESTS + 1}, 20120, "/requests_per_period"),
        ({"requests_per_period": "5"}, 20120, "/requests_per_period"),
        ({"mitigation_timeout": 11}, 20120, "/mitigation_timeout"),
        ({"mitigation_timeout": False}, 20120, "/mitigation_timeout"),
        ({"counting_expression": 5}, 20120, "/counting_expression"),
        ({"requests_to_origin": "yes"}, 20120, "/requests_to_origin"),
        ({"score_per_period": 5}, 20120, "/score_per_period"),
        ({"score_response_header_name": "x"}, 20120, "/score_response_header_name"),
        ({"mitigation_expression": "x"}, 20120, "/mitigation_expression"),
    ],
)
def test_terms_that_cannot_be_counted_by_are_refused(members: dict[str, Any], code: int, pointer: str) -> None:
    with pytest.raises(RuleError) as refused:
        parse_rate_limit({**TERMS, **members})
    assert (refused.value.code, refused.value.pointer) == (code, f"/ratelimit{pointer}")


ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text() | st.integers())


@given(st.dictionaries(st.sampled_from([*RateLimit.__struct_fields__, "score_per_period"]), ANYTHING))
def test_whatever_is_sent_it_can_be_counted_by_or_is_refused(given_: dict[str, Any]) -> None:
    try:
        terms = parse_rate_limit({**TERMS, **given_})
    except RuleError:
        return
    assert terms.period in PERIODS
    assert terms.requests_per_period >= 1
    assert "cf.colo.id" in terms.characteristics
