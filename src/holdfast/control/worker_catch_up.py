"""What the database says of scripts, brought to a host that does not know it: after a new machine, a data directory that was lost, or a
write that control did not live to have carried out.

Law 1: what the host has deployed already is left alone. Nothing is removed: a database that was put back may be the one that forgot.
Law 2: a host that is not there yet is waited for; a version that does not run is logged, and costs the others nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress

from holdfast.api.context import DeployRefused, Workers, WorkersUnavailable
from holdfast.api.worker_classes import living_of
from holdfast.api.worker_found import Before, described
from holdfast.control.pacing import Pacing
from holdfast.store import worker_schedules
from holdfast.store import worker_scripts as store
from holdfast.store.database import Database, StoreUnavailable

# How often it is tried until all is there, which is at once nearly always.
INTERVAL_S = 2.0

Log = Callable[[str, Mapping[str, str | int]], None]


async def keep_catching_up(database: Database, workers: Workers, log: Log, pacing: Pacing) -> None:
    """Deploy what is not deployed, until all is, or control ends."""
    refused: set[str] = set()
    while True:
        with suppress(StoreUnavailable):
            if await catch_up(database, workers, log, refused):
                return
        if not await pacing.pause(INTERVAL_S):
            return


async def catch_up(database: Database, workers: Workers, log: Log, refused: set[str]) -> bool:
    """Deploy each version that is not; whether there is nothing left to do. `refused` are versions that did not run, and are
    not tried again. Raises StoreUnavailable."""
    async with database.read() as connection:
        found = await store.everywhere(connection)
    is_done = True
    for script, _ in found:
        async with workers.turn(script.key):
            try:
                await _deploy(database, workers, script.account_id, script.name, refused)
            except DeployRefused as error:
                log("worker_not_deployed", {"worker": script.name, "key": script.key, "reason": error.error})
            except WorkersUnavailable:
                is_done = False
    return is_done


async def _deploy(database: Database, workers: Workers, account_id: str, name: str, refused: set[str]) -> None:
    async with database.read() as connection:
        # Read again: it may have been changed before it was this one's turn.
        script = await store.find(connection, account_id, name)
        if script is None:
            return
        await workers.forget_objects(script.key, await living_of(connection, script))
        if script.version_id in refused or await workers.deployed(script.key) == script.version_id:
            return
        version = await store.find_version(connection, script.id, script.version_id)
        kept = await store.files_of(connection, script.id, script.version_id)
        if version is None or kept is None:
            return
        crons = [one.cron for one in await worker_schedules.of_script(connection, script.id)]
    for one in script.classes.values():
        if one.came_from:
            await workers.adopt_objects(script.key, script.name, one)
    try:
        await workers.deploy(described(Before(script, version)), await asyncio.to_thread(store.unpacked, kept))
    except DeployRefused:
        refused.add(version.id)
        raise
    await workers.schedule(script.key, crons)
