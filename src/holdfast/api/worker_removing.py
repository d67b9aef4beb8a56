"""Remove a script, and all that leads to it.

Law 1: who removes a script removes its routes, domains and schedules, and what its Durable Objects stored.
Law 2: what others would miss is removed only where that is asked for (`is_forced`): objects, and bindings of other scripts.
Law 3: its processes end first: what cannot be ended can be asked for again.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.api.access import Access
from holdfast.api.context import WorkersUnavailable
from holdfast.api.faults import ApiFault, Complaint, fault
from holdfast.api.worker_found import NOT_REACHED, RESOURCE, audited, find_script, no_such_script
from holdfast.store import worker_scripts as store
from holdfast.store import zones
from holdfast.store.worker_scripts import Script, Version

# Cloudflare's codes: for a script that objects depend on, and for one that others are bound to.
HAS_OBJECTS, HAS_BINDINGS = 10064, 10142


class Reference(msgspec.Struct, frozen=True):
    """A binding of the script `script`, called `name`. `class_name` is that of Durable Objects, "" for a service."""

    script: str
    name: str
    class_name: str = ""


def references_to(name: str, scripts: Iterable[tuple[Script, Version]]) -> list[Reference]:
    """Bindings of other scripts to the script of this name."""
    found: list[Reference] = []
    for script, version in scripts:
        if script.name != name:
            settings = version.settings
            found += [Reference(script.name, one.name) for one in settings.services if one.service == name]
            found += [
                Reference(script.name, one.name, one.class_name)
                for one in settings.durable_objects
                if one.script_name == name
            ]
    return found


async def remove_script(access: Access, name: str, *, is_forced: bool) -> None:
    """Remove the account's script of this name. Raises ApiFault."""
    context = access.context
    async with context.database.read() as connection:
        before = await find_script(connection, access.account_id, name)
        if not is_forced:
            await _check_unused(connection, before.script)
    async with context.workers.turn(before.script.key):
        try:
            await context.workers.delete(before.script.key)
        except WorkersUnavailable as error:
            complaint = Complaint(NOT_REACHED, f"The Worker was not removed: {error}")
            raise ApiFault(503, (complaint,), {"Retry-After": "5"}) from None
        async with context.database.write() as connection:
            there = await store.hold(connection, access.account_id, name)
            if there is None:
                raise no_such_script()
            touched = sorted(await store.zones_of(connection, there.id))
            for zone_id in touched:
                await zones.touch(connection, zone_id)
            await store.delete(connection, there.id)
            await access.record(connection, "delete", RESOURCE, name, old=audited(before))
        if touched:
            await context.on_change(touched)


async def _check_unused(connection: AsyncConnection, script: Script) -> None:
    if script.classes:
        names = ", ".join(sorted(script.classes)[:5])
        message = f"The Worker has Durable Object classes ({names}): what they stored goes with it. Ask with force=true"
        raise fault(400, HAS_OBJECTS, message)
    users = references_to(script.name, await store.of_account(connection, script.account_id))
    if users:
        names = ", ".join(sorted({one.script for one in users})[:5])
        raise fault(400, HAS_BINDINGS, f"Other Workers are bound to this one ({names}). Ask with force=true")
