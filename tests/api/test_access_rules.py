"""IP access rules over the API: of zones, of accounts and of users."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from holdfast.api import access_rules as subject
from tests.api.harness import ABSENT, Api, allow, codes, on_account, on_user, on_zone

RULES = "firewall/access_rules/rules"
OWNERS = ("zone", "account", "user")


async def base_of(api: Api, owner: str) -> str:
    """The path of an owner's rules."""
    if owner == "zone":
        return f"/zones/{await api.zone()}/{RULES}"
    return f"/accounts/{api.account_id}/{RULES}" if owner == "account" else f"/user/{RULES}"


def a_rule(value: str = "192.0.2.7", target: str = "ip", mode: str = "block", **members: Any) -> dict[str, Any]:
    return {"mode": mode, "configuration": {"target": target, "value": value}, **members}


def published(api: Api, owner: str) -> list[tuple[str, str, str]]:
    """What is published: of the one zone, or of the one account."""
    snapshot = api.control.publisher.snapshot()
    documents = snapshot.zones if owner == "zone" else snapshot.accounts
    return [(rule.mode, rule.target, rule.value) for one in documents for rule in one.access_rules]


def refusal(answer: httpx.Response) -> tuple[int, int, str]:
    (error,) = answer.json()["errors"]
    return answer.status_code, error["code"], error["source"]["pointer"]


@pytest.mark.parametrize("owner", OWNERS)
async def test_a_rule_is_made_shown_listed_changed_and_removed(api: Api, owner: str) -> None:
    base = await base_of(api, owner)
    made = await api.result("POST", base, json=a_rule(notes="a scanner"))
    assert (made["mode"], made["notes"]) == ("block", "a scanner")
    assert made["configuration"] == {"target": "ip", "value": "192.0.2.7"}
    assert made["allowed_modes"] == ["block", "challenge", "whitelist", "js_challenge", "managed_challenge"]
    assert published(api, owner) == [("block", "ip", "192.0.2.7")]
    assert await api.result("GET", f"{base}/{made['id']}") == made
    assert await api.result("GET", base) == [made]
    changed = await api.result("PATCH", f"{base}/{made['id']}", json={"mode": "whitelist"})
    assert changed == {**made, "mode": "whitelist", "modified_on": changed["modified_on"]}
    assert changed["modified_on"] > made["modified_on"]
    entries = len(await api.entries())
    for same in ({}, {"mode": "whitelist"}, {"notes": "a scanner"}):
        assert await api.result("PATCH", f"{base}/{made['id']}", json=same) == changed
    assert len(await api.entries()) == entries
    again = await api.result("PATCH", f"{base}/{made['id']}", json={**a_rule(), "notes": ""})
    assert (again["mode"], again["notes"]) == ("block", "")
    assert published(api, owner) == [("block", "ip", "192.0.2.7")]
    assert await api.result("DELETE", f"{base}/{made['id']}") == {"id": made["id"]}
    assert published(api, owner) == []
    for method in ("GET", "PATCH", "DELETE"):
        answer = await api.ask(method, f"{base}/{made['id']}", json={})
        assert (answer.status_code, codes(answer)) == (404, [1001])


@pytest.mark.parametrize("owner", OWNERS)
async def test_a_scope_says_whose_it_is(api: Api, owner: str) -> None:
    made = await api.result("POST", await base_of(api, owner), json=a_rule())
    scopes = {
        "zone": {"id": made["scope"]["id"], "name": "example.com"},
        "account": {"id": api.account_id, "type": "organization"},
        "user": {"id": api.user_id, "type": "user", "email": made["scope"].get("email")},
    }
    assert made["scope"] == scopes[owner]


GOOD = [
    ("ip6", "2001:DB8:0::7", "2001:db8::7"),
    ("ip_range", "192.0.2.0/24", "192.0.2.0/24"),
    ("ip_range", "198.51.0.0/16", "198.51.0.0/16"),
    ("ip_range", "2001:DB8::/48", "2001:db8::/48"),
    ("asn", "as64512", "AS64512"),
    ("asn", "64513", "AS64513"),
    ("country", "de", "DE"),
    ("country", "T1", "T1"),
    ("country", "XX", "XX"),
]


