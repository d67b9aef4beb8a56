"""`holdfast.control.first_start`: one owner, one token, whoever starts at the same time."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from holdfast.control.first_start import another_token, ensure_owner, everything
from holdfast.errors import SetupError, UnavailableError
from holdfast.model.permission import GROUPS, Resource, Scope, may
from holdfast.store import audit, tokens
from holdfast.store.audit import AuditQuery
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


async def test_a_token_made_later_is_in_the_audit_log_as_done_by_the_installation(database_url: str) -> None:
    database = Database(database_url)
    await ensure_owner(database, now=1)
    second = await another_token(database, now=2)
    assert second is not None
    async with database.look() as connection:
        bearer = await tokens.find_bearer(connection, tokens.secret_hash(second.token))
        entries = await audit.select(connection, AuditQuery(account_id=second.account_id))
    assert bearer is not None
    (entry,) = entries
    assert (entry.action, entry.resource_id, entry.actor_kind) == ("create", bearer.token.id, "system")
    assert (entry.actor_id, entry.token_id) == (bearer.token.owner_id, None)
    assert entry.new_value["name"] == "made by holdfast init"
    assert second.token not in repr(entry)
    await database.close()


async def test_of_too_many_tokens_the_oldest_made_here_makes_room_and_no_other(database_url: str) -> None:
    database = Database(database_url)
    first = await ensure_owner(database, now=1)
    assert first is not None
    async with database.write() as connection:
        bearer = await tokens.find_bearer(connection, tokens.secret_hash(first.token))
        assert bearer is not None
        for number in range(49):
            token = msgspec.structs.replace(bearer.token, id=f"{number:032x}", name="of somebody")
            await tokens.insert(connection, token, f"{number}")
    with pytest.raises(
        SetupError, match=r"^--new-token: the owner has 50 tokens, .*DELETE /client/v4/user/tokens/<id>"
    ):
        await another_token(database, now=2)
    async with database.write() as connection:
        assert await tokens.delete(connection, "user", bearer.token.owner_id, f"{0:032x}")
    made = [await another_token(database, now=now) for now in (3, 4)]
    async with database.look() as connection:
        older, newer = [one and await tokens.find_bearer(connection, tokens.secret_hash(one.token)) for one in made]
        entries = await audit.select(connection, AuditQuery(account_id=first.account_id, ascending=True))
        assert await tokens.lock_owner(connection, "user", bearer.token.owner_id) == 50
    assert older is None
    assert newer is not None
    assert sorted(one.action for one in entries) == ["create", "create", "delete"]
    assert bearer.token.id not in {one.resource_id for one in entries}
    await database.close()
