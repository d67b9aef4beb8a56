"""`holdfast.store.zones`: versions that miss no change, and who sees what."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from holdfast.store import zones
from holdfast.store.database import Database
from holdfast.store.zones import Visible, Zone, ZoneQuery
from tests.unit.store.conftest import ACCOUNT_ID


def zone(number: int, name: str) -> Zone:
    return Zone(
        id=f"{number:032x}",
        account_id=ACCOUNT_ID,
        account_name="Ours",
        name=name,
        type="full",
        plan="free",
        paused=False,
        version=1,
        created_on=number,
        modified_on=number,
    )


async def test_every_change_raises_the_version(database: Database) -> None:
    one = zone(1, "one.example")
    async with database.write() as connection:
        await zones.insert(connection, one)
        assert await zones.find(connection, one.id) == one
        assert await zones.find_by_name(connection, one.name) == one
        assert await zones.touch(connection, one.id)
        await zones.change(connection, one.id, {"paused": True}, now=5)
        assert await zones.versions(connection) == {one.id: 3}
        assert not await zones.touch(connection, "f" * 32)
        assert await zones.delete(connection, one.id)
        assert not await zones.delete(connection, one.id)
        assert await zones.find(connection, one.id) is None


async def test_a_name_is_of_one_zone(database: Database) -> None:
    async with database.write() as connection:
        await zones.insert(connection, zone(1, "one.example"))
    with pytest.raises(sa.exc.IntegrityError):
        async with database.write() as connection:
            await zones.insert(connection, zone(2, "one.example"))


async def test_one_sees_whole_accounts_but_what_is_hidden_and_what_is_named(database: Database) -> None:
    found = {number: zone(number, f"{number}.example") for number in range(3)}
    none: frozenset[str] = frozenset()
    cases = [
        (None, [0, 1, 2]),
        (Visible(accounts=none, zones=none, hidden=none), []),
        (Visible(accounts=frozenset({ACCOUNT_ID}), zones=none, hidden=none), [0, 1, 2]),
        (Visible(accounts=frozenset({ACCOUNT_ID}), zones=none, hidden=frozenset({found[1].id})), [0, 2]),
        (Visible(accounts=none, zones=frozenset({found[2].id}), hidden=none), [2]),
    ]
    async with database.write() as connection:
        for one in found.values():
            await zones.insert(connection, one)
        for visible, numbers in cases:
            page, total = await zones.select(connection, ZoneQuery(visible=visible))
            assert (page, total) == ([found[number] for number in numbers], len(numbers))
        ids = [found[0].id, "f" * 32]
        assert await zones.accounts_of(connection, ids) == {found[0].id: ACCOUNT_ID}
        assert await zones.accounts_of(connection, []) == {}
