"""Rulesets of a zone: one for each phase, its entrypoint, and the rules in it.

Law 1: a ruleset is read, changed and written in one transaction under the zone's lock: of two who write at once, each
changes what the other left.
Law 2: `dry_run=true` does all that a write does and then undoes it: what it lets through, the write lets through.

Source: Cloudflare API v4, "Rulesets". The phases are those of `holdfast.model.rule_phase`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.api.access import Access, account_access, zone_access
from holdfast.api.envelope import Envelope, success
from holdfast.api.faults import ApiFault, fault, invalid, not_found
from holdfast.api.identifiers import path_id
from holdfast.api.ruleset_shapes import (
    RuleBody,
    RuleCreate,
    RuleEdit,
    RulesetCreate,
    RulesetEntry,
    RulesetPut,
    RulesetView,
    check_expressions,
    entry_view,
    parse_rules,
    refused,
    ruleset_view,
)
from holdfast.api.undoing import Undone, writing
from holdfast.model import ruleset as model
from holdfast.model.rule_phase import PHASES, phase_of
from holdfast.model.ruleset import NO_SUCH_RULE, RuleError, Ruleset, not_valid
from holdfast.store import rulesets, zones

router = APIRouter(tags=["Rulesets"])
_ZONE = "/zones/{zone_id}/rulesets"
_ACCOUNT = "/accounts/{account_id}/rulesets"

ReadAccess = Annotated[Access, Depends(zone_access("Origin Read"))]
WriteAccess = Annotated[Access, Depends(zone_access("Origin Write"))]
_ACCOUNT_READ = [Depends(account_access("Account Settings Read"))]
_ACCOUNT_WRITE = [Depends(account_access("Account Settings Write"))]
RulesetId = path_id("ruleset_id")
RuleId = path_id("rule_id")
PhaseName = Annotated[str, Path(max_length=100)]

ONE_A_PHASE = 20217
ENTRYPOINT_NAME = "default"
RESOURCE = "ruleset"

# From the ruleset that is there (None: there is none) to the one to be; None removes it.
Change = Callable[[Ruleset | None], Ruleset | None]


def _is_dry(
    dry_run: Annotated[str | None, Query(description="`true`: check everything, write nothing.")] = None,
) -> bool:
    if dry_run not in (None, "true"):
        raise invalid("/dry_run", f"dry_run: expected true, or nothing at all, got {dry_run[:40]!r}")
    return dry_run is not None


IsDry = Annotated[bool, Depends(_is_dry)]


@router.get(_ZONE, response_model=Envelope[list[RulesetEntry]])
async def list_rulesets(access: ReadAccess) -> Response:
    """The zone's rulesets, without their rules."""
    async with access.context.database.read() as connection:
        found = await rulesets.of_zone(connection, access.known_zone.id)
    return success([entry_view(ruleset) for ruleset in found])


@router.post(_ZONE, response_model=Envelope[RulesetView | None])
async def create_ruleset(body: RulesetCreate, access: WriteAccess, is_dry: IsDry) -> Response:
    """Make the ruleset of a phase."""
    await _compile(body.rules or (), is_whole=True)

    def change(before: Ruleset | None) -> Ruleset:
        if before is not None:
            reason = f"exceeded maximum number of zone rulesets for phase {body.phase}"
            raise not_valid("zone", "kind", reason, code=ONE_A_PHASE)
        return _made(access, body, body.phase)

    return await _write(access, change, phase=body.phase, is_dry=is_dry)


@router.get(f"{_ZONE}/phases/{{phase}}/entrypoint", response_model=Envelope[RulesetView])
async def show_entrypoint(access: ReadAccess, phase: PhaseName) -> Response:
    """The ruleset of a phase."""
    async with access.context.database.read() as connection:
        found = await rulesets.find_entrypoint(connection, access.known_zone.id, phase) if phase in PHASES else None
    if found is None:
        raise _no_entrypoint(phase)
    return success(ruleset_view(found))


@router.put(f"{_ZONE}/phases/{{phase}}/entrypoint", response_model=Envelope[RulesetView | None])
async def put_entrypoint(body: RulesetPut, access: WriteAccess, phase: PhaseName, is_dry: IsDry) -> Response:
    """Put rules in place of those of a phase. Its ruleset is made if there is none."""
    await _compile(body.rules or (), is_whole=True)

    def change(before: Ruleset | None) -> Ruleset:
        return _made(access, body, phase) if before is None else _replaced(access, body, before)

    return await _write(access, change, phase=phase, is_dry=is_dry)


