"""Rulesets over the API: origin rules, their versions and places, and the dry run."""

import asyncio
import secrets
from typing import Any

import pytest
from cloudflare import BadRequestError, NotFoundError

from holdfast.edge.compile import compile_zone
from holdfast.model.rule_quota import MAX_EXPRESSION_CHARS
from holdfast.rules.known import KNOWN
from tests.api.harness import ABSENT, Api, codes
from tests.api.serving import sdk

ENTRYPOINT = "rulesets/phases/http_request_origin/entrypoint"


def _rule(name: str = "www", **members: Any) -> dict[str, Any]:
    return {
        "action": "route",
        "expression": f'http.host eq "{name}.example.com"',
        "action_parameters": {"origin": {"port": 8443}},
        **members,
    }


async def _put(api: Api, zone: str, *rules: dict[str, Any], **members: Any) -> Any:
    return await api.result("PUT", f"/zones/{zone}/{ENTRYPOINT}", json={"rules": list(rules), **members})


async def _own(api: Api, zone: str) -> list[dict[str, Any]]:
    """The zone's rulesets in the list, without the managed ones."""
    listed = await api.result("GET", f"/zones/{zone}/rulesets")
    return [one for one in listed if one["kind"] != "managed"]


def _descriptions(ruleset: Any) -> list[str]:
    return [rule["description"] for rule in ruleset["rules"]]


async def test_a_phase_has_no_ruleset_until_rules_are_put(api: Api) -> None:
    zone = await api.zone()
    answer = await api.ask("GET", f"/zones/{zone}/{ENTRYPOINT}")
    assert (answer.status_code, codes(answer)) == (404, [10003])
    assert answer.json()["errors"][0]["message"] == (
        "could not find entrypoint ruleset in the http_request_origin phase"
    )
    made = await _put(api, zone, _rule(description="first", ref="mine", enabled=False))
    (rule,) = made["rules"]
    assert made == {
        "id": made["id"],
        "name": "default",
        "description": "",
        "kind": "zone",
        "version": "1",
        "phase": "http_request_origin",
        "last_updated": made["last_updated"],
        "rules": [
            {
                "id": rule["id"],
                "version": "1",
                "action": "route",
                "action_parameters": {"origin": {"port": 8443}},
                "expression": 'http.host eq "www.example.com"',
                "description": "first",
                "last_updated": made["last_updated"],
                "ref": "mine",
                "enabled": False,
            }
        ],
    }
    assert await api.result("GET", f"/zones/{zone}/{ENTRYPOINT}") == made
    assert await api.result("GET", f"/zones/{zone}/rulesets/{made['id']}") == made
    listed = await _own(api, zone)
    assert listed == [{name: value for name, value in made.items() if name != "rules"}]


async def test_a_rule_is_published_as_it_is_kept(api: Api) -> None:
    zone = await api.zone()
    parameters = {
        "host_header": "Inner.Example.com:8080",
        "origin": {"host": "10.0.0.9", "port": 1},
        "sni": {"value": "TLS.example.com"},
        "unknown": 1,
    }
    await _put(api, zone, _rule(action_parameters=parameters), _rule("api", enabled=False))
    (document,) = api.control.publisher.snapshot().zones
    first, second = document.origin_rules
    assert (first.host_header, first.origin_host, first.origin_port, first.sni, first.enabled) == (
        "inner.example.com:8080", "10.0.0.9", 1, "tls.example.com", True,
    )  # fmt: skip
    assert (second.origin_port, second.enabled) == (8443, False)


