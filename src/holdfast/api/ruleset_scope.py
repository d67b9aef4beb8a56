"""Whose rulesets a request is about, and which of them its token may see and write.

Law 1: a token sees rulesets of the phases it may read, and learns of no other whether it is there.
Law 2: what a phase is about decides who may write its rules (`Phase.permission`); at the level of accounts every phase is about
all of an account's zones.
Law 3: a managed ruleset that an operator can load is missing only when the database says so, and not because nobody has looked.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query

from holdfast.api.access import Access, Dependency, account_access, zone_access
from holdfast.api.faults import ApiFault, fault, invalid, not_permitted
from holdfast.api.managed_rulesets import LOADABLE
from holdfast.model.rule_error import INVALID_VALUE, NO_SUCH_RULE, RuleError
from holdfast.model.rule_phase import MANAGED, PHASES, ROOT, ZONE
from holdfast.model.ruleset import Ruleset
from holdfast.rules.managed_ruleset import ManagedRuleset
from holdfast.store.rulesets import Owner


@dataclass(frozen=True, slots=True)
class Scope:
    """Rulesets of zones, or of accounts: where they are, and who is let in."""

    path: str
    read: Dependency
    write: Dependency


ZONES = Scope(
    "/zones/{zone_id}/rulesets",
    zone_access("Origin Read", "Zone WAF Read"),
    zone_access("Origin Write", "Zone WAF Write"),
)
ACCOUNTS = Scope(
    "/accounts/{account_id}/rulesets",
    account_access("Account Rulesets Read", "Account WAF Read"),
    account_access("Account Rulesets Write", "Account WAF Write"),
)


def owner_of(access: Access) -> Owner:
    """Whose rulesets `access` is about."""
    return Owner("zone", access.zone.id) if access.zone else Owner("account", access.account_id)


def account_of(access: Access) -> str:
    """The account whose lists and rulesets rules can name."""
    return access.zone.account_id if access.zone else access.account_id


def entrypoint_kind(access: Access) -> str:
    """The kind of the rulesets that are run."""
    return ZONE if access.zone else ROOT


def sees(access: Access, phase: str) -> bool:
    """Whether the token may read rules of `phase`."""
    return access.zone is None or (phase in PHASES and access.has(f"{PHASES[phase].permission} Read"))


def require(access: Access, phase: str, verb: str) -> None:
    """Raise ApiFault unless the token may do so ("Read" or "Write") with rules of `phase`."""
    if access.zone is None or phase not in PHASES:
        return
    permission = f"{PHASES[phase].permission} {verb}"
    if not access.has(permission):
        raise not_permitted(permission)


def managed_of(access: Access) -> dict[str, ManagedRuleset]:
    """The managed rulesets that the token sees, by id."""
    return dict(access.context.managed()) if sees(access, MANAGED) else {}


async def look_for_managed(access: Access, ids: Collection[str]) -> None:
    """Have what of `ids` an operator may have loaded a moment ago looked for."""
    if missing := LOADABLE.intersection(ids) - access.context.managed().keys():
        await access.context.find_managed(missing)


async def managed_ruleset(access: Access, ruleset_id: str) -> ManagedRuleset | None:
    """The managed ruleset with this id, where it is there and the token sees it."""
    await look_for_managed(access, [ruleset_id])
    return managed_of(access).get(ruleset_id)


def visible(access: Access, ruleset: Ruleset | None, ruleset_id: str) -> Ruleset:
    """`ruleset`, where it is there and the token sees it. Raises ApiFault."""
    if ruleset is None or not sees(access, ruleset.phase):
        raise no_ruleset(ruleset_id)
    return ruleset


def no_ruleset(ruleset_id: str) -> ApiFault:
    """There is no ruleset with this id."""
    return fault(404, NO_SUCH_RULE, f"could not find ruleset {ruleset_id}")


def managed_is_fixed(ruleset_id: str) -> ApiFault:
    """It is a managed ruleset, which nobody writes."""
    reason = "it is managed: its rules are changed by the overrides of the rule that executes it"
    return fault(400, INVALID_VALUE, f"ruleset {ruleset_id} cannot be changed because {reason}")


def no_entrypoint(phase: str) -> ApiFault:
    """There are no rules in this phase."""
    return fault(404, NO_SUCH_RULE, f"could not find entrypoint ruleset in the {phase} phase")


def refused(error: RuleError) -> ApiFault:
    """`error` as an answer."""
    return fault(404 if error.code == NO_SUCH_RULE else 400, error.code, str(error), pointer=error.pointer or None)


def _is_dry(
    dry_run: Annotated[str | None, Query(description="`true`: check everything, write nothing.")] = None,
) -> bool:
    if dry_run not in (None, "true"):
        raise invalid("/dry_run", f"dry_run: expected true, or nothing at all, got {dry_run[:40]!r}")
    return dry_run is not None


IsDry = Annotated[bool, Depends(_is_dry)]
