"""Rulesets: ordered rules of one phase, and what can be done with them. Pure: a ruleset in, a ruleset out.

Law 1: a change of a rule raises its version and the ruleset's; a change of the order raises the ruleset's alone; what
changes nothing gives the same ruleset back.
Law 2: ids and refs are unique within a ruleset. A rule keeps its id as long as whoever writes names it, by id or by ref.
Law 3: whatever is asked, each function returns a ruleset or raises RuleError, which points at the member at fault.

Source: Cloudflare API v4, "Rulesets"; sentences as its clients know them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from holdfast.model.moment import Moment
from holdfast.model.rate_limit_terms import RateLimit
from holdfast.model.rule_error import NO_SUCH_RULE, RuleError, not_valid

NewId = Callable[[], str]


class RuleDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A rule as a client wants it, parsed. `id` and `ref` are None where it does not say."""

    id: str | None = None
    ref: str | None = None
    action: str
    action_parameters: Mapping[str, Any]
    expression: str
    description: str = ""
    enabled: bool = True
    ratelimit: RateLimit | None = None
    is_logged: bool | None = None


class Rule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One rule. `action_parameters` have the API's shape; `is_logged` is None where the rule does not say."""

    id: str
    version: int
    ref: str
    action: str
    action_parameters: Mapping[str, Any]
    expression: str
    description: str
    enabled: bool
    last_updated: Moment
    ratelimit: RateLimit | None = None
    is_logged: bool | None = None

    def is_as(self, other: Rule) -> bool:
        """Whether it says the same as `other`, whatever their versions are."""
        return self == msgspec.structs.replace(other, version=self.version, last_updated=self.last_updated)


class Ruleset(msgspec.Struct, frozen=True, kw_only=True):
    """Rules of one phase, in their order."""

    id: str
    name: str
    description: str
    kind: str
    phase: str
    version: int
    rules: tuple[Rule, ...]
    last_updated: Moment


def changed_rules(before: Ruleset | None, after: Ruleset) -> list[tuple[int, Rule]]:
    """The rules of `after` that are new or say something else than in `before`, each with its place."""
    known = {rule.id: rule for rule in before.rules} if before else {}
    return [
        (place, rule)
        for place, rule in enumerate(after.rules)
        if rule.id not in known or not rule.is_as(known[rule.id])
    ]


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """Where a rule goes: before or after another ("" is first, and last), or to a place counted from 1. One of the three."""

    before: str | None = None
    after: str | None = None
    index: int | None = None


def first(ruleset: Ruleset) -> Ruleset:
    """A new ruleset in its first version."""
    return msgspec.structs.replace(ruleset, version=1)


def replaced(
    ruleset: Ruleset, drafts: Sequence[RuleDraft] | None, description: str, *, new_id: NewId, now: Moment
) -> Ruleset:
    """`ruleset` with this description, and these rules in place of all it has (None: those it has). Raises RuleError."""
    rules = ruleset.rules if drafts is None else _rules(ruleset, drafts, new_id, now)
    return _changed(msgspec.structs.replace(ruleset, description=description), rules, now, before=ruleset)


def _rules(ruleset: Ruleset, drafts: Sequence[RuleDraft], new_id: NewId, now: Moment) -> tuple[Rule, ...]:
    by_id = {rule.id: rule for rule in ruleset.rules}
    by_ref = {rule.ref: rule for rule in ruleset.rules}
    rules = []
    for place, draft in enumerate(drafts):
        before = by_id.get(draft.id) if draft.id else by_ref.get(draft.ref or "")
        if draft.id and before is None:
            raise not_valid(draft.id, "id", "the ruleset has no such rule").below(f"/rules/{place}")
        rules.append(_rule(draft, before, new_id, now))
    _check_unique(rules)
    return tuple(rules)


