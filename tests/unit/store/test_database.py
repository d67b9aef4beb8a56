"""`holdfast.store.database`: what a write promises, on both databases."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import sqlalchemy as sa

from holdfast.store import identities, installation
from holdfast.store.database import Database, StorageDamaged, StorageFault, StoreUnavailable
from holdfast.store.upgrade import upgrade
from tests.databases import Cluster
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


async def test_a_read_sees_one_moment(database: Database) -> None:
    async with database.read() as connection:
        before = await identities.find_account(connection, ACCOUNT_ID)
        async with database.write() as other:
            await identities.rename_account(other, ACCOUNT_ID, "New")
        assert await identities.find_account(connection, ACCOUNT_ID) == before
    async with database.read() as connection:
        assert await identities.find_account(connection, ACCOUNT_ID) != before


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


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ("/test_", "/none_", r"^the server has no database of this name: make it, or correct the name$"),
        ("//postgres@", "//nobody@", r"^the server does not let this user in$"),
    ],
)
async def test_who_is_not_let_in_is_told_why(before: str, after: str, sentence: str, postgres_cluster: Cluster) -> None:
    name = postgres_cluster.lend()
    database = Database(postgres_cluster.url(name).replace(before, after))
    for way in (database.read, database.look, database.write, database.note):
        with pytest.raises(StoreUnavailable, match=sentence):
            async with way() as connection:
                await connection.execute(sa.select(1))
    await database.close()
    postgres_cluster.take_back(name)


@pytest.mark.parametrize(
    ("changes", "user", "sentence"),
    [
        (
            ("ALTER DATABASE {0} ALLOW_CONNECTIONS false",),
            "postgres",
            "the server accepts no connections to this database",
        ),
        (
            ("CREATE ROLE {0}_visitor LOGIN", "REVOKE CONNECT ON DATABASE {0} FROM PUBLIC"),
            "{0}_visitor",
            "the server does not let this user into this database",
        ),
    ],
)
async def test_a_database_that_lets_nobody_in_is_unavailable(
    changes: tuple[str, ...], user: str, sentence: str, postgres_cluster: Cluster
) -> None:
    name = postgres_cluster.create()
    server = Database(postgres_cluster.url("postgres"))
    async with server.engine.connect() as plain:
        connection = await plain.execution_options(isolation_level="AUTOCOMMIT")
        for change in changes:
            await connection.execute(sa.text(change.format(name)))
    await server.close()
    database = Database(postgres_cluster.url(name).replace("//postgres@", f"//{user.format(name)}@"))
    with pytest.raises(StoreUnavailable, match=f"^{sentence}$"):
        async with database.read() as reading:
            await reading.execute(sa.select(1))
    await database.close()
    postgres_cluster.drop(name)


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


class Ailing:
    """A SQLite database, on one connection, whose storage fails when a test says so; what it said of it."""

    def __init__(self, path: Path) -> None:
        self.said: list[str] = []
        self.database = Database(f"sqlite+aiosqlite:///{path}", on_fault=self.said.append)

    async def pragma(self, text: str) -> None:
        async with self.database.look() as connection:
            await connection.execute(sa.text(f"PRAGMA {text}"))

    async def write(self) -> None:
        async with self.database.note() as connection:
            await connection.execute(sa.text("INSERT INTO notes VALUES (zeroblob(100000))"))


@pytest.mark.parametrize(
    ("ill", "well", "reason"),
    [
        ("max_page_count=1", "max_page_count=1000000", "database or disk is full"),
        ("query_only=ON", "query_only=OFF", "attempt to write a readonly database"),
    ],
)
async def test_what_is_wrong_with_the_storage_is_said_once_until_a_write_succeeds(
    tmp_path: Path, ill: str, well: str, reason: str
) -> None:
    ailing = Ailing(tmp_path / "holdfast.db")
    await upgrade(ailing.database)
    async with ailing.database.note() as connection:
        await connection.execute(sa.text("CREATE TABLE notes (text TEXT)"))
    for turn in (1, 2):
        await ailing.pragma(ill)
        for _ in range(2):
            with pytest.raises(StorageFault, match=rf"^the database cannot be written: {reason}$"):
                await ailing.write()
        assert await revision(ailing.database)
        assert ailing.database.storage_fault == f"the database cannot be written: {reason}"
        assert len(ailing.said) == turn
        await ailing.pragma(well)
        await ailing.database.try_to_write()
        assert ailing.database.storage_fault == ""
    await ailing.database.close()


async def test_a_write_that_fails_for_what_was_asked_says_nothing_of_the_storage(tmp_path: Path) -> None:
    ailing = Ailing(tmp_path / "holdfast.db")
    with pytest.raises(StoreUnavailable, match=r"^the database cannot be used: no such table: notes$"):
        await ailing.write()
    assert (ailing.said, ailing.database.storage_fault) == ([], "")
    await ailing.database.close()


async def test_damage_that_a_read_finds_is_remembered_whatever_is_written_after_it(tmp_path: Path) -> None:
    path = tmp_path / "holdfast.db"
    ailing = Ailing(path)
    await upgrade(ailing.database)
    async with ailing.database.note() as connection:
        await connection.execute(sa.text("CREATE TABLE notes (text TEXT)"))
        for _ in range(200):
            await connection.execute(sa.text("INSERT INTO notes VALUES (zeroblob(1000))"))
    await ailing.database.close()
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) - 65536] + b"\xff" * 65536)
    again = Ailing(path)
    with pytest.raises(StorageDamaged):
        async with again.database.read() as connection:
            await connection.execute(sa.text("SELECT sum(length(text)) FROM notes"))
    await again.database.try_to_write()
    assert again.database.storage_fault == "the file is damaged"
    assert again.said == ["the file is damaged"]
    await again.database.close()


async def test_what_is_no_json_where_json_was_written_is_a_database_that_cannot_be_read(tmp_path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/holdfast.db")
    await upgrade(database)
    async with database.note() as connection:
        await connection.execute(sa.text("CREATE TABLE notes (value JSON)"))
        await connection.execute(sa.text("INSERT INTO notes VALUES ('{')"))
    with pytest.raises(StoreUnavailable, match=r"^the database holds something that cannot be read$"):
        async with database.read() as connection:
            (await connection.execute(sa.select(sa.column("value", sa.JSON)).select_from(sa.table("notes")))).all()
    assert database.storage_fault == ""
    await database.close()
