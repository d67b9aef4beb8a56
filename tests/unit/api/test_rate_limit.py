"""`holdfast.api.rate_limit`: its memory is bounded, and nobody is forgotten for others' sake."""

from __future__ import annotations

import pytest
from fastapi import Request

from holdfast.api.context import Limits
from holdfast.api.faults import ApiFault
from holdfast.api.rate_limit import MAX_REMEMBERED, RateLimit


def limiter(**limits: int) -> RateLimit:
    return RateLimit(Limits(**limits), lambda: 5_000_000)


def request() -> Request:
    return Request({"type": "http"})


def test_a_flood_of_addresses_is_forgotten_and_makes_no_user_forgotten() -> None:
    limit = limiter(requests_per_5_minutes=1, requests_per_second_and_address=1)
    limit.count(request(), "user/a")
    for number in range(MAX_REMEMBERED + 100):
        limit.count_address(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert limit.statistics() == {"users": 1, "addresses": MAX_REMEMBERED}
    with pytest.raises(ApiFault):
        limit.count(request(), "user/a")


def test_all_of_a_64_counts_as_one_asker() -> None:
    limit = limiter(requests_per_second_and_address=2)
    limit.count_address("2001:db8::1")
    limit.count_address("2001:db8::ffff:1")
    with pytest.raises(ApiFault):
        limit.count_address("2001:db8:0:0:1::%eth0")
    limit.count_address("2001:db8:0:1::1")
    limit.count_address("::ffff:192.0.2.1")
    limit.count_address("192.0.2.1")
    with pytest.raises(ApiFault):
        limit.count_address("192.0.2.1")


def test_no_limit_and_no_address_count_nothing() -> None:
    limit = limiter(requests_per_5_minutes=0, requests_per_second_and_address=1)
    for _ in range(3):
        limit.count_address("")
        limit.count(request(), "user/a")
    assert limit.statistics() == {"users": 0, "addresses": 0}


def test_what_is_no_address_is_counted_as_it_is() -> None:
    limit = limiter(requests_per_second_and_address=1)
    limit.count_address("a:b")
    with pytest.raises(ApiFault):
        limit.count_address("a:b")


def test_one_request_counts_once_however_often_it_is_told_of() -> None:
    limit, one = limiter(requests_per_5_minutes=1), request()
    limit.count(one, "user/a")
    limit.count(one, "user/a")
    with pytest.raises(ApiFault):
        limit.count(request(), "user/a")


def test_a_clock_that_was_set_back_blocks_nobody_for_as_long_as_it_was_wrong() -> None:
    now = 1_700_000_000_000_000
    limit = RateLimit(Limits(requests_per_5_minutes=3, requests_per_second_and_address=2), lambda: now)
    for _ in range(2):
        limit.count_address("192.0.2.1")
        limit.count(request(), "user/a")
    now -= 3_600_000_000
    for _ in range(10):
        # No more than may be.
        now += 100_000_001
        limit.count_address("192.0.2.1")
        limit.count(request(), "user/a")
    for _ in range(2):
        limit.count_address("192.0.2.2")
    with pytest.raises(ApiFault) as refused:
        limit.count_address("192.0.2.2")
    assert refused.value.headers == {"Retry-After": "1"}
