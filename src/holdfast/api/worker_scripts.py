"""Scripts of Workers: uploaded, shown, removed.

Law 1: an upload is answered when the new version serves, or with the reason why it does not; then the one before serves on.
Law 2: what an upload does not name of bindings is gone with it, but for kinds that it says to keep (`keep_bindings`; secrets where it
does not say), and names that it inherits.
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
from holdfast.api.envelope import Envelope, success
from holdfast.api.form import read_parts
from holdfast.api.worker_classes import sources_of
from holdfast.api.worker_deploying import Wanted, make_version
from holdfast.api.worker_found import Before, find_script, no_such_script, no_such_version
from holdfast.api.worker_removing import remove_script
from holdfast.api.worker_shapes import ScriptName, ScriptView, UploadedView, kept_id, script_view
from holdfast.api.worker_upload import modules_of, read_upload, refused
from holdfast.api.worker_wanting import UPLOAD_BODY, wanted_by
from holdfast.store import worker_scripts as store

router = APIRouter(prefix="/accounts/{account_id}/workers/scripts", tags=["Workers scripts"])

ReadAccess = Annotated[Access, Depends(account_access("Workers Scripts Read"))]
ListAccess = Annotated[Access, Depends(account_access("Workers Scripts Read", "Workers Tail Read"))]
WriteAccess = Annotated[Access, Depends(account_access("Workers Scripts Write"))]
_MODULES: dict[int | str, dict[str, Any]] = {
    200: {"description": "The modules.", "content": {"multipart/form-data": {"schema": {"type": "string"}}}}
}


@router.get("", response_model=Envelope[list[ScriptView]])
async def list_scripts(access: ListAccess) -> Response:
    """The account's scripts, by name."""
    async with access.context.database.read() as connection:
        found = await store.of_account(connection, access.account_id)
    return success([script_view(Before(script, version)) for script, version in found])


@router.put("/{script_name}", response_model=Envelope[UploadedView], openapi_extra=UPLOAD_BODY)
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
        return wanted_by(upload, before, is_strict=bindings_inherit == "strict")

    made = await make_version(access, script_name, want, sources=sources_of(upload.migrations))
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
    await remove_script(access, script_name, is_forced=force)
    return success(None)


@router.get("/{script_name}/content/v2", response_class=Response, responses=_MODULES)
async def download_content(
    access: ReadAccess, script_name: ScriptName, version: Annotated[str, Query(max_length=36)] = ""
) -> Response:
    """The modules of a version, the deployed one where none is named, as a form."""
    return await _modules(access, script_name, version)


@router.put("/{script_name}/content", response_model=Envelope[ScriptView], openapi_extra=UPLOAD_BODY)
async def upload_content(request: Request, access: WriteAccess, script_name: ScriptName) -> Response:
    """Deploy other modules, with all that the version before runs with: a form whose `metadata` names the `main_module`."""
    parts = await read_parts(request)
    metadata = [part.content for part in parts if part.name == "metadata"]
    try:
        main = msgspec.json.decode(metadata[0], type=_ContentMetadata).main_module if metadata else ""
    except msgspec.DecodeError as error:
        raise refused(f"metadata: {error}", "/metadata") from None
    files, notes = modules_of(parts, main)

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


async def _modules(access: Access, name: str, version: str = "") -> Response:
    async with access.context.database.read() as connection:
        before = await find_script(connection, access.account_id, name)
        if version:
            found = await store.find_version(connection, before.script.id, kept_id(version) or "")
            if found is None:
                raise no_such_version()
            before = Before(before.script, found)
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
