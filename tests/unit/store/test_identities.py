"""`holdfast.store.identities`: accounts, users, and who belongs where."""

from __future__ import annotations

from holdfast.store import identities
from holdfast.store.database import Database
from holdfast.store.identities import Account, AccountQuery
from tests.unit.store.conftest import ACCOUNT_ID, USER_ID


async def test_accounts_are_found_by_name_as_text_and_not_as_a_pattern(database: Database) -> None:
    ids = {ACCOUNT_ID}
    async with database.write() as connection:
        for number, name in enumerate(("Alpha", "beta", "50%_off")):
            ids.add(f"{number:032x}")
            await identities.insert_account(connection, Account(id=f"{number:032x}", name=name, created_on=9))
        for text, names in {"ALPHA": ["Alpha"], "%": ["50%_off"], "_": ["50%_off"], "z": []}.items():
            query = AccountQuery(ids=frozenset(ids), name=text)
            found, total = await identities.select_accounts(connection, query)
            assert ([one.name for one in found], total) == (names, len(names)), text
        assert await identities.select_accounts(connection, AccountQuery(ids=frozenset())) == ([], 0)
        first = await identities.first_account(connection)
    assert first is not None
    assert first.id == ACCOUNT_ID


async def test_who_is_not_there_is_not_changed(database: Database) -> None:
    async with database.write() as connection:
        assert not await identities.rename_account(connection, "0" * 32, "x")
        assert not await identities.edit_user(connection, "0" * 32, {"first_name": "x"}, now=2)
        assert await identities.find_account(connection, "0" * 32, lock=True) is None
        assert await identities.find_user(connection, "0" * 32, lock=True) is None


async def test_members_are_those_of_the_account(database: Database) -> None:
    async with database.write() as connection:
        await identities.insert_account(connection, Account(id="c" * 32, name="Other", created_on=9))
        found, total = await identities.members(connection, ACCOUNT_ID, offset=0, limit=5)
        assert ([one.id for one in found], total) == ([USER_ID], 1)
        assert await identities.members(connection, "c" * 32, offset=0, limit=5) == ([], 0)
        assert await identities.member(connection, ACCOUNT_ID, USER_ID) == found[0]
        assert await identities.member(connection, "c" * 32, USER_ID) is None
        assert [one.name for one in await identities.accounts_named(connection, [ACCOUNT_ID])] == ["Ours"]
        assert await identities.edit_user(connection, USER_ID, {"first_name": "Ada"}, now=2)
        user = await identities.find_user(connection, USER_ID)
    assert user is not None
    assert (user.first_name, user.modified_on) == ("Ada", 2)
