"""`holdfast.control.first_start`: one owner, one token, whoever starts at the same time."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from holdfast.control.first_start import another_token, ensure_owner, everything
from holdfast.errors import UnavailableError
from holdfast.model.permission import GROUPS, Resource, Scope, may
from holdfast.store import tokens
from holdfast.store.database import Database


async def test_of_two_who_start_at_once_one_makes_the_owner(database_url: str) -> None:
    first, second = Database(database_url), Database(database_url)
    made = [one for one in await asyncio.gather(ensure_owner(first, now=1), ensure_owner(second, now=1)) if one]
    assert len(made) == 1
    assert made[0].token not in repr(made[0])
    async with first.look() as connection:
        bearer = await tokens.find_bearer(connection, tokens.secret_hash(made[0].token))
    assert bearer is not None
    assert bearer.accounts == {made[0].account_id}
    assert await ensure_owner(first, now=2) is None
    await first.close()
    await second.close()


async def test_an_empty_database_where_zones_were_served_is_a_lost_one(database_url: str, tmp_path: Path) -> None:
    journal, database = tmp_path / "snapshot.bin", Database(database_url)
    journal.touch()
    with pytest.raises(UnavailableError, match=r"put the database back, or remove that file") as refused:
        await ensure_owner(database, now=1, journal=journal)
    assert str(journal) in str(refused.value)
    journal.unlink()
    assert await ensure_owner(database, now=2, journal=journal) is not None
    journal.touch()
    assert await ensure_owner(database, now=3, journal=journal) is None
    await database.close()


def test_the_first_token_may_do_everything_its_owner_may() -> None:
    things = {
        Scope.ZONE: Resource(Scope.ZONE, "*", "*"),
        Scope.ACCOUNT: Resource(Scope.ACCOUNT, "*", "*"),
        Scope.USER: Resource(Scope.USER, "u"),
    }
    policies = everything("u")
    assert all(may(policies, group.name, things[group.scope]) for group in GROUPS)
    assert not may(policies, "User Details Read", Resource(Scope.USER, "v"))


async def test_another_token_is_the_owners_and_the_first_one_stays(database_url: str) -> None:
    database = Database(database_url)
    assert await another_token(database, now=1) is None
    first = await ensure_owner(database, now=1)
    second = await another_token(database, now=2)
    assert first is not None
    assert second is not None
    assert second.account_id == first.account_id
    async with database.look() as connection:
        bearers = [await tokens.find_bearer(connection, tokens.secret_hash(one.token)) for one in (first, second)]
    assert [bearer is not None and bearer.email for bearer in bearers] == ["owner@localhost"] * 2
    await database.close()
