"""`holdfast.api.ruleset_shapes`: what clients send of rules, and what they are shown."""

from typing import Any

import msgspec
import pytest

from holdfast.api.ruleset_shapes import (
    PositionBody,
    RuleBody,
    RuleEdit,
    RulesetEntry,
    RulesetView,
    entry_view,
    parse_rules,
    ruleset_view,
)
from holdfast.model.rule_error import RuleError
from holdfast.model.rule_phase import CUSTOM, ORIGIN, RATE_LIMIT, phase_of
from holdfast.model.ruleset import Position, RuleDraft
from tests.unit.store.test_rulesets import ruleset

TERMS: dict[str, Any] = {"characteristics": ["cf.colo.id"], "period": 60, "requests_per_period": 5}
RULE: dict[str, Any] = {"action": "route", "expression": "true", "action_parameters": {"origin": {"port": 1}}}


@pytest.mark.parametrize(
    ("body", "position"),
    [
        ({"before": ""}, Position(before="")),
        ({"after": "x", "index": None}, Position(after="x")),
        ({"index": 0}, Position(index=0)),
    ],
)
def test_a_position_is_one_place(body: dict[str, Any], position: Position) -> None:
    assert PositionBody(**body).parsed() == position


@pytest.mark.parametrize("body", [{}, {"before": "", "after": ""}, {"index": 1, "before": "x"}])
def test_a_position_that_is_none_or_two_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(RuleError, match="exactly one of before, after and index") as error:
        PositionBody(**body).parsed()
    assert error.value.pointer == "/position"


def parsed(phase: str, kind: str = "zone", **members: Any) -> RuleDraft:
    return RuleBody(**{"action": "block", "expression": "true", **members}).parsed(phase_of(phase), kind)


def test_a_rule_has_defaults() -> None:
    draft = RuleBody(**RULE, id="", ref="", description=None).parsed(phase_of(ORIGIN), "zone")
    assert (draft.id, draft.ref, draft.description, draft.enabled) == (None, None, "", True)
    assert (draft.ratelimit, draft.is_logged) == (None, None)


def test_what_is_skipped_is_logged_unless_a_rule_says_otherwise() -> None:
    skip: dict[str, Any] = {"action": "skip", "action_parameters": {"ruleset": "current"}}
    assert parsed(CUSTOM, **skip).is_logged is True
    assert parsed(CUSTOM, **skip, logging={}).is_logged is True
    assert parsed(CUSTOM, **skip, logging={"enabled": False}).is_logged is False
    assert parsed(CUSTOM, logging={}).is_logged is None


def test_a_rule_that_executes_counts_nothing() -> None:
    execute: dict[str, Any] = {"action": "execute", "action_parameters": {"id": "a" * 32}}
    assert parsed(RATE_LIMIT, "root", **execute).ratelimit is None
    with pytest.raises(RuleError) as error:
        parsed(RATE_LIMIT, "root", **execute, ratelimit=TERMS)
    assert error.value.pointer == "/ratelimit"


@pytest.mark.parametrize(
    ("phase", "members", "code", "pointer"),
    [
        (ORIGIN, {"action": None}, 20122, "/rules/1/action"),
        (ORIGIN, {"ratelimit": {}}, 20120, "/rules/1/ratelimit"),
        (ORIGIN, {"exposed_credential_check": {}}, 20120, "/rules/1/exposed_credential_check"),
        (ORIGIN, {"logging": {"enabled": True}}, 20120, "/rules/1/logging"),
    ],
)
def test_a_rule_is_refused_where_it_stands(phase: str, members: dict[str, Any], code: int, pointer: str) -> None:
    with pytest.raises(RuleError) as error:
        parse_rules([RuleBody(**RULE), RuleBody(**{**RULE, **members})], phase_of(phase), "zone")
    assert (error.value.code, error.value.pointer) == (code, pointer)


def test_an_edit_with_nothing_of_the_rule_is_a_move() -> None:
    assert RuleEdit(position=PositionBody(index=1)).is_move
    assert RuleEdit().is_move
    assert not RuleEdit(enabled=False).is_move


def test_what_is_shown_is_what_is_described() -> None:
    shown = RulesetView(**ruleset_view(ruleset(1)))
    assert (shown.version, [rule.version for rule in shown.rules]) == ("3", ["0", "1"])
    assert RulesetEntry(**entry_view(ruleset(1))).phase == ORIGIN


def test_every_term_of_a_rule_is_shown() -> None:
    terms = parsed(RATE_LIMIT, ratelimit=TERMS).ratelimit
    one = ruleset(1).rules[0]
    rules = (
        msgspec.structs.replace(one, action="block", action_parameters={}, ratelimit=terms),
        msgspec.structs.replace(one, is_logged=False),
    )
    first, second = RulesetView(**ruleset_view(msgspec.structs.replace(ruleset(1), rules=rules))).rules
    assert first.action_parameters is None
    assert first.ratelimit is not None
    assert first.ratelimit.model_dump(exclude_unset=True) == {
        **TERMS,
        "mitigation_timeout": 0,
        "requests_to_origin": False,
    }
    assert second.logging is not None
    assert second.logging.enabled is False
