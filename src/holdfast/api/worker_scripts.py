"""Scripts of Workers: uploaded, shown, removed.

Law 1: an upload is answered when the new version serves, or with the reason why it does not; then the one before serves on.
Law 2: what an upload does not name of bindings is gone with it, but for kinds that it says to keep (`keep_bindings`), and names that
it inherits.
Law 3: who removes a script removes what leads to it, and what its Durable Objects stored.

Source: Cloudflare API v4, "Workers scripts"; codes and sentences as its clients know them.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response

from holdfast.api.access import Access, account_access
from holdfast.api.context import WorkersUnavailable
from holdfast.api.envelope import Envelope, success
from holdfast.api.faults import ApiFault, Complaint
from holdfast.api.form import read_parts
from holdfast.api.worker_deploying import (
    NOT_REACHED,
    RESOURCE,
    Before,
    Wanted,
    audited,
    find_script,
    make_version,
    no_such_script,
)
from holdfast.api.worker_shapes import ScriptName, ScriptView, UploadedView, script_view
from holdfast.api.worker_upload import Upload, modules_of, read_upload, refused, wanted_bindings
from holdfast.store import worker_scripts as store
from holdfast.store import zones
from holdfast.store.worker_scripts import VersionSettings

router = APIRouter(prefix="/accounts/{account_id}/workers/scripts", tags=["Workers scripts"])

ReadAccess = Annotated[Access, Depends(account_access("Workers Scripts Read"))]
ListAccess = Annotated[Access, Depends(account_access("Workers Scripts Read", "Workers Tail Read"))]
WriteAccess = Annotated[Access, Depends(account_access("Workers Scripts Write"))]
# Cloudflare's code for a script that objects depend on.
HAS_OBJECTS = 10064

_FORM = {"multipart/form-data": {"schema": {"type": "object", "required": ["metadata"], "properties": {
    "metadata": {"type": "string", "description": "JSON: main_module, bindings, compatibility_date, migrations …"},
    "files": {"type": "array", "items": {"type": "string", "format": "binary"}, "description": "The modules."},
}}}}  # fmt: skip
_UPLOAD_BODY = {"requestBody": {"required": True, "content": _FORM}}
_MODULES: dict[int | str, dict[str, Any]] = {
    200: {"description": "The modules.", "content": {"multipart/form-data": {"schema": {"type": "string"}}}}
}


@router.get("", response_model=Envelope[list[ScriptView]])
async def list_scripts(access: ListAccess) -> Response:
    """The account's scripts, by name."""
    async with access.context.database.read() as connection:
        found = await store.of_account(connection, access.account_id)
    return success([script_view(Before(script, version)) for script, version in found])


@router.put("/{script_name}", response_model=Envelope[UploadedView], openapi_extra=_UPLOAD_BODY)
async def upload_script(
    request: Request,
    access: WriteAccess,
    script_name: ScriptName,
    bindings_inherit: Annotated[Literal["strict"] | None, Query()] = None,
) -> Response:
    """Upload modules and what they run with, and deploy them: a form with the part `metadata` and a part for each module."""
    upload = await read_upload(request)
    started = time.monotonic()

    def want(before: Before | None) -> Wanted:
        return _wanted(upload, before, is_strict=bindings_inherit == "strict")

    made = await make_version(access, script_name, want)
    view = script_view(made) | {
        "startup_time_ms": int((time.monotonic() - started) * 1000),
        "deployment_id": made.version.id,
    }
    return success(view, messages=upload.notes)


@router.get("/{script_name}", response_class=Response, responses=_MODULES)
async def download_script(access: ReadAccess, script_name: ScriptName) -> Response:
    """The modules of the deployed version, as a form."""
    return await _modules(access, script_name)


