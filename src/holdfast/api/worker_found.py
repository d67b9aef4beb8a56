"""What there is of a script: its row, the version that is deployed, and how whoever runs it and the audit log are told of it.

Source: Cloudflare API v4, "Workers scripts"; codes and sentences as its clients know them.
"""

from __future__ import annotations

from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.api.faults import ApiFault, fault
from holdfast.model.worker_script import ScriptVersion, told_of_itself
from holdfast.store import worker_scripts as store
from holdfast.store.worker_scripts import Script, Version

# Cloudflare's codes.
NO_SCRIPT = 10007
NO_VERSION = 100146
# Ours: the host of scripts.
NOT_REACHED = 10503
# What the audit log calls a script.
RESOURCE = "worker_script"


class Before(msgspec.Struct, frozen=True):
    """A script as it is: its row, and the version that is deployed."""

    script: Script
    version: Version


def no_such_script() -> ApiFault:
    """The account has no script of that name."""
    return fault(404, NO_SCRIPT, "This Worker does not exist on your account.")


async def find_script(connection: AsyncConnection, account_id: str, name: str) -> Before:
    """The script and its deployed version. Raises ApiFault."""
    found = await look_up(connection, account_id, name)
    if found is None:
        raise no_such_script()
    return found


async def look_up(connection: AsyncConnection, account_id: str, name: str) -> Before | None:
    """The same; None where there is none."""
    script = await store.find(connection, account_id, name)
    if script is None:
        return None
    version = await store.find_version(connection, script.id, script.version_id)
    if version is None:
        raise AssertionError("a script's deployed version is kept")
    return Before(script, version)


def no_such_version() -> ApiFault:
    """The script has no version of that id."""
    return fault(404, NO_VERSION, "There is no such version of this Worker, or it is not kept any more")


def described(of: Before) -> ScriptVersion:
    """The version as whoever runs it reads it."""
    script, version = of.script, of.version
    settings = version.settings
    itself = told_of_itself(
        settings.version_metadata, str(UUID(hex=version.id)), tag=version.tag, created=version.created_on
    )
    return ScriptVersion(
        key=script.key,
        name=script.name,
        version=version.id,
        main=settings.main,
        account=script.account_id,
        number=version.number,
        compatibility_date=settings.compatibility_date,
        compatibility_flags=settings.compatibility_flags,
        vars={**settings.vars, **itself},
        sealed_secrets=version.secrets,
        durable_objects=settings.durable_objects,
        services=settings.services,
        classes=script.classes,
        moved=script.moved,
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