BAD_RULES: list[tuple[dict[str, Any], int, str]] = [
    ({"expression": 'http.hots eq "a"'}, 20127, "/expression"),
    ({"expression": "  "}, 20125, "/expression"),
    ({"expression": None}, 20125, "/expression"),
    ({"expression": "(" * 3000}, 20127, "/expression"),
    ({"expression": "http.host"}, 20127, "/expression"),
    ({"action": "block"}, 20120, "/action"),
    ({"action": None}, 20122, "/action"),
    ({"action_parameters": None}, 20120, "/action_parameters"),
    ({"action_parameters": {"sni": {}, "origin": None}}, 20120, "/action_parameters"),
    ({"action_parameters": {"origin": []}}, 20120, "/action_parameters/origin"),
    ({"action_parameters": {"origin": {"port": 0}}}, 20120, "/action_parameters/origin/port"),
    ({"action_parameters": {"origin": {"port": 65_536}}}, 20120, "/action_parameters/origin/port"),
    ({"action_parameters": {"origin": {"port": True}}}, 20120, "/action_parameters/origin/port"),
    ({"action_parameters": {"origin": {"port": "443"}}}, 20120, "/action_parameters/origin/port"),
    ({"action_parameters": {"origin": {"host": "a b"}}}, 20120, "/action_parameters/origin/host"),
    ({"action_parameters": {"origin": {"host": "169.254.169.254"}}}, 20120, "/action_parameters/origin/host"),
    ({"action_parameters": {"host_header": "a\r\nb"}}, 20120, "/action_parameters/host_header"),
    ({"action_parameters": {"host_header": "a.example:70000"}}, 20120, "/action_parameters/host_header"),
    ({"action_parameters": {"sni": {"value": 7}}}, 20120, "/action_parameters/sni/value"),
    ({"id": ABSENT}, 20120, "/id"),
    ({"ratelimit": {}}, 20120, "/ratelimit"),
    ({"enabled": "perhaps"}, 1004, "/enabled"),
    ({"description": "x" * 501}, 1004, "/description"),
    ({"action_parameters": "none"}, 1004, "/action_parameters"),
]


async def test_bad_rules_are_refused_where_they_stand(api: Api) -> None:
    zone = await api.zone()
    for members, code, pointer in BAD_RULES:
        rules = [_rule(), _rule(**members)]
        answer = await api.ask("PUT", f"/zones/{zone}/{ENTRYPOINT}", json={"rules": rules})
        assert (answer.status_code, codes(answer)) == (400, [code]), members
        assert answer.json()["errors"][0]["source"] == {"pointer": f"/rules/1{pointer}"}, members
    assert await _own(api, zone) == []


async def test_an_expression_is_refused_in_the_words_of_the_original(api: Api) -> None:
    zone = await api.zone()
    words = {
        'http.hots eq "a"': "'http.hots eq \"a\"' is not a valid value for expression because could not parse filter "
        'expression: Filter parsing error (1:1): http.hots eq "a" ^^^^^^^^^ unknown identifier',
        "": "'' is not a valid value for expression because the expression cannot be blank",
    }
    for expression, message in words.items():
        rules = [_rule(expression=expression)]
        answer = await api.ask("PUT", f"/zones/{zone}/{ENTRYPOINT}", json={"rules": rules})
        assert answer.json()["errors"][0]["message"] == message


async def test_bad_rulesets_are_refused(api: Api) -> None:
    zone = await api.zone()
    made = await _put(api, zone)
    bad: list[tuple[str, str, Any, int]] = [
        ("PUT", ENTRYPOINT, {"rules": [_rule()] * 301}, 20216),
        ("PUT", ENTRYPOINT, {"rules": [_rule()] * 1001}, 1004),
        ("PUT", ENTRYPOINT, {"rules": {}}, 1004),
        ("PUT", ENTRYPOINT, {"rules": [_rule(ref="a"), _rule(ref="a")]}, 20120),
        ("PUT", ENTRYPOINT, {"kind": "root"}, 20120),
        ("PUT", ENTRYPOINT, {"phase": "http_ratelimit"}, 20120),
        ("PUT", "rulesets/phases/http_request_cache_settings/entrypoint", {"rules": []}, 20120),
        ("POST", "rulesets", {"kind": "zone", "name": "n", "phase": "http_request_origin"}, 20217),
        ("POST", "rulesets", {"kind": "zone", "name": "n", "phase": "nothing"}, 20120),
        ("POST", "rulesets", {"kind": "zone", "name": "", "phase": "http_request_origin"}, 1004),
        ("POST", "rulesets", {}, 1004),
        ("PUT", f"rulesets/{made['id']}", [], 1004),
        ("PUT", f"rulesets/{made['id']}?dry_run=false", {}, 1004),
        ("DELETE", f"rulesets/{made['id']}?dry_run=1", None, 1004),
    ]
    for method, path, body, code in bad:
        answer = await api.ask(method, f"/zones/{zone}/{path}", json=body)
        assert (answer.status_code, codes(answer)[0]) == (400, code), (method, path, body)
    assert await api.result("GET", f"/zones/{zone}/{ENTRYPOINT}") == made


