"""What tests of the store share: an open database of each kind, with an account and its user."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from holdfast.store import identities
from holdfast.store.database import Database
from holdfast.store.identities import Account, User

ACCOUNT_ID, USER_ID = "a" * 32, "b" * 32


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = Database(database_url)
    async with opened.write() as connection:
        await identities.insert_account(connection, Account(id=ACCOUNT_ID, name="Ours", created_on=1))
        user = User(id=USER_ID, email="a@example.com", first_name=None, last_name=None, created_on=1, modified_on=1)
        await identities.insert_user(connection, user)
        await identities.insert_member(connection, ACCOUNT_ID, USER_ID)
    yield opened
    await opened.close()
