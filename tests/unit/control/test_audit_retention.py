"""`holdfast.control.audit_retention`: it goes on when the database is away, and says so."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from holdfast.control.audit_retention import AT_ONCE, QUOTAS, keep_trimming, trim
from holdfast.control.pacing import Pacing
from holdfast.store import audit
from holdfast.store.audit import AuditQuery, Share
from holdfast.store.database import Database
from tests.unit.store.conftest import ACCOUNT_ID, USER_ID
from tests.unit.store.test_audit import entry


async def test_many_are_removed_a_few_at_a_time(database_url: str) -> None:
    database = Database(database_url)
    async with database.write() as connection:
        await audit.insert(connection, [entry(number) for number in range(AT_ONCE + 10)])
    now = (AT_ONCE + 10) // 3
    assert await trim(database, now=now, retention_us=2) == AT_ONCE + 7
    async with database.look() as connection:
        assert await audit.count(connection, AuditQuery(account_id=ACCOUNT_ID)) == 3
    await database.close()


async def test_what_floods_one_zone_pushes_out_its_own_history_and_no_other(database_url: str) -> None:
    database = Database(database_url)
    old: dict[str, dict[str, Any]] = {
        "of another zone": {"zone_id": "quiet"},
        "of the account": {},
        "of its user": {"account_id": ""},
        "of another account": {"account_id": "e" * 32, "zone_id": "far"},
    }
    async with database.write() as connection:
        before = [entry(number, action=f"n{number}", **kind) for number, kind in enumerate(old.values())]
        flood = [entry(3 * number, zone_id="loud", action="flood") for number in range(10, 40)]
        await audit.insert(connection, [*before, *flood])
    quotas = {Share.ZONE: 10, Share.ZONES_OF_ACCOUNT: 25, Share.ACCOUNT: 5, Share.USER: 5}
    assert await trim(database, now=0, quotas=quotas) == 20
    assert await trim(database, now=0, quotas=quotas) == 0
    async with database.look() as connection:
        query = AuditQuery(actor_id=USER_ID, accounts=frozenset({ACCOUNT_ID, "e" * 32}), ascending=True)
        left = await audit.select(connection, query)
    assert [one.action for one in left] == ["n0", "n1", "n2", "n3", *["flood"] * 10]
    # The newest of the flood.
    assert [one.occurred_on for one in left[4:]] == list(range(30, 40))
    # All zones of an account have a number together, too.
    assert await trim(database, now=0, quotas={Share.ZONES_OF_ACCOUNT: 4}) == 7
    await database.close()


def test_no_zone_can_fill_what_all_zones_of_an_account_have() -> None:
    assert QUOTAS.keys() == set(Share)
    assert QUOTAS[Share.ZONE] * 2 < QUOTAS[Share.ZONES_OF_ACCOUNT]


async def test_trimming_goes_on_after_the_database_was_away(tmp_path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/missing/holdfast.db")
    said = asyncio.Event()
    log: list[str] = []

    def note(event: str, _: Mapping[str, str | int]) -> None:
        log.append(event)
        said.set()

    task = asyncio.create_task(keep_trimming(database, lambda: 0, note, Pacing()))
    await asyncio.wait_for(said.wait(), 30)
    assert log == ["audit_not_trimmed"]
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await database.close()
