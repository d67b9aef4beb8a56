"""Lists over the API: made, shown, described, removed, and kept while rules name them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from holdfast.api import lists as subject
from tests.api.harness import ABSENT, Api, allow, codes, on_account

CUSTOM, RATE_LIMIT = "http_request_firewall_custom", "http_ratelimit"


def base(api: Api) -> str:
    return f"/accounts/{api.account_id}/rules/lists"


async def create(api: Api, name: str = "office", kind: str = "ip", **members: Any) -> httpx.Response:
    return await api.ask("POST", base(api), json={"name": name, "kind": kind, **members})


async def made(api: Api, name: str = "office", kind: str = "ip", **members: Any) -> dict[str, Any]:
    answer = await create(api, name, kind, **members)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["result"]
    return found


def rule(expression: str, **members: Any) -> dict[str, Any]:
    return {"action": "block", "expression": expression, **members}


async def put_rules(api: Api, owner: str, *rules: dict[str, Any], phase: str = CUSTOM) -> None:
    path = f"{owner}/rulesets/phases/{phase}/entrypoint"
    answer = await api.ask("PUT", path, json={"rules": list(rules)})
    assert answer.status_code == 200, answer.text


async def test_a_list_is_made_shown_listed_described_and_removed(api: Api) -> None:
    one = await made(api, description="where we are")
    expected = {"name": "office", "kind": "ip", "description": "where we are", "num_items": 0}
    assert {name: one[name] for name in expected} == expected
    assert one["num_referencing_filters"] == 0
    other = await made(api, "bad_hosts", "hostname")
    assert await api.result("GET", f"{base(api)}/{one['id']}") == one
    assert await api.result("GET", base(api)) == [other, one]
    changed = await api.result("PUT", f"{base(api)}/{one['id']}", json={"description": "elsewhere"})
    assert changed == {**one, "description": "elsewhere", "modified_on": changed["modified_on"]}
    assert changed["modified_on"] > one["modified_on"]
    assert await api.result("PUT", f"{base(api)}/{one['id']}", json={"description": "elsewhere"}) == changed
    assert await api.result("DELETE", f"{base(api)}/{one['id']}") == {"id": one["id"]}
    assert (await api.ask("GET", f"{base(api)}/{one['id']}")).status_code == 404
    assert await api.result("GET", base(api)) == [other]
    entries = await api.entries()
    assert [entry["action"]["type"] for entry in entries[:4]] == ["delete", "update", "create", "create"]
    assert json.loads(entries[1]["oldValue"])["description"] == "where we are"


async def test_a_list_is_published_when_it_is_made_and_gone_when_it_is_removed(api: Api) -> None:
    one = await made(api)
    (document,) = api.control.publisher.snapshot().lists
    assert (document.id, document.name, document.kind, document.items) == (one["id"], "office", "ip", ())
    await api.result("DELETE", f"{base(api)}/{one['id']}")
    assert api.control.publisher.snapshot().lists == ()


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"kind": "redirect"}, "/kind", "bulk redirects"),
    ({"kind": "country"}, "/kind", "kind"),
    ({"name": "Office"}, "/name", "name"),
    ({"name": "a-b"}, "/name", "name"),
    ({"name": ""}, "/name", "name"),
    ({"name": "a" * 51}, "/name", "name"),
    ({"name": "a\n"}, "/name", "name"),
    ({"name": 1}, "/name", "name"),
    ({"description": "d" * 501}, "/description", "description"),
]


@pytest.mark.parametrize(("members", "pointer", "word"), BAD)
async def test_a_bad_list_is_refused_by_name(api: Api, members: dict[str, Any], pointer: str, word: str) -> None:
    answer = await api.ask("POST", base(api), json={"name": "office", "kind": "ip", **members})
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["code"], error["source"]["pointer"]) == (400, 1004, pointer)
    assert word in error["message"]


async def test_names_are_unique_in_an_account(api: Api) -> None:
    await made(api)
    answer = await create(api, kind="asn")
    assert (answer.status_code, answer.json()["errors"][0]["source"]["pointer"]) == (400, "/name")
    other, _ = await api.account()
    secret = await api.token(allow("Account Rule Lists Write", on=on_account(other)), owner="account", owner_id=other)
    body = {"name": "office", "kind": "ip"}
    theirs = await api.result("POST", f"/accounts/{other}/rules/lists", json=body, secret=secret)
    assert (await api.ask("GET", f"{base(api)}/{theirs['id']}")).status_code == 404
    assert (await api.ask("DELETE", f"{base(api)}/{theirs['id']}")).status_code == 404


async def test_an_account_has_room_for_so_many(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "MAX_LISTS", 2)
    await made(api, "a")
    await made(api, "b")
    answer = await create(api, "c")
    assert (answer.status_code, codes(answer)) == (400, [subject.TOO_MANY])


async def test_what_is_not_there_is_not_found(api: Api) -> None:
    for method in ("GET", "PUT", "DELETE"):
        answer = await api.ask(method, f"{base(api)}/{ABSENT}", json={})
        assert (answer.status_code, codes(answer)) == (404, [1001])
    answer = await api.ask("GET", f"{base(api)}/bulk_operations/{ABSENT}")
    assert (answer.status_code, codes(answer)) == (404, [1001])
    assert (await api.ask("GET", f"{base(api)}/nonsense")).status_code == 404


async def test_a_list_that_rules_name_is_counted_and_not_removed(api: Api) -> None:
    one = await made(api)
    path, zone = f"{base(api)}/{one['id']}", await api.zone()
    await api.plan(zone, "enterprise")
    said = rule('http.request.uri.path eq "/$office" or http.user_agent contains "in $office"')
    await put_rules(api, f"/zones/{zone}", said, rule("ip.src in $office"), rule("ip.src in $office and ssl"))
    assert (await api.result("GET", path))["num_referencing_filters"] == 2
    terms = {"characteristics": ["cf.colo.id"], "period": 10, "requests_per_period": 1, "mitigation_timeout": 10}
    counted = rule("ssl", ratelimit={**terms, "counting_expression": "ip.src in $office"})
    await put_rules(api, f"/zones/{zone}", counted, phase=RATE_LIMIT)
    (listed,) = await api.result("GET", base(api))
    assert listed["num_referencing_filters"] == 3
    answer = await api.ask("DELETE", path)
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["code"]) == (400, 10031)
    assert error["message"] == "filters.api.ip_list_in_use: 3 rules name $office: change what they say first"
    await put_rules(api, f"/zones/{zone}", phase=RATE_LIMIT)
    await put_rules(api, f"/zones/{zone}", said)
    assert await api.result("DELETE", path) == {"id": one["id"]}


async def test_rules_of_an_account_count_and_those_of_others_do_not(api: Api) -> None:
    one, _ = await made(api, "a_b"), await made(api, "axb")
    custom = {"name": "mine", "kind": "custom", "phase": CUSTOM, "rules": [rule("ip.src in $axb or ip.src in $a_b")]}
    ruleset = await api.result("POST", f"/accounts/{api.account_id}/rulesets", json=custom)
    assert [each["num_referencing_filters"] for each in await api.result("GET", base(api))] == [1, 1]
    only = {"rules": [rule("ip.src in $axb")]}
    await api.result("PUT", f"/accounts/{api.account_id}/rulesets/{ruleset['id']}", json=only)
    assert (await api.result("GET", f"{base(api)}/{one['id']}"))["num_referencing_filters"] == 0
    other, _ = await api.account()
    writer = allow("Account Rule Lists Write", "Account Rulesets Write", on=on_account(other))
    secret = await api.token(writer, owner="account", owner_id=other)
    await api.result("POST", f"/accounts/{other}/rules/lists", json={"name": "a_b", "kind": "ip"}, secret=secret)
    theirs = {"name": "theirs", "kind": "custom", "phase": CUSTOM, "rules": [rule("ip.src in $a_b")]}
    await api.result("POST", f"/accounts/{other}/rulesets", json=theirs, secret=secret)
    assert (await api.result("GET", f"{base(api)}/{one['id']}"))["num_referencing_filters"] == 0


async def test_a_rule_that_names_a_list_and_its_removal_do_not_pass_each_other(api: Api) -> None:
    zone = await api.zone()
    rules = {"rules": [rule("ip.src in $office")]}
    for _ in range(4):
        one = await made(api)
        saved, removed = await asyncio.gather(
            api.ask("PUT", f"/zones/{zone}/rulesets/phases/{CUSTOM}/entrypoint", json=rules),
            api.ask("DELETE", f"{base(api)}/{one['id']}"),
        )
        assert sorted([saved.status_code, removed.status_code]) == [200, 400]
        await put_rules(api, f"/zones/{zone}")
        if removed.status_code == 400:
            await api.result("DELETE", f"{base(api)}/{one['id']}")


async def test_a_reader_reads_and_writes_nothing(api: Api) -> None:
    one = await made(api)
    reader = await api.token(allow("Account Rule Lists Read", on=on_account(api.account_id)))
    assert (await api.ask("GET", f"{base(api)}/{one['id']}", secret=reader)).status_code == 200
    for method, path in (
        ("POST", base(api)),
        ("PUT", f"{base(api)}/{one['id']}"),
        ("DELETE", f"{base(api)}/{one['id']}"),
    ):
        answer = await api.ask(method, path, json={"name": "x", "kind": "ip"}, secret=reader)
        assert (answer.status_code, codes(answer)) == (403, [10000])
    assert (await api.ask("GET", base(api), secret="")).status_code == 403
