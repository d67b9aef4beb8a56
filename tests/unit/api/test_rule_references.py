"""`holdfast.api.rule_references`: what rules name is there, and may be used so."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from holdfast.api.rule_references import THRESHOLD_RULE_ID, check_overrides, check_references, executing, needs_account
from holdfast.model.rule_error import RuleError
from holdfast.model.rule_phase import CUSTOM, MANAGED, RATE_LIMIT
from holdfast.model.ruleset import Rule, RuleDraft, Ruleset
from tests.unit.api.test_managed_rulesets import A, B, C, Managed
from tests.unit.model.test_rule_quota import EMPTY, RULE

KNOWN = {C: Managed()}
D, E = ("d" * 32, "e" * 32)


def rule(action: str, **parameters: Any) -> Rule:
    return msgspec.structs.replace(RULE, action=action, action_parameters=parameters)


def ruleset(kind: str, phase: str, *rules: Rule, ident: str = E) -> Ruleset:
    return msgspec.structs.replace(EMPTY, id=ident, kind=kind, phase=phase, rules=rules)


CUSTOM_RULESET = ruleset("custom", CUSTOM, RULE, ident=D)


@pytest.mark.parametrize(
    ("action", "parameters", "kind", "phase"),
    [
        ("execute", {"id": C}, "zone", MANAGED),
        ("execute", {"id": C}, "root", MANAGED),
        ("execute", {"id": C}, "custom", MANAGED),
        ("execute", {"id": D}, "root", CUSTOM),
        ("skip", {"rulesets": [C, D]}, "zone", MANAGED),
        ("skip", {"rules": {C: [A, B], D: [RULE.id]}}, "zone", MANAGED),
        ("skip", {"ruleset": "current"}, "zone", CUSTOM),
        ("block", {}, "zone", CUSTOM),
    ],
)
def test_what_is_there_can_be_named(action: str, parameters: dict[str, Any], kind: str, phase: str) -> None:
    one = rule(action, **parameters)
    check_references(one, ruleset(kind, phase, one), KNOWN, [CUSTOM_RULESET])


@pytest.mark.parametrize(
    ("action", "parameters", "kind", "phase", "pointer"),
    [
        ("execute", {"id": E}, "root", CUSTOM, "/id"),
        ("execute", {"id": C}, "root", CUSTOM, "/id"),
        ("execute", {"id": D}, "root", RATE_LIMIT, "/id"),
        ("execute", {"id": D}, "zone", CUSTOM, "/id"),
        ("execute", {"id": D}, "custom", CUSTOM, "/id"),
        ("skip", {"rulesets": [C, E]}, "zone", MANAGED, "/rulesets/1"),
        ("skip", {"rules": {E: [A]}}, "zone", MANAGED, f"/rules/{E}"),
        ("skip", {"rules": {C: [A, D]}}, "zone", MANAGED, f"/rules/{C}/1"),
        ("skip", {"rules": {D: [A]}}, "zone", MANAGED, f"/rules/{D}/0"),
    ],
)
def test_what_is_not_there_cannot(action: str, parameters: dict[str, Any], kind: str, phase: str, pointer: str) -> None:
    one = rule(action, **parameters)
    with pytest.raises(RuleError) as refused:
        check_references(one, ruleset(kind, phase, one), KNOWN, [CUSTOM_RULESET])
    assert refused.value.pointer == f"/action_parameters{pointer}"


def test_a_zone_executes_a_managed_ruleset_once_and_an_account_as_often_as_it_wants() -> None:
    one = rule("execute", id=C)
    with pytest.raises(RuleError, match="a zone executes it once"):
        check_references(one, ruleset("zone", MANAGED, one, one), KNOWN, [])
    check_references(one, ruleset("root", MANAGED, one, one), KNOWN, [])


def test_the_account_is_asked_for_what_is_not_managed_alone() -> None:
    assert not needs_account([rule("execute", id=C), rule("skip", rulesets=[C]), RULE], KNOWN)
    assert needs_account([rule("execute", id=D)], KNOWN)
    assert needs_account([rule("skip", rules={D: [A]})], KNOWN)


def test_who_executes_a_ruleset_is_found() -> None:
    root = ruleset("root", CUSTOM, rule("execute", id=D))
    assert executing(D, [CUSTOM_RULESET, root]) == root
    assert executing(E, [CUSTOM_RULESET, root]) is None


def draft(ruleset_id: str, overrides: object) -> RuleDraft:
    parameters = {"id": ruleset_id, "overrides": overrides}
    return RuleDraft(action="execute", action_parameters=parameters, expression="true")


@pytest.mark.parametrize(
    ("one", "pointer"),
    [
        (draft(C, {"rules": [{"id": D}]}), "/rules/0/id"),
        (draft(C, {"action": "route"}), "/action"),
        (draft(C, {"categories": [{"category": "z"}]}), "/categories/0/category"),
        (draft(C, {"rules": [{"id": A, "score_threshold": 5}]}), "/rules/0/score_threshold"),
        (draft(D, {"enabled": True}), ""),
    ],
)
async def test_overrides_are_held_against_their_ruleset(one: RuleDraft, pointer: str) -> None:
    with pytest.raises(RuleError) as refused:
        await check_overrides([draft(C, None), one], KNOWN, lambda place: f"/rules/{place}")
    assert refused.value.pointer == f"/rules/1/action_parameters/overrides{pointer}"


async def test_overrides_of_what_is_there_are_taken() -> None:
    rules = [{"id": THRESHOLD_RULE_ID, "score_threshold": 25}, {"id": A, "enabled": False}]
    overrides = {"action": "log", "categories": [{"category": "y", "enabled": True}], "rules": rules}
    await check_overrides([draft(C, overrides)], KNOWN, str)


async def test_without_overrides_nothing_is_looked_at() -> None:
    await check_overrides([draft(C, None), RuleDraft(action="block", action_parameters={}, expression="")], KNOWN, str)
