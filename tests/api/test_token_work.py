"""Tokens of users and of accounts, from their making to their end. Both have the same routes but for where they begin."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from holdfast.model.moment import parsed
from holdfast.model.permission import BY_NAME, GROUPS, Scope
from tests.api.harness import ABSENT, ACCOUNT, USER, ZONE, Api, allow, codes, deny, on_account, on_user, on_zone

ALL_OF_ZONES = [group.name for group in GROUPS if group.scope is Scope.ZONE]
OWNERS = pytest.mark.parametrize("owner", ["user", "account"])
MANAGE = ("API Tokens Write", "Account API Tokens Write")


def base(api: Api, owner: str) -> str:
    return "/user/tokens" if owner == "user" else f"/accounts/{api.account_id}/tokens"


def asked(*groups: str, on: Any, effect: str = "allow") -> dict[str, Any]:
    return {"effect": effect, "permission_groups": [{"id": BY_NAME[one].id} for one in groups], "resources": on}


def body(*policies: dict[str, Any], name: str = "one", **members: Any) -> dict[str, Any]:
    return {"name": name, "policies": list(policies), **members}


@OWNERS
async def test_a_token_lives_from_its_making_to_its_end(api: Api, owner: str) -> None:
    zone_id = await api.zone()
    path = base(api, owner)
    members = {"not_before": "2026-01-01T00:00:00Z", "expires_on": "2027-01-01T00:00:00Z"}
    made = await api.result("POST", path, json=body(asked("Zone Read", on=on_zone(zone_id)), **members))
    secret = made.pop("value")
    assert len(secret) >= 40
    assert await api.result("GET", f"{path}/{made['id']}") == made
    assert (made["status"], made["not_before"]) == ("active", "2026-01-01T00:00:00.000000Z")
    assert made["policies"][0]["permission_groups"][0]["name"] == "Zone Read"
    verified = await api.ask("GET", f"{path}/verify", secret=secret)
    assert verified.json()["messages"] == [
        {"code": 10000, "message": "This API Token is valid and active", "type": None}
    ]
    assert verified.json()["result"] == {
        "id": made["id"],
        "status": "active",
        "not_before": made["not_before"],
        "expires_on": made["expires_on"],
    }
    assert (await api.ask("GET", f"/zones/{zone_id}", secret=secret)).status_code == 200

    change = body(asked("DNS Read", on=on_zone(zone_id)), name="two", status="disabled")
    changed = await api.result("PUT", f"{path}/{made['id']}", json=change)
    assert (changed["name"], changed["status"], changed["expires_on"]) == ("two", "disabled", None)
    assert "value" not in changed
    assert codes(await api.ask("GET", f"{path}/verify", secret=secret)) == [1000]
    await api.result("PUT", f"{path}/{made['id']}", json={**change, "status": "active"})
    assert (await api.ask("GET", f"/zones/{zone_id}", secret=secret)).status_code == 403
    assert (await api.ask("GET", f"/zones/{zone_id}/dns_records", secret=secret)).status_code == 200

    rolled = await api.result("PUT", f"{path}/{made['id']}/value", json={})
    assert rolled != secret
    assert (await api.ask("GET", f"{path}/verify", secret=secret)).status_code == 401
    assert (await api.ask("GET", f"{path}/verify", secret=rolled)).status_code == 200
    assert await api.result("DELETE", f"{path}/{made['id']}") == {"id": made["id"]}
    assert (await api.ask("GET", f"{path}/verify", secret=rolled)).status_code == 401
    for method in ("GET", "DELETE"):
        assert (await api.ask(method, f"{path}/{made['id']}")).status_code == 404
    assert (await api.ask("PUT", f"{path}/{made['id']}", json=change)).status_code == 404
    assert (await api.ask("PUT", f"{path}/{made['id']}/value", json={})).status_code == 404


async def test_a_token_of_another_owner_is_not_there(api: Api) -> None:
    _, stranger = await api.account()
    theirs = await api.token(allow("API Tokens Write", on=on_user(stranger)), owner_id=stranger)
    mine = (await api.result("GET", "/user/tokens"))[0]["id"]
    for method in ("GET", "DELETE"):
        assert (await api.ask(method, f"/user/tokens/{mine}", secret=theirs)).status_code == 404
        assert (await api.ask(method, f"/accounts/{api.account_id}/tokens/{mine}")).status_code == 404
    assert (await api.ask("PUT", f"/user/tokens/{mine}/value", secret=theirs, json={})).status_code == 404


@OWNERS
async def test_tokens_are_listed_page_by_page_newest_first(api: Api, owner: str) -> None:
    path = base(api, owner)
    for number in range(7):
        await api.token(allow("Zone Read", on={f"{ZONE}.*": "*"}), owner=owner, name=f"n{number}")
    await api.token(owner=owner, name="old", expires_on=api.clock.now)
    first = (await api.ask("GET", f"{path}?per_page=5")).json()
    assert [one["name"] for one in first["result"]] == ["old", "n6", "n5", "n4", "n3"]
    assert first["result"][0]["status"] == "expired"
    assert first["result_info"]["total_count"] == (9 if owner == "user" else 8)
    assert await api.result("GET", f"{path}?per_page=5&page=3") == []
    names = [one["name"] for one in await api.result("GET", f"{path}?direction=asc&include_expired=false&per_page=50")]
    assert names[-7:] == [f"n{number}" for number in range(7)]


@pytest.mark.parametrize(("owner", "limit"), [("user", 50), ("account", 500)])
async def test_an_owner_has_so_many_tokens_and_no_more(api: Api, owner: str, limit: int) -> None:
    path = base(api, owner)
    policy = allow("Zone Read", on={f"{ZONE}.*": "*"})
    for _ in range(limit - (2 if owner == "user" else 1)):
        await api.token(policy, owner=owner)
    make = body(asked("Zone Read", on={f"{ZONE}.*": "*"}))
    answers = await asyncio.gather(*(api.ask("POST", path, json=make) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400]


@OWNERS
@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"name": "x" * 121}, "/name"),
        ({"policies": []}, "/policies"),
        ({"policies": [{"effect": "maybe"}]}, "/policies/0/effect"),
        ({"expires_on": "2026-01-01T00:00:00Z"}, "/expires_on"),
        ({"expires_on": "tomorrow"}, "/expires_on"),
        ({"expires_on": "0001-01-01T00:00:00+23:59"}, "/expires_on"),
        ({"not_before": "2028-01-01T00:00:00Z", "expires_on": "2027-01-01T00:00:00Z"}, "/not_before"),
        ({"condition": {"request_ip": {"in": ["nonsense"]}}}, "/condition/request_ip/in/0"),
        ({"condition": {"request.ip": {"not_in": ["1.2.3.4/33"]}}}, "/condition/request_ip/not_in/0"),
        ({"condition": {"request_ip": {"in": "192.0.2.1"}}}, "/condition/request_ip/in"),
    ],
)
async def test_a_bad_member_is_named(api: Api, owner: str, change: dict[str, Any], pointer: str) -> None:
    good = body(asked("Zone Read", on={f"{ZONE}.*": "*"}))
    answer = await api.ask("POST", base(api, owner), json={**good, **change})
    assert answer.status_code == 400
    assert pointer in [error.get("source", {}).get("pointer") for error in answer.json()["errors"]], answer.text


@OWNERS
async def test_policies_that_mean_nothing_are_refused(api: Api, owner: str) -> None:
    account_id, user_id = await api.account()
    foreign = await api.token(allow("Zone Write", on={f"{ACCOUNT}.*": "*"}), owner="account", owner_id=account_id)
    made = await api.result("POST", "/zones", secret=foreign, json={"name": "foreign.example"})
    bad: list[dict[str, Any]] = [
        asked("Zone Read", on={f"{ZONE}.{ABSENT}": "*"}),
        asked("Zone Read", on={f"{ZONE}.{made['id']}": "*"}),
        asked("Zone Read", on={f"{ACCOUNT}.{account_id}": "*"}),
        asked("API Tokens Read", on={f"{USER}.{user_id}": "*"}),
        asked("Zone Read", on={f"{ZONE}.*": "yes"}),
        asked("Zone Read", on={"com.example": "*"}),
        asked("Zone Read", on={f"{ACCOUNT}.{api.account_id}": {}}),
        {**asked("Zone Read", on={f"{ZONE}.*": "*"}), "permission_groups": [{"id": "f" * 32}]},
    ]
    answers = [await api.ask("POST", base(api, owner), json=body(policy)) for policy in bad]
    assert [answer.status_code for answer in answers] == [400] * len(bad)
    # A zone of others and no zone at all: the same words, but for what was asked.
    first, second = (answer.json()["errors"][0]["message"] for answer in answers[:2])
    assert first.replace(ABSENT, "") == second.replace(made["id"], "")


async def _manager(api: Api, *policies: Any) -> str:
    return await api.token(allow(*MANAGE, on={**on_account(api.account_id), **on_user(api.user_id)}), *policies)


@OWNERS
async def test_nobody_makes_a_token_that_may_do_more_than_theirs(api: Api, owner: str) -> None:
    one, other = await api.zone("one.example"), await api.zone("other.example")
    secret = await _manager(api, allow("Zone Read", "DNS Write", on=on_zone(one)))
    path = base(api, owner)
    fine = [
        asked("Zone Read", on=on_zone(one)),
        asked("DNS Read", "DNS Write", on=on_zone(one)),
        asked("Zone Read", on={f"{ACCOUNT}.{api.account_id}": {f"{ZONE}.{one}": "*"}}),
        asked("Zone Write", on={f"{ZONE}.*": "*"}, effect="deny"),
    ]
    more = [
        asked("Zone Write", on=on_zone(one)),
        asked("Zone Read", on=on_zone(other)),
        asked("Zone Read", on={f"{ZONE}.*": "*"}),
        asked("Zone Read", on=on_account(api.account_id)),
        asked("Zone Read", on={f"{ACCOUNT}.{api.account_id}": {f"{ZONE}.*": "*"}}),
        asked("Zone Read", on={f"{ZONE}.{one}": "*", f"{ZONE}.{other}": "*"}),
        asked("Zone Read", "Zone Settings Read", on=on_zone(one)),
        asked("Account Settings Read", on=on_account(api.account_id)),
    ]
    for policy in fine:
        assert (await api.ask("POST", path, secret=secret, json=body(policy))).status_code == 200, policy
    for policy in more:
        answer = await api.ask("POST", path, secret=secret, json=body(fine[0], policy))
        assert (answer.status_code, codes(answer)) == (403, [9109]), policy
        assert answer.json()["errors"][0]["source"]["pointer"].startswith("/policies/1/permission_groups/")


@OWNERS
async def test_nobody_comes_by_the_secret_of_a_token_that_may_do_more(api: Api, owner: str) -> None:
    zone_id = await api.zone()
    strong = await api.result("POST", base(api, owner), json=body(asked("Zone Write", on=on_zone(zone_id))))
    secret = await _manager(api, allow("Zone Read", on=on_zone(zone_id)))
    path = f"{base(api, owner)}/{strong['id']}"
    assert (await api.ask("PUT", f"{path}/value", secret=secret, json={})).status_code == 403
    assert (await api.ask("GET", f"{base(api, owner)}/verify", secret=strong["value"])).status_code == 200
    # Nor is one made stronger, nor its own token: what is written must be one's own.
    widened = body(asked("Zone Write", on=on_zone(zone_id)))
    assert (await api.ask("PUT", path, secret=secret, json=widened)).status_code == 403
    own_id = (await api.result("GET", "/user/tokens"))[0]["id"]
    assert (await api.ask("PUT", f"/user/tokens/{own_id}", secret=secret, json=widened)).status_code == 403
    assert (await api.ask("DELETE", path)).status_code == 200


@OWNERS
async def test_nobody_stops_or_weakens_a_token_that_may_do_more(api: Api, owner: str) -> None:
    zone_id = await api.zone()
    policies = [asked("Zone Write", on=on_zone(zone_id)), asked("DNS Read", on=on_zone(zone_id))]
    strong = await api.result("POST", base(api, owner), json=body(*policies))
    secret = await _manager(api, allow("DNS Read", on=on_zone(zone_id)))
    path = f"{base(api, owner)}/{strong['id']}"
    weakened = body(policies[1])
    for method, change in (
        ("PUT", weakened),
        ("PUT", {**body(*policies), "status": "disabled"}),
        ("PUT", {**body(*policies), "name": "other"}),
        ("DELETE", None),
    ):
        answer = await api.ask(method, path, secret=secret, json=change)
        assert (answer.status_code, codes(answer)) == (403, [9109]), change
        assert "'Zone Write'" in answer.json()["errors"][0]["message"]
    assert await api.result("GET", path) == {name: strong[name] for name in strong if name != "value"}
    # Once it may do no more than theirs, they may do with it as they like.
    await api.result("PUT", path, json=weakened)
    assert (await api.ask("PUT", f"{path}/value", secret=secret, json={})).status_code == 200
    assert (await api.ask("DELETE", path, secret=secret)).status_code == 200


SOON, LATER = "2026-12-01T00:00:00Z", "2026-12-02T00:00:00Z"
NEAR, NEARER, FAR = "127.0.0.0/24", "127.0.0.1", "127.0.0.0/16"


@OWNERS
async def test_a_token_makes_none_that_outlives_it_or_is_used_from_elsewhere(api: Api, owner: str) -> None:
    secret = await _bound(api)
    policy = asked("Account API Tokens Write", on=on_account(api.account_id))
    near, far, nearer = ({"request_ip": {"in": [one]}} for one in (NEAR, FAR, NEARER))
    for members, pointer in (
        ({}, "/expires_on"),
        ({"expires_on": LATER, "condition": near}, "/expires_on"),
        ({"expires_on": SOON}, "/condition/request_ip"),
        ({"expires_on": SOON, "condition": far}, "/condition/request_ip"),
        ({"expires_on": SOON, "condition": near}, None),
        ({"expires_on": "2026-11-30T00:00:00Z", "condition": nearer}, None),
    ):
        answer = await api.ask("POST", base(api, owner), secret=secret, json=body(policy, **members))
        assert answer.status_code == (200 if pointer is None else 403), members
        assert [one["source"]["pointer"] for one in answer.json()["errors"]] == ([pointer] if pointer else [])


async def test_a_token_does_not_free_itself_of_its_own_terms(api: Api) -> None:
    secret = await _bound(api)
    own = (await api.result("GET", "/user/tokens"))[0]
    path = f"/user/tokens/{own['id']}"
    kept: dict[str, Any] = {"expires_on": SOON, "condition": {"request_ip": {"in": [NEAR]}}}
    policies = [{name: one[name] for name in ("effect", "permission_groups", "resources")} for one in own["policies"]]
    looser: list[dict[str, Any]] = [
        {},
        {"expires_on": SOON},
        {**kept, "expires_on": LATER},
        {"condition": kept["condition"]},
    ]
    for members in looser:
        answer = await api.ask("PUT", path, secret=secret, json=body(*policies, **members))
        assert (answer.status_code, codes(answer)) == (403, [9109]), members
    narrower: dict[str, Any] = {"expires_on": SOON, "condition": {"request_ip": {"in": [NEARER]}}}
    assert (await api.ask("PUT", path, secret=secret, json=body(*policies, **narrower))).status_code == 200
    # Back is no way either: what was given up stays given up.
    assert (await api.ask("PUT", path, secret=secret, json=body(*policies, **kept))).status_code == 403
    # One that is bound by nothing is not its to change, though it may do the same.
    free = (await api.result("POST", "/user/tokens", json=body(*policies)))["id"]
    for method, where in (("PUT", ""), ("PUT", "/value"), ("DELETE", "")):
        answer = await api.ask(method, f"/user/tokens/{free}{where}", secret=secret, json=body(*policies, **narrower))
        assert answer.status_code == 403, (method, where)
    assert (await api.ask("DELETE", path, secret=secret)).status_code == 200


async def _bound(api: Api) -> str:
    """The secret of a token that may make tokens, until SOON and from NEAR."""
    return await api.token(
        allow(*MANAGE, on={**on_account(api.account_id), **on_user(api.user_id)}),
        expires_on=parsed(SOON),
        condition={"request_ip": {"in": [NEAR]}},
    )


async def test_what_a_token_is_denied_it_cannot_grant(api: Api) -> None:
    zone_id, other = await api.zone("denied.example"), await api.zone("other.example")
    secret = await _manager(
        api, allow("Zone Read", on=on_account(api.account_id)), deny("Zone Read", on=on_zone(zone_id))
    )
    wide = asked("Zone Read", on=on_account(api.account_id))
    narrow = asked("Zone Read", on=on_zone(other))
    kept = asked("Zone Read", on=on_zone(zone_id), effect="deny")
    for policies, status in (([wide], 403), ([wide, kept], 200), ([narrow], 200)):
        answer = await api.ask("POST", "/user/tokens", secret=secret, json=body(*policies))
        assert answer.status_code == status, policies


async def test_without_the_right_to_tokens_none_is_made_seen_or_removed(api: Api) -> None:
    secret = await api.token(allow(*ALL_OF_ZONES, "Account Settings Write", on=on_account(api.account_id)))
    token_id = (await api.result("GET", "/user/tokens"))[0]["id"]
    make = body(asked("Zone Read", on={f"{ZONE}.*": "*"}))
    for path in ("/user/tokens", f"/accounts/{api.account_id}/tokens"):
        for method, where in (("GET", ""), ("POST", ""), ("DELETE", f"/{token_id}"), ("PUT", f"/{token_id}/value")):
            assert (await api.ask(method, path + where, secret=secret, json=make)).status_code == 403


@OWNERS
async def test_permission_groups_say_which_can_be_given(api: Api, owner: str) -> None:
    path = f"{base(api, owner)}/permission_groups"
    found = await api.result("GET", path)
    scopes = tuple(Scope) if owner == "user" else (Scope.ACCOUNT, Scope.ZONE)
    assert {one["id"] for one in found} == {group.id for group in GROUPS if group.scope in scopes}
    assert all(one["is_selectable"] for one in found)
    secret = await _manager(api)
    mine = {one["name"] for one in await api.result("GET", path, secret=secret) if one["is_selectable"]}
    assert {"Zone Read", "DNS Write"} & mine == set()
    assert [one["name"] for one in await api.result("GET", path, params={"name": "dns write"})] == ["DNS Write"]
    zones = await api.result("GET", path, params={"scope": ZONE})
    assert [one["name"] for one in zones] == ALL_OF_ZONES
    assert await api.result("GET", path, params={"name": "Nonsense"}) == []


async def test_when_a_token_was_used_last_is_written_down_soon(api: Api) -> None:
    secret = await api.token(allow("Zone Read", on={f"{ZONE}.*": "*"}), name="seen")
    await api.ask("GET", "/zones", secret=secret)
    await api.control._note_uses()
    found = {one["name"]: one["last_used_on"] for one in await api.result("GET", "/user/tokens")}
    assert found["seen"] is not None


@OWNERS
async def test_an_expired_token_can_be_written_back_and_prolonged(api: Api, owner: str) -> None:
    path = base(api, owner)
    good = body(asked("Zone Read", on={f"{ZONE}.*": "*"}), expires_on="2026-11-26T00:00:00Z")
    made = await api.result("POST", path, json=good)
    api.clock.advance(2 * 86_400)
    assert (await api.result("GET", f"{path}/{made['id']}"))["status"] == "expired"
    kept = {**good, "name": "two", "status": "expired", "expires_on": made["expires_on"]}
    assert (await api.result("PUT", f"{path}/{made['id']}", json=kept))["status"] == "expired"
    assert (await api.ask("GET", f"{path}/verify", secret=made["value"])).status_code == 401
    longer = {**good, "expires_on": "2027-11-26T00:00:00Z"}
    assert (await api.result("PUT", f"{path}/{made['id']}", json=longer))["status"] == "active"
    assert (await api.ask("GET", f"{path}/verify", secret=made["value"])).status_code == 200


NASTY: tuple[Any, ...] = (
    None,
    True,
    -1,
    2**63 - 1,
    1e300,
    "",
    "x" * 70_000,
    "'; DROP TABLE tokens; --",
    "\r\nX-Injected: 1",
    "9999-12-31T23:59:59-23:59",
    "0000-00-00",
    [],
    {},
    [[]],
    {"a": {"b": [None]}},
    [None, 1, "x"],
    {"*": "*"},
    {"in": [None]},
)


def variants(body: Any) -> Iterator[Any]:
    """`body` with each nasty value in place of each of its members, at any depth, and of itself."""
    yield from NASTY
    members = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for key, value in members:
        for variant in variants(value):
            changed = dict(body) if isinstance(body, dict) else list(body)
            changed[key] = variant
            yield changed


@OWNERS
async def test_whatever_stands_in_whichever_member_it_is_no_failure_of_ours(api: Api, owner: str) -> None:
    path = base(api, owner)
    good = body(
        asked("Zone Read", on={f"{ACCOUNT}.{api.account_id}": {f"{ZONE}.*": "*"}}),
        not_before="2026-01-01T00:00:00Z",
        expires_on="2027-01-01T00:00:00Z",
        condition={"request_ip": {"in": ["192.0.2.1"], "not_in": ["192.0.2.2"]}},
    )
    made = await api.result("POST", path, json=good)
    async with api.client() as client:
        for changed in variants({**good, "status": "active"}):
            answer = await client.put(f"{path}/{made['id']}", json=changed)
            assert answer.status_code in {200, 400, 403}, (changed, answer.text)
        for route, whole in (("/user", {"first_name": "Ada"}), (f"/accounts/{api.account_id}", {"name": "x"})):
            for changed in variants(whole):
                answer = await client.request("PATCH" if route == "/user" else "PUT", route, json=changed)
                assert answer.status_code in {200, 400}, (changed, answer.text)
    shown = await api.result("GET", f"{path}/{made['id']}")
    assert shown["id"] == made["id"]
