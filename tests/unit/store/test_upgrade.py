"""`holdfast.store.upgrade`: an empty database is brought up once, whoever comes at the same time; a newer one is refused."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa

from holdfast.errors import SetupError
from holdfast.store import installation
from holdfast.store.database import Database
from holdfast.store.upgrade import upgrade


async def test_two_who_come_at_once_make_one_installation(empty_database_url: str) -> None:
    first, second = Database(empty_database_url), Database(empty_database_url)
    await asyncio.gather(upgrade(first), upgrade(second))
    await upgrade(first)
    found = set()
    for database in (first, second):
        async with database.read() as connection:
            found.add(await installation.source_and_revision(connection))
            assert await connection.scalar(sa.text("SELECT count(*) FROM installation")) == 1
        await database.close()
    assert len(found) == 1


async def test_a_database_of_a_newer_holdfast_is_refused(empty_database_url: str) -> None:
    database = Database(empty_database_url)
    await upgrade(database)
    async with database.note() as connection:
        await connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SetupError, match="newer Holdfast"):
        await upgrade(database)
    await database.close()
