"""`holdfast.store.schema`: the tables are what the migrations make, and what belongs to something goes with it."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.store import zones
from holdfast.store.database import Database
from holdfast.store.schema import METADATA
from tests.unit.store.conftest import ACCOUNT_ID
from tests.unit.store.test_zones import zone

# What outlives its zone: the log of what was done, and events, which are trimmed behind it (`control.event_retention`).
OUTLIVES = {"audit_log", "security_events"}
LIST_ID, RULESET_ID, SCRIPT_ID = "5" * 32, "6" * 32, "7" * 32


async def test_the_newest_migration_makes_these_tables(database: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), METADATA))

    async with database.read() as connection:
        assert await connection.run_sync(differences) == []


async def test_nothing_of_a_zone_outlives_it_but_what_is_to(database: Database) -> None:
    gone = zone(1, "one.example")
    async with database.write() as connection:
        await zones.insert(connection, gone)
        owned = [table for table in METADATA.sorted_tables if "zone_id" in table.c]
        await add_to(connection, METADATA.tables["worker_scripts"], id=SCRIPT_ID, account_id=gone.account_id)
        for table in owned:
            await add_to(connection, table, id=RULESET_ID, zone_id=gone.id, script_id=SCRIPT_ID)
        versions = METADATA.tables["ruleset_versions"]
        await add_to(connection, versions, ruleset_id=RULESET_ID)
        assert await zones.delete(connection, gone.id)
    assert await tables_with_rows(database, *owned, versions) == OUTLIVES


async def test_nothing_that_rules_need_outlives_its_account(database: Database) -> None:
    names = ("rulesets", "ruleset_versions", "lists", "list_items", "list_operations", "members")
    owned = [METADATA.tables[name] for name in names]
    async with database.write() as connection:
        for table in owned[:-1]:
            is_list = table.name == "lists"
            ids = {"id": LIST_ID if is_list else RULESET_ID, "list_id": LIST_ID, "ruleset_id": RULESET_ID}
            await add_to(connection, table, account_id=ACCOUNT_ID, **ids)
        accounts = METADATA.tables["accounts"]
        await connection.execute(sa.delete(accounts).where(accounts.c.id == ACCOUNT_ID))
    assert await tables_with_rows(database, *owned) == set()


async def add_to(connection: AsyncConnection, table: sa.Table, **given: Any) -> None:
    """Add a row with those of `given` that the table has, and with something in each other column that must have it."""
    needed = [column for column in table.c if not (column.nullable or column.server_default)]
    values = {column.name: _something(column.type) for column in needed}
    values |= {name: value for name, value in given.items() if name in table.c}
    await connection.execute(sa.insert(table).values(values))


async def tables_with_rows(database: Database, *tables: sa.Table) -> set[str]:
    """Which of the tables have any row."""
    async with database.read() as connection:
        counts = {
            table.name: await connection.scalar(sa.select(sa.func.count()).select_from(table)) for table in tables
        }
    return {name for name, count in counts.items() if count}


def _something(kind: sa.types.TypeEngine[Any]) -> object:
    match kind:
        case sa.JSON():
            return []
        case sa.Boolean():
            return False
        case sa.Integer():
            return 1
        case sa.LargeBinary():
            return b""
        case _:
            return "x"
