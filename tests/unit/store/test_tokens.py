"""`holdfast.store.tokens`: a token is found by the hash of its secret, with who is behind it, and by nothing else."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from holdfast.model.permission import Policy
from holdfast.store import identities, tokens
from holdfast.store.database import Database
from holdfast.store.identities import Account
from holdfast.store.schema import TOKENS, USERS
from holdfast.store.tokens import Token, TokenQuery
from tests.unit.store.conftest import ACCOUNT_ID, USER_ID

POLICY = Policy(id="1" * 32, effect="allow", permission_groups=("2" * 32,), resources={"x": {"y": "*"}, "z": "*"})


def token(**members: Any) -> Token:
    facts: dict[str, Any] = {
        "id": "c" * 32,
        "owner_kind": "user",
        "owner_id": USER_ID,
        "name": "one",
        "status": "active",
        "policies": (POLICY,),
        "condition": {"request_ip": {"in": ["192.0.2.0/24"]}},
        "issued_on": 5,
        "modified_on": 5,
        "last_used_on": None,
        "not_before": None,
        "expires_on": 2**60,
    }
    return Token(**{**facts, **members})


async def test_a_user_token_comes_with_its_user_and_all_their_accounts(database: Database) -> None:
    async with database.write() as connection:
        await tokens.insert(connection, token(), tokens.secret_hash("secret"))
        await identities.insert_account(connection, Account(id="d" * 32, name="Two", created_on=2))
        await identities.insert_member(connection, "d" * 32, USER_ID)
        found = await tokens.find_bearer(connection, tokens.secret_hash("secret"))
        assert found is not None
        assert (found.token, found.email) == (token(), "a@example.com")
        assert found.accounts == {ACCOUNT_ID, "d" * 32}
        assert await tokens.find_bearer(connection, tokens.secret_hash("Secret")) is None
        assert await tokens.find_bearer(connection, "secret") is None


async def test_a_token_of_an_account_reaches_that_account(database: Database) -> None:
    async with database.write() as connection:
        await tokens.insert(connection, token(owner_kind="account", owner_id=ACCOUNT_ID), "h")
        found = await tokens.find_bearer(connection, "h")
    assert found is not None
    assert (found.email, found.accounts) == ("", frozenset({ACCOUNT_ID}))


async def test_a_token_whose_owner_is_gone_is_nobodys(database: Database) -> None:
    async with database.write() as connection:
        await tokens.insert(connection, token(), "h")
        await tokens.insert(connection, token(id="e" * 32, owner_kind="account", owner_id="f" * 32), "i")
        await connection.execute(sa.delete(USERS))
        assert await tokens.find_bearer(connection, "h") is None
        assert await tokens.find_bearer(connection, "i") is None


async def test_a_token_is_changed_by_its_owner_only_and_keeps_its_last_use(database: Database) -> None:
    async with database.write() as connection:
        await tokens.insert(connection, token(), "h")
        await tokens.note_use(connection, {"c" * 32: 9, "0" * 32: 9})
        assert await tokens.update(connection, token(name="two", last_used_on=None))
        assert not await tokens.update(connection, token(name="three", owner_id=ACCOUNT_ID))
        found = await tokens.find(connection, "user", USER_ID, "c" * 32)
        assert found == token(name="two", last_used_on=9)
        assert await tokens.find(connection, "account", USER_ID, "c" * 32) is None
        assert await tokens.change_secret(connection, token(), "new", now=7)
        assert await tokens.find_bearer(connection, "h") is None
        bearer = await tokens.find_bearer(connection, "new")
        assert bearer is not None
        assert bearer.token == msgspec.structs.replace(token(name="two"), last_used_on=9, modified_on=7)
        assert not await tokens.delete(connection, "account", ACCOUNT_ID, "c" * 32)
        assert await tokens.delete(connection, "user", USER_ID, "c" * 32)
        assert not await tokens.delete(connection, "user", USER_ID, "c" * 32)


async def test_pages_are_in_order_and_leave_the_expired_out_if_asked(database: Database) -> None:
    async with database.write() as connection:
        for number in range(5):
            one = token(id=f"{number:032x}", issued_on=number // 2, expires_on=number or None)
            await tokens.insert(connection, one, str(number))
        query = TokenQuery(owner_kind="user", owner_id=USER_ID, limit=2, offset=1)
        found, total = await tokens.select(connection, query)
        assert ([one.id[-1] for one in found], total) == (["3", "2"], 5)
        valid = msgspec.structs.replace(query, valid_at=3, ascending=True, offset=0)
        found, total = await tokens.select(connection, valid)
        assert ([one.id[-1] for one in found], total) == (["0", "4"], 2)
        assert await tokens.lock_owner(connection, "user", USER_ID) == 5
        assert await tokens.lock_owner(connection, "account", ACCOUNT_ID) == 0


async def test_two_tokens_cannot_have_one_secret(database: Database) -> None:
    async with database.write() as connection:
        await tokens.insert(connection, token(), "h")
    with pytest.raises(sa.exc.IntegrityError):
        async with database.write() as connection:
            await tokens.insert(connection, token(id="e" * 32), "h")


async def test_the_hash_is_all_that_is_kept(database: Database) -> None:
    async with database.write() as connection:
        await tokens.insert(connection, token(), tokens.secret_hash("hfut_secret"))
        row = (await connection.execute(sa.select(TOKENS))).one()
    assert "hfut_secret" not in repr(row)
    assert tokens.secret_hash("\udcff") != tokens.secret_hash("?")
