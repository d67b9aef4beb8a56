"""Versions of scripts, run and written down: in this order, so that what is written down runs.

Law 1: a version that does not run changes nothing: the answer says why, with the traceback of the script's code.
Law 2: what cannot be written down does not stay running: the version before is run again.
Law 3: where classes move here from other scripts, those run without them before that is written down, and their objects' files move after it:
who is written down to have a class finds its files, however often it takes. Between the two bindings lead nowhere, and calls wait for the end.

Source: Cloudflare API v4, "Workers scripts"; codes and sentences as its clients know them.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.api.access import Access
from holdfast.api.context import DeployRefused, WorkersUnavailable
from holdfast.api.faults import ApiFault, Complaint, fault
from holdfast.api.worker_classes import living_of
from holdfast.api.worker_found import NOT_REACHED, RESOURCE, Before, audited, described
from holdfast.api.worker_upload import INVALID_UPLOAD
from holdfast.model.data_dir import worker_key
from holdfast.model.worker_messages import CLASS_NOT_EXPORTED
from holdfast.model.worker_migrations import MovedClass, TransferredClass
from holdfast.model.worker_script import ScriptVersion
from holdfast.store import worker_scripts as store
from holdfast.store.database import StoreUnavailable
from holdfast.store.worker_scripts import Deployment

# Cloudflare's code.
CLASS_GONE = 10064
# Ours.
CHANGED_MEANWHILE = 10409
_RETRY_AFTER_S = 5
# The status of what the host has refused: what ran before runs still.
REFUSED = 400


class Code(msgspec.Struct, frozen=True):
    """The files of a version, and as they are kept; empty where they are kept already."""

    files: Mapping[str, bytes]
    packed: bytes = b""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A script as it is, None where it is new, and as it is to be. `message` and `source` are told with the deployment; those of the version
    where they are empty."""

    before: Before | None
    after: Before
    code: Code
    message: str = ""
    source: str = ""


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """A class that comes from another script, which is changed by that."""

    one: TransferredClass
    source: Change


async def deploy(access: Access, change: Change, moves: Sequence[Move] = ()) -> Deployment:
    """Have the version run, and write all down. `moves` are in their order; of each source there is one change, the same in all of its moves.
    Raises ApiFault."""
    sources = list({move.source.after.script.id: move.source for move in moves}.values())
    done: list[Change] = []
    try:
        await _try(access, change, _staged(change, moves) if moves else described(change.after), done)
        for source in sources:
            await _try(access, source, described(source.after), done)
        async with access.context.database.write() as connection:
            deployment = await _write(access, connection, change)
            for source in sources:
                await _write(access, connection, source)
    except BaseException:
        for one in reversed(done):
            await _run_before(access, one)
        raise
    if moves:
        await adopt(access, change.after)
        await _run(access, described(change.after), change.code.files)
    return deployment


async def adopt(access: Access, of: Before) -> None:
    """Have the script's classes have the objects that they had in another script. Raises ApiFault."""
    try:
        for one in of.script.classes.values():
            if one.came_from:
                await access.context.workers.adopt_objects(of.script.key, of.script.name, one)
    except WorkersUnavailable as error:
        complaint = Complaint(NOT_REACHED, f"The Worker is deployed when this can be done: {error}")
        raise ApiFault(503, (complaint,), {"Retry-After": str(_RETRY_AFTER_S)}) from None


async def doom(access: Access, key: str, unique_keys: Collection[str]) -> None:
    """Write down that what objects of these namespaces stored is to be removed, as soon as the script has them no more. Raises ApiFault."""
    if not unique_keys:
        return
    try:
        await access.context.workers.doom_objects(key, sorted(unique_keys))
    except WorkersUnavailable as error:
        raise _not_deployed(error) from None


async def forget(access: Access, name: str) -> None:
    """Remove what is doomed and, as it is written down now, not wanted; what cannot be looked up is with the next change of the script."""
    with suppress(StoreUnavailable):
        async with access.context.database.read() as connection:
            script = await store.find(connection, access.account_id, name)
            living = await living_of(connection, script) if script else set()
        await access.context.workers.forget_objects(worker_key(access.account_id, name), living)


