"""`holdfast.store.audit`: pages that lose nothing, and what is forgotten."""

from __future__ import annotations

from typing import Any

import msgspec

from holdfast.store import audit
from holdfast.store.audit import FILTERS, AuditQuery, Entry
from holdfast.store.database import Database
from tests.unit.store.conftest import ACCOUNT_ID, USER_ID


def entry(number: int, **members: Any) -> Entry:
    facts: dict[str, Any] = {
        "id": f"{number:032x}",
        "occurred_on": number // 3,
        "account_id": ACCOUNT_ID,
        "zone_id": None,
        "zone_name": None,
        "actor_id": USER_ID,
        "actor_email": "a@example.com",
        "actor_kind": "user",
        "actor_ip": "192.0.2.1",
        "token_id": "t",
        "token_name": "token",
        "action": "create",
        "resource_type": "zone",
        "resource_id": str(number),
        "old_value": None,
        "new_value": {"n": number},
        "method": "POST",
        "uri": "/client/v4/zones",
        "user_agent": "x",
        "request_id": "ray",
    }
    return Entry(**{**facts, **members})


async def test_pages_by_the_last_entry_lose_and_repeat_none(database: Database) -> None:
    everything = [entry(number) for number in range(20)]
    async with database.write() as connection:
        await audit.insert(connection, everything)
        for ascending in (True, False):
            seen: list[Entry] = []
            after: tuple[int, str] | None = None
            while True:
                query = AuditQuery(account_id=ACCOUNT_ID, after=after, ascending=ascending, limit=3)
                page = await audit.select(connection, query)
                if not page:
                    break
                seen += page
                after = (page[-1].occurred_on, page[-1].id)
            assert seen == (everything if ascending else everything[::-1])


async def test_what_is_of_a_user_shows_in_their_accounts_and_nowhere_else(database: Database) -> None:
    of_user, of_stranger = entry(1, account_id=""), entry(2, account_id="", actor_id="f" * 32)
    elsewhere, of_zone = entry(3, account_id="e" * 32), entry(4, zone_id="z", zone_name="example.com")
    async with database.write() as connection:
        await audit.insert(connection, [of_user, of_stranger, elsewhere, of_zone])
        assert await audit.select(connection, AuditQuery(account_id=ACCOUNT_ID)) == [of_zone, of_user]
        assert await audit.select(connection, AuditQuery(account_id=ACCOUNT_ID, hide_user=True)) == [of_zone]
        of_actor = AuditQuery(actor_id=USER_ID)
        assert await audit.select(connection, of_actor) == [of_user]
        both = msgspec.structs.replace(of_actor, accounts=frozenset({ACCOUNT_ID, "e" * 32}))
        assert await audit.select(connection, both) == [of_zone, elsewhere, of_user]
        assert [one.scope for one in (of_user, elsewhere, of_zone)] == ["user", "accounts", "zones"]


async def test_every_filter_can_be_asked_both_ways(database: Database) -> None:
    async with database.write() as connection:
        await audit.insert(connection, [entry(1), entry(2, zone_id="z", zone_name="example.com", token_id=None)])
        for name in FILTERS:
            wanted = AuditQuery(account_id=ACCOUNT_ID, wanted={name: ["' OR 1=1 --"]})
            unwanted = AuditQuery(account_id=ACCOUNT_ID, unwanted={name: ["' OR 1=1 --"]})
            assert await audit.count(connection, wanted) == 0, name
            assert await audit.count(connection, unwanted) == 2, name


async def test_the_oldest_go_first_and_no_more_than_asked(database: Database) -> None:
    async with database.write() as connection:
        await audit.insert(connection, [entry(number) for number in range(9)])
        assert await audit.nth_newest(connection, 9) is None
        assert await audit.nth_newest(connection, 8) == 0
        assert await audit.delete_until(connection, 1, limit=4) == 4
        assert await audit.delete_until(connection, 1, limit=4) == 2
        left = await audit.select(connection, AuditQuery(account_id=ACCOUNT_ID, ascending=True))
    assert [one.occurred_on for one in left] == [2, 2, 2]
