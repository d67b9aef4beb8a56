"""`holdfast.store.upgrade`: an empty database is brought up once, whoever comes at the same time; a newer one is refused."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import sqlalchemy as sa

from holdfast.errors import SetupError
from holdfast.store import database as database_module
from holdfast.store import installation
from holdfast.store import upgrade as upgrade_module
from holdfast.store.database import Database, StoreUnavailable
from holdfast.store.schema import INSTALLATION
from holdfast.store.upgrade import refuse_others, upgrade


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
    for look in (upgrade, refuse_others):
        with pytest.raises(SetupError, match="newer Holdfast"):
            await look(database)
    await database.close()


async def test_who_only_comes_by_changes_no_tables(empty_database_url: str) -> None:
    database = Database(empty_database_url)
    with pytest.raises(SetupError, match=r"^there is no installation in the database: holdfast run or"):
        await refuse_others(database)
    assert await tables(database) == set()
    await upgrade(database, to="0005")
    older = await tables(database)
    with pytest.raises(SetupError, match=r"of an older Holdfast \(its tables are at step 0005\): start this version's"):
        await refuse_others(database)
    assert await tables(database) == older
    await upgrade(database)
    await refuse_others(database)
    async with database.note() as connection:
        await connection.execute(sa.delete(INSTALLATION))
    with pytest.raises(SetupError, match="there is no installation"):
        await refuse_others(database)
    await database.close()


async def tables(database: Database) -> set[str]:
    """The names of the tables that there are."""
    async with database.read() as connection:
        return set(await connection.run_sync(lambda plain: sa.inspect(plain).get_table_names()))


async def test_steps_wait_for_those_of_another_however_often_sqlite_gives_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "BUSY_LIMIT_S", 0.05)
    # The other lets go after the first turn, however long a busy machine takes for that.
    monkeypatch.setattr(upgrade_module, "_TURNS", 600)
    url = f"sqlite+aiosqlite:///{tmp_path / 'one.db'}"
    first, second = Database(url), Database(url)
    refused = asyncio.Event()
    run = upgrade_module._upgrade

    async def noting(database: Database, to: str) -> None:
        try:
            await run(database, to)
        except StoreUnavailable:
            refused.set()
            raise

    monkeypatch.setattr(upgrade_module, "_upgrade", noting)
    async with first.note():
        other = asyncio.create_task(upgrade(second))
        await refused.wait()
    await other
    await upgrade(first)
    for database in (first, second):
        await database.close()


async def test_a_lock_that_is_never_let_go_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "BUSY_LIMIT_S", 0.05)
    url = f"sqlite+aiosqlite:///{tmp_path / 'one.db'}"
    first, second = Database(url), Database(url)
    async with first.note():
        with pytest.raises(StoreUnavailable, match="locked"):
            await upgrade(second)
    for database in (first, second):
        await database.close()
