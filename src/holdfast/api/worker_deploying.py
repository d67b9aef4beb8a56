"""Make a new version of a script, have it run, and write it down: in this order, so that what is written down runs.

Law 1: of one script one change is under way at a time. What was read before is compared when it is written: whoever changed the
script by another control is not overwritten.
Law 2: a version that does not run changes nothing: the answer says why, with the traceback of the script's code.
Law 3: what cannot be written down does not stay running: the version before is run again.
Law 4: secrets are sealed before anything is kept.

Source: Cloudflare API v4, "Workers scripts"; codes and sentences as its clients know them.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.api.access import Access
from holdfast.api.context import DeployRefused, WorkersUnavailable
from holdfast.api.faults import ApiFault, Complaint, fault
from holdfast.api.worker_classes import check_bound, check_gone, classes_after, namespaces_of
from holdfast.api.worker_found import (
    NOT_REACHED,
    RESOURCE,
    Before,
    audited,
    described,
    find_script,
    look_up,
    no_such_version,
)
from holdfast.api.worker_upload import INVALID_UPLOAD, Migrations
from holdfast.model.data_dir import worker_key
from holdfast.model.worker_messages import CLASS_NOT_EXPORTED
from holdfast.model.worker_script import secret_purpose
from holdfast.store import worker_scripts as store
from holdfast.store.worker_scripts import Deployment, Script, Version, VersionSettings

# Cloudflare's codes.
CLASS_GONE = 10064
TOO_MANY_SCRIPTS = 10037
MIGRATION_OF_A_VERSION = 10211
SECRETS_CHANGED = 10220
# Ours.
CHANGED_MEANWHILE = 10409
# Precedent: the original's paid plan.
MAX_SCRIPTS = 500
VERSION_RESOURCE = "worker_version"
_RETRY_AFTER_S = 5


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A version to be made. `files` are None where they are the ones before; `secrets` are in the clear by name, and `kept_secrets`
    names of those that stay. `tags` are None where they stay; `source` and `message` are told with the deployment."""

    settings: VersionSettings
    files: Mapping[str, bytes] | None = None
    secrets: Mapping[str, str] = {}
    kept_secrets: frozenset[str] = frozenset()
    migrations: Migrations | None = None
    tags: tuple[str, ...] | None = None
    source: str = "api"
    message: str = ""
    tag: str = ""

    def __repr__(self) -> str:
        """Without secrets."""
        return f"Wanted(main={self.settings.main!r}, source={self.source!r})"


class _Code(msgspec.Struct, frozen=True):
    """The files of a version, and as they are kept; empty where they are kept already."""

    files: Mapping[str, bytes]
    packed: bytes = b""


# What is wanted, now that it is known what there is. Raises ApiFault.
Want = Callable[[Before | None], Wanted]


async def make_version(access: Access, name: str, want: Want) -> Before:
    """Make the version that `want` says, and deploy it; the script then. Raises ApiFault."""
    context, account_id = access.context, access.account_id
    key = worker_key(account_id, name)
    async with context.workers.turn(key):
        async with context.database.read() as connection:
            before = await look_up(connection, account_id, name)
            others = await store.count(connection, account_id)
        wanted = want(before)
        if before is None and others >= MAX_SCRIPTS:
            raise fault(400, TOO_MANY_SCRIPTS, f"There are at most {MAX_SCRIPTS} Workers of one account")
        files, packed = await _files(access, wanted, before)
        after = _after(access, name, before, wanted, etag=hashlib.sha256(packed).hexdigest())
        async with context.database.read() as connection:
            await check_bound(connection, account_id, after)
            await check_gone(connection, before, after)
        await _deploy(access, before, after, _Code(files, packed))
        if gone := namespaces_of(before) - namespaces_of(after):
            # Now: the process that had them has given them back, and what is written down has them no more.
            await context.workers.forget_objects(key, sorted(gone))
    return after


