"""`holdfast.api.ruleset_shapes`: what clients send of rules, and what they are shown."""

from typing import Any

import pytest

from holdfast.api.ruleset_shapes import (
    PositionBody,
    RuleBody,
    RuleEdit,
    RulesetEntry,
    RulesetView,
    entry_view,
    parse_rules,
    refused,
    ruleset_view,
)
from holdfast.model.rule_phase import ORIGIN, phase_of
from holdfast.model.ruleset import NO_SUCH_RULE, Position, RuleError
from tests.unit.store.test_rulesets import ruleset

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


def test_a_rule_has_defaults() -> None:
    draft = RuleBody(**RULE, id="", ref="", description=None).parsed(phase_of(ORIGIN))
    assert (draft.id, draft.ref, draft.description, draft.enabled) == (None, None, "", True)


@pytest.mark.parametrize(
    ("members", "code", "pointer"),
    [
        ({"action": None}, 20122, "/rules/1/action"),
        ({"expression": "\n"}, 20125, "/rules/1/expression"),
        ({"expression": "nothing eq 1"}, 20127, "/rules/1/expression"),
        ({"ratelimit": {}}, 20120, "/rules/1/ratelimit"),
        ({"exposed_credential_check": {}}, 20120, "/rules/1/exposed_credential_check"),
    ],
)
def test_a_rule_is_refused_where_it_stands(members: dict[str, Any], code: int, pointer: str) -> None:
    with pytest.raises(RuleError) as error:
        parse_rules([RuleBody(**RULE), RuleBody(**{**RULE, **members})], phase_of(ORIGIN))
    assert (error.value.code, error.value.pointer) == (code, pointer)


def test_an_edit_with_nothing_of_the_rule_is_a_move() -> None:
    assert RuleEdit(position=PositionBody(index=1)).is_move
    assert RuleEdit().is_move
    assert not RuleEdit(enabled=False).is_move


def test_what_is_shown_is_what_is_described() -> None:
    shown = RulesetView(**ruleset_view(ruleset(1)))
    assert (shown.version, [rule.version for rule in shown.rules]) == ("3", ["0", "1"])
    assert RulesetEntry(**entry_view(ruleset(1))).phase == ORIGIN


def test_what_is_not_there_is_a_404() -> None:
    assert refused(RuleError(NO_SUCH_RULE, "no rule")).status == 404
    assert refused(RuleError(20120, "no", "/x")).complaints[0].pointer == "/x"
