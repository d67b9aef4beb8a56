"""Actions as the API has them become values, or an error that names the member."""

from typing import Any

import pytest

from holdfast.edge.compile_error import CompileError
from holdfast.edge.firewall.actions import action_of, check_limit, check_phase, deploy_of
from holdfast.edge.firewall.document_place import Place
from holdfast.edge.firewall.values import CUSTOM, MANAGED, RATE_LIMITS, Answer, Note, Refuse, Skip
from tests.unit.edge.firewall.rules import a_limit, a_rule

PLACE = Place("example.com", "rulesets[a].rules[b]")
RESPONSE = {"status_code": 410, "content_type": "text/plain", "content": "gone ✓"}


@pytest.mark.parametrize(
    ("rule", "action"),
    [
        (a_rule("b"), Refuse("block")),
        (a_rule("b", response=RESPONSE), Refuse("block", Answer(410, "text/plain; charset=utf-8", "gone ✓".encode()))),
        (a_rule("b", "managed_challenge"), Refuse("managed_challenge")),
        (a_rule("b", "challenge", response=RESPONSE), Refuse("challenge")),
        (a_rule("b", "log"), Note()),
        (a_rule("b", "skip", ruleset="current"), Skip(ruleset=True)),
        (a_rule("b", "skip", phase="current", is_logged=False), Skip(phase=True, is_logged=False)),
        (a_rule("b", "skip", phases=[MANAGED], is_logged=True), Skip(phases=(MANAGED,))),
        (a_rule("b", "skip", rulesets=["x"], rules={"y": ["z"]}), Skip(rulesets=("x",), rules={"y": ("z",)})),
        (a_rule("b", "skip", products=["waf", "uaBlock"]), Skip()),
    ],
)
def test_an_action_becomes_a_value(rule: Any, action: Any) -> None:
    assert action_of(rule, PLACE) == action


@pytest.mark.parametrize(
    ("rule", "field", "value"),
    [
        (a_rule("b", "rewrite"), "action", "'rewrite'"),
        (a_rule("b", response={}), "action_parameters.response.status_code", "None"),
        (a_rule("b", response="no"), "action_parameters.response", "'no'"),
        (a_rule("b", response=RESPONSE | {"status_code": 500}), "action_parameters.response.status_code", "500"),
        (a_rule("b", response=RESPONSE | {"status_code": True}), "action_parameters.response.status_code", "True"),
        (a_rule("b", response=RESPONSE | {"content_type": "a\nb"}), "action_parameters.response.content_type", "b'"),
        (a_rule("b", response=RESPONSE | {"content": 1}), "action_parameters.response.content", "1"),
        (a_rule("b", "skip"), "action_parameters", "{}"),
        (a_rule("b", "skip", ruleset="other"), "action_parameters.ruleset", "'other'"),
        (a_rule("b", "skip", products=["WAF"]), "action_parameters.products", "'WAF'"),
        (a_rule("b", "skip", phases="x"), "action_parameters.phases", "'x'"),
        (a_rule("b", "skip", rules=["x"]), "action_parameters.rules", "['x']"),
        (a_rule("b", "skip", rules={"x": "y"}), "action_parameters.rules[x]", "'y'"),
    ],
)
def test_what_is_no_action_is_named(rule: Any, field: str, value: str) -> None:
    with pytest.raises(CompileError) as raised:
        action_of(rule, PLACE)
    assert raised.value.field == f"rulesets[a].rules[b].{field}"
    assert value in str(raised.value)
    assert str(raised.value).startswith("zone 'example.com', rulesets[a].rules[b].")


def test_overrides_are_checked_where_they_can_be() -> None:
    assert deploy_of(a_rule("b", executes="m", overrides={"action": "log"}), PLACE).overrides.ruleset.action == "log"
    with pytest.raises(CompileError, match=r"action_parameters\.overrides\.categories\.0\.category"):
        deploy_of(a_rule("b", executes="m", overrides={"categories": [{}]}), PLACE)
    with pytest.raises(CompileError, match=r"action_parameters\.id"):
        deploy_of(a_rule("b", "execute"), PLACE)


def test_only_phases_of_rules_have_rulesets() -> None:
    check_phase(CUSTOM, PLACE)
    with pytest.raises(CompileError, match="http_request_sanitize"):
        check_phase("http_request_sanitize", PLACE)


@pytest.mark.parametrize(
    ("rule", "phase", "is_good"),
    [
        (a_limit("b", 1), RATE_LIMITS, True),
        (a_rule("b", "skip", phase="current"), RATE_LIMITS, True),
        (a_rule("b", executes="c"), RATE_LIMITS, True),
        (a_rule("b"), RATE_LIMITS, False),
        (a_limit("b", 1), CUSTOM, False),
        (a_limit("b", 1, action="skip", phase="current"), RATE_LIMITS, False),
    ],
)
def test_a_limit_is_where_limits_are(rule: Any, phase: str, is_good: bool) -> None:
    if is_good:
        check_limit(rule, phase, PLACE)
        return
    with pytest.raises(CompileError, match="ratelimit"):
        check_limit(rule, phase, PLACE)