async def add_version(access: Access, name: str, want: Want) -> Before:
    """Make the version that `want` says after the newest one, and do not deploy it; the script with it. Raises ApiFault."""
    context, account_id = access.context, access.account_id
    async with context.workers.turn(worker_key(account_id, name)):
        async with context.database.read() as connection:
            before = await find_script(connection, account_id, name)
            newest = Before(before.script, (await store.versions(connection, before.script.id))[0])
        wanted = want(newest)
        if (
            wanted.migrations is not None
            and classes_after(before.script, wanted.migrations)[0] != before.script.classes
        ):
            message = (
                "Version upload failed. You attempted to upload a version of a Worker that includes a Durable Object migration, "
                "but migrations must be fully applied via a non-versioned deployment."
            )
            raise fault(400, MIGRATION_OF_A_VERSION, message, pointer="/metadata/migrations")
        _, packed = await _files(access, wanted, newest)
        after = _after(access, name, newest, wanted, etag=hashlib.sha256(packed).hexdigest())
        async with context.database.read() as connection:
            await check_bound(connection, account_id, after)
        script = msgspec.structs.replace(before.script, next_number=after.script.next_number)
        async with context.database.write() as connection:
            await _write_script(connection, before, Before(script, before.version))
            await store.insert_version(connection, after.version, packed)
            await access.record(connection, "create", VERSION_RESOURCE, after.version.id, new=audited(after))
    return after


async def redeploy(
    access: Access, name: str, version_id: str, *, message: str, is_forced: bool = False
) -> tuple[Before, Deployment]:
    """Deploy a version that there is; the script then, and the deployment. Raises ApiFault."""
    context, account_id = access.context, access.account_id
    async with context.workers.turn(worker_key(account_id, name)):
        async with context.database.read() as connection:
            before = await find_script(connection, account_id, name)
            version = await store.find_version(connection, before.script.id, version_id)
            kept = await store.files_of(connection, before.script.id, version_id)
        if version is None or kept is None:
            raise no_such_version()
        is_older = version.number < before.version.number
        if is_older and version.secrets != before.version.secrets and not is_forced:
            raise fault(400, SECRETS_CHANGED, _changed_secrets(before.version, version))
        script = msgspec.structs.replace(before.script, version_id=version.id, modified_on=access.context.clock())
        after = Before(script, version)
        files = await asyncio.to_thread(store.unpacked, kept)
        source = "rollback" if is_older else "promotion"
        deployment = await _deploy(access, before, after, _Code(files), message=message, source=source)
    return after, deployment


def _changed_secrets(now: Version, then: Version) -> str:
    """What wrangler shows of it is what comes after the colon."""
    names = (one for one in {**now.secrets, **then.secrets} if now.secrets.get(one) != then.secrets.get(one))
    return (
        "The secrets of the Worker are others than this version has: with force=true it gets its own again. "
        f"The following secrets have changed: {', '.join(sorted(names))}"
    )


def client_of(access: Access) -> str:
    """By what program it is asked for, as versions and deployments tell it."""
    named = access.request.headers.get("user-agent", "").partition("/")[0]
    return "wrangler" if named in {"wrangler", "wrangler-js"} else "api"


async def _kept_files(connection: AsyncConnection, before: Before) -> bytes | None:
    return await store.files_of(connection, before.script.id, before.version.id)


async def _files(access: Access, wanted: Wanted, before: Before | None) -> tuple[Mapping[str, bytes], bytes]:
    """The files of the version, and as they are kept. In a thread: there may be 32 MiB of them."""
    if wanted.files is not None:
        return wanted.files, await asyncio.to_thread(store.packed, wanted.files)
    async with access.context.database.read() as connection:
        kept = None if before is None else await _kept_files(connection, before)
    if kept is None:
        raise AssertionError("the version before has files")
    return await asyncio.to_thread(store.unpacked, kept), kept


