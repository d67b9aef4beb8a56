"""The Durable Object classes of a script that is deployed: what migrations make of them, and what depends on them.

Source: Cloudflare API v4, "Workers scripts", "Multipart upload metadata"; codes and sentences as its clients know them.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.api.faults import fault
from holdfast.api.worker_found import Before
from holdfast.api.worker_upload import INVALID_UPLOAD, Migrations
from holdfast.model.object_names import namespace_of, unique_key
from holdfast.model.worker_messages import DurableObjectBinding
from holdfast.model.worker_migrations import (
    ClassTaken,
    DurableClass,
    MigrationError,
    MigrationStep,
    MovedClass,
    Source,
    TransferredClass,
    after_tag,
    declared,
    migrated,
)
from holdfast.store import worker_scripts as store
from holdfast.store.worker_scripts import Script

# Cloudflare's codes.
CLASS_NOT_CONFIGURED = 10061
NO_SERVICE = 10143
WRONG_TAG = 10079
CLASS_TAKEN = 10074


class Classes(msgspec.Struct, frozen=True):
    """The classes of a script, the tag of the migration applied last, those that are elsewhere now, and those that come from other scripts."""

    there: dict[str, DurableClass]
    tag: str
    moved: dict[str, MovedClass]
    transferred: tuple[TransferredClass, ...] = ()


def namespaces_of(script: Script | None) -> set[str]:
    """What the objects of a script's own classes are kept under."""
    return set() if script is None else {unique_key(script.name, one.namespace) for one in script.classes.values()}


async def living_of(connection: AsyncConnection, script: Script) -> set[str]:
    """What lies beside a script and is wanted: what objects of its own classes stored, and of those that went to other scripts, which may not have
    fetched it yet."""
    living = namespaces_of(script)
    for other in await store.heirs(connection, script.account_id, script.key):
        living |= {
            unique_key(other.name, one.namespace) for one in other.classes.values() if one.came_from == script.key
        }
    return living


def sources_of(migrations: Migrations | None) -> set[str]:
    """The scripts that classes come from."""
    steps = () if migrations is None else migrations.steps
    return {one.script for step in steps for one in step.transferred_classes}


def classes_after(name: str, old: Script | None, migrations: Migrations | None, known: Mapping[str, Before]) -> Classes:
    """What `migrations` make of the classes of the script `name`. `known` are the scripts that they name, by name. Raises ApiFault."""
    # What came from another script has its files: `adopt` was before this.
    there = {one: msgspec.structs.replace(kind, came_from="") for one, kind in old.classes.items()} if old else {}
    tag, moved = (old.migration_tag, old.moved) if old else ("", {})
    if migrations is None:
        return Classes(there, tag, moved)
    _check_tag(migrations, tag)
    gone = [namespace_of(name, one.unique_key) for one in moved.values()]
    try:
        sources = {one: Source(key=of.script.key, classes=of.script.classes) for one, of in known.items()}
        if migrations.is_declared:
            after = declared(there, migrations.steps, script=name, sources=sources, taken=gone)
            return Classes(after.classes, tag, {**moved, **after.moved}, after.transferred)
        after = migrated(there, not_applied(migrations, tag), script=name, sources=sources, taken=gone)
    except ClassTaken as error:
        raise fault(400, CLASS_TAKEN, str(error), pointer="/metadata/migrations") from None
    except MigrationError as error:
        raise fault(400, INVALID_UPLOAD, f"migrations: {error}", pointer="/metadata/migrations") from None
    return Classes(after.classes, migrations.new_tag or tag, {**moved, **after.moved}, after.transferred)


def not_applied(migrations: Migrations, tag: str) -> tuple[MigrationStep, ...]:
    """The steps that come after the one applied last; all, where none of them is that."""
    left = after_tag(migrations.steps, tag)
    return migrations.steps if left is None else left


def _check_tag(migrations: Migrations, tag: str) -> None:
    # Steps that have tags of their own say which of them are to be applied.
    has_tags = migrations.is_declared or any(step.tag for step in migrations.steps)
    given = "" if migrations.old_tag is None else migrations.old_tag
    if given == tag or (migrations.old_tag is None and has_tags):
        return
    message = (
        f"Actor migration tag precondition failed, got tag '{given}' when expected tag is '{tag}'. "
        "Please make sure the tags match and try again."
    )
    raise fault(412, WRONG_TAG, message, pointer="/metadata/migrations/old_tag")


async def check_bound(connection: AsyncConnection, before: Before | None, after: Before) -> None:
    """Raise ApiFault for a binding to a Worker or a class that there is not; one that was there before may name a class that has moved."""
    account_id = after.script.account_id
    known = before.version.settings.durable_objects if before else ()
    for service in after.version.settings.services:
        # Its own name is there as soon as this has been written down.
        if service.service != after.script.name and await store.find(connection, account_id, service.service) is None:
            message = (
                f"Could not resolve service binding '{service.name}'. Target script '{service.service}' not found. "
                "Please verify the target script and try again."
            )
            raise fault(400, NO_SERVICE, message, pointer="/metadata/bindings")
    for place, binding in enumerate(after.version.settings.durable_objects):
        owner = await _owner(connection, after, binding)
        if owner is not None and (
            binding.class_name in owner.classes or (binding in known and binding.class_name in owner.moved)
        ):
            continue
        where = f" of the Worker {binding.script_name!r}" if binding.script_name else ""
        message = (
            f"Cannot create binding for class {binding.class_name!r}{where} because it is not currently configured to "
            "implement Durable Objects. Did you forget to apply a 'new_sqlite_classes' migration to the Durable Object "
            f"class in your configuration? (durable_objects {place}: {binding.name})"
        )
        raise fault(400, CLASS_NOT_CONFIGURED, message, pointer="/metadata/bindings")


async def check_gone(connection: AsyncConnection, before: Before | None, after: Before) -> None:
    """Raise ApiFault for a class that is gone with this version, and that another script is bound to."""
    gone = set(before.script.classes if before else ()) - {*after.script.classes, *after.script.moved}
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


async def _owner(connection: AsyncConnection, after: Before, binding: DurableObjectBinding) -> Script | None:
    if binding.script_name in {"", after.script.name}:
        return after.script
    return await store.find(connection, after.script.account_id, binding.script_name)
