"""The global rate limit, as clients meet it."""

from __future__ import annotations

import email.utils

from holdfast.api.context import Limits
from tests.api.conftest import StartApi
from tests.api.harness import SECOND, allow, codes


async def test_a_user_is_told_what_is_left_and_blocked_when_nothing_is(start_api: StartApi) -> None:
    api = await start_api(Limits(requests_per_5_minutes=5, requests_per_second_and_address=0))
    other = await api.token(allow("Zone Read", on={"com.cloudflare.api.account.*": "*"}))
    left = []
    # All tokens of a user count together, whatever is asked and however it ends.
    for path, secret in (("/user", None), ("/zones", other), ("/user", other), ("/zones/x", None), ("/zones", None)):
        answer = await api.ask("GET", path, secret=secret)
        assert answer.headers["x-ratelimit-limit"] == "5"
        left.append(answer.headers["x-ratelimit-remaining"])
    assert left == ["4", "3", "2", "1", "0"]
    for secret in (other, None):
        blocked = await api.ask("GET", "/user", secret=secret)
        assert (blocked.status_code, codes(blocked), blocked.headers["retry-after"]) == (429, [10429], "300")
        assert blocked.headers["x-ratelimit-remaining"] == "0"
    blocked = await api.ask("GET", "/user")
    reset = email.utils.parsedate_to_datetime(blocked.headers["x-ratelimit-reset"]).timestamp()
    assert 299 <= reset - api.clock.now / SECOND <= 301
    api.clock.advance(299)
    assert (await api.ask("GET", "/user")).headers["retry-after"] == "1"
    api.clock.advance(2)
    assert (await api.ask("GET", "/user")).headers["x-ratelimit-remaining"] == "4"


async def test_a_window_ends_without_a_block(start_api: StartApi) -> None:
    api = await start_api(Limits(requests_per_5_minutes=5, requests_per_second_and_address=0))
    for _ in range(5):
        await api.ask("GET", "/user")
    api.clock.advance(300)
    assert (await api.ask("GET", "/user")).headers["x-ratelimit-remaining"] == "4"


async def test_an_account_is_counted_apart_from_its_owner(start_api: StartApi) -> None:
    api = await start_api(Limits(requests_per_5_minutes=1, requests_per_second_and_address=0))
    secret = await api.token(allow("Zone Read", on={"com.cloudflare.api.account.*": "*"}), owner="account")
    assert (await api.ask("GET", "/user")).status_code == 200
    assert (await api.ask("GET", "/user")).status_code == 429
    assert (await api.ask("GET", "/zones", secret=secret)).status_code == 200


async def test_an_address_is_blocked_whatever_it_asks_and_others_are_not(start_api: StartApi) -> None:
    api = await start_api(Limits(requests_per_5_minutes=0, requests_per_second_and_address=4))
    api.clock.advance(10)
    paths = ("/nowhere", "/zonez", "/user", "/zones/x")
    for path in paths:
        assert (await api.ask("GET", path, secret="x" * 40, address="192.0.2.1")).status_code != 429
    for path in paths:
        blocked = await api.ask("GET", path, address="192.0.2.1")
        assert (blocked.status_code, codes(blocked), blocked.headers["retry-after"]) == (429, [10429], "1")
        assert blocked.headers["cf-ray"]
    assert (await api.ask("GET", "/user", address="192.0.2.2")).status_code == 200
    api.clock.advance(1)
    assert (await api.ask("GET", "/user", address="192.0.2.1")).status_code == 200


async def test_tokens_that_let_nobody_in_take_nothing_of_their_owners_limit(start_api: StartApi) -> None:
    api = await start_api(Limits(requests_per_5_minutes=3, requests_per_second_and_address=0))
    zones = allow("Zone Read", on={"com.cloudflare.api.account.*": "*"})
    refused = [
        await api.token(zones, status="disabled"),
        await api.token(zones, expires_on=api.clock.now - 1),
        await api.token(zones, not_before=api.clock.now + 60 * SECOND),
        await api.token(zones, condition={"request_ip": {"in": ["192.0.2.0/24"]}}),
    ]
    for secret in refused:
        for method in ("GET", "POST"):
            answer = await api.ask(method, "/zones", secret=secret)
            assert (answer.status_code, "x-ratelimit-limit" in answer.headers) == (401, False)
    assert (await api.ask("GET", "/user")).headers["x-ratelimit-remaining"] == "2"


async def test_a_write_counts_once(start_api: StartApi) -> None:
    api = await start_api(Limits(requests_per_5_minutes=3, requests_per_second_and_address=0))
    answer = await api.ask("POST", "/zones", json={"name": "a.example"})
    assert (answer.status_code, answer.headers["x-ratelimit-remaining"]) == (200, "2")
