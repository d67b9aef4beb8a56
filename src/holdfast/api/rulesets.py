"""Rulesets of zones and of accounts, their entrypoints, and the rules in them.

A zone has one ruleset for each phase, its entrypoint. An account has an entrypoint for each phase as well, which is run for all
of its zones and before theirs, and rulesets that it executes. Managed rulesets are shown at both levels.

Source: Cloudflare API v4, "Rulesets". The phases are those of `holdfast.model.rule_phase`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response

from holdfast.api import managed_rulesets
from holdfast.api.access import Access
from holdfast.api.cursors import cursor_of, place_of
from holdfast.api.envelope import Envelope, json_answer, success
from holdfast.api.identifiers import path_id
from holdfast.api.rule_expressions import AllUses
from holdfast.api.ruleset_scope import (
    ACCOUNTS,
    ZONES,
    IsDry,
    Scope,
    entrypoint_kind,
    managed_of,
    managed_ruleset,
    no_entrypoint,
    owner_of,
    refused,
    require,
    sees,
    visible,
)
from holdfast.api.ruleset_shapes import (
    RuleCreate,
    RuleEdit,
    RulesetCreate,
    RulesetPage,
    RulesetPut,
    RulesetView,
    entry_view,
    parse_rules,
    ruleset_view,
)
from holdfast.api.ruleset_writing import Target, find, new_id, read_drafts, write
from holdfast.model import ruleset as model
from holdfast.model.rule_error import ONE_A_PHASE, RuleError, not_valid
from holdfast.model.rule_phase import EXECUTED, PHASES, phase_of
from holdfast.model.rule_quota import expression_room
from holdfast.model.ruleset import RuleDraft, Ruleset
from holdfast.store import rulesets

router = APIRouter(tags=["Rulesets"])

RulesetId = path_id("ruleset_id")
RuleId = path_id("rule_id")
PhaseName = Annotated[str, Path(max_length=100)]
_Answer = Envelope[RulesetView | None]

ENTRYPOINT_NAME = "default"
MAX_PAGE = 50
_PLACE = re.compile(r"[01] [a-z0-9_]{1,64} [0-9a-f]{32}")


def _add_reading(scope: Scope) -> None:
    """What shows rulesets."""
    reader = Depends(scope.read)

    @router.get(scope.path, response_model=RulesetPage, response_model_exclude_unset=True)
    async def list_rulesets(
        *,
        access: Access = reader,
        cursor: Annotated[str | None, Query(max_length=200)] = None,
        per_page: Annotated[int, Query(ge=1, le=MAX_PAGE)] = MAX_PAGE,
    ) -> Response:
        """All rulesets, without their rules; managed ones too."""
        async with access.context.database.read() as connection:
            found = await rulesets.entries_of_owner(connection, owner_of(access))
        entries = [entry_view(one) for one in found if sees(access, one.phase)]
        entries += [managed_rulesets.entry_view(one) for one in managed_of(access).values()]
        return _page(entries, cursor, per_page)

    @router.get(f"{scope.path}/{{ruleset_id}}", response_model=Envelope[RulesetView])
    async def show_ruleset(
        *,
        access: Access = reader,
        ruleset_id: RulesetId,  # type: ignore[valid-type]  # made by a function
    ) -> Response:
        """One ruleset."""
        if (managed := await managed_ruleset(access, ruleset_id)) is not None:
            return success(managed_rulesets.ruleset_view(managed))
        async with access.context.database.read() as connection:
            found = await rulesets.find(connection, owner_of(access), ruleset_id)
        return success(ruleset_view(visible(access, found, ruleset_id)))

    @router.get(f"{scope.path}/phases/{{phase}}/entrypoint", response_model=Envelope[RulesetView])
    async def show_entrypoint(phase: PhaseName, *, access: Access = reader) -> Response:
        """The ruleset that is run in a phase."""
        require(access, phase, "Read")
        found = None
        if phase in PHASES:
            async with access.context.database.read() as connection:
                found = await rulesets.find_entrypoint(connection, owner_of(access), phase)
        if found is None:
            raise no_entrypoint(phase)
        return success(ruleset_view(found))


def _add_writing(scope: Scope) -> None:
    """What writes whole rulesets."""
    writer = Depends(scope.write)

    @router.post(scope.path, response_model=_Answer)
    async def create_ruleset(body: RulesetCreate, *, access: Access = writer, is_dry: IsDry) -> Response:
        """Make a ruleset: the one of a phase, or of an account one to be executed."""
        drafts, uses = await _drafts(access, body, body.phase, body.kind)

        def change(before: Ruleset | None) -> Ruleset:
            if before is not None:
                reason = f"exceeded maximum number of {body.kind} rulesets for phase {body.phase}"
                raise not_valid(body.kind, "kind", reason, code=ONE_A_PHASE)
            return _made(access, body, body.phase, body.kind, drafts)

        target = Target() if body.kind == EXECUTED else Target(entrypoint=body.phase)
        return await write(access, target, change, uses=uses, is_dry=is_dry)

    @router.put(f"{scope.path}/phases/{{phase}}/entrypoint", response_model=_Answer)
    async def put_entrypoint(body: RulesetPut, phase: PhaseName, *, access: Access = writer, is_dry: IsDry) -> Response:
        """Put rules in place of those that are run in a phase. Its ruleset is made if there is none."""
        kind = entrypoint_kind(access)
        drafts, uses = await _drafts(access, body, phase, kind)

        def change(before: Ruleset | None) -> Ruleset:
            if before is None:
                return _made(access, body, phase, kind, drafts)
            return _replaced(access, body, before, drafts)

        return await write(access, Target(entrypoint=phase), change, uses=uses, is_dry=is_dry)

    @router.put(f"{scope.path}/{{ruleset_id}}", response_model=_Answer)
    async def put_ruleset(
        body: RulesetPut,
        *,
        access: Access = writer,
        ruleset_id: RulesetId,  # type: ignore[valid-type]  # made by a function
        is_dry: IsDry,
    ) -> Response:
        """Put rules in place of a ruleset's, or another description."""
        known = await find(access, ruleset_id)
        drafts, uses = await _drafts(access, body, known.phase, known.kind)

        def change(before: Ruleset | None) -> Ruleset | None:
            return before and _replaced(access, body, before, drafts)

        return await write(access, Target(ruleset_id=ruleset_id), change, uses=uses, is_dry=is_dry)

    @router.delete(f"{scope.path}/{{ruleset_id}}", status_code=204, response_class=Response)
    async def delete_ruleset(
        *,
        access: Access = writer,
        ruleset_id: RulesetId,  # type: ignore[valid-type]  # made by a function
        is_dry: IsDry,
    ) -> Response:
        """Remove a ruleset and its rules."""
        await find(access, ruleset_id)
        await write(access, Target(ruleset_id=ruleset_id), lambda _: None, uses={}, is_dry=is_dry)
        return Response(status_code=204)