@router.delete("/{script_name}", response_model=Envelope[None])
async def delete_script(
    access: WriteAccess, script_name: ScriptName, force: Annotated[bool, Query()] = False
) -> Response:
    """Remove a script, its routes and domains, and all that its Durable Objects stored. With objects, `force` must be true."""
    context = access.context
    async with context.database.read() as connection:
        before = await find_script(connection, access.account_id, script_name)
    if before.script.classes and not force:
        names = ", ".join(sorted(before.script.classes)[:5])
        message = f"The Worker has Durable Object classes ({names}): what they stored goes with it. Ask with force=true"
        raise refused(message, code=HAS_OBJECTS)
    async with context.workers.turn(before.script.key):
        try:
            # First: what cannot be ended can be asked for again.
            await context.workers.delete(before.script.key)
        except WorkersUnavailable as error:
            complaint = Complaint(NOT_REACHED, f"The Worker was not removed: {error}")
            raise ApiFault(503, (complaint,), {"Retry-After": "5"}) from None
        async with context.database.write() as connection:
            there = await store.hold(connection, access.account_id, script_name)
            if there is None:
                raise no_such_script()
            touched = sorted(await store.zones_of(connection, there.id))
            for zone_id in touched:
                await zones.touch(connection, zone_id)
            await store.delete(connection, there.id)
            await access.record(connection, "delete", RESOURCE, script_name, old=audited(before))
        if touched:
            await context.on_change(touched)
    return success(None)


@router.get("/{script_name}/content/v2", response_class=Response, responses=_MODULES)
async def download_content(access: ReadAccess, script_name: ScriptName) -> Response:
    """The modules of the deployed version, as a form."""
    return await _modules(access, script_name)


@router.put("/{script_name}/content", response_model=Envelope[ScriptView], openapi_extra=_UPLOAD_BODY)
async def upload_content(request: Request, access: WriteAccess, script_name: ScriptName) -> Response:
    """Deploy other modules, with all that the version before runs with: a form whose `metadata` names the `main_module`."""
    parts = await read_parts(request)
    files, notes = modules_of(parts)
    metadata = [part.content for part in parts if part.name == "metadata"]
    try:
        main = msgspec.json.decode(metadata[0], type=_ContentMetadata).main_module if metadata else ""
    except msgspec.DecodeError as error:
        raise refused(f"metadata: {error}", "/metadata") from None

    def want(before: Before | None) -> Wanted:
        if before is None:
            raise no_such_script()
        settings = msgspec.structs.replace(before.version.settings, main=main or before.version.settings.main)
        if settings.main not in files:
            raise refused(
                f"main_module: expected the name of one of the modules, got {settings.main[:80]!r}",
                "/metadata/main_module",
            )
        return Wanted(settings=settings, files=files, kept_secrets=frozenset(before.version.secrets))

    made = await make_version(access, script_name, want)
    return success(script_view(made), messages=notes)


class _ContentMetadata(msgspec.Struct, frozen=True):
    main_module: str = ""


def _wanted(upload: Upload, before: Before | None, *, is_strict: bool) -> Wanted:
    """The version that an upload asks for, now that it is known what there is. Raises ApiFault."""
    fresh = VersionSettings(
        main=upload.main,
        compatibility_date=upload.compatibility_date,
        compatibility_flags=upload.compatibility_flags,
        limits=upload.limits,
    )
    settings, kept_secrets = wanted_bindings(
        fresh,
        upload.bindings,
        old=before.version.settings if before else fresh,
        secrets=before.version.secrets if before else (),
        keep=upload.keep,
        is_strict=is_strict,
    )
    return Wanted(
        settings=settings,
        files=upload.files,
        secrets=upload.bindings.secrets,
        kept_secrets=kept_secrets,
        migrations=upload.migrations,
        tags=upload.tags,
        message=upload.message,
        tag=upload.tag,
    )


async def _modules(access: Access, name: str) -> Response:
    async with access.context.database.read() as connection:
        before = await find_script(connection, access.account_id, name)
        kept = await store.files_of(connection, before.script.id, before.version.id)
    files = await asyncio.to_thread(store.unpacked, kept or b"")
    boundary = secrets.token_hex(16)
    headers = {"etag": f'"{before.version.etag}"', "cf-entrypoint": before.version.settings.main}
    return Response(
        await asyncio.to_thread(_form, files, boundary), 200, headers, f"multipart/form-data; boundary={boundary}"
    )


def _form(files: Mapping[str, bytes], boundary: str) -> bytes:
    """Files as a form. Their names have no quotes and no line breaks (`is_module_path`)."""
    pieces: list[bytes] = []
    for name, content in files.items():
        kind = "text/x-python" if name.endswith(".py") else "application/octet-stream"
        shown = name.replace('"', "%22")
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{shown}"; filename="{shown}"\r\nContent-Type: {kind}\r\n\r\n'
        pieces += [head.encode(), content, b"\r\n"]
    return b"".join([*pieces, f"--{boundary}--\r\n".encode()])