async def test_every_target_is_kept_in_one_spelling(api: Api) -> None:
    base = await base_of(api, "zone")
    for target, given, kept in GOOD:
        made = await api.result("POST", base, json=a_rule(given, target))
        assert made["configuration"] == {"target": target, "value": kept}
        answer = await api.ask("POST", base, json=a_rule(kept, target, "challenge"))
        assert refusal(answer) == (400, 10009, "/configuration/value")
        assert answer.json()["errors"][0]["message"].startswith("firewallaccessrules.api.duplicate_of_existing")
    assert len(published(api, "zone")) == len(GOOD)


BAD: list[tuple[dict[str, Any], str, str]] = [
    (a_rule("2001:db8::1"), "/configuration/value", "the target ip6"),
    (a_rule("192.0.2.1", "ip6"), "/configuration/value", "the target ip"),
    (a_rule("192.0.2.0/25", "ip_range"), "/configuration/value", "/16 or /24"),
    (a_rule("2001:db8::/64x", "ip_range"), "/configuration/value", "a network"),
    (a_rule("192.0.2.7/24", "ip_range"), "/configuration/value", "192.0.2.0/24"),
    (a_rule("AS0", "asn"), "/configuration/value", "AS64512"),
    (a_rule("Germany", "country"), "/configuration/value", "two letters"),
    (a_rule("x", "host"), "/configuration/target", "target"),
    (a_rule(mode="log"), "/mode", "mode"),
    ({"mode": "block"}, "/configuration", "configuration"),
    ({"configuration": {"target": "ip", "value": "192.0.2.1"}}, "/mode", "mode"),
    (a_rule(notes="n" * 1001), "/notes", "notes"),
]


@pytest.mark.parametrize(("body", "pointer", "word"), BAD)
async def test_a_bad_rule_is_refused_by_name(api: Api, body: dict[str, Any], pointer: str, word: str) -> None:
    answer = await api.ask("POST", await base_of(api, "account"), json=body)
    assert refusal(answer) == (400, 1004, pointer)
    assert word in answer.json()["errors"][0]["message"]


async def test_what_a_rule_is_about_never_changes(api: Api) -> None:
    base = await base_of(api, "account")
    made = await api.result("POST", base, json=a_rule())
    answer = await api.ask("PATCH", f"{base}/{made['id']}", json=a_rule("192.0.2.8"))
    assert refusal(answer) == (400, 1004, "/configuration")
    assert "which never changes" in answer.json()["errors"][0]["message"]


async def test_lists_filter_order_and_page(api: Api) -> None:
    base = await base_of(api, "account")
    rules = [
        a_rule("192.0.2.2", mode="challenge", notes="Attack 26/02"),
        a_rule("192.0.2.1", notes="100% sure"),
        a_rule("DE", "country", "whitelist"),
    ]
    for one in rules:
        await api.result("POST", base, json=one)

    async def values(query: str) -> list[str]:
        return [one["configuration"]["value"] for one in await api.result("GET", f"{base}?{query}")]

    assert await values("") == ["192.0.2.2", "192.0.2.1", "DE"]
    assert await values("mode=block") == ["192.0.2.1"]
    for name in ("configuration.target", "configuration_target"):
        assert await values(f"{name}=country") == ["DE"]
    for name in ("configuration.value", "configuration_value"):
        assert await values(f"{name}=192.0.2.2") == ["192.0.2.2"]
    for spelling in ("value=de", "value=DE", "value=de&configuration.target=country"):
        assert await values(f"configuration.{spelling}") == ["DE"]
    assert await values("configuration.value=nonsense") == []
    assert await values("notes=ATTACK") == ["192.0.2.2"]
    assert await values("notes=%25") == ["192.0.2.1"]
    assert await values("mode=block&configuration.target=country") == []
    assert await values("mode=block&configuration.target=country&match=any") == ["192.0.2.1", "DE"]
    assert await values("order=configuration.value") == ["192.0.2.1", "192.0.2.2", "DE"]
    assert await values("order=mode&direction=desc") == ["DE", "192.0.2.2", "192.0.2.1"]
    assert await values("per_page=2&page=2") == ["DE"]
    info = (await api.ask("GET", f"{base}?per_page=2")).json()["result_info"]
    assert info == {"page": 1, "per_page": 2, "count": 2, "total_count": 3, "total_pages": 2}
    for query in ("mode=x", "order=x", "per_page=0", "per_page=1001", "configuration.target=x", "match=x"):
        assert (await api.ask("GET", f"{base}?{query}")).status_code == 400, query


