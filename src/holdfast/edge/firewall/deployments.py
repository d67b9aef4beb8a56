"""Managed rulesets as rules execute them: made ready once for each rule, and known to be missing where they are.

Law 1: what a rule executes is looked up in the snapshot when a request comes, for managed rulesets come and go by
themselves; what is found is made ready (`prepare`) by whoever publishes it, before the first request meets it.
Law 2: a rule whose managed ruleset is not here, or cannot take its overrides, does nothing, and says so: to whoever traces,
and in what `prepare` returns, which goes into the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec

from holdfast.edge.firewall.values import MAX_DEPLOYMENTS, CompiledRule, CompiledRuleset, Deploy, Execute, Firewall

if TYPE_CHECKING:
    from holdfast.rules.managed_ruleset import Deployment, ManagedRuleset


class Inert(msgspec.Struct, frozen=True, gc=False):
    """A rule that does nothing, and why, as a sentence."""

    rule_id: str
    ruleset_id: str
    reason: str


def prepare(firewalls: Iterable[Firewall], managed: Mapping[str, ManagedRuleset]) -> tuple[Inert, ...]:
    """Make ready what the rules of `firewalls` execute of `managed` (by id); the rules that do nothing.

    It takes some milliseconds for a large managed ruleset that is new: not for the thread that decides.
    """
    inert = []
    for rule, deploy in _deploys(firewalls):
        found = deployment_of(deploy, managed, rule.phase)
        if isinstance(found, str):
            inert.append(Inert(rule.id, rule.ruleset_id, found))
    return tuple(inert)


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
    from holdfast.rules.managed_ruleset import OverrideError  # noqa: PLC0415  loaded with the first managed ruleset

    if ruleset.phase != phase:
        return f"The managed ruleset {deploy.ruleset_id} is for the phase {ruleset.phase}."
    try:
        return ruleset.deploy(deploy.overrides)
    except OverrideError as error:
        return f"The managed ruleset {deploy.ruleset_id} cannot take the overrides{error.pointer}: {error}."
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
