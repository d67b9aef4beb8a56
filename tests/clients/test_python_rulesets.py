"""The official Python SDK's methods of rulesets, of zones and of accounts, against a running installation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import cloudflare
import pytest
from cloudflare import Cloudflare
from cloudflare.types.rulesets.phase_update_response import Ruleset

from holdfast.rules.managed import HOLDFAST_RULESET_ID
from tests.clients.conftest import Zone, given
from tests.integration import wire
from tests.integration.installation import Installation
from tests.integration.origin import Origin
from tests.integration.waiting import poll

CUSTOM: Final = "http_request_firewall_custom"
RATE_LIMIT: Final = "http_ratelimit"
MANAGED: Final = "http_request_firewall_managed"
Owner = dict[str, Any]


@pytest.fixture(params=["zone", "account"])
def owner(request: pytest.FixtureRequest, strict: Cloudflare, zone: Zone, account_id: str) -> Iterator[Owner]:
    """Whose rulesets: each test is run for a zone and for an account, which has none before and after."""
    named: Owner = {"zone_id": zone.id} if request.param == "zone" else {"account_id": account_id}
    yield named
    # What executes others comes first: those it executes cannot be removed before.
    for kind in ("root", "zone", "custom"):
        for one in strict.rulesets.list(**named):
            if one.kind == kind:
                strict.rulesets.delete(one.id, **named)


def kinds(owner: Owner) -> tuple[str, str]:
    """The kind of an entrypoint, and of a ruleset whose rules block."""
    return ("zone", "zone") if "zone_id" in owner else ("root", "custom")


def block(expression: str, **members: Any) -> Any:
    return {"action": "block", "expression": expression, **members}


def made(strict: Cloudflare, owner: Owner, *rules: Any, phase: str = CUSTOM) -> Ruleset:
    """A new ruleset. The SDK types the answer as Ruleset or any object, so it is read again."""
    given_: Any = list(rules)
    chosen: Any = {"kind": kinds(owner)[1], "phase": phase}
    return Ruleset.model_validate(strict.rulesets.create(name="mine", rules=given_, **chosen, **owner))


def test_a_ruleset_is_made_shown_listed_changed_and_removed(strict: Cloudflare, owner: Owner) -> None:
    ruleset = made(strict, owner, block("ssl", description="first"))
    assert (ruleset.version, ruleset.rules[0].action) == ("1", "block")
    shown = given(strict.rulesets.get(ruleset.id, **owner))
    assert [rule.description for rule in shown.rules] == ["first"]
    listed = {one.id: one.kind for one in strict.rulesets.list(**owner)}
    assert listed == {ruleset.id: kinds(owner)[1], HOLDFAST_RULESET_ID: "managed"}
    rules: Any = [block("not ssl"), {"action": "managed_challenge", "expression": "ssl"}]
    put = Ruleset.model_validate(strict.rulesets.update(ruleset.id, rules=rules, description="later", **owner))
    assert (put.version, put.description, len(put.rules)) == ("2", "later", 2)
    assert strict.rulesets.update(ruleset.id, rules=[], dry_run=True, **owner) is None
    strict.rulesets.delete(ruleset.id, **owner)
    with pytest.raises(cloudflare.NotFoundError):
        strict.rulesets.get(ruleset.id, **owner)


def test_rules_are_added_edited_moved_and_removed(strict: Cloudflare, owner: Owner) -> None:
    ruleset = made(strict, owner, block("ssl"))
    response = {"status_code": 418, "content_type": "text/plain", "content": "no"}
    skip: Any = {"action": "skip", "action_parameters": {"ruleset": "current"}, "logging": {"enabled": False}}
    added = Ruleset.model_validate(
        strict.rulesets.rules.create(
            ruleset.id,
            expression="ip.src eq 192.0.2.1",
            position={"before": ruleset.rules[0].id or ""},
            **skip,
            **owner,
        )
    )
    assert [rule.action for rule in added.rules] == ["skip", "block"]
    first = added.rules[0].id
    assert first is not None
    if "account_id" in owner:
        parameters: Any = {"response": response}
        edited = Ruleset.model_validate(
            strict.rulesets.rules.edit(
                first, ruleset_id=ruleset.id, expression="ssl", action="block", action_parameters=parameters, **owner
            )
        )
        assert edited.rules[0].action == "block"
    moved = Ruleset.model_validate(
        strict.rulesets.rules.edit(first, ruleset_id=ruleset.id, position={"index": 2}, **owner)
    )
    assert [rule.id for rule in moved.rules][-1] == first
    left = Ruleset.model_validate(strict.rulesets.rules.delete(first, ruleset_id=ruleset.id, **owner))
    assert len(left.rules) == 1


def test_phases_are_put_and_shown_in_every_version(strict: Cloudflare, owner: Owner) -> None:
    with pytest.raises(cloudflare.NotFoundError):
        strict.rulesets.phases.get(MANAGED, **owner)
    rules: Any = [{"action": "execute", "expression": "true", "action_parameters": {"id": HOLDFAST_RULESET_ID}}]
    put = Ruleset.model_validate(strict.rulesets.phases.update(MANAGED, rules=rules, **owner))
    assert (put.kind, put.rules[0].action) == (kinds(owner)[0], "execute")
    overrides = {"action": "log", "categories": [{"category": "origin", "enabled": False}]}
    rules[0]["action_parameters"]["overrides"] = overrides
    again = Ruleset.model_validate(strict.rulesets.phases.update(MANAGED, rules=rules, **owner))
    assert (again.id, again.version) == (put.id, "2")
    assert [one.version for one in strict.rulesets.phases.versions.list(MANAGED, **owner)] == ["2", "1"]
    old = given(strict.rulesets.phases.versions.get("1", ruleset_phase=MANAGED, **owner))
    parameters: Any = old.rules[0].action_parameters
    assert parameters.overrides is None
    assert given(strict.rulesets.phases.get(MANAGED, **owner)).version == "2"


def test_versions_are_listed_shown_and_forgotten(strict: Cloudflare, owner: Owner) -> None:
    ruleset = made(strict, owner, block("ssl"))
    strict.rulesets.update(ruleset.id, rules=[], **owner)
    versions = strict.rulesets.versions
    assert [one.version for one in versions.list(ruleset.id, **owner)] == ["2", "1"]
    assert len(given(versions.get("1", ruleset_id=ruleset.id, **owner)).rules) == 1
    with pytest.raises(cloudflare.BadRequestError):
        versions.delete("2", ruleset_id=ruleset.id, **owner)
    versions.delete("1", ruleset_id=ruleset.id, **owner)
    assert [one.version for one in versions.list(ruleset.id, **owner)] == ["2"]


def test_a_rate_limit_is_shown_as_it_was_put(strict: Cloudflare, owner: Owner) -> None:
    terms = {
        "characteristics": ["cf.colo.id", "ip.src"],
        "period": 10,
        "requests_per_period": 3,
        "mitigation_timeout": 10,
        "counting_expression": "ssl",
        "requests_to_origin": False,
    }
    ruleset = made(strict, owner, block("ssl", ratelimit=terms), phase=RATE_LIMIT)
    shown = given(strict.rulesets.get(ruleset.id, **owner)).rules[0].ratelimit
    assert given(shown).model_dump(exclude_unset=True) == terms


def test_an_account_executes_its_own_rules(strict: Cloudflare, account_id: str) -> None:
    owner: Owner = {"account_id": account_id}
    custom = made(strict, owner, block("ssl"))
    rules: Any = [{"action": "execute", "expression": "true", "action_parameters": {"id": custom.id}}]
    root = Ruleset.model_validate(strict.rulesets.phases.update(CUSTOM, rules=rules, **owner))
    with pytest.raises(cloudflare.BadRequestError):
        strict.rulesets.delete(custom.id, **owner)
    for ruleset_id in (root.id, custom.id):
        strict.rulesets.delete(ruleset_id, **owner)


def test_a_managed_ruleset_is_shown_with_its_rules(strict: Cloudflare, installed: Any, owner: Owner) -> None:
    # Rules of a managed ruleset have no expression, which the SDK takes for granted where it is strict.
    with Cloudflare(api_token=installed.token, base_url=installed.api, max_retries=0) as client:
        shown = given(client.rulesets.get(HOLDFAST_RULESET_ID, **owner))
    assert shown.kind == "managed"
    assert len(shown.rules) >= 60
    assert all(rule.categories for rule in shown.rules)


@pytest.mark.parametrize(
    ("rule", "pointer"),
    [
        (block("ip.src eq nowhere"), "/rules/0/expression"),
        (block("ssl", action_parameters={"response": {"status_code": 200}}), "/rules/0/action_parameters/response"),
        ({"action": "log", "expression": "ssl"}, "/rules/0/action"),
    ],
)
def test_a_bad_rule_is_a_bad_request_with_a_pointer(strict: Cloudflare, zone: Zone, rule: Any, pointer: str) -> None:
    with pytest.raises(cloudflare.BadRequestError) as caught:
        strict.rulesets.phases.update(CUSTOM, zone_id=zone.id, rules=[rule])
    body: Any = caught.value.body
    assert body["errors"][0]["source"]["pointer"].startswith(pointer)


# --- At the edge, from the answer on ----------------------------------------------------------------------------------


@pytest.fixture
def served(strict: Cloudflare, zone: Zone, origin: Origin) -> Zone:
    """A zone whose name is served by an origin."""
    strict.dns.records.create(zone_id=zone.id, type="A", name=zone.name, content=origin.host, ttl=1, proxied=True)
    rules: Any = [{"action": "route", "expression": "true", "action_parameters": {"origin": {"port": origin.port}}}]
    strict.rulesets.phases.update("http_request_origin", zone_id=zone.id, rules=rules)
    return zone


def upgrade_status(installed: Installation, host: str, path: str = "/echo", **headers: str) -> int:
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    with wire.connect(installed.plain) as client:
        client.send(wire.upgrade(path, host=host).replace(b"\r\n\r\n", b"\r\n" + more.encode() + b"\r\n"))
        return client.read_answer().status


def test_custom_rules_hold_from_their_answer_on(strict: Cloudflare, installed: Installation, served: Zone) -> None:
    strict.zones.subscriptions.update(zone_id=served.id, rate_plan={"id": "pro"})
    assert upgrade_status(installed, served.name) == 101
    response = {"status_code": 418, "content_type": "text/plain", "content": "no"}
    skip: Any = {"action": "skip", "action_parameters": {"ruleset": "current"}}
    rules: Any = [
        {**skip, "expression": 'http.request.headers["x-let"][0] eq "in"'},
        block('http.request.uri.path eq "/echo"', action_parameters={"response": response}),
    ]
    strict.rulesets.phases.update(CUSTOM, zone_id=served.id, rules=rules)
    assert upgrade_status(installed, served.name) == 418
    assert upgrade_status(installed, served.name, x_let="in") == 101
    strict.rulesets.phases.update(CUSTOM, zone_id=served.id, rules=[])
    assert upgrade_status(installed, served.name) == 101


def test_an_account_s_rules_hold_for_its_zones_from_their_answer_on(
    strict: Cloudflare, installed: Installation, served: Zone, account_id: str
) -> None:
    owner: Owner = {"account_id": account_id}
    custom = made(strict, owner, block('http.request.uri.path eq "/echo"'))
    rules: Any = [
        {
            "action": "execute",
            "expression": f'cf.zone.name eq "{served.name}"',
            "action_parameters": {"id": custom.id},
        }
    ]
    root = Ruleset.model_validate(strict.rulesets.phases.update(CUSTOM, rules=rules, **owner))
    assert upgrade_status(installed, served.name) == 403
    strict.rulesets.update(custom.id, rules=[], **owner)
    assert upgrade_status(installed, served.name) == 101
    for ruleset_id in (root.id, custom.id):
        strict.rulesets.delete(ruleset_id, **owner)


def test_a_rate_limit_holds_from_its_answer_on(strict: Cloudflare, installed: Installation, served: Zone) -> None:
    terms = {
        "characteristics": ["cf.colo.id", 'http.request.headers["x-key"]'],
        "period": 60,
        "requests_per_period": 2,
        "mitigation_timeout": 60,
    }
    rules: Any = [block('http.request.uri.path eq "/echo"', ratelimit=terms)]
    strict.rulesets.phases.update(RATE_LIMIT, zone_id=served.id, rules=rules)
    statuses = [upgrade_status(installed, served.name, x_key="one") for _ in range(4)]
    assert statuses == [101, 101, 429, 429]
    assert upgrade_status(installed, served.name, x_key="two") == 101


def test_managed_rules_hold_soon(strict: Cloudflare, installed: Installation, served: Zone) -> None:
    attack = "/echo?file=../../../../etc/passwd"
    assert upgrade_status(installed, served.name, attack) == 101
    rules: Any = [{"action": "execute", "expression": "true", "action_parameters": {"id": HOLDFAST_RULESET_ID}}]
    strict.rulesets.phases.update(MANAGED, zone_id=served.id, rules=rules)
    # The first who deploys them in an edge's life waits until they are compiled: longer than an answer waits for an edge.
    poll(lambda: upgrade_status(installed, served.name, attack) == 403, what="the attack to be refused")
    assert upgrade_status(installed, served.name) == 101
    rules[0]["action_parameters"]["overrides"] = {"enabled": False}
    strict.rulesets.phases.update(MANAGED, zone_id=served.id, rules=rules)
    poll(lambda: upgrade_status(installed, served.name, attack) == 101, what="the attack to be let through")
