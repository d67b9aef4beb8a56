"""`holdfast.model.rule_quota`: how many rules there may be, and which terms a plan has."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from holdfast.model.rate_limit_terms import RateLimit
from holdfast.model.rule_error import RuleError
from holdfast.model.rule_phase import CUSTOM, ORIGIN, RATE_LIMIT
from holdfast.model.rule_quota import (
    MAX_CUSTOM_EXPRESSION_CHARS,
    MAX_EXPRESSION_CHARS,
    check_entitled,
    check_room,
    expression_room,
    expressions_of,
    quota_of,
)
from holdfast.model.ruleset import Rule, Ruleset

RULE = Rule(
    id="0",
    version=1,
    ref="0",
    action="block",
    action_parameters={},
    expression="ssl",
    description="",
    enabled=True,
    last_updated=0,
)
EMPTY = Ruleset(id="", name="", description="", kind="zone", phase=CUSTOM, version=1, rules=(), last_updated=0)
TERMS = RateLimit(characteristics=("cf.colo.id",), period=60, requests_per_period=5)


def rules(count: int, *, expression: str = "ssl") -> Ruleset:
    made = tuple(
        msgspec.structs.replace(RULE, id=str(number), ref=str(number), expression=expression) for number in range(count)
    )
    return msgspec.structs.replace(EMPTY, rules=made)


@pytest.mark.parametrize(
    ("phase", "counts"),
    [(CUSTOM, [5, 20, 100, 1000]), (RATE_LIMIT, [1, 2, 5, 100]), (ORIGIN, [300, 300, 300, 300])],
)
def test_a_plan_has_so_many_rules(phase: str, counts: list[int]) -> None:
    assert [quota_of(phase, plan).rules for plan in ("free", "pro", "business", "enterprise")] == counts
    assert quota_of(phase, None).rules == 100
    assert quota_of(phase, "of yesterday").rules == counts[0]


def test_there_is_room_for_as_many_as_the_plan_has() -> None:
    check_room(None, rules(5), quota_of(CUSTOM, "free"))
    words = "exceeded the maximum number of rules in the phase http_request_firewall_custom: 6 out of 5"
    with pytest.raises(RuleError, match=words) as refused:
        check_room(None, rules(6), quota_of(CUSTOM, "free"))
    assert (refused.value.code, refused.value.pointer) == (20216, "/rules")
    assert "Free Website; PUT /zones/{zone_id}/subscription changes it" in str(refused.value)


def test_what_a_smaller_plan_left_can_shrink_and_not_grow() -> None:
    for count in (20, 19, 0):
        check_room(rules(20), rules(count), quota_of(CUSTOM, "free"))
    with pytest.raises(RuleError, match="21 out of 5"):
        check_room(rules(20), rules(21), quota_of(CUSTOM, "free"))


@pytest.mark.parametrize(
    ("phase", "kind", "room"),
    [
        (CUSTOM, "zone", MAX_CUSTOM_EXPRESSION_CHARS),
        (CUSTOM, "custom", MAX_EXPRESSION_CHARS),
        (RATE_LIMIT, "zone", MAX_EXPRESSION_CHARS),
        (ORIGIN, "zone", MAX_EXPRESSION_CHARS),
    ],
)
def test_expressions_have_room_together_and_what_is_larger_can_be_made_smaller(
    phase: str, kind: str, room: int
) -> None:
    full, larger = (
        msgspec.structs.replace(rules(count, expression="x" * (room // 2)), phase=phase, kind=kind) for count in (2, 3)
    )
    quota = quota_of(phase, "enterprise")
    check_room(None, full, quota)
    with pytest.raises(RuleError, match=f"out of {room} characters") as refused:
        check_room(full, larger, quota)
    assert (refused.value.code, refused.value.pointer) == (20218, "/rules")
    check_room(larger, larger, quota)
    assert expression_room(phase, kind) == room


def test_every_text_that_is_compiled_counts() -> None:
    terms = msgspec.structs.replace(TERMS, counting_expression="b", characteristics=("c", "d"))
    assert expressions_of(msgspec.structs.replace(RULE, expression="a", ratelimit=terms)) == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("members", "first_plan", "pointer"),
    [
        ({"action": "log"}, "enterprise", "/action"),
        ({"action_parameters": {"response": {"status_code": 400}}}, "pro", "/action_parameters/response"),
        ({"ratelimit": TERMS}, "enterprise", "/ratelimit/mitigation_timeout"),
        ({"ratelimit": msgspec.structs.replace(TERMS, mitigation_timeout=10)}, "free", ""),
        ({"action": "challenge", "ratelimit": TERMS}, "free", ""),
        (
            {"action": "challenge", "ratelimit": msgspec.structs.replace(TERMS, mitigation_timeout=10)},
            "enterprise",
            "/ratelimit/mitigation_timeout",
        ),
        ({}, "free", ""),
    ],
)
def test_a_plan_has_a_term_from_one_on(members: dict[str, Any], first_plan: str, pointer: str) -> None:
    rule = msgspec.structs.replace(RULE, **members)
    plans = ["free", "pro", "business", "enterprise"]
    for place, plan in enumerate(plans):
        if place >= plans.index(first_plan):
            check_entitled(rule, "zone", quota_of(CUSTOM, plan))
            continue
        with pytest.raises(RuleError, match="not entitled: the use of") as refused:
            check_entitled(rule, "zone", quota_of(CUSTOM, plan))
        assert (refused.value.code, refused.value.pointer) == (10010, pointer)
    check_entitled(rule, "root", quota_of(CUSTOM, None))
