"""Custom rules, rate limits and managed rules of zones over the API: what is taken, what is refused, and who may do it."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from holdfast.edge.compile import compile_zone
from holdfast.model.rule_quota import MAX_CUSTOM_EXPRESSION_CHARS
from holdfast.rules.managed import HOLDFAST_RULESET_ID, holdfast_ruleset
from holdfast.store.schema import LISTS
from tests.api.harness import ABSENT, Api, allow, codes, on_zone

CUSTOM, RATE_LIMIT, MANAGED = "http_request_firewall_custom", "http_ratelimit", "http_request_firewall_managed"
TERMS: dict[str, Any] = {
    "characteristics": ["cf.colo.id", "ip.src"],
    "period": 60,
    "requests_per_period": 5,
    "mitigation_timeout": 600,
}
CHALLENGES = ("challenge", "js_challenge", "managed_challenge")
EXECUTE = {"id": HOLDFAST_RULESET_ID}
OWASP_ID = "4814384a9e5d4991b9815dcfc25d2f1f"
CLOUDFLARE_ID = "efb7b8c949ac4650a09736fc376e9aee"
FIRST_RULE = holdfast_ruleset().rules[0].id


def entrypoint(phase: str) -> str:
    return f"rulesets/phases/{phase}/entrypoint"


def rule(action: str = "block", **members: Any) -> dict[str, Any]:
    return {"action": action, "expression": 'http.request.uri.path eq "/chat"', **members}


async def put(api: Api, zone: str, phase: str, *rules: dict[str, Any], **options: Any) -> httpx.Response:
    """Put rules in a phase. What is taken is what an edge can run."""
    answer = await api.ask("PUT", f"/zones/{zone}/{entrypoint(phase)}", json={"rules": list(rules)}, **options)
    if answer.status_code == 200:
        compile_zone(next(one for one in api.control.publisher.snapshot().zones if one.id == zone), key=None)
    return answer


def message(answer: httpx.Response) -> str:
    found: str = answer.json()["errors"][0]["message"]
    return found


def where(answer: httpx.Response) -> tuple[int, str]:
    """The code of the first error, and what it points at."""
    error = answer.json()["errors"][0]
    return error["code"], error.get("source", {}).get("pointer", "")


async def test_a_custom_rule_blocks_challenges_logs_and_skips(api: Api) -> None:
    zone = await api.zone()
    await api.plan(zone, "enterprise")
    response = {"status_code": 418, "content_type": "application/json", "content": '{"no": true}'}
    rules = [
        rule(action_parameters={"response": response}),
        *(rule(challenge) for challenge in CHALLENGES),
        rule("log", expression='ip.src in {192.0.2.0/24} and http.host matches "^a"'),
        rule("skip", action_parameters={"phases": [RATE_LIMIT, MANAGED], "products": ["waf"], "ruleset": "current"}),
        rule("skip", action_parameters={"phase": "current"}, logging={"enabled": False}),
    ]
    answer = await put(api, zone, CUSTOM, *rules)
    assert answer.status_code == 200, answer.text
    shown = answer.json()["result"]["rules"]
    assert [one["action"] for one in shown] == ["block", *CHALLENGES, "log", "skip", "skip"]
    assert shown[0]["action_parameters"] == {"response": response}
    assert "action_parameters" not in shown[1]
    assert [one.get("logging") for one in shown[-3:]] == [None, {"enabled": True}, {"enabled": False}]
    assert (await api.result("GET", f"/zones/{zone}/{entrypoint(CUSTOM)}"))["rules"] == shown
    published = next(one for one in api.control.publisher.snapshot().zones if one.id == zone)
    (ruleset,) = published.rulesets
    assert (ruleset.phase, ruleset.kind, ruleset.version) == (CUSTOM, "zone", 1)
    assert [one.is_logged for one in ruleset.rules[-3:]] == [None, True, False]


async def test_a_rate_limit_is_kept_whole(api: Api) -> None:
    zone = await api.zone()
    await api.plan(zone, "enterprise")
    full = {
        **TERMS,
        "mitigation_timeout": 0,
        "characteristics": [
            "cf.colo.id",
            'http.request.headers["x-key"]',
            'http.request.cookies["session"][0]',
            'http.request.uri.args["q"]',
            "http.host",
            "ip.src.asnum",
            'lookup_json_string(http.request.uri.query, "a")',
            'concat(http.host, "/", http.request.uri.path)',
        ],
        "counting_expression": "ssl",
        "requests_to_origin": True,
    }
    answer = await put(api, zone, RATE_LIMIT, rule(ratelimit=full), rule("log", ratelimit=TERMS))
    assert answer.status_code == 200, answer.text
    first, second = answer.json()["result"]["rules"]
    assert first["ratelimit"] == full
    assert second["ratelimit"] == {**TERMS, "requests_to_origin": False}
    published = next(one for one in api.control.publisher.snapshot().zones if one.id == zone)
    terms = published.rulesets[0].rules[0].ratelimit
    assert terms is not None
    assert (terms.counting_expression, terms.period, terms.mitigation_timeout) == ("ssl", 60, 0)


BAD: list[tuple[str, dict[str, Any], int, str]] = [
    (CUSTOM, {"action": "route", "action_parameters": {"origin": {"port": 1}}}, 20120, "/action"),
    (CUSTOM, {"action": "execute", "action_parameters": EXECUTE}, 20120, "/action"),
    (CUSTOM, {"ratelimit": TERMS}, 20120, "/ratelimit"),
    (CUSTOM, {"logging": {"enabled": True}}, 20120, "/logging"),
    (CUSTOM, {"exposed_credential_check": {}}, 20120, "/exposed_credential_check"),
    (
        CUSTOM,
        {"action_parameters": {"response": {"status_code": 403}}},
        20122,
        "/action_parameters/response/content_type",
    ),
    (CUSTOM, {"action": "skip"}, 20120, "/action_parameters"),
    (CUSTOM, {"action": "skip", "action_parameters": {"rulesets": [ABSENT]}}, 20120, "/action_parameters/rulesets"),
    (CUSTOM, {"expression": "cf.colo.id eq 1"}, 20127, "/expression"),
    (CUSTOM, {"expression": 'regex_replace(http.host, "a", "b") eq "b"'}, 20127, "/expression"),
    (CUSTOM, {"expression": 'to_string(ssl) eq "b"'}, 20127, "/expression"),
    (RATE_LIMIT, {}, 20122, "/ratelimit"),
    (RATE_LIMIT, {"action": "skip", "ratelimit": TERMS}, 20120, "/action"),
    (RATE_LIMIT, {"ratelimit": {**TERMS, "period": 11}}, 20120, "/ratelimit/period"),
    (RATE_LIMIT, {"ratelimit": {**TERMS, "counting_expression": "nope"}}, 20127, "/ratelimit/counting_expression"),
    (
        RATE_LIMIT,
        {"ratelimit": {**TERMS, "counting_expression": "http.response.code eq 404"}},
        20127,
        "/ratelimit/counting_expression",
    ),
    (
        RATE_LIMIT,
        {"ratelimit": {**TERMS, "characteristics": ["cf.colo.id", "http.hots"]}},
        20127,
        "/ratelimit/characteristics/1",
    ),
    (
        RATE_LIMIT,
        {"ratelimit": {**TERMS, "characteristics": ["cf.colo.id", 'http.request.headers["X-Key"]']}},
        20127,
        "/ratelimit/characteristics/1",
    ),
    (
        RATE_LIMIT,
        {"ratelimit": {**TERMS, "characteristics": ["cf.colo.id", 'join(http.request.headers.names, ",")']}},
        20127,
        "/ratelimit/characteristics/1",
    ),
    (MANAGED, {}, 20120, "/action"),
    (MANAGED, {"action": "execute"}, 20122, "/action_parameters/id"),
    (MANAGED, {"action": "execute", "action_parameters": {"id": ABSENT}}, 20120, "/action_parameters/id"),
    (MANAGED, {"action": "execute", "action_parameters": {"id": OWASP_ID}}, 20120, "/action_parameters/id"),
    (
        MANAGED,
        {"action": "execute", "action_parameters": {**EXECUTE, "overrides": {"action": "route"}}},
        20120,
        "/action_parameters/overrides/action",
    ),
    (
        MANAGED,
        {"action": "execute", "action_parameters": {**EXECUTE, "overrides": {"rules": [{"id": ABSENT}]}}},
        20120,
        "/action_parameters/overrides/rules/0/id",
    ),
    (
        MANAGED,
        {"action": "execute", "action_parameters": {**EXECUTE, "overrides": {"categories": [{"category": "x"}]}}},
        20120,
        "/action_parameters/overrides/categories/0/category",
    ),
    (MANAGED, {"action": "skip", "action_parameters": {"products": ["waf"]}}, 20120, "/action_parameters/products"),
    (
        CUSTOM,
        {"action": "skip", "action_parameters": {"rules": {HOLDFAST_RULESET_ID: [FIRST_RULE]}}},
        20120,
        "/action_parameters/rules",
    ),
    (MANAGED, {"action": "skip", "action_parameters": {"rulesets": [ABSENT]}}, 20120, "/action_parameters/rulesets/0"),
    (
        MANAGED,
        {"action": "skip", "action_parameters": {"rules": {HOLDFAST_RULESET_ID: [FIRST_RULE, ABSENT]}}},
        20120,
        f"/action_parameters/rules/{HOLDFAST_RULESET_ID}/1",
    ),
]


async def test_what_could_not_work_is_refused_where_it_stands(api: Api) -> None:
    zone = await api.zone()
    await api.plan(zone, "enterprise")
    for phase, members, code, pointer in BAD:
        answer = await put(api, zone, phase, rule(**members))
        assert answer.status_code == 400, members
        assert where(answer) == (code, f"/rules/0{pointer}"), (members, answer.text)
    made = (await put(api, zone, CUSTOM)).json()["result"]
    answer = await api.ask(
        "POST", f"/zones/{zone}/rulesets/{made['id']}/rules", json=rule(expression='to_string(ssl) eq ""')
    )
    assert where(answer) == (20127, "/expression")


async def test_refusals_say_why(api: Api) -> None:
    zone = await api.zone()
    await api.plan(zone, "enterprise")
    sentences: list[tuple[str, dict[str, Any], str]] = [
        (CUSTOM, {"expression": 'to_string(ssl) eq ""'}, "the use of function to_string is not allowed in the phase"),
        (CUSTOM, {"expression": "ip.src in $cf.anonymizer"}, "the list $cf.anonymizer is Cloudflare's own"),
        (
            CUSTOM,
            {"expression": "ip.src in $office"},
            "Filter parsing error (1:11): ip.src in $office ^^^^^^^ unknown list",
        ),
        (MANAGED, {"action": "execute", "action_parameters": {"id": OWASP_ID}}, "`holdfast waf load-crs DIR` does"),
        (MANAGED, {"action": "execute", "action_parameters": {"id": CLOUDFLARE_ID}}, "deploy the Holdfast Managed"),
        (MANAGED, {"action": "execute", "action_parameters": {**EXECUTE, "version": "7"}}, "in their latest version"),
    ]
    for phase, members, sentence in sentences:
        assert sentence in message(await put(api, zone, phase, rule(**members))), members
    terms = {**TERMS, "counting_expression": "nope"}
    assert message(await put(api, zone, RATE_LIMIT, rule(ratelimit=terms))) == (
        "'nope' is not a valid value for counting_expression because could not parse filter expression: Filter parsing "
        "error (1:1): nope ^^^^ unknown identifier"
    )


async def test_managed_rules_are_deployed_with_overrides_and_exceptions(api: Api) -> None:
    zone = await api.zone()
    overrides = {
        "action": "log",
        "categories": [{"category": "origin", "action": "block"}],
        "rules": [{"id": FIRST_RULE, "enabled": False}],
    }
    skip = {"rules": {HOLDFAST_RULESET_ID: [FIRST_RULE]}}
    rules = [
        rule("skip", action_parameters=skip, expression='http.host eq "a"'),
        rule("skip", action_parameters={"rulesets": [HOLDFAST_RULESET_ID]}, expression='http.host eq "b"'),
        rule("skip", action_parameters={"ruleset": "current"}, expression='http.host eq "c"'),
        rule("execute", action_parameters={**EXECUTE, "version": "latest", "overrides": overrides}, expression="true"),
    ]
    answer = await put(api, zone, MANAGED, *rules)
    assert answer.status_code == 200, answer.text
    made = answer.json()["result"]
    assert made["rules"][3]["action_parameters"] == {**EXECUTE, "version": "latest", "overrides": overrides}
    path = f"/zones/{zone}/rulesets/{made['id']}/rules"
    twice = await api.ask("POST", path, json={**rules[3], "position": {"before": ""}})
    assert "a zone executes it once" in message(twice)
    assert where(twice) == (20120, "/action_parameters/id")


async def test_a_list_must_be_there_and_of_the_kind_that_is_looked_up(api: Api) -> None:
    zone = await api.zone()
    kinds = {"office": "ip", "hosts": "hostname", "networks": "asn"}
    async with api.control.database.write() as connection:
        for number, (name, kind) in enumerate(kinds.items()):
            row: dict[str, Any] = {"id": f"{number:032x}", "account_id": api.account_id, "name": name, "kind": kind}
            row |= {"description": "", "num_items": 0, "version": 1, "created_on": 0, "modified_on": 0}
            await connection.execute(sa.insert(LISTS).values(row))
    good = ["ip.src in $office", "http.host in $hosts", "ip.src.asnum in $networks and not ip.src in $office"]
    answer = await put(api, zone, CUSTOM, *(rule(expression=text) for text in good))
    assert answer.status_code == 200, answer.text
    for text in ("ip.src in $hosts", "ip.src.asnum in $office", "http.host in $networks", "ip.src in $nothing"):
        answer = await put(api, zone, CUSTOM, rule(expression=text))
        assert where(answer) == (20127, "/rules/0/expression"), text
    terms = {**TERMS, "counting_expression": "ip.src in $nothing"}
    assert where(await put(api, zone, RATE_LIMIT, rule(ratelimit=terms))) == (
        20127,
        "/rules/0/ratelimit/counting_expression",
    )


async def test_a_plan_has_so_many_rules_and_what_is_there_stays(api: Api) -> None:
    zone = await api.zone()
    await api.plan(zone, "pro")
    full = [rule(expression=f'http.host eq "{number}"', ref=str(number)) for number in range(20)]
    made = (await put(api, zone, CUSTOM, *full)).json()["result"]
    path = f"/zones/{zone}/rulesets/{made['id']}/rules"
    answer = await api.ask("POST", path, json=rule())
    assert where(answer) == (20216, "/rules")
    assert message(answer).startswith(
        f"exceeded the maximum number of rules in the phase {CUSTOM}: 21 out of 20 (the zone is on the plan Pro Website"
    )
    await api.plan(zone, "free")
    assert (await api.ask("POST", path, json=rule())).status_code == 400
    assert len((await api.result("DELETE", f"{path}/{made['rules'][0]['id']}"))["rules"]) == 19
    changed = {**full[1], "description": "changed"}
    assert (await put(api, zone, CUSTOM, changed, *full[2:])).status_code == 200
    assert (await put(api, zone, CUSTOM, *full)).status_code == 400


NOT_OF_EVERY_PLAN: list[tuple[str, dict[str, Any], str, str]] = [
    (CUSTOM, {"expression": 'http.host matches "^a"'}, "business", "/expression"),
    (CUSTOM, {"action": "log"}, "enterprise", "/action"),
    (
        CUSTOM,
        {"action_parameters": {"response": {"status_code": 400, "content_type": "text/plain", "content": ""}}},
        "pro",
        "/action_parameters/response",
    ),
    (
        CUSTOM,
        {"expression": 'is_timed_hmac_valid_v0("k", http.request.uri, 60, http.request.timestamp.sec, 8)'},
        "pro",
        "/expression",
    ),
    (RATE_LIMIT, {"ratelimit": {**TERMS, "mitigation_timeout": 0}}, "enterprise", "/ratelimit/mitigation_timeout"),
    (RATE_LIMIT, {"ratelimit": TERMS, "action": "challenge"}, "enterprise", "/ratelimit/mitigation_timeout"),
    (
        RATE_LIMIT,
        {"ratelimit": {**TERMS, "counting_expression": 'http.host matches "a"'}},
        "business",
        "/ratelimit/counting_expression",
    ),
]


async def test_a_plan_has_what_the_original_s_has(api: Api) -> None:
    zone = await api.zone()
    levels = ["free", "pro", "business", "enterprise"]
    for phase, members, first, pointer in NOT_OF_EVERY_PLAN:
        await api.plan(zone, levels[levels.index(first) - 1])
        answer = await put(api, zone, phase, rule(**members))
        assert where(answer) == (10010, f"/rules/0{pointer}"), (members, answer.text)
        assert "not entitled: the use of" in message(answer)
        await api.plan(zone, first)
        assert (await put(api, zone, phase, rule(**members))).status_code == 200, members
    # What it had is there on a smaller plan, and can be moved and kept; only changing it asks for the plan again.
    await api.plan(zone, "free")
    kept = await api.result("GET", f"/zones/{zone}/{entrypoint(RATE_LIMIT)}")
    path = f"/zones/{zone}/rulesets/{kept['id']}"
    assert (await api.ask("PUT", path, json={"rules": kept["rules"], "description": "kept"})).status_code == 200
    answer = await api.ask("PUT", path, json={"rules": [{**kept["rules"][0], "description": "changed"}]})
    assert codes(answer) == [10010]


async def test_a_thousand_rules_have_room(api: Api) -> None:
    zone = await api.zone()
    await api.plan(zone, "enterprise")
    rules = [rule(expression=f'http.host eq "{number}" and not ip.src in {{192.0.2.0/24}}') for number in range(1000)]
    answer = await put(api, zone, CUSTOM, *rules)
    assert answer.status_code == 200, answer.text[:300]
    assert len(answer.json()["result"]["rules"]) == 1000
    assert 1000 * len(rules[0]["expression"]) < MAX_CUSTOM_EXPRESSION_CHARS


@pytest.mark.parametrize("phase", [CUSTOM, MANAGED])
async def test_a_token_sees_and_writes_the_phases_it_is_for(api: Api, phase: str) -> None:
    zone = await api.zone()
    origin = {"action": "route", "expression": "ssl", "action_parameters": {"origin": {"port": 1}}}
    firewall = rule("execute", action_parameters=EXECUTE) if phase == MANAGED else rule()
    ids = {}
    for name, one in (("http_request_origin", origin), (phase, firewall)):
        ids[name] = (await put(api, zone, name, one)).json()["result"]["id"]
    for permission, mine, theirs in (
        ("Origin Write", "http_request_origin", phase),
        ("Zone WAF Write", phase, "http_request_origin"),
    ):
        secret = await api.token(allow(permission, on=on_zone(zone)))
        listed = await api.result("GET", f"/zones/{zone}/rulesets", secret=secret)
        assert [one["id"] for one in listed if one["kind"] == "zone"] == [ids[mine]]
        assert any(one["kind"] == "managed" for one in listed) is (permission == "Zone WAF Write")
        assert (await api.ask("GET", f"/zones/{zone}/rulesets/{ids[mine]}", secret=secret)).status_code == 200
        for method, path, expected in (
            ("GET", f"rulesets/{ids[theirs]}", 404),
            ("GET", f"rulesets/{ids[theirs]}/versions", 404),
            ("GET", entrypoint(theirs), 403),
            ("GET", f"{entrypoint(theirs)}/versions", 403),
            ("PUT", entrypoint(theirs), 403),
            ("PUT", f"rulesets/{ids[theirs]}", 404),
            ("DELETE", f"rulesets/{ids[theirs]}", 404),
            ("POST", f"rulesets/{ids[theirs]}/rules", 404),
        ):
            body = None if method in {"GET", "DELETE"} else {"rules": [], "action": "block", "expression": "ssl"}
            answer = await api.ask(method, f"/zones/{zone}/{path}", json=body, secret=secret)
            assert answer.status_code == expected, (permission, method, path, answer.text)
    reader = await api.token(allow("Zone WAF Read", on=on_zone(zone)))
    answer = await api.ask("DELETE", f"/zones/{zone}/rulesets/{ids[phase]}", secret=reader)
    assert answer.status_code == 403


async def test_every_write_is_in_the_audit_log(api: Api) -> None:
    zone = await api.zone()
    made = (await put(api, zone, CUSTOM, rule())).json()["result"]
    await api.ask("DELETE", f"/zones/{zone}/rulesets/{made['id']}")
    removed, created = [one for one in await api.entries() if one["resource"]["type"] == "ruleset"]
    assert (created["action"]["type"], removed["action"]["type"]) == ("create", "delete")
    assert json.loads(created["newValue"])["rules"][0]["action"] == "block"