async def test_what_is_not_there_is_not_found(api: Api) -> None:
    zone, other = await api.zone(), await api.zone("example.org")
    mine = await _put(api, zone, _rule())
    theirs = await _put(api, other, _rule())
    places: list[tuple[str, str, Any]] = [
        ("GET", f"rulesets/{ABSENT}", None),
        ("GET", f"rulesets/{theirs['id']}", None),
        ("PUT", f"rulesets/{theirs['id']}", {"rules": []}),
        ("DELETE", f"rulesets/{theirs['id']}", None),
        ("POST", f"rulesets/{theirs['id']}/rules", _rule()),
        ("PATCH", f"rulesets/{mine['id']}/rules/{theirs['rules'][0]['id']}", _rule()),
        ("DELETE", f"rulesets/{mine['id']}/rules/{ABSENT}", None),
        ("GET", "rulesets/phases/http_request_firewall_custom/entrypoint", None),
    ]
    for method, path, body in places:
        answer = await api.ask(method, f"/zones/{zone}/{path}", json=body)
        assert (answer.status_code, codes(answer)) == (404, [10003]), path
    for path in (f"rulesets/{mine['id']}/rules/nope", "rulesets/nope"):
        answer = await api.ask("DELETE", f"/zones/{zone}/{path}")
        assert (answer.status_code, codes(answer)) == (404, [7003, 7000])
    assert await api.result("GET", f"/zones/{other}/{ENTRYPOINT}") == theirs


async def test_versions_count_what_changed(api: Api) -> None:
    zone = await api.zone()
    made = await _put(api, zone, _rule("a", ref="a"), _rule("b", ref="b"))
    api.clock.advance(1)
    same = await _put(api, zone, _rule("a", ref="a"), _rule("b", ref="b"))
    assert same == made
    moved = await _put(api, zone, _rule("b", ref="b"), _rule("a", ref="a"))
    assert (moved["version"], [rule["version"] for rule in moved["rules"]]) == ("2", ["1", "1"])
    assert [rule["id"] for rule in moved["rules"]] == [rule["id"] for rule in made["rules"][::-1]]
    ids = [rule["id"] for rule in moved["rules"]]
    changed = await _put(api, zone, _rule("b", id=ids[0]), _rule("a", id=ids[1], enabled=False))
    assert (changed["version"], [rule["version"] for rule in changed["rules"]]) == ("3", ["1", "2"])
    assert [(rule["id"], rule["ref"]) for rule in changed["rules"]] == [(ids[0], "b"), (ids[1], "a")]
    described = await api.result("PUT", f"/zones/{zone}/rulesets/{made['id']}", json={"description": "ours"})
    assert (described["version"], described["description"], described["rules"]) == ("4", "ours", changed["rules"])
    assert made["last_updated"] < changed["last_updated"] < described["last_updated"]