async def test_a_zone_shows_what_it_inherits_and_changes_none_of_it(api: Api) -> None:
    zone, account, user = [await base_of(api, owner) for owner in OWNERS]
    await api.zone("other.example")
    own, of_account, of_user = [
        await api.result("POST", base, json=a_rule(f"192.0.2.{place}"))
        for place, base in enumerate((zone, account, user))
    ]
    listed = await api.result("GET", zone)
    assert [one["id"] for one in listed] == [own["id"], of_account["id"], of_user["id"]]
    assert "email" not in listed[2]["scope"]
    for inherited in (of_account, of_user):
        assert (await api.result("GET", f"{zone}/{inherited['id']}"))["id"] == inherited["id"]
        for method in ("PATCH", "DELETE"):
            assert (await api.ask(method, f"{zone}/{inherited['id']}", json={})).status_code == 404
    assert [one["id"] for one in await api.result("GET", account)] == [of_account["id"]]
    assert [one["id"] for one in await api.result("GET", user)] == [of_user["id"]]
    assert published(api, "account") == [("block", "ip", "192.0.2.1"), ("block", "ip", "192.0.2.2")]
    assert published(api, "zone") == [("block", "ip", "192.0.2.0")]


async def test_a_user_s_rules_need_the_accounts_in_which_they_hold(api: Api) -> None:
    details = allow("User Details Write", on=on_user(api.user_id))
    alone = await api.token(details)
    both = await api.token(details, allow("Account Firewall Access Rules Write", on=on_account(api.account_id)))
    answer = await api.ask("POST", f"/user/{RULES}", json=a_rule(), secret=alone)
    assert (answer.status_code, codes(answer)) == (403, [10000])
    assert "Account Firewall Access Rules Write" in answer.text
    assert (await api.ask("POST", f"/user/{RULES}", json=a_rule(), secret=both)).status_code == 200
    assert (await api.ask("GET", f"/user/{RULES}", secret=alone)).status_code == 200
    _, stranger = await api.account()
    theirs = await api.token(allow("User Details Write", on=on_user(stranger)), owner_id=stranger)
    assert await api.result("GET", f"/user/{RULES}", secret=theirs) == []


async def test_only_the_permission_of_the_scope_lets_in(api: Api) -> None:
    zone, account, _ = [await base_of(api, owner) for owner in OWNERS]
    zone_id = zone.split("/")[2]
    for base, name, on in (
        (zone, "Firewall Services", on_zone(zone_id)),
        (account, "Account Firewall Access Rules", on_account(api.account_id)),
    ):
        reader = await api.token(allow(f"{name} Read", on=on))
        writer = await api.token(allow(f"{name} Write", on=on))
        assert (await api.ask("POST", base, json=a_rule(), secret=reader)).status_code == 403
        assert (await api.ask("POST", base, json=a_rule(), secret=writer)).status_code == 200
        assert (await api.ask("GET", base, secret=reader)).status_code == 200
        assert (await api.ask("GET", base, secret="")).status_code == 403


@pytest.mark.parametrize("owner", OWNERS)
async def test_an_owner_has_room_for_so_many(api: Api, owner: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "MAX_RULES", 1)
    base = await base_of(api, owner)
    await api.result("POST", base, json=a_rule())
    answer = await api.ask("POST", base, json=a_rule("192.0.2.8"))
    assert (answer.status_code, codes(answer)) == (400, [subject.TOO_MANY])


async def test_writes_are_in_the_audit_log(api: Api) -> None:
    base = await base_of(api, "zone")
    made = await api.result("POST", base, json=a_rule())
    await api.result("PATCH", f"{base}/{made['id']}", json={"notes": "n"})
    await api.result("DELETE", f"{base}/{made['id']}")
    entries = await api.entries()
    assert [one["action"]["type"] for one in entries[:3]] == ["delete", "update", "create"]
    assert {one["resource"]["id"] for one in entries[:3]} == {made["id"]}
    assert [json.loads(one["oldValue"])["notes"] for one in entries[:2]] == ["n", ""]


async def test_a_zone_that_is_gone_takes_its_rules_with_it(api: Api) -> None:
    base = await base_of(api, "zone")
    await api.result("POST", base, json=a_rule())
    zone_id = base.split("/")[2]
    await api.result("DELETE", f"/zones/{zone_id}")
    assert (await api.ask("GET", base)).status_code == 404
    assert (await api.ask("POST", f"/zones/{ABSENT}/{RULES}", json=a_rule())).status_code == 404
    again = await base_of(api, "zone")
    assert await api.result("GET", again) == []
