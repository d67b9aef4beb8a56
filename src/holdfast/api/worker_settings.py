"""What a script is besides its code: shown, and changed by itself.

Law: a change is a new version of the same code, deployed at once; what it does not name stays as it is. Bindings that are given are all
there are then, but for those that inherit what the version before has.

Source: Cloudflare API v4, "Workers scripts: settings".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from holdfast.api.access import Access, account_access
from holdfast.api.envelope import Envelope, success
from holdfast.api.form import read_parts
from holdfast.api.json_body import check_json
from holdfast.api.worker_classes import sources_of
from holdfast.api.worker_deploying import Wanted, make_version
from holdfast.api.worker_found import Before, find_script, no_such_script
from holdfast.api.worker_shapes import ScriptName, SettingsView, bindings_view, settings_view
from holdfast.api.worker_upload import (
    GivenMigrations,
    Limits,
    bindings_of,
    limits_of,
    refused,
    steps_of,
    wanted_bindings,
)
from holdfast.model.worker_script import is_compatibility_date

router = APIRouter(prefix="/accounts/{account_id}/workers/scripts/{script_name}/settings", tags=["Workers settings"])

ReadAccess = Annotated[Access, Depends(account_access("Workers Scripts Read"))]
WriteAccess = Annotated[Access, Depends(account_access("Workers Scripts Write"))]

_SETTINGS = {
    "type": "object",
    "description": "bindings, compatibility_date, compatibility_flags, limits, migrations, tags.",
}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {"type": "object", "required": ["settings"], "properties": {"settings": _SETTINGS}}
            }
        },
    }
}


class _Settings(msgspec.Struct, frozen=True, kw_only=True):
    bindings: tuple[dict[str, Any], ...] | None = None
    compatibility_date: str | None = None
    compatibility_flags: tuple[str, ...] | None = None
    limits: Limits | None = None
    migrations: GivenMigrations | None = None
    tags: tuple[str, ...] | None = None


@router.get("", response_model=Envelope[SettingsView])
async def show_settings(access: ReadAccess, script_name: ScriptName) -> Response:
    """What a script is besides its code. Secrets show by name."""
    async with access.context.database.read() as connection:
        return success(settings_view(await find_script(connection, access.account_id, script_name)))


@router.patch("", response_model=Envelope[SettingsView], openapi_extra=_BODY)
async def edit_settings(request: Request, access: WriteAccess, script_name: ScriptName) -> Response:
    """Change what a script is besides its code: a form with the part `settings`, JSON."""
    given = await _given(request)
    if given.compatibility_date and not is_compatibility_date(given.compatibility_date):
        message = f"compatibility_date: expected a date such as 2026-11-01, got {given.compatibility_date[:40]!r}"
        raise refused(message, "/settings/compatibility_date")
    limits = None if given.limits is None else limits_of(given.limits)
    migrations = None if given.migrations is None else steps_of(given.migrations)

    def want(before: Before | None) -> Wanted:
        if before is None:
            raise no_such_script()
        old = before.version.settings
        changed = {
            "compatibility_date": given.compatibility_date,
            "compatibility_flags": given.compatibility_flags,
            "limits": limits,
        }
        settings = msgspec.structs.replace(old, **{name: value for name, value in changed.items() if value is not None})
        wanted = Wanted(
            settings=settings,
            kept_secrets=frozenset(before.version.secrets),
            migrations=migrations,
            tags=given.tags,
            source="settings",
        )
        if given.bindings is None:
            return wanted
        bindings = bindings_of(_named(given.bindings, before), "/settings/bindings")
        settings, kept = wanted_bindings(settings, bindings, old=old, secrets=before.version.secrets)
        return msgspec.structs.replace(wanted, settings=settings, secrets=bindings.secrets, kept_secrets=kept)

    made = await make_version(access, script_name, want, sources=sources_of(migrations))
    return success(settings_view(made))


def _named(given: Sequence[dict[str, Any]], before: Before) -> list[dict[str, Any]]:
    """Bindings, where one of which only kind and name are said is the one there is: so `wrangler secret bulk` has them."""
    # A list: what a client sends need not be hashable.
    there = [(one["type"], one["name"]) for one in bindings_view(before.version)]
    return [
        {"type": "inherit", "name": one["name"]}
        if one.keys() == {"type", "name"} and (one["type"], one["name"]) in there
        else one
        for one in given
    ]


async def _given(request: Request) -> _Settings:
    parts = [part.content for part in await read_parts(request) if part.name == "settings"]
    if len(parts) != 1:
        raise refused("could not read content for part settings: expected one part of that name", "/settings")
    check_json(parts[0])
    try:
        return msgspec.json.decode(parts[0], type=_Settings)
    except msgspec.ValidationError as error:
        raise refused(f"settings: {error}", "/settings") from None