async def test_rules_go_where_they_are_put(api: Api) -> None:
    zone = await api.zone()
    made = await _put(api, zone, _rule(description="b"))
    anchor = made["rules"][0]["id"]
    path = f"/zones/{zone}/rulesets/{made['id']}/rules"
    for name, position in (
        ("a", {"before": ""}),
        ("e", {"after": ""}),
        ("c", {"after": anchor}),
        ("d", {"index": 4}),
        ("f", None),
    ):
        made = await api.result("POST", path, json=_rule(description=name, position=position))
    assert _descriptions(made) == ["a", "b", "c", "d", "e", "f"]
    by_name = {rule["description"]: rule["id"] for rule in made["rules"]}
    for name, position, order in (
        ("f", {"index": 1}, "fabcde"),
        ("f", {"before": by_name["c"]}, "abfcde"),
        ("a", {"after": ""}, "bfcdea"),
        ("a", {"index": 6}, "bfcdea"),
    ):
        made = await api.result("PATCH", f"{path}/{by_name[name]}", json={"position": position})
        assert "".join(_descriptions(made)) == order
        assert {rule["version"] for rule in made["rules"]} == {"1"}
    made = await api.result("DELETE", f"{path}/{by_name['d']}")
    assert "".join(_descriptions(made)) == "bfcea"
    wrong: tuple[dict[str, object], ...] = (
        {"index": 0},
        {"index": 7},
        {"before": ABSENT},
        {},
        {"index": 1, "after": ""},
        {"index": "x"},
        {"index": True},
        {"index": "1"},
    )
    for position in wrong:
        answer = await api.ask("PATCH", f"{path}/{by_name['b']}", json={"position": position})
        assert answer.status_code == 400, position


async def test_a_rule_is_changed_whole(api: Api) -> None:
    zone = await api.zone()
    made = await _put(api, zone, _rule(description="old", ref="r"))
    path = f"/zones/{zone}/rulesets/{made['id']}/rules/{made['rules'][0]['id']}"
    changed = await api.result("PATCH", path, json=_rule("api", enabled=False, position={"index": 1}))
    (rule,) = changed["rules"]
    assert (rule["id"], rule["ref"], rule["version"], rule["description"], rule["enabled"]) == (
        made["rules"][0]["id"], "r", "2", "", False,
    )  # fmt: skip
    for body, code in (({"enabled": True}, 20122), (_rule(expression=""), 20125), (_rule(action="skip"), 20120)):
        answer = await api.ask("PATCH", path, json=body)
        assert (answer.status_code, codes(answer)) == (400, [code])
    assert await api.result("GET", f"/zones/{zone}/{ENTRYPOINT}") == changed
    assert await api.result("PATCH", path, json={}) == changed


async def test_a_dry_run_answers_as_the_write_would_and_writes_nothing(api: Api) -> None:
    zone = await api.zone()
    assert await api.result("PUT", f"/zones/{zone}/{ENTRYPOINT}?dry_run=true", json={"rules": [_rule()]}) is None
    assert await _own(api, zone) == []
    made = await _put(api, zone, _rule())
    revision, entries = api.control.publisher.revision, len(await api.entries())
    rules = f"rulesets/{made['id']}/rules"
    for method, path, body, status in (
        ("PUT", f"rulesets/{made['id']}", {"rules": []}, 200),
        ("POST", rules, _rule("b"), 200),
        ("PATCH", f"{rules}/{made['rules'][0]['id']}", _rule("c"), 200),
        ("DELETE", f"{rules}/{made['rules'][0]['id']}", None, 200),
        ("DELETE", f"rulesets/{made['id']}", None, 204),
        ("POST", rules, _rule(expression="x"), 400),
        ("DELETE", f"{rules}/{ABSENT}", None, 404),
    ):
        answer = await api.ask(method, f"/zones/{zone}/{path}?dry_run=true", json=body)
        assert answer.status_code == status, path
        assert status != 200 or answer.json()["result"] is None
    assert await api.result("GET", f"/zones/{zone}/{ENTRYPOINT}") == made
    assert (api.control.publisher.revision, len(await api.entries())) == (revision, entries)


