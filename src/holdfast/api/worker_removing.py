"""Remove a script, and all that leads to it.

Law 1: who removes a script removes its routes, domains and schedules, and what its Durable Objects stored.
Law 2: what others would miss is removed only where that is asked for (`is_forced`): objects, and bindings of other scripts.
Law 3: its processes end first: what cannot be ended can be asked for again.
Law 4: what objects stored whose class went to another script goes there first, where it has not been fetched yet; where it cannot go, nothing is
removed.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AsyncExitStack

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.api.access import Access
from holdfast.api.context import WorkersUnavailable
from holdfast.api.faults import ApiFault, Complaint, fault
from holdfast.api.worker_found import NOT_REACHED, RESOURCE, Before, audited, find_script, no_such_script
from holdfast.model.data_dir import worker_key
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
    held: set[str] = set()
    # Scripts that a class has gone to, or came from, meanwhile are waited for, too.
    while (wanted := await _removed(access, name, held, is_forced=is_forced)) is not None:
        held |= wanted


async def _removed(access: Access, name: str, held: set[str], *, is_forced: bool) -> set[str] | None:
    """Remove it, as who changes the scripts with the keys `held`, and it; where others have to be held as well, say which and do nothing.
    Raises ApiFault."""
    context = access.context
    key = worker_key(access.account_id, name)
    async with AsyncExitStack() as turns:
        for one in sorted({key, *held}):
            await turns.enter_async_context(context.workers.turn(one))
        async with context.database.read() as connection:
            before = await find_script(connection, access.account_id, name)
            heirs = await store.heirs(connection, access.account_id, key)
            if not is_forced:
                await _check_unused(connection, before.script)
        near = {one.came_from for one in before.script.classes.values() if one.came_from} | {one.key for one in heirs}
        if not near <= {key, *held}:
            return near
        # What others have of it, and what goes with it, is where it belongs before the directory goes.
        for script in (before.script, *heirs):
            await _adopt(access, script)
        try:
            await context.workers.delete(key)
        except WorkersUnavailable as error:
            raise _not_removed(error) from None
        await _write(access, before, heirs)
    return None


async def _adopt(access: Access, script: Script) -> None:
    try:
        for one in script.classes.values():
            if one.came_from:
                await access.context.workers.adopt_objects(script.key, script.name, one)
    except WorkersUnavailable as error:
        raise _not_removed(error) from None


def _not_removed(error: WorkersUnavailable) -> ApiFault:
    return ApiFault(503, (Complaint(NOT_REACHED, f"The Worker was not removed: {error}"),), {"Retry-After": "5"})


async def _write(access: Access, before: Before, heirs: Iterable[Script]) -> None:
    async with access.context.database.write() as connection:
        there = await store.hold(connection, access.account_id, before.script.name)
        if there is None:
            raise no_such_script()
        touched = sorted(await store.zones_of(connection, there.id))
        for zone_id in touched:
            await zones.touch(connection, zone_id)
        for heir in heirs:
            # A script that is made later under the same name is another one: nothing of it is theirs.
            await store.update(connection, _settled(heir, before.script.key))
        await store.delete(connection, there.id)
        await access.record(connection, "delete", RESOURCE, before.script.name, old=audited(before))
    if touched:
        await access.context.on_change(touched)


def _settled(heir: Script, key: str) -> Script:
    classes = {
        name: msgspec.structs.replace(one, came_from="") if one.came_from == key else one
        for name, one in heir.classes.items()
    }
    return msgspec.structs.replace(heir, classes=classes)


async def _check_unused(connection: AsyncConnection, script: Script) -> None:
    if script.classes:
        names = ", ".join(sorted(script.classes)[:5])
        message = f"The Worker has Durable Object classes ({names}): what they stored goes with it. Ask with force=true, or --force"
        raise fault(400, HAS_OBJECTS, message)
    users = references_to(script.name, await store.of_account(connection, script.account_id))
    if users:
        names = ", ".join(sorted({one.script for one in users})[:5])
        raise fault(
            400, HAS_BINDINGS, f"Other Workers are bound to this one ({names}). Ask with force=true, or --force"
        )