def _after(access: Access, name: str, before: Before | None, wanted: Wanted, *, etag: str) -> Before:
    """The script and the version as they are to be. Raises ApiFault."""
    key, now = worker_key(access.account_id, name), access.context.clock()
    old = before.script if before else None
    script_id, version_id = old.id if old else secrets.token_hex(16), secrets.token_hex(16)
    classes, tag = classes_after(old, wanted.migrations)
    kept = before.version.secrets if before else {}
    sealed = {one: kept[one] for one in sorted(wanted.kept_secrets) if one in kept}
    for one, text in wanted.secrets.items():
        sealed[one] = access.context.key.seal(text.encode(), purpose=secret_purpose(key, one))
    number = old.next_number if old else 1
    version = Version(
        id=version_id,
        script_id=script_id,
        number=number,
        settings=wanted.settings,
        secrets=sealed,
        etag=etag,
        author_email=access.principal.email,
        source=wanted.source,
        message=wanted.message,
        tag=wanted.tag,
        created_on=now,
        client=client_of(access),
    )
    script = Script(
        id=script_id,
        account_id=access.account_id,
        name=name,
        key=key,
        version_id=version_id,
        next_number=number + 1,
        tags=wanted.tags if wanted.tags is not None else old.tags if old else (),
        classes=classes,
        migration_tag=tag,
        created_on=old.created_on if old else now,
        modified_on=now,
    )
    return Before(script, version)


async def _deploy(
    access: Access, before: Before | None, after: Before, code: _Code, *, message: str = "", source: str = ""
) -> Deployment:
    """Have the version run, then write all down. Raises ApiFault."""
    await _run(access, after, code.files)
    deployment = Deployment(
        id=secrets.token_hex(16),
        script_id=after.script.id,
        version_id=after.version.id,
        author_email=access.principal.email,
        source=source or after.version.source,
        message=message or after.version.message,
        created_on=access.context.clock(),
        client=client_of(access),
    )
    try:
        async with access.context.database.write() as connection:
            await _write_script(connection, before, after)
            if code.packed:
                await store.insert_version(connection, after.version, code.packed)
            await store.insert_deployment(connection, deployment)
            await access.record(
                connection,
                "update" if before else "create",
                RESOURCE,
                after.script.name,
                old=audited(before) if before else None,
                new=audited(after),
            )
    except BaseException:
        await _run_before(access, before, after)
        raise
    return deployment


async def _write_script(connection: AsyncConnection, before: Before | None, after: Before) -> None:
    there = await store.hold(connection, after.script.account_id, after.script.name)
    if there != (before.script if before else None):
        raise fault(409, CHANGED_MEANWHILE, "The Worker was changed by somebody else meanwhile: ask again")
    if there is None:
        await store.insert(connection, after.script)
    else:
        await store.update(connection, after.script)


async def _run(access: Access, after: Before, files: Mapping[str, bytes]) -> None:
    try:
        await access.context.workers.deploy(described(after), files)
    except DeployRefused as refused:
        chain = ((INVALID_UPLOAD, refused.traceback),) if refused.traceback else ()
        code = CLASS_GONE if refused.error.startswith(CLASS_NOT_EXPORTED) else INVALID_UPLOAD
        raise fault(400, code, refused.error, chain=chain) from None
    except WorkersUnavailable as error:
        complaint = Complaint(NOT_REACHED, f"The Worker was not deployed: {error}")
        raise ApiFault(503, (complaint,), {"Retry-After": str(_RETRY_AFTER_S)}) from None


async def _run_before(access: Access, before: Before | None, after: Before) -> None:
    """Law 3, as far as it can be done."""
    with suppress(DeployRefused, WorkersUnavailable, Exception):
        if before is None:
            await access.context.workers.delete(after.script.key)
            return
        async with access.context.database.read() as connection:
            kept = await _kept_files(connection, before)
        if kept is not None:
            await access.context.workers.deploy(described(before), await asyncio.to_thread(store.unpacked, kept))
