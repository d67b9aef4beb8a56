"""How many rules there may be, and which of their terms a plan has. Pure.

Law 1: what is there stays, whatever becomes of the plan: a ruleset with more than there is room for can shrink and not grow,
and a rule that does not change is not asked for what it uses.
Law 2: an account has no plan here, and everybody who runs this owns the machine: at the level of accounts everything is open.

Numbers: Cloudflare WAF, "Availability" of custom rules and of rate limiting rules. Plans cost nothing: they are the guard rails
that somebody sets for a zone, and a subscription moves them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from holdfast.model.plan import DEFAULT_PLAN, PLANS, find_plan
from holdfast.model.rule_error import NOT_ENTITLED, TOO_LARGE, TOO_MANY_RULES, RuleError, not_valid
from holdfast.model.rule_phase import CHALLENGES, CUSTOM, EXECUTED, MANAGED, ORIGIN, RATE_LIMIT, ZONE
from holdfast.model.ruleset import Rule, Ruleset

# By phase: rules on the plans free, pro, business and enterprise.
_RULES: Mapping[str, tuple[int, int, int, int]] = {
    ORIGIN: (300, 300, 300, 300),
    CUSTOM: (5, 20, 100, 1_000),
    RATE_LIMIT: (1, 2, 5, 100),
    MANAGED: (100, 100, 100, 100),
}
# Rules of a ruleset of an account, rulesets it may have for one phase to execute, and rules in all of them together.
ACCOUNT_RULES = 100
ACCOUNT_RULESETS = 10
ACCOUNT_PATH_RULES = 1_000
# The longest list that a body may have: the largest of these.
MAX_RULES = 1_000
# All expressions of a ruleset together. A compiled one takes up to 60 bytes a character, and a core three microseconds.
MAX_EXPRESSION_CHARS = 128 * 1024
# Of a zone's custom rules, of which there may be a thousand: some 500 each. The original's have 4,096, and few are long.
MAX_CUSTOM_EXPRESSION_CHARS = 512 * 1024


def expression_room(phase: str, kind: str) -> int:
    """How many characters the expressions of a ruleset of this phase and kind may have together."""
    return MAX_CUSTOM_EXPRESSION_CHARS if (phase, kind) == (CUSTOM, ZONE) else MAX_EXPRESSION_CHARS


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """What rules of one owner may be. `plan` is the plan's name, "" for an account; `rules` counts those of one ruleset."""

    plan: str
    rules: int
    has_custom_answers: bool
    has_hmac: bool
    has_patterns: bool
    has_log: bool
    has_throttling: bool


def quota_of(phase: str, plan: str | None) -> Quota:
    """The quota of rules of `phase` on a zone of `plan` (its legacy id; None: of an account)."""
    found = PLANS[-1] if plan is None else find_plan(plan) or DEFAULT_PLAN
    of_phase = _RULES.get(phase, _RULES[ORIGIN])
    return Quota(
        plan="" if plan is None else found.name,
        rules=ACCOUNT_RULES if plan is None else of_phase[found.level],
        has_custom_answers=found.level >= 1,
        has_hmac=found.level >= 1,
        has_patterns=found.level >= 2,
        has_log=found.level >= 3,
        has_throttling=found.level >= 3,
    )


def check_room(before: Ruleset | None, after: Ruleset, quota: Quota) -> None:
    """Raise RuleError where `after` has more rules, or longer ones, than there is room for, and more than `before` had."""
    had = len(before.rules) if before else 0
    if len(after.rules) > max(quota.rules, had):
        reason = (
            f"exceeded the maximum number of rules in the phase {after.phase}: {len(after.rules)} out of {quota.rules}"
        )
        raise RuleError(TOO_MANY_RULES, f"{reason}{_advice(quota)}", "/rules")
    texts = [text for rule in after.rules for text in expressions_of(rule)]
    room = max(expression_room(after.phase, after.kind), _size(before.rules if before else ()))
    check_size(texts, room=room)


def check_size(expressions: Iterable[str], *, room: int) -> None:
    """Raise RuleError where expressions have more than `room` characters together."""
    chars = sum(map(len, expressions))
    if chars > room:
        reason = f"exceeded maximum size of all expressions: {chars} out of {room} characters"
        raise RuleError(TOO_LARGE, f"rules are not valid because {reason}", "/rules")


def expressions_of(rule: Rule) -> list[str]:
    """Every text of a rule that is compiled."""
    terms = rule.ratelimit
    return [rule.expression, *((terms.counting_expression, *terms.characteristics) if terms else ())]


def _size(rules: Iterable[Rule]) -> int:
    return sum(len(text) for rule in rules for text in expressions_of(rule))


def check_entitled(rule: Rule, kind: str, quota: Quota) -> None:
    """Raise RuleError where a rule does what the plan has not. What its expressions use is looked at elsewhere."""
    if kind == EXECUTED or not quota.plan:
        return
    if rule.action == "log" and not quota.has_log:
        raise not_entitled("action", "log", "the use of action log", "an Enterprise plan", quota)
    if rule.action_parameters.get("response") and not quota.has_custom_answers:
        error = not_entitled("response", "object", "the use of a custom response", "a Pro plan", quota)
        raise error.below("/action_parameters")
    if rule.ratelimit is None or quota.has_throttling:
        return
    timeout = rule.ratelimit.mitigation_timeout
    if rule.action == "block" and not timeout:
        what = "the use of mitigation_timeout 0 with action block"
        raise not_entitled("ratelimit.mitigation_timeout", "0", what, "an Enterprise plan", quota)
    if rule.action in CHALLENGES and timeout:
        what = f"the use of a mitigation_timeout other than 0 with action {rule.action}"
        raise not_entitled("ratelimit.mitigation_timeout", str(timeout), what, "an Enterprise plan", quota)


def not_entitled(field: str, value: str, what: str, needed: str, quota: Quota, *, pointer: str = "") -> RuleError:
    """`what` is for plans from `needed` on, in the words of the original."""
    reason = f"not entitled: {what} is not allowed, {needed} is required{_advice(quota)}"
    return not_valid(value, field, reason, code=NOT_ENTITLED, pointer=pointer)


def _advice(quota: Quota) -> str:
    if not quota.plan:
        return ""
    return f" (the zone is on the plan {quota.plan}; PUT /zones/{{zone_id}}/subscription changes it, and costs nothing)"