async def write_script(connection: AsyncConnection, before: Before | None, after: Before) -> None:
    """Write a script's row, if it is as it was. Raises ApiFault."""
    there = await store.hold(connection, after.script.account_id, after.script.name)
    if there != (before.script if before else None):
        raise fault(409, CHANGED_MEANWHILE, "The Worker was changed by somebody else meanwhile: ask again")
    if there is None:
        await store.insert(connection, after.script)
    else:
        await store.update(connection, after.script)


async def kept_files(connection: AsyncConnection, of: Before) -> bytes:
    """The files of the deployed version, as they are kept."""
    kept = await store.files_of(connection, of.script.id, of.version.id)
    if kept is None:
        raise AssertionError("the version before has files")
    return kept


def client_of(access: Access) -> str:
    """By what program it is asked for, as versions and deployments tell it."""
    named = access.request.headers.get("user-agent", "").partition("/")[0]
    return "wrangler" if named in {"wrangler", "wrangler-js"} else "api"


def _staged(change: Change, moves: Sequence[Move]) -> ScriptVersion:
    """The version while the classes are where they were: it shows that the code can be imported, and has them all. It is never written
    down."""
    version = described(change.after)
    coming = {move.one.after: move for move in moves}
    elsewhere = {
        name: MovedClass(script=move.one.script, class_name=move.one.before, unique_key=_key_of(move))
        for name, move in coming.items()
    }
    return msgspec.structs.replace(
        version,
        version=secrets.token_hex(16),
        classes={name: one for name, one in version.classes.items() if name not in coming},
        moved={**version.moved, **elsewhere},
        awaited=tuple(coming),
    )


def _key_of(move: Move) -> str:
    return move.source.after.script.moved[move.one.before].unique_key


async def _write(access: Access, connection: AsyncConnection, change: Change) -> Deployment:
    before, after = change.before, change.after
    deployment = Deployment(
        id=secrets.token_hex(16),
        script_id=after.script.id,
        version_id=after.version.id,
        author_email=access.principal.email,
        source=change.source or after.version.source,
        message=change.message or after.version.message,
        created_on=access.context.clock(),
        client=client_of(access),
    )
    await write_script(connection, before, after)
    if change.code.packed:
        await store.insert_version(connection, after.version, change.code.packed)
    await store.insert_deployment(connection, deployment)
    await access.record(
        connection,
        "update" if before else "create",
        RESOURCE,
        after.script.name,
        old=audited(before) if before else None,
        new=audited(after),
    )
    return deployment


async def _try(access: Access, change: Change, version: ScriptVersion, done: list[Change]) -> None:
    """Run the version of a change; `done` gets what may run afterwards. Raises ApiFault."""
    try:
        await _run(access, version, change.code.files)
    except ApiFault as failed:
        # Its host may run it yet, unless it has refused. Of one that is new nothing is removed without need.
        if failed.status != REFUSED and change.before is not None:
            done.append(change)
        raise
    done.append(change)


async def _run(access: Access, version: ScriptVersion, files: Mapping[str, bytes]) -> None:
    try:
        await access.context.workers.deploy(version, files)
    except DeployRefused as refused:
        chain = ((INVALID_UPLOAD, refused.traceback),) if refused.traceback else ()
        code = CLASS_GONE if refused.error.startswith(CLASS_NOT_EXPORTED) else INVALID_UPLOAD
        raise fault(REFUSED, code, refused.error, chain=chain) from None
    except WorkersUnavailable as error:
        raise _not_deployed(error) from None


def _not_deployed(error: WorkersUnavailable) -> ApiFault:
    complaint = Complaint(NOT_REACHED, f"The Worker was not deployed: {error}")
    return ApiFault(503, (complaint,), {"Retry-After": str(_RETRY_AFTER_S)})


async def _run_before(access: Access, change: Change) -> None:
    """Law 2, as far as it can be done."""
    with suppress(DeployRefused, WorkersUnavailable, Exception):
        before = change.before
        if before is None:
            await access.context.workers.delete(change.after.script.key)
            return
        async with access.context.database.read() as connection:
            kept = await kept_files(connection, before)
        await access.context.workers.deploy(described(before), await asyncio.to_thread(store.unpacked, kept))
