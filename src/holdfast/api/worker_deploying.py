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
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.api.access import Access
from holdfast.api.context import DeployRefused, WorkersUnavailable
from holdfast.api.faults import ApiFault, Complaint, fault
from holdfast.api.worker_upload import INVALID_UPLOAD, Migrations
from holdfast.model.data_dir import worker_key
from holdfast.model.worker_messages import CLASS_NOT_EXPORTED, DurableObjectBinding
from holdfast.model.worker_migrations import DurableClass, MigrationError, MigrationStep, after_tag, declared, migrated
from holdfast.model.worker_script import ScriptVersion, secret_purpose
from holdfast.store import worker_scripts as store
from holdfast.store.worker_scripts import Deployment, Script, Version, VersionSettings

# Cloudflare's codes.
NO_SCRIPT = 10007
NO_VERSION = 100146
CLASS_NOT_CONFIGURED = 10061
CLASS_GONE = 10064
NO_SERVICE = 10143
WRONG_TAG = 10079
TOO_MANY_SCRIPTS = 10037
MIGRATION_OF_A_VERSION = 10211
SECRETS_CHANGED = 10220
# Ours.
CHANGED_MEANWHILE = 10409
NOT_REACHED = 10503
# Precedent: the original's paid plan.
MAX_SCRIPTS = 500
RESOURCE, VERSION_RESOURCE = "worker_script", "worker_version"
_RETRY_AFTER_S = 5


class Before(msgspec.Struct, frozen=True):
    """A script as it is: its row, and the version that is deployed."""

    script: Script
    version: Version


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


def no_such_script() -> ApiFault:
    """The account has no script of that name."""
    return fault(404, NO_SCRIPT, "This Worker does not exist on your account.")


async def find_script(connection: AsyncConnection, account_id: str, name: str) -> Before:
    """The script and its deployed version. Raises ApiFault."""
    found = await _found(connection, account_id, name)
    if found is None:
        raise no_such_script()
    return found


async def make_version(access: Access, name: str, want: Want) -> Before:
    """Make the version that `want` says, and deploy it; the script then. Raises ApiFault."""
    context, account_id = access.context, access.account_id
    key = worker_key(account_id, name)
    async with context.workers.turn(key):
        async with context.database.read() as connection:
            before = await _found(connection, account_id, name)
            others = await store.count(connection, account_id)
        wanted = want(before)
        if before is None and others >= MAX_SCRIPTS:
            raise fault(400, TOO_MANY_SCRIPTS, f"There are at most {MAX_SCRIPTS} Workers of one account")
        files, packed = await _files(access, wanted, before)
        after = _after(access, name, before, wanted, etag=hashlib.sha256(packed).hexdigest())
        async with context.database.read() as connection:
            await _check_classes(connection, account_id, after)
            await _check_gone(connection, before, after)
        await _deploy(access, before, after, _Code(files, packed))
        if gone := _namespaces(before) - _namespaces(after):
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
        if wanted.migrations is not None and _classes(before.script, wanted.migrations)[0] != before.script.classes:
            message = (
                "Version upload failed. You attempted to upload a version of a Worker that includes a Durable Object migration, "
                "but migrations must be fully applied via a non-versioned deployment."
            )
            raise fault(400, MIGRATION_OF_A_VERSION, message, pointer="/metadata/migrations")
        _, packed = await _files(access, wanted, newest)
        after = _after(access, name, newest, wanted, etag=hashlib.sha256(packed).hexdigest())
        async with context.database.read() as connection:
            await _check_classes(connection, account_id, after)
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


def no_such_version() -> ApiFault:
    """The script has no version of that id."""
    return fault(404, NO_VERSION, "There is no such version of this Worker, or it is not kept any more")


def client_of(access: Access) -> str:
    """By what program it is asked for, as versions and deployments tell it."""
    named = access.request.headers.get("user-agent", "").partition("/")[0]
    return "wrangler" if named in {"wrangler", "wrangler-js"} else "api"


async def _found(connection: AsyncConnection, account_id: str, name: str) -> Before | None:
    script = await store.find(connection, account_id, name)
    if script is None:
        return None
    version = await store.find_version(connection, script.id, script.version_id)
    if version is None:
        raise AssertionError("a script's deployed version is kept")
    return Before(script, version)


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
    classes, tag = _classes(old, wanted.migrations)
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


def _namespaces(of: Before | None) -> set[str]:
    """What the namespaces of a script's own classes are kept under."""
    return set() if of is None else {f"{of.script.name}-{one.namespace}" for one in of.script.classes.values()}


