"""`holdfast.store.worker_schedules`: what is replaced together, and since when it is there."""

from __future__ import annotations

from holdfast.store import worker_schedules as store
from holdfast.store.database import Database
from holdfast.store.schema import METADATA
from tests.unit.store.conftest import ACCOUNT_ID
from tests.unit.store.test_schema import SCRIPT_ID, add_to


async def test_schedules_are_replaced_and_what_stays_keeps_its_time(database: Database) -> None:
    async with database.write() as connection:
        await add_to(connection, METADATA.tables["worker_scripts"], id=SCRIPT_ID, account_id=ACCOUNT_ID)
        for now, crons in ((1, ["a", "b"]), (2, ["b", "c"]), (3, ["c", "b"])):
            await store.replace(connection, SCRIPT_ID, crons, now=now)
        found = await store.of_script(connection, SCRIPT_ID)
        assert [(one.cron, one.created_on) for one in found] == [("b", 1), ("c", 2)]
        await store.replace(connection, SCRIPT_ID, [], now=4)
        assert await store.of_script(connection, SCRIPT_ID) == []