def _add_rules(scope: Scope) -> None:
    """What writes single rules."""
    writer = Depends(scope.write)
    path = f"{scope.path}/{{ruleset_id}}/rules"

    @router.post(path, response_model=_Answer)
    async def create_rule(
        body: RuleCreate,
        *,
        access: Access = writer,
        ruleset_id: RulesetId,  # type: ignore[valid-type]  # made by a function
        is_dry: IsDry,
    ) -> Response:
        """Add a rule, at the end if it names no position. The whole ruleset is answered."""
        draft, uses = await _draft(access, body, await find(access, ruleset_id))
        now = access.context.clock()

        def change(before: Ruleset | None) -> Ruleset | None:
            position = body.position.parsed() if body.position else None
            return before and model.with_rule(before, draft, position, new_id=new_id, now=now)

        return await write(access, Target(ruleset_id=ruleset_id), change, uses=uses, is_dry=is_dry, is_whole=False)

    @router.patch(f"{path}/{{rule_id}}", response_model=_Answer)
    async def edit_rule(
        body: RuleEdit,
        *,
        access: Access = writer,
        ruleset_id: RulesetId,  # type: ignore[valid-type]  # made by a function
        rule_id: RuleId,  # type: ignore[valid-type]  # the same
        is_dry: IsDry,
    ) -> Response:
        """Put a whole rule in place of another, move it, or both. The whole ruleset is answered."""
        known = await find(access, ruleset_id)
        draft, uses = (None, {}) if body.is_move else await _draft(access, body, known)
        now = access.context.clock()

        def change(before: Ruleset | None) -> Ruleset | None:
            position = body.position.parsed() if body.position else None
            return before and model.with_changed_rule(before, rule_id, draft, position, now=now)

        return await write(access, Target(ruleset_id=ruleset_id), change, uses=uses, is_dry=is_dry, is_whole=False)

    @router.delete(f"{path}/{{rule_id}}", response_model=_Answer)
    async def delete_rule(
        *,
        access: Access = writer,
        ruleset_id: RulesetId,  # type: ignore[valid-type]  # made by a function
        rule_id: RuleId,  # type: ignore[valid-type]  # the same
        is_dry: IsDry,
    ) -> Response:
        """Remove a rule. The ruleset that is left is answered."""
        await find(access, ruleset_id)
        now = access.context.clock()

        def change(before: Ruleset | None) -> Ruleset | None:
            return before and model.without_rule(before, rule_id, now=now)

        return await write(access, Target(ruleset_id=ruleset_id), change, uses={}, is_dry=is_dry)