async def test_a_removed_ruleset_is_gone_with_its_rules(api: Api) -> None:
    zone = await api.zone()
    made = await _put(api, zone, _rule())
    answer = await api.ask("DELETE", f"/zones/{zone}/rulesets/{made['id']}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert api.control.publisher.snapshot().zones[0].origin_rules == ()
    again = await api.result(
        "POST", f"/zones/{zone}/rulesets", json={"kind": "zone", "name": "n", "phase": "http_request_origin"}
    )
    assert (again["version"], again["rules"], again["name"]) == ("1", [], "n")
    actions = [one["action"]["type"] for one in await api.entries() if one["resource"]["type"] == "ruleset"]
    assert actions == ["create", "delete", "create"]


async def test_rules_that_are_added_at_once_are_all_there(api: Api) -> None:
    zone = await api.zone()
    made = await _put(api, zone)
    path = f"/zones/{zone}/rulesets/{made['id']}/rules"
    await asyncio.gather(*(api.result("POST", path, json=_rule(description=str(n))) for n in range(6)))
    ruleset = await api.result("GET", f"/zones/{zone}/{ENTRYPOINT}")
    assert sorted(_descriptions(ruleset)) == [str(n) for n in range(6)]
    assert ruleset["version"] == "7"


async def test_rules_are_compiled_once_however_often_their_zone_changes(api: Api) -> None:
    zone = await api.zone()
    before = KNOWN.statistics()["expression_compilations"]
    await _put(api, zone, *(_rule(f"once{number}-{secrets.token_hex(4)}") for number in range(20)))
    assert KNOWN.statistics()["expression_compilations"] - before == 20
    for value in ("off", "on"):
        await api.result("PATCH", f"/zones/{zone}/settings/websockets", json={"value": value})
    published = {one.id: one for one in api.control.publisher.snapshot().zones}[zone]
    compile_zone(published, key=None)
    assert KNOWN.statistics()["expression_compilations"] - before == 20


async def test_expressions_have_room_together(api: Api) -> None:
    zone = await api.zone()
    long = " or ".join([f'http.host eq "{"x" * 60}"'] * 50)
    rules = [_rule(expression=long)] * (MAX_EXPRESSION_CHARS // len(long) + 1)
    answer = await api.ask("PUT", f"/zones/{zone}/{ENTRYPOINT}", json={"rules": rules})
    assert (answer.status_code, codes(answer)) == (400, [20218])
    assert answer.json()["errors"][0]["source"] == {"pointer": "/rules"}
    made = await _put(api, zone, *rules[1:])
    answer = await api.ask("POST", f"/zones/{zone}/rulesets/{made['id']}/rules", json=rules[0])
    assert (answer.status_code, codes(answer)) == (400, [20218])


async def test_the_official_client_goes_through_the_life_of_a_ruleset(api: Api) -> None:
    zone = await api.zone()
    rules: Any = [_rule()]
    bad: Any = [_rule(expression="nope")]
    rule_before: Any = {**_rule("b"), "position": {"before": ""}}
    async with sdk(api) as client:
        with pytest.raises(NotFoundError):
            await client.rulesets.phases.get("http_request_origin", zone_id=zone)
        made: Any = await client.rulesets.phases.update("http_request_origin", zone_id=zone, rules=rules)
        assert (made["rules"][0]["action"], made["version"]) == ("route", "1")
        more: Any = await client.rulesets.rules.create(made["id"], zone_id=zone, **rule_before)
        assert [rule["expression"] for rule in more["rules"]][1] == made["rules"][0]["expression"]
        less: Any = await client.rulesets.rules.delete(more["rules"][0]["id"], ruleset_id=made["id"], zone_id=zone)
        assert (len(less["rules"]), less["version"]) == (1, "3")
        read = await client.rulesets.get(made["id"], zone_id=zone)
        assert read is not None
        assert (type(read.rules[0]).__name__, read.version) == ("RuleRouteRule", "3")
        listed = [one.phase async for one in client.rulesets.list(zone_id=zone) if one.kind == "zone"]
        assert listed == ["http_request_origin"]
        with pytest.raises(BadRequestError) as refused:
            await client.rulesets.update(made["id"], zone_id=zone, rules=bad)
        assert refused.value.errors[0].code == 20127
        assert await client.rulesets.update(made["id"], zone_id=zone, rules=[], dry_run=True) is None
        await client.rulesets.delete(made["id"], zone_id=zone)
        assert [one.kind async for one in client.rulesets.list(account_id=api.account_id)] == ["managed"]
