"""How a ruleset is written: read, changed, checked and published.

Law 1: a ruleset is read, changed and written in one transaction under the lock of its zone or account: of two who write at
once, each changes what the other left.
Law 2: `dry_run=true` does all that a write does and then undoes it: what it lets through, the write lets through.
Law 3: only rules that are new or say something else are checked for what may be used: a plan that shrank, a list that is gone
and a managed ruleset that was unloaded keep nobody from removing rules.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fastapi import Response
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.api.access import Access
from holdfast.api.envelope import success
from holdfast.api.faults import not_found
from holdfast.api.rule_expressions import AllUses, check_lists, check_uses, list_names, read_expressions
from holdfast.api.rule_references import check_overrides, check_references, executing, named_by, needs_account
from holdfast.api.ruleset_scope import (
    account_of,
    look_for_managed,
    managed_is_fixed,
    managed_ruleset,
    owner_of,
    refused,
    require,
    visible,
)
from holdfast.api.ruleset_shapes import ruleset_view
from holdfast.api.undoing import Undone, writing
from holdfast.model.rule_error import INVALID_VALUE, ONE_A_PHASE, TOO_MANY_RULES, RuleError, not_valid
from holdfast.model.rule_phase import EXECUTED, MANAGED, phase_of
from holdfast.model.rule_quota import ACCOUNT_PATH_RULES, ACCOUNT_RULESETS, check_entitled, check_room, quota_of
from holdfast.model.ruleset import RuleDraft, Ruleset, changed_rules
from holdfast.store import identities, rulesets, zones
from holdfast.store.list_names import kinds_of
from holdfast.store.rulesets import Owner

RESOURCE = "ruleset"
# Beyond so many new rules at once an edge on a busy machine may need longer than the moment that a write usually waits.
_MANY_RULES = 50

# From the ruleset that is there (None: there is none) to the one to be; None removes it.
Change = Callable[[Ruleset | None], Ruleset | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Which ruleset: the one with this id, or the entrypoint of a phase, or one that is new to it."""

    ruleset_id: str = ""
    entrypoint: str = ""


def new_id() -> str:
    """An id for a ruleset or a rule."""
    return secrets.token_hex(16)


async def read_drafts(access: Access, drafts: Sequence[RuleDraft], *, room: int, is_whole: bool) -> AllUses:
    """Compile and look at rules before anything is locked: others do not wait for that. Raises ApiFault.

    They may have `room` characters together; `is_whole` says that they are a ruleset's `rules`.
    """

    def pointer_of(place: int) -> str:
        return f"/rules/{place}" if is_whole else ""

    await look_for_managed(access, [named for draft in drafts for named in named_by(draft)])
    try:
        uses = await read_expressions(drafts, pointer_of, room=room)
        await check_overrides(drafts, access.context.managed(), pointer_of)
    except RuleError as error:
        raise refused(error) from None
    return uses


async def find(access: Access, ruleset_id: str) -> Ruleset:
    """The ruleset with this id, to be written. Its kind and phase never change. Raises ApiFault."""
    if await managed_ruleset(access, ruleset_id) is not None:
        require(access, MANAGED, "Write")
        raise managed_is_fixed(ruleset_id)
    async with access.context.database.read() as connection:
        found = visible(access, await rulesets.find(connection, owner_of(access), ruleset_id), ruleset_id)
    require(access, found.phase, "Write")
    return found


async def write(
    access: Access, target: Target, change: Change, *, uses: AllUses, is_dry: bool, is_whole: bool = True
) -> Response:
    """Change a ruleset; publish, and answer what it is then."""
    is_changed = False
    try:
        async with writing(access.context.database) as connection:
            plan = await _lock(access, connection)
            before = await _before(access, connection, target)
            after = change(before)
            await _Checks(access, connection, plan, uses, is_whole=is_whole).check(before, after)
            await _put(access, connection, before, after)
            is_changed = after != before and not is_dry
            if not is_changed:
                raise Undone
    except RuleError as error:
        raise refused(error) from None
    if is_changed:
        await _publish(access, takes_long=_takes_long(before, after))
    return success(None if after is None or is_dry else ruleset_view(after))


def _takes_long(before: Ruleset | None, after: Ruleset | None) -> bool:
    """Whether edges may need seconds: for managed rulesets, which the rules may execute that are there, and for many rules."""
    if after is None:
        return False
    return any(rule.action == "execute" for rule in after.rules) or len(changed_rules(before, after)) > _MANY_RULES


