"""Make a new version of a script, and have it run and written down (`worker_running`).

Law 1: of one script one change is under way at a time. What was read before is compared when it is written: whoever changed the
script by another control is not overwritten.
Law 2: secrets are sealed before anything is kept.
Law 3: a class that moves here takes its script along: that has one more version then, of the same code, without the class.

Source: Cloudflare API v4, "Workers scripts"; codes and sentences as its clients know them.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.api.access import Access
from holdfast.api.faults import fault
from holdfast.api.worker_classes import Classes, check_bound, check_gone, classes_after, namespaces_of, not_applied
from holdfast.api.worker_found import Before, audited, find_script, look_up, no_such_version
from holdfast.api.worker_running import (
    Change,
    Code,
    Move,
    adopt,
    client_of,
    deploy,
    doom,
    forget,
    kept_files,
    write_script,
)
from holdfast.api.worker_upload import Migrations
from holdfast.model.data_dir import worker_key
from holdfast.model.object_names import unique_key
from holdfast.model.worker_migrations import MovedClass, TransferredClass
from holdfast.model.worker_script import secret_purpose
from holdfast.store import worker_scripts as store
from holdfast.store.worker_scripts import Deployment, Script, Version, VersionSettings

# Cloudflare's codes.
TOO_MANY_SCRIPTS = 10037
MIGRATION_OF_A_VERSION = 10211
SECRETS_CHANGED = 10220
# Precedent: the original's paid plan.
MAX_SCRIPTS = 500
VERSION_RESOURCE = "worker_version"


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


# What is wanted, now that it is known what there is. Raises ApiFault.
Want = Callable[[Before | None], Wanted]


async def make_version(access: Access, name: str, want: Want, *, sources: Collection[str] = ()) -> Before:
    """Make the version that `want` says, and deploy it; the script then. `sources` are the scripts that its migrations name. Raises
    ApiFault."""
    context, account_id = access.context, access.account_id
    key = worker_key(account_id, name)
    async with AsyncExitStack() as turns:
        # In one order, so that two who each want a class of the other do not wait for ever.
        for one in sorted({key, *(worker_key(account_id, source) for source in sources)}):
            await turns.enter_async_context(context.workers.turn(one))
        async with context.database.read() as connection:
            before = await look_up(connection, account_id, name)
            others = await store.count(connection, account_id)
            known = await _known(connection, account_id, name, sources)
        if before is not None:
            await adopt(access, before)
        wanted = want(before)
        if before is None and others >= MAX_SCRIPTS:
            raise fault(400, TOO_MANY_SCRIPTS, f"There are at most {MAX_SCRIPTS} Workers of one account")
        files, packed = await _files(access, wanted, before)
        etag = hashlib.sha256(packed).hexdigest()
        after, classes = _after(access, name, before, wanted, etag=etag, known=known)
        moves = await _moves(access, after.script, classes, known)
        async with context.database.read() as connection:
            await check_bound(connection, before, after)
            for change in [(before, after), *((move.source.before, move.source.after) for move in moves)]:
                await check_gone(connection, *change)
        await doom(access, key, namespaces_of(before.script if before else None) - namespaces_of(after.script))
        try:
            await deploy(access, Change(before=before, after=after, code=Code(files, packed)), moves)
        finally:
            # Now: the process that had them has given them back, and what is written down has them no more. Or has them still, where it was
            # refused.
            await forget(access, name)
    return after


async def add_version(access: Access, name: str, want: Want) -> Before:
    """Make the version that `want` says after the newest one, and do not deploy it; the script with it. Raises ApiFault."""
    context, account_id = access.context, access.account_id
    async with context.workers.turn(worker_key(account_id, name)):
        async with context.database.read() as connection:
            before = await find_script(connection, account_id, name)
            newest = Before(before.script, (await store.versions(connection, before.script.id))[0])
        wanted = want(newest)
        if _is_migration(name, before.script, wanted.migrations):
            message = (
                "Version upload failed. You attempted to upload a version of a Worker that includes a Durable Object migration, "
                "but migrations must be fully applied via a non-versioned deployment."
            )
            raise fault(400, MIGRATION_OF_A_VERSION, message, pointer="/metadata/migrations")
        _, packed = await _files(access, wanted, newest)
        unmoved = msgspec.structs.replace(wanted, migrations=None)
        after, _ = _after(access, name, newest, unmoved, etag=hashlib.sha256(packed).hexdigest())
        async with context.database.read() as connection:
            await check_bound(connection, newest, after)
        script = msgspec.structs.replace(before.script, next_number=after.script.next_number)
        async with context.database.write() as connection:
            await write_script(connection, before, Before(script, before.version))
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
        change = Change(before=before, after=after, code=Code(files), message=message, source=source)
        await adopt(access, before)
        deployment = await deploy(access, change)
    return after, deployment


def _changed_secrets(now: Version, then: Version) -> str:
    """What wrangler shows of it is what comes after the colon."""
    names = (one for one in {**now.secrets, **then.secrets} if now.secrets.get(one) != then.secrets.get(one))
    return (
        "The secrets of the Worker are others than this version has: with force=true it gets its own again. "
        f"The following secrets have changed: {', '.join(sorted(names))}"
    )


async def _files(access: Access, wanted: Wanted, before: Before | None) -> tuple[Mapping[str, bytes], bytes]:
    """The files of the version, and as they are kept. In a thread: there may be 32 MiB of them."""
    if wanted.files is not None:
        return wanted.files, await asyncio.to_thread(store.packed, wanted.files)
    if before is None:
        raise AssertionError("who wants the files of before has a version before")
    async with access.context.database.read() as connection:
        kept = await kept_files(connection, before)
    return await asyncio.to_thread(store.unpacked, kept), kept


def _after(
    access: Access,
    name: str,
    before: Before | None,
    wanted: Wanted,
    *,
    etag: str,
    known: Mapping[str, Before] | None = None,
) -> tuple[Before, Classes]:
    """The script and the version as they are to be, and what becomes of classes. Raises ApiFault."""
    key, now = worker_key(access.account_id, name), access.context.clock()
    old = before.script if before else None
    script_id, version_id = old.id if old else secrets.token_hex(16), secrets.token_hex(16)
    classes = classes_after(name, old, wanted.migrations, known or {})
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
        classes=classes.there,
        moved=classes.moved,
        migration_tag=classes.tag,
        created_on=old.created_on if old else now,
        modified_on=now,
    )
    return Before(script, version), classes


def _is_migration(name: str, script: Script, migrations: Migrations | None) -> bool:
    """Whether classes would be others than they are. Raises ApiFault."""
    if migrations is None:
        return False
    # Of whichever script: that a class comes from another one is a migration.
    return any(step.transferred_classes for step in not_applied(migrations, script.migration_tag)) or (
        classes_after(name, script, migrations, {}).there != script.classes
    )


async def _known(
    connection: AsyncConnection, account_id: str, name: str, sources: Collection[str]
) -> dict[str, Before]:
    """The scripts that classes may come from, by name."""
    found = {one: await look_up(connection, account_id, one) for one in sorted(set(sources) - {name})}
    return {one: there for one, there in found.items() if there is not None}


async def _moves(access: Access, target: Script, classes: Classes, known: Mapping[str, Before]) -> list[Move]:
    """What moves here, with what becomes of the scripts that it moves from: a version of the same code, without those classes."""
    by_source: dict[str, list[TransferredClass]] = {}
    for one in classes.transferred:
        by_source.setdefault(one.script, []).append(one)
    found: dict[str, Change] = {}
    for name, ones in by_source.items():
        before = known[name]
        async with access.context.database.read() as connection:
            packed = await kept_files(connection, before)
        after = _without(access, before, target, ones)
        files = await asyncio.to_thread(store.unpacked, packed)
        found[name] = Change(before=before, after=after, code=Code(files, packed))
    return [Move(one=one, source=found[one.script]) for one in classes.transferred]


def _without(access: Access, before: Before, target: Script, moved: Sequence[TransferredClass]) -> Before:
    """A script as it is when these classes of it are `target`'s."""
    script, now = before.script, access.context.clock()
    gone = {one.before: one.after for one in moved}
    elsewhere = {
        name: MovedClass(
            script=target.name, class_name=after, unique_key=unique_key(script.name, script.classes[name].namespace)
        )
        for name, after in gone.items()
    }
    version = msgspec.structs.replace(
        before.version,
        id=secrets.token_hex(16),
        number=script.next_number,
        author_email=access.principal.email,
        source="upload",
        message=f"{', '.join(gone)} moved to {target.name}"[:1000],
        tag="",
        created_on=now,
        client=client_of(access),
    )
    changed = msgspec.structs.replace(
        script,
        version_id=version.id,
        next_number=script.next_number + 1,
        classes={name: one for name, one in script.classes.items() if name not in gone},
        moved={**script.moved, **elsewhere},
        modified_on=now,
    )
    return Before(changed, version)
