"""`holdfast.api.undoing`: what is undone has left no trace."""

from __future__ import annotations

import pytest

from holdfast.api.undoing import Undone, writing
from holdfast.store import installation, zones
from holdfast.store.database import Database
from holdfast.store.identities import Account, insert_account
from holdfast.store.zones import Zone

ONE = Zone(
    id="1" * 32,
    account_id="a" * 32,
    account_name="Ours",
    name="one.example",
    type="full",
    plan="free",
    paused=False,
    version=1,
    created_on=1,
    modified_on=1,
)


async def _state(database: Database) -> tuple[int, dict[str, int]]:
    async with database.read() as connection:
        _, revision = await installation.source_and_revision(connection)
        return revision, await zones.versions(connection)


async def _touch(database: Database, error: type[Exception]) -> None:
    async with writing(database) as connection:
        assert await zones.touch(connection, ONE.id)
        raise error


async def test_a_block_is_kept_unless_it_is_undone_or_fails(database_url: str) -> None:
    database = Database(database_url)
    async with writing(database) as connection:
        await insert_account(connection, Account(id=ONE.account_id, name="Ours", created_on=1))
        await zones.insert(connection, ONE)
    kept = await _state(database)
    assert kept[1] == {ONE.id: 1}
    await _touch(database, Undone)
    with pytest.raises(ZeroDivisionError):
        await _touch(database, ZeroDivisionError)
    assert await _state(database) == kept
    await database.close()
