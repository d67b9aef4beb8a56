"""`holdfast.store.schema`: the tables are what the migrations make."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

from holdfast.store.database import Database
from holdfast.store.schema import METADATA


async def test_the_newest_migration_makes_these_tables(database: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), METADATA))

    async with database.read() as connection:
        assert await connection.run_sync(differences) == []
