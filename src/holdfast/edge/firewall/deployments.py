"""Managed rulesets as rules execute them: made ready once for each rule, and known to be missing where they are.

Law 1: what a rule executes is looked up in the snapshot when a request comes, for managed rulesets come and go by
themselves; what is found is made ready (`prepare`) by whoever publishes it, before the first request meets it.
Law 2: a rule whose managed ruleset is not here, or cannot be made ready, does nothing, and says so: to whoever traces, and in
what `prepare` returns, which goes into the log.
Law 3: overrides of what a managed ruleset lacks, as after another release of it was loaded, are left aside, and the rest of
them holds: that a rule was renamed must not end what all others do. That is said in the log too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec

from holdfast.edge.firewall.values import MAX_DEPLOYMENTS, CompiledRule, CompiledRuleset, Deploy, Execute, Firewall

if TYPE_CHECKING:
    from holdfast.rules.managed_ruleset import Deployment, ManagedRuleset


# Overrides that one remark names.
MAX_NAMED = 5


class Remark(msgspec.Struct, frozen=True, gc=False):
    """What there is to say of a rule, for the log: `event` is `rule_inert` (it does nothing) or `rule_override_unknown` (some of
    its overrides do), `reason` a sentence that says why."""

    event: str
    rule_id: str
    ruleset_id: str
    reason: str


def prepare(firewalls: Iterable[Firewall], managed: Mapping[str, ManagedRuleset]) -> tuple[Remark, ...]:
    """Make ready what the rules of `firewalls` execute of `managed` (by id); the rules that do nothing, or not all they say.

    It takes some milliseconds for a large managed ruleset that is new: not for the thread that decides.
    """
    remarks = []
    for rule, deploy in _deploys(firewalls):
        found = deployment_of(deploy, managed, rule.phase)
        if isinstance(found, str):
            remarks.append(Remark("rule_inert", rule.id, rule.ruleset_id, found))
        elif reason := _ignored(deploy, managed[deploy.ruleset_id]):
            remarks.append(Remark("rule_override_unknown", rule.id, rule.ruleset_id, reason))
    return tuple(remarks)


def _ignored(deploy: Deploy, ruleset: ManagedRuleset) -> str:
    """The overrides that do nothing, as a sentence; "" for none."""
    unknown = [f"{error} ({error.pointer})" for error in deploy.overrides.unknown(ruleset.rules)]
    if len(unknown) > MAX_NAMED:
        unknown[MAX_NAMED:] = [f"{len(unknown) - MAX_NAMED} more"]
    return f"Overrides do nothing, the others hold: {'; '.join(unknown)}." if unknown else ""


def deployment_of(deploy: Deploy, managed: Mapping[str, ManagedRuleset], phase: str) -> Deployment | str:
    """What to ask for a rule of `phase`; or why there is nothing to ask."""
    ruleset = managed.get(deploy.ruleset_id)
    if ruleset is None:
        return f"The managed ruleset {deploy.ruleset_id} is not loaded here."
    made = deploy.made.get(id(ruleset))
    if made is not None:
        return made[1]
    deployment = _made(deploy, ruleset, phase)
    # Asked for by two threads at once it is made twice, and one of the two is forgotten.
    while len(deploy.made) >= MAX_DEPLOYMENTS:
        deploy.made.pop(next(iter(deploy.made), 0), None)
    deploy.made[id(ruleset)] = (ruleset, deployment)
    return deployment


def _made(deploy: Deploy, ruleset: ManagedRuleset, phase: str) -> Deployment | str:
    if ruleset.phase != phase:
        return f"The managed ruleset {deploy.ruleset_id} is for the phase {ruleset.phase}."
    try:
        return ruleset.deploy(deploy.overrides)
    except ValueError as error:
        # A release of the Core Rule Set may hold rules, of a paranoia level that nothing else needs, that cannot be compiled.
        return f"The managed ruleset {deploy.ruleset_id} cannot be made ready: {error}."


def _deploys(firewalls: Iterable[Firewall]) -> Iterator[tuple[CompiledRule, Deploy]]:
    for firewall in firewalls:
        for entrypoint in (firewall.custom, firewall.rate_limits, firewall.managed):
            if entrypoint is not None:
                yield from _deploys_in(entrypoint)


def _deploys_in(ruleset: CompiledRuleset) -> Iterator[tuple[CompiledRule, Deploy]]:
    for rule in ruleset.rules:
        if isinstance(rule.action, Deploy) and rule.enabled:
            yield rule, rule.action
        elif isinstance(rule.action, Execute):
            yield from _deploys_in(rule.action.ruleset)