async def _publish(access: Access, *, takes_long: bool) -> None:
    if access.zone is not None:
        await access.context.on_change([access.zone.id], takes_long=takes_long)
    else:
        await access.context.on_account_change([access.account_id], takes_long=takes_long)


async def _lock(access: Access, connection: AsyncConnection) -> str | None:
    """Lock the zone or account; the zone's plan. Raises ApiFault where it is gone."""
    if access.zone is None:
        if not await identities.touch_account(connection, access.account_id):
            raise not_found("account")
        return None
    if not await zones.touch(connection, access.zone.id):
        raise not_found("zone")
    zone = await zones.find(connection, access.zone.id)
    return zone.plan if zone else access.zone.plan


async def _before(access: Access, connection: AsyncConnection, target: Target) -> Ruleset | None:
    owner = owner_of(access)
    if target.ruleset_id:
        return visible(access, await rulesets.find(connection, owner, target.ruleset_id), target.ruleset_id)
    return await rulesets.find_entrypoint(connection, owner, target.entrypoint) if target.entrypoint else None


async def _put(access: Access, connection: AsyncConnection, before: Ruleset | None, after: Ruleset | None) -> None:
    """Write the difference, and write it down."""
    old = None if before is None else ruleset_view(before)
    new = None if after is None else ruleset_view(after)
    if after is not None and before is None:
        await rulesets.insert(connection, owner_of(access), after)
        await access.record(connection, "create", RESOURCE, after.id, new=new)
    elif after is not None and before is not None and after != before:
        await rulesets.update(connection, before, after)
        await access.record(connection, "update", RESOURCE, after.id, old=old, new=new)
    elif after is None and before is not None:
        await rulesets.delete(connection, before.id)
        await access.record(connection, "delete", RESOURCE, before.id, old=old)


@dataclass(frozen=True, slots=True)
class _Checks:
    """What must hold of a ruleset beside its shape, under the lock. Each raises RuleError."""

    access: Access
    connection: AsyncConnection
    plan: str | None
    uses: AllUses
    is_whole: bool

    async def check(self, before: Ruleset | None, after: Ruleset | None) -> None:
        """All of it."""
        if after is not None and after != before:
            await self._written(before, after)
        elif after is None and before is not None and before.kind == EXECUTED:
            by = executing(before.id, await self._of_account())
            if by is not None:
                raise RuleError(
                    INVALID_VALUE, f"ruleset {before.id} is executed by ruleset {by.id}: remove that rule first"
                )

    async def _written(self, before: Ruleset | None, after: Ruleset) -> None:
        quota, changed = quota_of(after.phase, self.plan), changed_rules(before, after)
        check_room(before, after, quota)
        rules = [rule for _, rule in changed]
        managed = self.access.context.managed()
        of_account: list[Ruleset] = []
        if self.access.zone is None or needs_account(rules, managed):
            of_account = await self._of_account()
        if self.access.zone is None:
            _check_account(after, of_account)
        kinds = await kinds_of(self.connection, account_of(self.access), list_names(rules, self.uses))
        for place, rule in changed:
            try:
                check_entitled(rule, after.kind, quota)
                check_uses(rule, self.uses, phase_of(after.phase), quota)
                check_lists(rule, self.uses, kinds)
                check_references(rule, after, managed, of_account)
            except RuleError as error:
                raise error.below(f"/rules/{place}" if self.is_whole else "") from None

    async def _of_account(self) -> list[Ruleset]:
        return await rulesets.of_owner(self.connection, Owner("account", account_of(self.access)))


def _check_account(after: Ruleset, of_account: list[Ruleset]) -> None:
    """Raise RuleError where the account has more rulesets or rules in a phase than there is room for."""
    others = [one for one in of_account if one.phase == after.phase and one.id != after.id]
    if after.kind == EXECUTED and sum(one.kind == EXECUTED for one in others) >= ACCOUNT_RULESETS:
        reason = f"exceeded maximum number of custom rulesets for phase {after.phase}: {ACCOUNT_RULESETS}"
        raise not_valid(EXECUTED, "kind", reason, code=ONE_A_PHASE)
    total = sum(len(one.rules) for one in (*others, after))
    if total > ACCOUNT_PATH_RULES:
        reason = f"exceeded the maximum number of rules of the account in the phase {after.phase}"
        raise RuleError(TOO_MANY_RULES, f"{reason}: {total} out of {ACCOUNT_PATH_RULES}", "/rules")