@router.get(f"{_ZONE}/{{ruleset_id}}", response_model=Envelope[RulesetView])
async def show_ruleset(
    access: ReadAccess,
    ruleset_id: RulesetId,  # type: ignore[valid-type]  # made by a function
) -> Response:
    """One ruleset."""
    async with access.context.database.read() as connection:
        return success(ruleset_view(await _find(access, connection, ruleset_id)))


@router.put(f"{_ZONE}/{{ruleset_id}}", response_model=Envelope[RulesetView | None])
async def put_ruleset(
    body: RulesetPut,
    access: WriteAccess,
    ruleset_id: RulesetId,  # type: ignore[valid-type]  # made by a function
    is_dry: IsDry,
) -> Response:
    """Put rules in place of a ruleset's, or another description."""
    await _compile(body.rules or (), is_whole=True)
    return await _change(access, lambda before: _replaced(access, body, before), ruleset_id, is_dry=is_dry)


@router.delete(f"{_ZONE}/{{ruleset_id}}", status_code=204, response_class=Response)
async def delete_ruleset(
    access: WriteAccess,
    ruleset_id: RulesetId,  # type: ignore[valid-type]  # made by a function
    is_dry: IsDry,
) -> Response:
    """Remove a ruleset and its rules."""
    await _write(access, lambda _: None, ruleset_id=ruleset_id, is_dry=is_dry)
    return Response(status_code=204)


@router.post(f"{_ZONE}/{{ruleset_id}}/rules", response_model=Envelope[RulesetView | None])
async def create_rule(
    body: RuleCreate,
    access: WriteAccess,
    ruleset_id: RulesetId,  # type: ignore[valid-type]  # made by a function
    is_dry: IsDry,
) -> Response:
    """Add a rule, at the end if it names no position. The whole ruleset is answered."""
    await _compile([body])
    now = access.context.clock()

    def change(before: Ruleset) -> Ruleset:
        draft = body.parsed(phase_of(before.phase))
        position = body.position.parsed() if body.position else None
        return model.with_rule(before, draft, position, new_id=_new_id, now=now)

    return await _change(access, change, ruleset_id, is_dry=is_dry)


@router.patch(f"{_ZONE}/{{ruleset_id}}/rules/{{rule_id}}", response_model=Envelope[RulesetView | None])
async def edit_rule(
    body: RuleEdit,
    access: WriteAccess,
    ruleset_id: RulesetId,  # type: ignore[valid-type]  # made by a function
    rule_id: RuleId,  # type: ignore[valid-type]  # made by a function
    is_dry: IsDry,
) -> Response:
    """Put a whole rule in place of another, move it, or both. The whole ruleset is answered."""
    await _compile([body])
    now = access.context.clock()

    def change(before: Ruleset) -> Ruleset:
        draft = None if body.is_move else body.parsed(phase_of(before.phase))
        position = body.position.parsed() if body.position else None
        return model.with_changed_rule(before, rule_id, draft, position, now=now)

    return await _change(access, change, ruleset_id, is_dry=is_dry)


@router.delete(f"{_ZONE}/{{ruleset_id}}/rules/{{rule_id}}", response_model=Envelope[RulesetView | None])
async def delete_rule(
    access: WriteAccess,
    ruleset_id: RulesetId,  # type: ignore[valid-type]  # made by a function
    rule_id: RuleId,  # type: ignore[valid-type]  # made by a function
    is_dry: IsDry,
) -> Response:
    """Remove a rule. The ruleset that is left is answered."""
    now = access.context.clock()
    return await _change(access, lambda before: model.without_rule(before, rule_id, now=now), ruleset_id, is_dry=is_dry)


@router.get(_ACCOUNT, response_model=Envelope[list[RulesetEntry]], dependencies=_ACCOUNT_READ)
async def list_account_rulesets() -> Response:
    """None: rules are of zones here."""
    return success([])


@router.get(f"{_ACCOUNT}/phases/{{phase}}/entrypoint", response_model=Envelope[None], dependencies=_ACCOUNT_READ)
async def show_account_entrypoint(phase: PhaseName) -> Response:
    """None either."""
    raise _no_entrypoint(phase)


@router.post(_ACCOUNT, response_model=Envelope[None], dependencies=_ACCOUNT_WRITE)
async def refuse_account_ruleset() -> Response:
    """Refused: rules are of zones here."""
    raise _of_zones_only()


@router.put(f"{_ACCOUNT}/phases/{{phase}}/entrypoint", response_model=Envelope[None], dependencies=_ACCOUNT_WRITE)
async def refuse_account_entrypoint(phase: PhaseName) -> Response:  # noqa: ARG001  it is part of the path
    """Refused, whatever the phase."""
    raise _of_zones_only()


