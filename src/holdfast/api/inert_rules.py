"""Rules that are published and do nothing: what they execute is not here, or their overrides cannot be read.

Law 1: an edge that meets such a rule does nothing by it (`edge.firewall.deployments`), which is silent for clients and for whoever
wrote the rule: so it is named where health is asked for.
Law 2: what is found follows from what is published alone; nothing is deployed for it, and no edge is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from holdfast.model.rule_documents import RuleDocument, RulesetDocument
from holdfast.model.zone_document import SnapshotDocument
from holdfast.rules.managed_ruleset import ManagedRuleset, OverrideError, Overrides

# Lines of an answer about health; how many more there are is one line more.
MAX_NAMED = 20


class InertRule(msgspec.Struct, frozen=True):
    """A rule that does nothing, whose it is (`kind` "zone" or "account", `name` the zone's name or the account's id), and why."""

    kind: str
    name: str
    rule_id: str
    reason: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}: the rule {self.rule_id} does nothing: {self.reason}"


def inert_rules(published: SnapshotDocument, managed: Mapping[str, ManagedRuleset]) -> tuple[InertRule, ...]:
    """The rules of what is `published` that do nothing with these `managed` rulesets, accounts' first. A zone that is paused
    runs no rules."""
    owners: Iterator[tuple[str, str, Sequence[RulesetDocument]]] = iter(
        [
            *(("account", one.id, one.rulesets) for one in published.accounts),
            *(("zone", one.name, one.rulesets) for one in published.zones if not one.paused),
        ]
    )
    return tuple(
        InertRule(kind, name, rule.id, reason)
        for kind, name, rulesets in owners
        for rule in _deploying(rulesets)
        if (reason := _reason(rule, managed)) is not None
    )


def lines_of(inert: Sequence[InertRule]) -> list[str]:
    """The same for people: the first of them, and how many more there are."""
    beyond = len(inert) - MAX_NAMED
    return [*map(str, inert[:MAX_NAMED]), *([f"{beyond} more rules do nothing"] if beyond > 0 else [])]


def _deploying(rulesets: Sequence[RulesetDocument]) -> Iterator[RuleDocument]:
    """The rules that are run and execute a managed ruleset."""
    customs = {one.id: one for one in rulesets if one.kind == "custom"}
    for ruleset in rulesets:
        if ruleset.kind == "custom":
            continue
        for rule in _executing(ruleset.rules):
            custom = customs.get(_target(rule))
            yield from [rule] if custom is None else _executing(custom.rules)


def _executing(rules: Iterable[RuleDocument]) -> Iterator[RuleDocument]:
    return (rule for rule in rules if rule.action == "execute" and rule.enabled)


def _target(rule: RuleDocument) -> str:
    return str(rule.action_parameters.get("id"))


def _reason(rule: RuleDocument, managed: Mapping[str, ManagedRuleset]) -> str | None:
    target = managed.get(_target(rule))
    if target is None:
        return f"the managed ruleset {_target(rule)} is not loaded"
    try:
        # What they name and is not there any more is left aside (`edge.firewall.deployments`, law 3).
        Overrides.parse(rule.action_parameters.get("overrides"))
    except OverrideError as error:
        return f"the managed ruleset {target.id} cannot take its overrides{error.pointer}: {error}"
    return None