for _scope in (ZONES, ACCOUNTS):
    _add_reading(_scope)
    _add_writing(_scope)
    _add_rules(_scope)


async def _drafts(
    access: Access, body: RulesetPut, phase_name: str, kind: str
) -> tuple[list[RuleDraft] | None, AllUses]:
    """The rules of `body` (None: it names none) for a ruleset of this phase and kind. Raises ApiFault."""
    require(access, phase_name, "Write")
    try:
        phase = phase_of(phase_name)
        _check_kind(access, phase_name, kind)
        drafts = None if body.rules is None else parse_rules(body.rules, phase, kind)
    except RuleError as error:
        raise refused(error) from None
    room = expression_room(phase_name, kind)
    return drafts, await read_drafts(access, drafts or (), room=room, is_whole=True)


def _check_kind(access: Access, phase: str, kind: str) -> None:
    if access.zone is not None:
        if kind != entrypoint_kind(access):
            raise not_valid(kind, "kind", f"a ruleset of a zone is of kind zone, got {kind}")
    elif kind not in (entrypoint_kind(access), EXECUTED):
        raise not_valid(kind, "kind", f"a ruleset of an account is of kind root or custom, got {kind}")
    if kind not in PHASES[phase].actions:
        raise not_valid(phase, "phase", f"this edge runs rules of the phase {phase} for zones, and none of accounts")


async def _draft(access: Access, body: RuleCreate, known: Ruleset) -> tuple[RuleDraft, AllUses]:
    """The rule of `body`, for the ruleset `known`. Raises ApiFault."""
    try:
        draft = body.parsed(phase_of(known.phase), known.kind)
    except RuleError as error:
        raise refused(error) from None
    room = expression_room(known.phase, known.kind)
    return draft, await read_drafts(access, [draft], room=room, is_whole=False)


def _made(access: Access, body: RulesetPut, phase: str, kind: str, drafts: list[RuleDraft] | None) -> Ruleset:
    """A new ruleset. Raises RuleError."""
    now = access.context.clock()
    empty = Ruleset(
        id=new_id(),
        name=body.name or ENTRYPOINT_NAME,
        description=body.description or "",
        kind=kind,
        phase=phase,
        version=0,
        rules=(),
        last_updated=now,
    )
    _check_same(body, empty)
    return model.first(model.replaced(empty, drafts, empty.description, new_id=new_id, now=now))


def _replaced(access: Access, body: RulesetPut, before: Ruleset, drafts: list[RuleDraft] | None) -> Ruleset:
    """`before` with what `body` gives. Raises RuleError."""
    _check_same(body, before)
    description = before.description if body.description is None else body.description
    return model.replaced(before, drafts, description, new_id=new_id, now=access.context.clock())


def _check_same(body: RulesetPut, ruleset: Ruleset) -> None:
    """Raise RuleError where `body` asks for another kind or phase: those never change."""
    if body.kind is not None and body.kind != ruleset.kind:
        raise not_valid(body.kind, "kind", f"the ruleset is of kind {ruleset.kind}, which cannot be changed")
    if body.phase is not None and body.phase != ruleset.phase:
        raise not_valid(body.phase, "phase", f"the phase is {ruleset.phase}, and cannot be changed")


def _page(entries: list[dict[str, Any]], cursor: str | None, size: int) -> Response:
    """One page: there are some dozens at most, so all are read. A cursor is the place of the last that was shown, so that what
    is made and removed meanwhile moves nothing."""
    after = place_of(cursor, _PLACE)[0] if cursor else ""
    left = [entry for entry in sorted(entries, key=_place) if _place(entry) > after]
    shown = left[:size]
    info: dict[str, Any] = {"count": len(shown)}
    if len(left) > size:
        info["cursor"] = cursor_of(_place(shown[-1]))
    return json_answer({"result": shown, "result_info": info, "success": True, "errors": [], "messages": []}, 200)


def _place(entry: Mapping[str, Any]) -> str:
    """Where a ruleset is in the list: managed ones last, others by phase."""
    return f"{entry['kind'] == managed_rulesets.KIND:d} {entry['phase']} {entry['id']}"
