"""The Durable Object classes of a script that is deployed: what migrations make of them, and what depends on them.

Source: Cloudflare API v4, "Workers scripts", "Multipart upload metadata"; codes and sentences as its clients know them.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.api.faults import fault
from holdfast.api.worker_found import Before
from holdfast.api.worker_upload import INVALID_UPLOAD, Migrations
from holdfast.model.worker_messages import DurableObjectBinding
from holdfast.model.worker_migrations import DurableClass, MigrationError, MigrationStep, after_tag, declared, migrated
from holdfast.store import worker_scripts as store
from holdfast.store.worker_scripts import Script

# Cloudflare's codes.
CLASS_NOT_CONFIGURED = 10061
NO_SERVICE = 10143
WRONG_TAG = 10079


def namespaces_of(of: Before | None) -> set[str]:
    """What the namespaces of a script's own classes are kept under."""
    return set() if of is None else {f"{of.script.name}-{one.namespace}" for one in of.script.classes.values()}


def classes_after(old: Script | None, migrations: Migrations | None) -> tuple[dict[str, DurableClass], str]:
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


async def check_bound(connection: AsyncConnection, account_id: str, after: Before) -> None:
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


async def check_gone(connection: AsyncConnection, before: Before | None, after: Before) -> None:
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


def _not_applied(migrations: Migrations, tag: str) -> tuple[MigrationStep, ...]:
    """The steps that come after the one applied last; all, where none of them is that."""
    left = after_tag(migrations.steps, tag)
    return migrations.steps if left is None else left


async def _classes_of(
    connection: AsyncConnection, account_id: str, after: Before, binding: DurableObjectBinding
) -> Mapping[str, DurableClass]:
    if binding.script_name in {"", after.script.name}:
        return after.script.classes
    other = await store.find(connection, account_id, binding.script_name)
    return {} if other is None else other.classes
