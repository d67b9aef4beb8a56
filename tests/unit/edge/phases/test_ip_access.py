"""The phase of access rules: over the zone and its account the most special rule counts; who is let pass meets no rules."""

import json
from typing import Any

import pytest

from holdfast.edge.decision import Respond
from holdfast.edge.firewall.values import CUSTOM, MANAGED, RATE_LIMITS
from holdfast.edge.phases.ip_access import ip_access
from holdfast.edge.view import view_of
from holdfast.rules.context import Place
from tests.unit.edge.firewall.rules import (
    a_limit,
    a_rule,
    a_ruled_snapshot,
    a_ruleset,
    an_access_rule,
    counters,
    decided,
)
from tests.unit.requests import a_request

CLIENT, ITS_NETWORK = "203.0.113.7", "203.0.113.0/24"
IN_NL = Place(country="NL", asn=64512)


def rule(mode: Any, value: str) -> Any:
    kind = "country" if len(value) == 2 else "asn" if value.startswith("AS") else "ip_range" if "/" in value else "ip"
    return an_access_rule(f"{mode} {value}", mode, kind, value)


@pytest.mark.parametrize(
    ("zone", "account", "said"),
    [
        ([], [], []),
        ([rule("block", "203.0.113.8")], [], []),
        ([rule("block", CLIENT)], [], [(f"block {CLIENT}", "block")]),
        ([], [rule("block", CLIENT)], [(f"block {CLIENT}", "block")]),
        ([rule("block", ITS_NETWORK)], [rule("whitelist", CLIENT)], [(f"whitelist {CLIENT}", "allow")]),
        ([rule("whitelist", ITS_NETWORK)], [rule("block", CLIENT)], [(f"block {CLIENT}", "block")]),
        ([rule("block", CLIENT)], [rule("whitelist", CLIENT)], [(f"whitelist {CLIENT}", "allow")]),
        ([rule("challenge", CLIENT)], [rule("block", CLIENT)], [(f"block {CLIENT}", "block")]),
        ([rule("block", "NL")], [], [("block NL", "block")]),
        ([rule("block", "NL")], [rule("whitelist", "AS64512")], [("whitelist AS64512", "allow")]),
        ([rule("whitelist", "NL")], [rule("block", ITS_NETWORK)], [(f"block {ITS_NETWORK}", "block")]),
        ([rule("block", "DE"), rule("block", "AS1")], [], []),
        ([rule("managed_challenge", "NL")], [], [("managed_challenge NL", "managed_challenge")]),
    ],
)
def test_the_most_special_rule_counts(zone: Any, account: Any, said: Any) -> None:
    found = decided(a_ruled_snapshot(access=zone, account_access=account), place_of=lambda _: IN_NL)
    assert found.said == said
    assert found.statuses == [403 if said and said[0][1] != "allow" else 0]


def test_who_is_let_pass_meets_none_of_the_phases_of_rules() -> None:
    blocking = [
        a_ruleset(a_rule("b")),
        a_ruleset(a_limit("l", 1), phase=RATE_LIMITS),
        a_ruleset(a_rule("m"), phase=MANAGED),
    ]
    account = [a_ruleset(a_rule("b"), kind="root", phase=CUSTOM)]
    snapshot = a_ruled_snapshot(*blocking, account=account, access=[rule("whitelist", CLIENT)])
    found = decided(snapshot, a_request(), a_request(), a_request(client_ip="203.0.113.8"), counters=counters())
    assert found.statuses == [0, 0, 403]
    switched_off = a_ruled_snapshot(access=[rule("whitelist", CLIENT)], websockets="off")
    assert decided(switched_off).statuses == [403], "the switch is no rule"


@pytest.mark.parametrize(
    ("value", "code", "retry_after"), [(CLIENT, 1006, None), ("AS64512", 1005, "120"), ("NL", 1009, None)]
)
def test_a_client_is_told_the_code_of_the_original(value: str, code: int, retry_after: str | None) -> None:
    (answer,) = decided(a_ruled_snapshot(access=[rule("block", value)]), place_of=lambda _: IN_NL).decisions
    assert isinstance(answer, Respond)
    headers = dict(answer.headers)
    assert (headers["cf-error-type"], headers.get("Retry-After")) == (str(code), retry_after)
    assert headers["Holdfast-Refused"] == f'rule;id="block {value}";phase=ip_access;zone="example.com"'
    problem = json.loads(answer.body)
    assert (problem["rule_id"], problem["phase"], problem["error_code"]) == (f"block {value}", "ip_access", code)
    assert "ruleset_id" not in problem


def test_where_a_client_is_is_not_asked_where_no_rule_does() -> None:
    def place_of(_: str) -> Place:
        raise AssertionError("nobody asked")

    request = a_request()
    snapshot = a_ruled_snapshot(access=[rule("block", "203.0.113.8")])
    assert ip_access(request, view_of(request, snapshot, now=1.0, place_of=place_of)) is None


def test_an_address_that_nobody_knows_is_no_reason_to_refuse() -> None:
    snapshot = a_ruled_snapshot(access=[rule("block", "NL"), rule("block", "AS64512")])
    assert decided(snapshot).statuses == [0]
    assert decided(snapshot, a_request(client_ip="not an address")).statuses == [0]