def _classes(old: Script | None, migrations: Migrations | None) -> tuple[dict[str, DurableClass], str]:
    """The classes, and the tag of the migration applied last. Raises ApiFault."""
    classes, tag = (old.classes, old.migration_tag) if old else ({}, "")
    if migrations is None:
        return classes, tag
    if migrations.old_tag is not None and migrations.old_tag != tag:
        message = (
            f"Migration tag precondition failed; current tag is {tag or 'none'!r}, expected {migrations.old_tag!r}"
        )
        raise fault(412, WRONG_TAG, message, pointer="/metadata/migrations/old_tag")
    try:
        if migrations.is_declared:
            return declared(classes, migrations.steps).classes, tag
        return migrated(classes, _not_applied(migrations, tag)).classes, migrations.new_tag or tag
    except MigrationError as error:
        raise fault(400, INVALID_UPLOAD, f"migrations: {error}", pointer="/metadata/migrations") from None


def _not_applied(migrations: Migrations, tag: str) -> tuple[MigrationStep, ...]:
    """The steps that come after the one applied last; all, where none of them is that."""
    left = after_tag(migrations.steps, tag)
    return migrations.steps if left is None else left


async def _check_classes(connection: AsyncConnection, account_id: str, after: Before) -> None:
    """Raise ApiFault for a binding to a Worker or a class that there is not."""
    for service in after.version.settings.services:
        # Its own name is there as soon as this has been written down.
        if service.service != after.script.name and await store.find(connection, account_id, service.service) is None:
            message = (
                f"Could not resolve service binding '{service.name}'. Target script '{service.service}' not found. "
                "Please verify the target script and try again."
            )
            raise fault(400, NO_SERVICE, message, pointer="/metadata/bindings")
    for place, binding in enumerate(after.version.settings.durable_objects):
        if binding.class_name not in await _classes_of(connection, account_id, after, binding):
            where = f" of the Worker {binding.script_name!r}" if binding.script_name else ""
            message = (
                f"Cannot create binding for class {binding.class_name!r}{where} because it is not currently configured to "
                "implement Durable Objects. Did you forget to apply a 'new_sqlite_classes' migration to the Durable Object "
                f"class in your configuration? (durable_objects {place}: {binding.name})"
            )
            raise fault(400, CLASS_NOT_CONFIGURED, message, pointer="/metadata/bindings")


async def _check_gone(connection: AsyncConnection, before: Before | None, after: Before) -> None:
    """Raise ApiFault for a class that is gone with this version, and that another script is bound to."""
    gone = set(before.script.classes if before else ()) - set(after.script.classes)
    if not gone:
        return
    for script, version in await store.of_account(connection, after.script.account_id):
        for one in version.settings.durable_objects if script.id != after.script.id else ():
            if one.script_name == after.script.name and one.class_name in gone:
                message = (
                    f"Cannot apply migration to class {one.class_name!r} without also removing the binding that references it "
                    f"({one.name} of the Worker {script.name!r})"
                )
                raise fault(400, CLASS_NOT_CONFIGURED, message, pointer="/metadata/migrations")


async def _classes_of(
    connection: AsyncConnection, account_id: str, after: Before, binding: DurableObjectBinding
) -> Mapping[str, DurableClass]:
    if binding.script_name in {"", after.script.name}:
        return after.script.classes
    other = await store.find(connection, account_id, binding.script_name)
    return {} if other is None else other.classes


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


def described(of: Before) -> ScriptVersion:
    """The version as whoever runs it reads it."""
    script, version = of.script, of.version
    settings = version.settings
    metadata = {"id": str(UUID(hex=version.id)), "tag": version.tag, "timestamp": version.created_on // 1000}
    return ScriptVersion(
        key=script.key,
        name=script.name,
        version=version.id,
        main=settings.main,
        account=script.account_id,
        number=version.number,
        compatibility_date=settings.compatibility_date,
        compatibility_flags=settings.compatibility_flags,
        vars={**settings.vars, **({settings.version_metadata: metadata} if settings.version_metadata else {})},
        sealed_secrets=version.secrets,
        durable_objects=settings.durable_objects,
        services=settings.services,
        classes=script.classes,
        limits=settings.limits,
        created_ms=version.created_on // 1000,
    )


def audited(of: Before) -> dict[str, object]:
    """What the audit log keeps: no value of a variable, and nothing of a secret but its name."""
    settings = of.version.settings
    return {
        "name": of.script.name,
        "version": of.version.id,
        "number": of.version.number,
        "etag": of.version.etag,
        "source": of.version.source,
        "main_module": settings.main,
        "variables": sorted(settings.vars),
        "secrets": sorted(of.version.secrets),
        "durable_objects": [one.class_name for one in settings.durable_objects],
        "migration_tag": of.script.migration_tag,
    }
