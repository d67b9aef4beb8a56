"""What rulesets were: their versions, the newest first, each with its rules as they were.

Law 1: the last version is what the ruleset is, and cannot be removed; those before it are kept as far as there is room
(`holdfast.store.rulesets`).
Law 2: of a managed ruleset there is the last version alone, and it can be read by tag.

Source: Cloudflare API v4, "Rulesets", "Ruleset versions".
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.api import managed_rulesets
from holdfast.api.access import Access
from holdfast.api.envelope import Envelope, success
from holdfast.api.faults import ApiFault, fault
from holdfast.api.identifiers import path_id
from holdfast.api.ruleset_scope import (
    ACCOUNTS,
    ZONES,
    IsDry,
    Scope,
    managed_ruleset,
    no_entrypoint,
    owner_of,
    require,
    visible,
)
from holdfast.api.ruleset_shapes import RulesetEntry, RulesetView, entry_view, ruleset_view
from holdfast.api.ruleset_writing import RESOURCE, find
from holdfast.api.undoing import Undone, writing
from holdfast.model.moment import written
from holdfast.model.rule_error import INVALID_VALUE, NO_SUCH_RULE
from holdfast.model.rule_phase import PHASES
from holdfast.model.ruleset import Ruleset
from holdfast.store import rulesets

router = APIRouter(tags=["Ruleset versions"])

RulesetId = path_id("ruleset_id")
PhaseName = Annotated[str, Path(max_length=100)]
VersionName = Annotated[str, Path(max_length=100)]
TagName = Annotated[str, Path(max_length=200)]
# What a column for versions holds.
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")

_Entries = Envelope[list[RulesetEntry]]
_One = Envelope[RulesetView]


def _path(scope: Scope) -> str:
    return f"{scope.path}/{{ruleset_id}}/versions"


def _add_reading(scope: Scope) -> None:
    """What shows versions of rulesets by their ids."""
    reader, path = Depends(scope.read), _path(scope)

    @router.get(path, response_model=_Entries)
    async def list_versions(
        *,
        access: Access = reader,
        ruleset_id: RulesetId,  # type: ignore[valid-type]  # made by a function
    ) -> Response:
        """Every version there is of a ruleset, without rules."""
        if (managed := await managed_ruleset(access, ruleset_id)) is not None:
            return success([managed_rulesets.entry_view(managed)])
        async with access.context.database.read() as connection:
            return success(await _entries(connection, await _found(access, connection, ruleset_id)))

    @router.get(f"{path}/{{ruleset_version}}", response_model=_One)
    async def show_version(
        ruleset_version: VersionName,
        *,
        access: Access = reader,
        ruleset_id: RulesetId,  # type: ignore[valid-type]  # made by a function
    ) -> Response:
        """A ruleset as it was, or `latest`."""
        if (managed := await managed_ruleset(access, ruleset_id)) is not None:
            if ruleset_version not in (managed.version, "latest"):
                raise _no_version(ruleset_version)
            return success(managed_rulesets.ruleset_view(managed))
        async with access.context.database.read() as connection:
            found = await _found(access, connection, ruleset_id)
            return success(ruleset_view(await _as_it_was(connection, found, ruleset_version)))


def _add_tags(scope: Scope) -> None:
    """What shows parts of managed rulesets."""
    reader, path = Depends(scope.read), _path(scope)

    @router.get(f"{path}/{{ruleset_version}}/by_tag/{{rule_tag}}", response_model=_One)
    async def show_by_tag(
        ruleset_version: VersionName,
        rule_tag: TagName,
        *,
        access: Access = reader,
        ruleset_id: RulesetId,  # type: ignore[valid-type]  # made by a function
    ) -> Response:
        """Those rules of a managed ruleset that have a tag."""
        managed = await managed_ruleset(access, ruleset_id)
        if managed is None:
            raise fault(404, NO_SUCH_RULE, f"could not find managed ruleset {ruleset_id}: others have no tags")
        if ruleset_version not in (managed.version, "latest"):
            raise _no_version(ruleset_version)
        return success(managed_rulesets.ruleset_view(managed, category=rule_tag))


def _add_removing(scope: Scope) -> None:
    """What removes versions."""
    writer = Depends(scope.write)

    @router.delete(f"{_path(scope)}/{{ruleset_version}}", status_code=204, response_class=Response)
    async def delete_version(
        ruleset_version: VersionName,
        *,
        access: Access = writer,
        ruleset_id: RulesetId,  # type: ignore[valid-type]  # made by a function
        is_dry: IsDry,
    ) -> Response:
        """Forget a version that is not the last."""
        await find(access, ruleset_id)
        async with writing(access.context.database) as connection:
            await _remove(access, connection, ruleset_id, ruleset_version)
            if is_dry:
                raise Undone
        return Response(status_code=204)


def _add_entrypoint_routes(scope: Scope) -> None:
    """Versions of the rulesets that are run in a phase."""
    reader = Depends(scope.read)
    path = f"{scope.path}/phases/{{phase}}/entrypoint/versions"

    @router.get(path, response_model=_Entries)
    async def list_entrypoint_versions(phase: PhaseName, *, access: Access = reader) -> Response:
        """Every version there is of the ruleset of a phase, without rules."""
        async with access.context.database.read() as connection:
            return success(await _entries(connection, await _entrypoint(access, connection, phase)))

    @router.get(f"{path}/{{ruleset_version}}", response_model=_One)
    async def show_entrypoint_version(
        phase: PhaseName, ruleset_version: VersionName, *, access: Access = reader
    ) -> Response:
        """The ruleset of a phase as it was."""
        async with access.context.database.read() as connection:
            found = await _entrypoint(access, connection, phase)
            return success(ruleset_view(await _as_it_was(connection, found, ruleset_version)))


for _scope in (ZONES, ACCOUNTS):
    _add_reading(_scope)
    _add_tags(_scope)
    _add_removing(_scope)
    _add_entrypoint_routes(_scope)


async def _found(access: Access, connection: AsyncConnection, ruleset_id: str) -> Ruleset:
    return visible(access, await rulesets.find(connection, owner_of(access), ruleset_id), ruleset_id)


async def _remove(access: Access, connection: AsyncConnection, ruleset_id: str, version: str) -> None:
    found = await _found(access, connection, ruleset_id)
    if version in (str(found.version), "latest"):
        raise fault(400, INVALID_VALUE, f"version {found.version} is what the ruleset is, and cannot be removed")
    number = int(version) if _NUMBER.fullmatch(version) else 0
    if not await rulesets.delete_old_version(connection, ruleset_id, number):
        raise _no_version(version)
    await access.record(connection, "delete", f"{RESOURCE}_version", f"{ruleset_id}/{number}")


async def _entrypoint(access: Access, connection: AsyncConnection, phase: str) -> Ruleset:
    require(access, phase, "Read")
    found = await rulesets.find_entrypoint(connection, owner_of(access), phase) if phase in PHASES else None
    if found is None:
        raise no_entrypoint(phase)
    return found


async def _entries(connection: AsyncConnection, ruleset: Ruleset) -> list[dict[str, Any]]:
    last = entry_view(ruleset)
    return [
        last,
        *(
            {**last, "version": str(version), "description": description, "last_updated": written(moment)}
            for version, description, moment in await rulesets.old_versions(connection, ruleset.id)
        ),
    ]


async def _as_it_was(connection: AsyncConnection, ruleset: Ruleset, version: str) -> Ruleset:
    if version in (str(ruleset.version), "latest"):
        return ruleset
    found = None
    if _NUMBER.fullmatch(version):
        found = await rulesets.find_old_version(connection, ruleset.id, int(version))
    if found is None:
        raise _no_version(version)
    return found.of(ruleset)


def _no_version(version: str) -> ApiFault:
    return fault(404, NO_SUCH_RULE, f"could not find version {version[:40]} of the ruleset")
