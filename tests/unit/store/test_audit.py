"""`holdfast.store.audit`: pages that lose nothing, and what is forgotten."""

from __future__ import annotations

from typing import Any

import msgspec

from holdfast.store import audit
from holdfast.store.audit import FILTERS, MAX_VALUE_BYTES, AuditQuery, Entry, Share
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
        assert await audit.nth_newest(connection, 9, Share.ACCOUNT, ACCOUNT_ID) is None
        assert await audit.nth_newest(connection, 8, Share.ACCOUNT, ACCOUNT_ID) == 0
        assert await audit.delete_until(connection, 1, limit=4) == 4
        assert await audit.delete_until(connection, 1, limit=4) == 2
        left = await audit.select(connection, AuditQuery(account_id=ACCOUNT_ID, ascending=True))
    assert [one.occurred_on for one in left] == [2, 2, 2]


async def test_each_share_is_counted_and_removed_by_itself(database: Database) -> None:
    other = "e" * 32
    kinds: list[dict[str, Any]] = [
        *[{"zone_id": "z"}] * 4,
        *[{"zone_id": "y"}] * 2,
        *[{"zone_id": "x", "account_id": other}] * 3,
        *[{}] * 3,
        *[{"account_id": ""}] * 5,
    ]
    async with database.write() as connection:
        await audit.insert(connection, [entry(3 * place, **kind) for place, kind in enumerate(kinds)])
        for share, most, crowded in (
            (Share.ZONE, 1, ["x", "y", "z"]),
            (Share.ZONE, 2, ["x", "z"]),
            (Share.ZONE, 4, []),
            (Share.ZONES_OF_ACCOUNT, 2, [ACCOUNT_ID, other]),
            (Share.ZONES_OF_ACCOUNT, 3, [ACCOUNT_ID]),
            (Share.ACCOUNT, 2, [ACCOUNT_ID]),
            (Share.ACCOUNT, 3, []),
            (Share.USER, 4, [USER_ID]),
            (Share.USER, 5, []),
        ):
            assert await audit.crowded(connection, share, most) == crowded, (share, most)
        assert await audit.nth_newest(connection, 2, Share.ZONE, "z") == 1
        assert await audit.nth_newest(connection, 2, Share.USER, USER_ID) == 14
        for share, key, removed in (
            (Share.ZONE, "z", 4),
            (Share.ZONES_OF_ACCOUNT, ACCOUNT_ID, 2),
            (Share.ACCOUNT, ACCOUNT_ID, 3),
            (Share.USER, USER_ID, 5),
            (Share.ZONES_OF_ACCOUNT, other, 3),
        ):
            assert await audit.delete_until(connection, 99, limit=99, of=(share, key)) == removed, (share, key)


async def test_a_value_too_long_to_be_kept_is_cut_whoever_writes_it(database: Database) -> None:
    async with database.write() as connection:
        await audit.insert(connection, [entry(1, old_value={"text": "ä" * MAX_VALUE_BYTES}, new_value={"text": "ä"})])
        (found,) = await audit.select(connection, AuditQuery(account_id=ACCOUNT_ID))
    assert found.new_value == {"text": "ä"}
    assert found.old_value["bytes"] == 2 * MAX_VALUE_BYTES + len('{"text":""}')
    assert MAX_VALUE_BYTES - 1 <= len(found.old_value["truncated"].encode()) <= MAX_VALUE_BYTES
