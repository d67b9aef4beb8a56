"""Rulesets of accounts over the API: entrypoints, what they execute, managed rulesets, and who may write them."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from holdfast.edge.firewall.account import compile_account
from holdfast.model.rule_quota import ACCOUNT_RULES, ACCOUNT_RULESETS
from holdfast.rules.managed import HOLDFAST_RULESET_ID, holdfast_ruleset
from holdfast.store.schema import ACCOUNTS
from tests.api.harness import ABSENT, Api, allow, codes, on_account, on_zone

CUSTOM, RATE_LIMIT, MANAGED = "http_request_firewall_custom", "http_ratelimit", "http_request_firewall_managed"
TERMS = {"characteristics": ["cf.colo.id"], "period": 10, "requests_per_period": 1, "mitigation_timeout": 0}


def block(path: str = "/chat", **members: Any) -> dict[str, Any]:
    return {"action": "block", "expression": f'http.request.uri.path eq "{path}"', **members}


def execute(ruleset_id: str, expression: str = 'cf.zone.name eq "example.com"') -> dict[str, Any]:
    return {"action": "execute", "expression": expression, "action_parameters": {"id": ruleset_id}}


def base(api: Api) -> str:
    return f"/accounts/{api.account_id}/rulesets"


async def create(api: Api, *rules: dict[str, Any], phase: str = CUSTOM, **members: Any) -> httpx.Response:
    body = {"name": "mine", "kind": "custom", "phase": phase, "rules": list(rules), **members}
    return await api.ask("POST", base(api), json=body)


async def put(api: Api, *rules: dict[str, Any], phase: str = CUSTOM) -> httpx.Response:
    """Put rules in a phase. What is taken is what an edge can run."""
    answer = await api.ask("PUT", f"{base(api)}/phases/{phase}/entrypoint", json={"rules": list(rules)})
    if answer.status_code == 200:
        compile_account(next(one for one in api.control.publisher.snapshot().accounts if one.id == api.account_id))
    return answer


async def made(api: Api, *rules: dict[str, Any], phase: str = CUSTOM) -> dict[str, Any]:
    answer = await create(api, *rules, phase=phase)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["result"]
    return found


def pointer(answer: httpx.Response) -> str:
    found: str = answer.json()["errors"][0]["source"]["pointer"]
    return found


async def test_a_root_executes_what_the_account_has(api: Api) -> None:
    custom = await made(api, block(), {"action": "log", "expression": 'http.host matches "^a"'})
    assert (custom["kind"], custom["version"], custom["name"]) == ("custom", "1", "mine")
    root = (await put(api, execute(custom["id"]))).json()["result"]
    assert (root["kind"], root["name"]) == ("root", "default")
    assert root["rules"][0]["action_parameters"] == {"id": custom["id"], "version": "latest"}
    limits = await made(api, block(ratelimit=TERMS), phase=RATE_LIMIT)
    assert (await put(api, execute(limits["id"]), phase=RATE_LIMIT)).status_code == 200
    document = api.control.publisher.snapshot().accounts[0]
    assert {one.id for one in document.rulesets} >= {custom["id"], root["id"], limits["id"]}
    assert await api.result("GET", f"{base(api)}/{custom['id']}") == custom
    assert await api.result("GET", f"{base(api)}/phases/{CUSTOM}/entrypoint") == root


async def test_what_is_executed_cannot_be_removed_until_it_is_not(api: Api) -> None:
    custom = await made(api, block())
    root = (await put(api, execute(custom["id"]))).json()["result"]
    answer = await api.ask("DELETE", f"{base(api)}/{custom['id']}")
    assert (answer.status_code, codes(answer)) == (400, [20120])
    assert answer.json()["errors"][0]["message"] == (
        f"ruleset {custom['id']} is executed by ruleset {root['id']}: remove that rule first"
    )
    assert (await put(api)).status_code == 200
    assert (await api.ask("DELETE", f"{base(api)}/{custom['id']}")).status_code == 204
    assert (await api.ask("GET", f"{base(api)}/{custom['id']}")).status_code == 404


async def test_a_root_executes_nothing_that_is_not_there_or_has_no_place(api: Api) -> None:
    custom, limits = await made(api, block()), await made(api, phase=RATE_LIMIT)
    other, _ = await api.account()
    theirs = await api.token(allow("Account WAF Write", on=on_account(other)), owner="account", owner_id=other)
    body = {"name": "n", "kind": "custom", "phase": CUSTOM}
    foreign = (await api.ask("POST", f"/accounts/{other}/rulesets", json=body, secret=theirs)).json()["result"]
    for target in (ABSENT, foreign["id"], limits["id"], HOLDFAST_RULESET_ID):
        answer = await put(api, execute(target))
        assert (answer.status_code, pointer(answer)) == (400, "/rules/0/action_parameters/id"), target
    overridden = execute(custom["id"])
    overridden["action_parameters"]["overrides"] = {"action": "log"}
    assert pointer(await put(api, overridden)) == "/rules/0/action_parameters/overrides"
    assert pointer(await put(api, block())) == "/rules/0/action"
    zone = await api.zone()
    path = f"/zones/{zone}/rulesets/phases/{MANAGED}/entrypoint"
    answer = await api.ask("PUT", path, json={"rules": [execute(custom["id"])]})
    assert pointer(answer) == "/rules/0/action_parameters/id"


async def test_managed_rules_are_executed_by_accounts_as_often_as_wanted(api: Api) -> None:
    own = await made(api, execute(HOLDFAST_RULESET_ID), phase=MANAGED)
    skip = {"action": "skip", "expression": "ssl", "action_parameters": {"rulesets": [own["id"]]}}
    rules = [skip, execute(own["id"]), execute(HOLDFAST_RULESET_ID), execute(HOLDFAST_RULESET_ID, "ssl")]
    answer = await put(api, *rules, phase=MANAGED)
    assert answer.status_code == 200, answer.text
    zone = await api.zone()
    path = f"/zones/{zone}/rulesets/phases/{MANAGED}/entrypoint"
    answer = await api.ask("PUT", path, json={"rules": [skip]})
    assert answer.status_code == 200, answer.text


async def test_bad_rulesets_of_accounts_are_refused(api: Api) -> None:
    bad: list[tuple[dict[str, Any], int, str]] = [
        ({"kind": "zone"}, 20120, "/kind"),
        ({"kind": "managed"}, 20120, "/kind"),
        ({"phase": "http_request_origin"}, 20120, "/phase"),
        ({"phase": "ddos_l7"}, 20120, "/phase"),
        ({"rules": [block(action="execute")]}, 20120, "/rules/0/action"),
        (
            {"rules": [block(action="skip", action_parameters={"phase": "current"})]},
            20120,
            "/rules/0/action_parameters/phase",
        ),
    ]
    for members, code, where in bad:
        answer = await create(api, **members) if "rules" not in members else await create(api, *members["rules"])
        assert (answer.status_code, codes(answer), pointer(answer)) == (400, [code], where), members
    zone = await api.zone()
    body = {"name": "n", "kind": "custom", "phase": CUSTOM}
    assert codes(await api.ask("POST", f"/zones/{zone}/rulesets", json=body)) == [20120]
    body["kind"] = "root"
    assert (await api.ask("POST", base(api), json=body)).status_code == 200
    assert codes(await api.ask("POST", base(api), json=body)) == [20217]


async def test_accounts_have_room_for_so_much(api: Api) -> None:
    full = [block(str(number)) for number in range(ACCOUNT_RULES)]
    assert codes(await create(api, *full, block())) == [20216]
    for _ in range(ACCOUNT_RULESETS - 1):
        await made(api, *full)
    await made(api)
    assert codes(await create(api)) == [20217]
    await made(api, phase=RATE_LIMIT)
    last = await made(api, phase=MANAGED)
    root = await put(api, *(execute(HOLDFAST_RULESET_ID) for _ in range(ACCOUNT_RULES)), phase=MANAGED)
    assert root.status_code == 200
    listed = await api.result("GET", base(api))
    of_custom = next(one["id"] for one in listed if one["phase"] == CUSTOM and one["version"] == "1")
    skips = [{"action": "skip", "expression": "ssl", "action_parameters": {"ruleset": "current"}}] * ACCOUNT_RULES
    assert (await put(api, *skips)).status_code == 200
    answer = await api.ask("PUT", f"{base(api)}/{of_custom}", json={"rules": [*full, block()]})
    assert codes(answer) == [20216]
    assert last["rules"] == []


async def test_managed_rulesets_are_shown_at_both_levels(api: Api) -> None:
    zone, ours = await api.zone(), holdfast_ruleset()
    for path in (base(api), f"/zones/{zone}/rulesets"):
        (entry,) = await api.result("GET", path)
        assert (entry["id"], entry["kind"], entry["phase"]) == (HOLDFAST_RULESET_ID, "managed", MANAGED)
        for suffix in ("", f"/versions/{ours.version}", "/versions/latest"):
            shown = await api.result("GET", f"{path}/{HOLDFAST_RULESET_ID}{suffix}")
            assert [rule["id"] for rule in shown["rules"]] == [rule.id for rule in ours.rules]
            assert not any("expression" in rule for rule in shown["rules"])
            assert shown["rules"][0]["categories"] == list(ours.rules[0].categories)
        assert await api.result("GET", f"{path}/{HOLDFAST_RULESET_ID}/versions") == [entry]
        tag = ours.rules[0].categories[0]
        tagged = await api.result("GET", f"{path}/{HOLDFAST_RULESET_ID}/versions/{ours.version}/by_tag/{tag}")
        assert {rule["id"] for rule in tagged["rules"]} == {rule.id for rule in ours.rules if tag in rule.categories}
        for suffix in ("/versions/999", f"/versions/999/by_tag/{tag}"):
            assert codes(await api.ask("GET", f"{path}/{HOLDFAST_RULESET_ID}{suffix}")) == [10003]


@pytest.mark.parametrize("is_zone", [False, True])
async def test_what_would_change_a_managed_ruleset_is_told_that_nobody_can(api: Api, is_zone: bool) -> None:
    zone, a_rule = await api.zone(), holdfast_ruleset().rules[0].id
    path = f"{f'/zones/{zone}/rulesets' if is_zone else base(api)}/{HOLDFAST_RULESET_ID}"
    for method, suffix in (
        ("PUT", ""),
        ("DELETE", ""),
        ("POST", "/rules"),
        ("PATCH", f"/rules/{a_rule}"),
        ("DELETE", f"/rules/{a_rule}"),
        ("DELETE", "/versions/1"),
    ):
        answer = await api.ask(method, f"{path}{suffix}", json=block())
        assert (answer.status_code, codes(answer)) == (400, [20120]), (method, suffix)
        assert answer.json()["errors"][0]["message"] == (
            f"ruleset {HOLDFAST_RULESET_ID} cannot be changed because it is managed: its rules are changed by the overrides "
            "of the rule that executes it"
        )


async def test_who_may_not_write_managed_rules_is_told_so_first(api: Api) -> None:
    zone = await api.zone()
    reader = await api.token(allow("Zone WAF Read", "Origin Write", on=on_zone(zone)))
    stranger = await api.token(allow("Origin Write", on=on_zone(zone)))
    path = f"/zones/{zone}/rulesets/{HOLDFAST_RULESET_ID}"
    assert (await api.ask("DELETE", path, secret=reader)).status_code == 403
    assert (await api.ask("DELETE", path, secret=stranger)).status_code == 404


async def test_pages_follow_their_cursor(api: Api) -> None:
    for _ in range(4):
        await made(api)
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = await api.ask("GET", f"{base(api)}?per_page=2" + (f"&cursor={cursor}" if cursor else ""))
        body = answer.json()
        assert body["result_info"]["count"] == len(body["result"])
        seen += [one["id"] for one in body["result"]]
        cursor = body["result_info"].get("cursor")
    assert seen == [one["id"] for one in await api.result("GET", base(api))]
    assert len(set(seen)) == 5
    page = (await api.ask("GET", f"{base(api)}?per_page=2")).json()
    await api.ask("DELETE", f"{base(api)}/{page['result'][1]['id']}")
    rest = await api.result("GET", f"{base(api)}?cursor={page['result_info']['cursor']}")
    assert [one["id"] for one in rest] == seen[2:]
    for wrong in ("x", "%ff", "a" * 200, "MSB4"):
        assert (await api.ask("GET", f"{base(api)}?cursor={wrong}")).status_code == 400
    for wrong in ("0", "51", "x"):
        assert (await api.ask("GET", f"{base(api)}?per_page={wrong}")).status_code == 400


async def test_either_permission_of_the_account_lets_in_and_no_other(api: Api) -> None:
    for name in ("Account WAF", "Account Rulesets"):
        reader = await api.token(allow(f"{name} Read", on=on_account(api.account_id)))
        writer = await api.token(allow(f"{name} Write", on=on_account(api.account_id)))
        body = {"name": name, "kind": "custom", "phase": CUSTOM}
        assert (await api.ask("POST", base(api), json=body, secret=reader)).status_code == 403
        assert (await api.ask("POST", base(api), json=body, secret=writer)).status_code == 200
        assert (await api.ask("GET", base(api), secret=reader)).status_code == 200
    stranger = await api.token(allow("Account Settings Write", "Zone WAF Write", on=on_account(api.account_id)))
    assert (await api.ask("GET", base(api), secret=stranger)).status_code == 403


async def test_writes_raise_the_account_s_version_and_are_in_its_audit_log(api: Api) -> None:
    before = await account_version(api)
    custom = await made(api, block())
    assert await account_version(api) == before + 1
    await api.ask("PUT", f"{base(api)}/{custom['id']}", json={"rules": custom["rules"]})
    await api.ask("PUT", f"{base(api)}/{custom['id']}?dry_run=true", json={"rules": []})
    assert await account_version(api) == before + 1
    newest = (await api.entries())[0]
    assert (newest["action"]["type"], newest["resource"]["id"]) == ("create", custom["id"])


async def account_version(api: Api) -> int:
    async with api.control.database.read() as connection:
        return await connection.scalar(sa.select(ACCOUNTS.c.version).where(ACCOUNTS.c.id == api.account_id)) or 0
