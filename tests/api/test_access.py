"""Who gets in where: every route against every kind of token that should not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from holdfast.api.access import ANY_TOKEN
from holdfast.model.permission import BY_NAME, GROUPS, Scope
from tests.api.harness import (
    ABSENT,
    SECOND,
    ZONE,
    Api,
    allow,
    codes,
    deny,
    on_account,
    on_user,
    on_zone,
)
from tests.api.routes import Route, routes

ROUTES = routes()
# What is the same for everybody, and no secret.
OPEN = {"GET /ips"}
ABOUT_THE_TOKEN_ITSELF = {"GET /user/tokens/verify", "GET /accounts/{account_id}/tokens/verify"}
GUARDED = [route for route in ROUTES if route.permission]
OF_A_ZONE = [route for route in GUARDED if route.path.startswith("/zones/{zone_id}")]
ALL_OF_ZONES = [group.name for group in GROUPS if group.scope is Scope.ZONE]
READS = [group.name for group in GROUPS if group.name.endswith("Read")]


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_every_route_is_guarded_by_a_permission(route: Route) -> None:
    if str(route) in OPEN:
        assert route.permission is None
    elif str(route) in ABOUT_THE_TOKEN_ITSELF:
        assert route.permission == ANY_TOKEN
    else:
        assert route.permission
        for permission in (route.permission, *route.others):
            assert permission in BY_NAME
            assert permission.endswith("Write" if route.is_write else "Read")


NO_CREDENTIALS: list[tuple[dict[str, Any], int, int]] = [
    ({}, 403, 9106),
    ({"x-auth-email": "a@example.com", "x-auth-key": "0" * 37}, 403, 9103),
    ({"authorization": "Bearer " + "x" * 40}, 401, 10000),
    ({"authorization": "Basic dXNlcjpwYXNz"}, 400, 6003),
    ({"authorization": "Bearer "}, 400, 6003),
    ({"authorization": "Bearer a b"}, 400, 6003),
    ({"authorization": b"Bearer \xff\xfe"}, 400, 6003),
    ({"authorization": "Bearer ' OR 1=1 --"}, 400, 6003),
    ({"authorization": "Bearer " + "x" * 300}, 400, 6003),
]


async def test_whoever_has_no_valid_token_gets_in_nowhere(api: Api) -> None:
    async with api.client("") as client:
        for headers, status, code in NO_CREDENTIALS:
            for route in GUARDED:
                answer = await client.request(route.method, route.about(), headers=headers, json={})
                assert (answer.status_code, codes(answer)) == (status, [code]), (route, headers)


async def test_a_token_wins_over_a_key_beside_it(api: Api) -> None:
    answer = await api.ask("GET", "/user", headers={"x-auth-email": "a@example.com", "x-auth-key": "1"})
    assert answer.status_code == 200


async def test_a_token_of_one_zone_cannot_tell_another_zone_from_none(api: Api) -> None:
    one, other = await api.zone("one.example"), await api.zone("other.example")
    secret = await api.token(allow(*ALL_OF_ZONES, on=on_zone(one)))
    async with api.client(secret) as client:
        for route in OF_A_ZONE:
            bodies: tuple[Any, ...] = ({}, [], {"value": "off"})
            for body in bodies:
                answers = [
                    await client.request(route.method, route.about(zone_id=zone_id), json=body)
                    for zone_id in (other, ABSENT)
                ]
                assert [answer.status_code for answer in answers] == [403, 403], route
                assert answers[0].json() == answers[1].json(), route
    assert [zone["id"] for zone in await api.result("GET", "/zones", secret=secret)] == [one]


async def test_a_token_of_one_account_cannot_tell_the_zone_of_another_from_none(api: Api) -> None:
    zone_id = await api.zone()
    account_id, user_id = await api.account()
    secret = await api.token(allow(*ALL_OF_ZONES, on={f"{ZONE}.*": "*"}), owner_id=user_id)
    async with api.client(secret) as client:
        for route in OF_A_ZONE:
            answers = [
                await client.request(route.method, route.about(zone_id=one), json={}) for one in (zone_id, ABSENT)
            ]
            assert answers[0].status_code == 404, route
            assert answers[0].json() == answers[1].json(), route
    assert await api.result("GET", "/zones", secret=secret) == []
    named = await api.token(allow(*ALL_OF_ZONES, on=on_zone(zone_id)), owner="account", owner_id=account_id)
    assert await api.result("GET", "/zones", secret=named) == []
    assert (await api.ask("GET", f"/zones/{zone_id}", secret=named)).status_code == 403


async def test_a_zone_that_is_denied_is_as_if_it_were_not_there(api: Api) -> None:
    seen, hidden = await api.zone("seen.example"), await api.zone("hidden.example")
    secret = await api.token(
        allow(*ALL_OF_ZONES, on=on_account(api.account_id)), deny(*ALL_OF_ZONES, on=on_zone(hidden))
    )
    assert [zone["id"] for zone in await api.result("GET", "/zones", secret=secret)] == [seen]
    answers = [await api.ask("GET", f"/zones/{one}", secret=secret) for one in (hidden, ABSENT)]
    assert answers[0].status_code == 404
    assert answers[0].json() == answers[1].json()


async def test_a_token_that_may_only_read_writes_nothing(api: Api) -> None:
    zone_id = await api.zone()
    everywhere = {**on_account(api.account_id), **on_user(api.user_id)}
    secret = await api.token(allow(*READS, on=everywhere))
    before = (await api.ask("GET", f"/zones/{zone_id}")).json()
    async with api.client(secret) as client:
        for route in GUARDED:
            path = route.about(zone_id=zone_id, account_id=api.account_id)
            answer = await client.request(route.method, path, json={})
            if route.is_write:
                assert (answer.status_code, codes(answer)) == (403, [10000]), route
            else:
                assert answer.status_code in {200, 400, 404}, (route, answer.text)
    assert (await api.ask("GET", f"/zones/{zone_id}")).json() == before


async def test_every_other_permission_is_not_enough(api: Api) -> None:
    zone_id = await api.zone()
    for needed in sorted({(route.permission or "", *route.others) for route in GUARDED}):
        enough = {*needed, *(f"{one.removesuffix(' Read')} Write" for one in needed)}
        others = [group.name for group in GROUPS if group.name not in enough]
        secret = await api.token(allow(*others, on={**on_account(api.account_id), **on_user(api.user_id)}))
        async with api.client(secret) as client:
            for route in (one for one in GUARDED if (one.permission, *one.others) == needed):
                path = route.about(zone_id=zone_id, account_id=api.account_id)
                answer = await client.request(route.method, path, json={})
                assert (answer.status_code, codes(answer)) == (403, [10000]), route


async def test_an_account_of_others_cannot_be_told_from_none(api: Api) -> None:
    account_id, _ = await api.account()
    async with api.client() as client:
        for route in GUARDED:
            if "{account_id}" not in route.path:
                continue
            answers = [
                await client.request(route.method, route.about(account_id=one), json={}) for one in (account_id, ABSENT)
            ]
            assert (answers[0].status_code, codes(answers[0])) == (403, [9109]), route
            assert answers[0].json() == answers[1].json(), route


@pytest.mark.parametrize("wrong", ["x", "A" * 32, "0" * 33, "0" * 31, "0" * 5000, "..;", "%27", "%0a", "%ff", "%00"])
async def test_what_cannot_be_an_id_is_no_route_to_whoever_may_ask(api: Api, wrong: str) -> None:
    async with api.client() as client:
        for route in GUARDED:
            if "{zone_id}" in route.path or "{account_id}" in route.path:
                path = route.path.replace("{zone_id}", wrong).replace("{account_id}", wrong)
                answer = await client.request(route.method, Route("GET", path, "").about(), json={})
                assert (answer.status_code, codes(answer)) == (404, [7003, 7000]), route


async def test_a_token_that_is_disabled_expired_or_not_yet_valid_is_refused_at_once(api: Api) -> None:
    now, zones = api.clock.now, allow("Zone Read", on=on_account(api.account_id))
    disabled = await api.token(zones, status="disabled")
    expired = await api.token(zones, expires_on=now - 1)
    early = await api.token(zones, not_before=now + 60 * SECOND)
    lasting = await api.token(zones, expires_on=now + 120 * SECOND)
    for secret in (disabled, expired, early):
        answer = await api.ask("GET", "/zones", secret=secret)
        assert (answer.status_code, codes(answer)) == (401, [10000])
    assert (await api.ask("GET", "/zones", secret=lasting)).status_code == 200
    api.clock.advance(61)
    assert (await api.ask("GET", "/zones", secret=early)).status_code == 200
    api.clock.advance(61)
    assert (await api.ask("GET", "/zones", secret=lasting)).status_code == 401


CONDITIONS: list[tuple[dict[str, list[str]], str, int]] = [
    ({"in": ["192.0.2.0/24"]}, "192.0.2.7", 200),
    ({"in": ["192.0.2.0/24"]}, "198.51.100.7", 401),
    ({"in": ["192.0.2.0/24"]}, "::ffff:192.0.2.7", 200),
    ({"in": ["192.0.2.0/24"], "not_in": ["192.0.2.7"]}, "192.0.2.7", 401),
    ({"in": ["192.0.2.0/24"], "not_in": ["192.0.2.7"]}, "192.0.2.8", 200),
    ({"not_in": ["192.0.2.0/24"]}, "192.0.2.7", 401),
    ({"not_in": ["192.0.2.0/24"]}, "2001:db8::1", 200),
    ({"in": ["2001:db8::/32"]}, "2001:db8::1", 200),
    ({"in": ["2001:db8::/32"]}, "2001:db9::1", 401),
    ({"in": ["0.0.0.0/0"]}, "not an address", 401),
    ({"not_in": ["::ffff:127.0.0.0/104"]}, "127.0.0.1", 401),
    ({"not_in": ["::ffff:127.0.0.0/104"]}, "192.0.2.1", 200),
    ({"in": ["::ffff:192.0.2.7"]}, "::ffff:192.0.2.7", 200),
    ({"in": ["::/0"]}, "2001:db8::1", 200),
]


async def test_a_token_is_refused_from_addresses_that_its_condition_leaves_out(api: Api) -> None:
    zones = allow("Zone Read", on=on_account(api.account_id))
    for condition, address, status in CONDITIONS:
        secret = await api.token(zones, condition={"request_ip": condition})
        answer = await api.ask("GET", "/zones", secret=secret, address=address)
        assert answer.status_code == status, (condition, address)


async def test_a_token_of_an_account_outlives_nothing_but_reaches_its_account_only(api: Api) -> None:
    zone_id = await api.zone()
    account_id, _ = await api.account()
    everywhere = {"com.cloudflare.api.account.*": "*"}
    own = await api.token(allow(*ALL_OF_ZONES, on=everywhere), owner="account")
    strange = await api.token(allow(*ALL_OF_ZONES, on=everywhere), owner="account", owner_id=account_id)
    assert [zone["id"] for zone in await api.result("GET", "/zones", secret=own)] == [zone_id]
    assert await api.result("GET", "/zones", secret=strange) == []
    assert (await api.ask("GET", "/user", secret=own)).status_code == 403


async def test_unknown_headers_and_versions_are_ignored(api: Api) -> None:
    answer = await api.ask("GET", "/zones", headers={"api-version": "2031-01-01", "x-stainless-lang": "python"})
    assert answer.status_code == 200
    assert answer.headers["cf-ray"]
    assert answer.headers["cache-control"] == "no-store"


async def test_whoever_has_no_valid_token_is_not_read_whatever_they_send(api: Api) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"{" * 65_536
        raise AssertionError("the body was read")

    disabled = await api.token(allow("Zone Write", on=on_account(api.account_id)), status="disabled")
    for secret, path, status in (
        ("", "/zones", 403),
        ("x" * 40, "/zones", 401),
        (disabled, "/zones", 401),
        ("", "/nowhere", 404),
        ("", "/ips", 405),
    ):
        answer = await api.ask("POST", path, secret=secret, content=endless())
        assert answer.status_code == status, (secret, path)


async def test_a_401_says_what_would_let_in(api: Api) -> None:
    for path in ("/zones", "/user/tokens/verify"):
        answer = await api.ask("GET", path, secret="x" * 40)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


async def test_head_is_answered_wherever_get_is(api: Api) -> None:
    zone_id = await api.zone()
    async with api.client() as client:
        for route in ROUTES:
            path = route.about(zone_id=zone_id, account_id=api.account_id)
            head = await client.head(path)
            assert head.content == b"", route
            if route.method == "GET":
                assert head.status_code == (await client.get(path)).status_code, route