def _of_zones_only() -> ApiFault:
    return refused(not_valid("root", "kind", "this edge runs rules of zones, and none of accounts"))


def _no_entrypoint(phase: str) -> ApiFault:
    return fault(404, NO_SUCH_RULE, f"could not find entrypoint ruleset in the {phase} phase")


async def _compile(bodies: Sequence[RuleBody], *, is_whole: bool = False) -> None:
    """Compile rules before the zone is locked: others who write it do not wait for that."""
    try:
        await check_expressions(bodies, is_whole=is_whole)
    except RuleError as error:
        raise refused(error) from None


async def _find(access: Access, connection: AsyncConnection, ruleset_id: str) -> Ruleset:
    found = await rulesets.find(connection, access.known_zone.id, ruleset_id)
    if found is None:
        raise fault(404, NO_SUCH_RULE, f"could not find ruleset {ruleset_id}")
    return found


async def _change(access: Access, change: Callable[[Ruleset], Ruleset], ruleset_id: str, *, is_dry: bool) -> Response:
    """Change the ruleset with this id."""

    def of_found(before: Ruleset | None) -> Ruleset | None:
        return None if before is None else change(before)

    return await _write(access, of_found, ruleset_id=ruleset_id, is_dry=is_dry)


async def _write(
    access: Access, change: Change, *, is_dry: bool, ruleset_id: str | None = None, phase: str = ""
) -> Response:
    """Change the ruleset with this id, or the one of this phase; publish, and answer what it is then."""
    zone = access.known_zone
    is_changed = False
    try:
        async with writing(access.context.database) as connection:
            if not await zones.touch(connection, zone.id):
                raise not_found("zone")
            if ruleset_id is not None:
                before: Ruleset | None = await _find(access, connection, ruleset_id)
            else:
                before = await rulesets.find_entrypoint(connection, zone.id, phase_of(phase).name)
            after = change(before)
            await _put(access, connection, before, after)
            is_changed = after != before and not is_dry
            _end_unless(is_changed)
    except RuleError as error:
        raise refused(error) from None
    if is_changed:
        await access.context.on_change([zone.id])
    return success(None if after is None or is_dry else ruleset_view(after))


def _end_unless(is_changed: bool) -> None:
    if not is_changed:
        raise Undone


async def _put(access: Access, connection: AsyncConnection, before: Ruleset | None, after: Ruleset | None) -> None:
    """Write the difference, and write it down."""
    old = None if before is None else ruleset_view(before)
    new = None if after is None else ruleset_view(after)
    if after is not None and before is None:
        await rulesets.insert(connection, access.known_zone.id, after)
        await access.record(connection, "create", RESOURCE, after.id, new=new)
    elif after is not None and after != before:
        await rulesets.update(connection, after)
        await access.record(connection, "update", RESOURCE, after.id, old=old, new=new)
    elif after is None and before is not None:
        await rulesets.delete(connection, before.id)
        await access.record(connection, "delete", RESOURCE, before.id, old=old)


def _made(access: Access, body: RulesetPut, phase: str) -> Ruleset:
    """A new ruleset of `phase`. Raises RuleError."""
    now = access.context.clock()
    empty = Ruleset(
        id=_new_id(),
        name=body.name or ENTRYPOINT_NAME,
        description=body.description or "",
        kind="zone",
        phase=phase,
        version=0,
        rules=(),
        last_updated=now,
    )
    _check_same(body, empty)
    drafts = parse_rules(body.rules, phase_of(phase))
    return model.first(model.replaced(empty, drafts, empty.description, new_id=_new_id, now=now))


def _replaced(access: Access, body: RulesetPut, before: Ruleset) -> Ruleset:
    """`before` with what `body` gives. Raises RuleError."""
    now = access.context.clock()
    _check_same(body, before)
    drafts = None if body.rules is None else parse_rules(body.rules, phase_of(before.phase))
    description = before.description if body.description is None else body.description
    return model.replaced(before, drafts, description, new_id=_new_id, now=now)


def _check_same(body: RulesetPut, ruleset: Ruleset) -> None:
    """Raise RuleError where `body` asks for another kind or phase: those never change."""
    if body.kind is not None and body.kind != ruleset.kind:
        raise not_valid(body.kind, "kind", f"a ruleset of a zone is of kind zone, got {body.kind}")
    if body.phase is not None and body.phase != ruleset.phase:
        raise not_valid(body.phase, "phase", f"the phase is {ruleset.phase}, and cannot be changed")


def _new_id() -> str:
    return secrets.token_hex(16)
