"""`holdfast.store.database`: what a write promises, on both databases."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import sqlalchemy as sa

from holdfast.store import identities, installation
from holdfast.store.database import Database, StoreUnavailable
from tests.unit.store.conftest import ACCOUNT_ID


async def revision(database: Database) -> int:
    async with database.read() as connection:
        return (await installation.source_and_revision(connection))[1]


async def test_a_write_raises_the_revision_and_a_note_does_not(database: Database) -> None:
    before = await revision(database)
    async with database.write() as connection:
        await identities.rename_account(connection, ACCOUNT_ID, "New")
    async with database.note() as connection:
        await identities.rename_account(connection, ACCOUNT_ID, "Newer")
    assert await revision(database) == before + 1
    async with database.look() as connection:
        account = await identities.find_account(connection, ACCOUNT_ID)
    assert account is not None
    assert account.name == "Newer"


async def test_a_write_that_fails_is_undone_whole(database: Database) -> None:
    before = await revision(database)

    async def fail() -> None:
        async with database.write() as connection:
            await identities.rename_account(connection, ACCOUNT_ID, "New")
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    assert await revision(database) == before
    async with database.read() as connection:
        account = await identities.find_account(connection, ACCOUNT_ID)
    assert account is not None
    assert account.name == "Ours"


async def test_of_many_writes_at_once_none_is_lost(database: Database) -> None:
    before = await revision(database)

    async def write(number: int) -> None:
        async with database.write() as connection:
            await identities.rename_account(connection, ACCOUNT_ID, f"name {number}")

    await asyncio.gather(*(write(number) for number in range(20)))
    assert await revision(database) == before + 20


async def test_a_look_leaves_its_connection_fit_for_writes(database: Database) -> None:
    for _ in range(20):
        async with database.look() as connection:
            assert await connection.scalar(sa.select(1)) == 1
        async with database.write() as connection:
            await identities.rename_account(connection, ACCOUNT_ID, "x")
    assert await revision(database) == 22


async def test_what_is_wrong_is_said_without_parameters(database: Database) -> None:
    async with database.read() as connection:
        with pytest.raises(sa.exc.DBAPIError) as raised:
            await connection.execute(sa.text("SELECT :secret FROM nowhere"), {"secret": "hidden-secret"})
    assert "hidden-secret" not in str(raised.value)


@pytest.mark.parametrize("scheme", ["sqlite+aiosqlite:///", "postgresql+asyncpg://nobody@/none?host="])
async def test_a_database_that_is_not_there_is_unavailable(scheme: str, tmp_path: Path) -> None:
    database = Database(f"{scheme}{tmp_path}/missing/holdfast.db")
    for way in (database.read, database.look, database.write, database.note):
        with pytest.raises(StoreUnavailable, match="database"):
            async with way() as connection:
                await connection.execute(sa.select(1))
    await database.close()


async def test_a_file_that_is_no_database_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "holdfast.db").write_bytes(b"a letter to somebody\n" * 100)
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/holdfast.db")
    with pytest.raises(StoreUnavailable, match=r"^the file is no SQLite database$"):
        async with database.read() as connection:
            await connection.execute(sa.select(1))
    await database.close()


async def test_a_database_that_is_damaged_is_said_to_be(tmp_path: Path) -> None:
    path = tmp_path / "holdfast.db"
    database = Database(f"sqlite+aiosqlite:///{path}")
    async with database.note() as connection:
        await connection.execute(sa.text("CREATE TABLE notes (text TEXT)"))
    await database.close()
    # All but the header and the schema, which are the first page.
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    with pytest.raises(StoreUnavailable, match=r"^the file is damaged$"):
        async with database.read() as connection:
            await connection.execute(sa.text("SELECT * FROM notes"))
    await database.close()
