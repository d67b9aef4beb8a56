"""The rulesets and rules that other rules name: that they are there, and may be used so.

Law 1: what is executed is there: a managed ruleset that is known, or a ruleset of the account that nobody removes meanwhile
(both are written under the account's lock).
Law 2: overrides are read by the code that an edge applies them with, and held against the rules that there are; nothing is
deployed for that, which may take a tenth of a second each.

Source: Cloudflare, "Work with managed rulesets", "Create an exception", "Account-level WAF".
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence

from holdfast.api.managed_rulesets import ABSENT
from holdfast.model.rule_error import INVALID_VALUE, RuleError, not_valid
from holdfast.model.rule_phase import EXECUTED, ROOT, ZONE
from holdfast.model.ruleset import Rule, RuleDraft, Ruleset
from holdfast.rules.managed_ruleset import ManagedRuleset, OverrideError, Overrides

Managed = Mapping[str, ManagedRuleset]

# The one rule that has a score threshold: of the OWASP Core Rule Set, "Inbound Anomaly Score Exceeded".
THRESHOLD_RULE_ID = "6179ae15870a4bb7b2d480d4843b323c"


async def check_overrides(drafts: Sequence[RuleDraft], managed: Managed, pointer_of: Callable[[int], str]) -> None:
    """Raise RuleError for overrides that their managed ruleset cannot take. In a thread: there may be a thousand, of each."""
    deployments = [(place, draft) for place, draft in enumerate(drafts) if _overrides(draft) is not None]

    def check() -> None:
        for place, draft in deployments:
            try:
                _check_overrides(draft, managed)
            except RuleError as error:
                raise error.below(pointer_of(place)) from None

    if deployments:
        await asyncio.to_thread(check)


def _overrides(rule: Rule | RuleDraft) -> object:
    return rule.action_parameters.get("overrides") if rule.action == "execute" else None


def _check_overrides(draft: RuleDraft, managed: Managed) -> None:
    pointer = "/action_parameters/overrides"
    try:
        overrides = Overrides.parse(_overrides(draft))
        target = managed.get(draft.action_parameters["id"])
        if target is not None:
            overrides.refuse_unknown(target.rules, with_threshold=(THRESHOLD_RULE_ID,))
        elif draft.action_parameters["id"] not in ABSENT:
            raise not_valid("object", "overrides", "overrides are for managed rulesets only", pointer=pointer)
    except OverrideError as error:
        raise RuleError(INVALID_VALUE, f"overrides are not valid because {error}", pointer + error.pointer) from None


def needs_account(rules: Sequence[Rule], managed: Managed) -> bool:
    """Whether some of `rules` name what only the account can have."""
    return any(ruleset_id not in managed for rule in rules for ruleset_id in named_by(rule))


def named_by(rule: Rule | RuleDraft) -> list[str]:
    """The ids of the rulesets that a rule executes or skips."""
    parameters = rule.action_parameters
    if rule.action == "execute":
        return [parameters["id"]]
    return [*parameters.get("rulesets", ()), *parameters.get("rules", ())]


def check_references(rule: Rule, ruleset: Ruleset, managed: Managed, of_account: Collection[Ruleset]) -> None:
    """Raise RuleError where `rule` of `ruleset` names what is not there. `of_account` are the account's rulesets."""
    if rule.action == "execute":
        _check_execute(rule, ruleset, managed, of_account)
    elif rule.action == "skip":
        _check_skip(rule, managed, of_account)


def _check_execute(rule: Rule, ruleset: Ruleset, managed: Managed, of_account: Collection[Ruleset]) -> None:
    target = rule.action_parameters["id"]
    if target in managed:
        _check_managed(ruleset, managed[target])
        return
    custom = next((one for one in of_account if one.id == target and one.kind == EXECUTED), None)
    if ruleset.kind != ROOT or custom is None:
        raise _unknown(target, "/action_parameters/id")
    if custom.phase != ruleset.phase:
        reason = f"it is of the phase {custom.phase}, and cannot be executed in the phase {ruleset.phase}"
        raise not_valid(target, "id", reason, pointer="/action_parameters/id")


def _check_managed(ruleset: Ruleset, target: ManagedRuleset) -> None:
    pointer = "/action_parameters/id"
    if target.phase != ruleset.phase:
        reason = f"it is of the phase {target.phase}, and cannot be executed in the phase {ruleset.phase}"
        raise not_valid(target.id, "id", reason, pointer=pointer)
    again = [one for one in ruleset.rules if one.action == "execute" and one.action_parameters["id"] == target.id]
    if ruleset.kind == ZONE and len(again) > 1:
        reason = "a zone executes it once: one rule can have all of its overrides"
        raise not_valid(target.id, "id", reason, pointer=pointer)


def _check_skip(rule: Rule, managed: Managed, of_account: Collection[Ruleset]) -> None:
    parameters = rule.action_parameters
    known = {one.id: {each.id for each in one.rules} for one in of_account}
    known |= {target: {each.id for each in managed[target].rules} for target in named_by(rule) if target in managed}
    for place, target in enumerate(parameters.get("rulesets", ())):
        if target not in known:
            raise _unknown(target, f"/action_parameters/rulesets/{place}")
    for target, rules in parameters.get("rules", {}).items():
        if target not in known:
            raise _unknown(target, f"/action_parameters/rules/{target}")
        for place, one in enumerate(rules):
            if one not in known[target]:
                reason = f"the ruleset {target} has no such rule"
                raise not_valid(one, "rules", reason, pointer=f"/action_parameters/rules/{target}/{place}")


def _unknown(ruleset_id: str, pointer: str) -> RuleError:
    reason = ABSENT.get(ruleset_id, "could not find such a ruleset to use here")
    return not_valid(ruleset_id, "id", reason, pointer=pointer)


def executing(ruleset_id: str, of_account: Collection[Ruleset]) -> Ruleset | None:
    """The ruleset of the account that executes this one."""
    for ruleset in of_account:
        for rule in ruleset.rules:
            if rule.action == "execute" and rule.action_parameters["id"] == ruleset_id:
                return ruleset
    return None