def with_rule(ruleset: Ruleset, draft: RuleDraft, position: Position | None, *, new_id: NewId, now: Moment) -> Ruleset:
    """`ruleset` with one rule more, at its end if no position is given. Raises RuleError."""
    rules = list(ruleset.rules)
    rules.insert(len(rules) if position is None else _place(rules, position), _rule(draft, None, new_id, now))
    _check_unique(rules, pointer="")
    return _changed(ruleset, rules, now)


def with_changed_rule(
    ruleset: Ruleset, rule_id: str, draft: RuleDraft | None, position: Position | None, *, now: Moment
) -> Ruleset:
    """`ruleset` with another rule in place of one, and that elsewhere; None leaves it as it is. Raises RuleError."""
    rules = list(ruleset.rules)
    place = _index_of(ruleset, rule_id)
    rule = rules.pop(place)
    if draft is not None:
        rule = _rule(draft, rule, lambda: rule_id, now)
    rules.insert(place if position is None else _place(rules, position), rule)
    _check_unique(rules, pointer="")
    return _changed(ruleset, rules, now)


def without_rule(ruleset: Ruleset, rule_id: str, *, now: Moment) -> Ruleset:
    """`ruleset` without one rule. Raises RuleError."""
    place = _index_of(ruleset, rule_id)
    return _changed(ruleset, [*ruleset.rules[:place], *ruleset.rules[place + 1 :]], now)


def _index_of(ruleset: Ruleset, rule_id: str) -> int:
    for place, rule in enumerate(ruleset.rules):
        if rule.id == rule_id:
            return place
    raise RuleError(NO_SUCH_RULE, f"could not find rule {rule_id} in ruleset {ruleset.id}")


def _rule(draft: RuleDraft, before: Rule | None, new_id: NewId, now: Moment) -> Rule:
    rule_id = before.id if before else new_id()
    rule = Rule(
        id=rule_id,
        version=before.version if before else 1,
        ref=draft.ref or (before.ref if before else rule_id),
        action=draft.action,
        action_parameters=draft.action_parameters,
        expression=draft.expression,
        description=draft.description,
        enabled=draft.enabled,
        ratelimit=draft.ratelimit,
        is_logged=draft.is_logged,
        last_updated=before.last_updated if before else now,
    )
    if before is None or rule == before:
        return rule
    return msgspec.structs.replace(rule, version=before.version + 1, last_updated=now)


def _changed(ruleset: Ruleset, rules: Sequence[Rule], now: Moment, *, before: Ruleset | None = None) -> Ruleset:
    """`ruleset` with `rules`, a version later than `before` (by default `ruleset`) unless it is the same."""
    after = msgspec.structs.replace(ruleset, rules=tuple(rules))
    if after == (before or ruleset):
        return after
    return msgspec.structs.replace(after, version=ruleset.version + 1, last_updated=now)


def _check_unique(rules: Sequence[Rule], *, pointer: str | None = None) -> None:
    """Raise RuleError for a second rule of one id or ref, at its place or at `pointer`."""
    for field in ("id", "ref"):
        seen: set[str] = set()
        for place, rule in enumerate(rules):
            value = getattr(rule, field)
            if value in seen:
                error = not_valid(value, field, "another rule of the ruleset has it")
                raise error.below(f"/rules/{place}" if pointer is None else pointer)
            seen.add(value)


def _place(rules: Sequence[Rule], position: Position) -> int:
    if position.index is not None:
        if not 1 <= position.index <= len(rules) + 1:
            raise not_valid(position.index, "position.index", f"expected a number from 1 to {len(rules) + 1}")
        return position.index - 1
    is_after = position.after is not None
    anchor = (position.after if is_after else position.before) or ""
    if not anchor:
        return len(rules) if is_after else 0
    for place, rule in enumerate(rules):
        if rule.id == anchor:
            return place + 1 if is_after else place
    raise not_valid(anchor, f"position.{'after' if is_after else 'before'}", "the ruleset has no such other rule")
