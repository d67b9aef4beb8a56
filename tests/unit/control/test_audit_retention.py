"""`holdfast.control.audit_retention`: it goes on when the database is away, and says so."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from holdfast.control.audit_retention import AT_ONCE, keep_trimming, trim
from holdfast.control.pacing import Pacing
from holdfast.store import audit
from holdfast.store.audit import AuditQuery
from holdfast.store.database import Database
from tests.unit.store.test_audit import entry


async def test_many_are_removed_a_few_at_a_time(database_url: str) -> None:
    database = Database(database_url)
    async with database.write() as connection:
        await audit.insert(connection, [entry(number) for number in range(AT_ONCE + 10)])
    now = (AT_ONCE + 10) // 3
    assert await trim(database, now=now, retention_us=2) == AT_ONCE + 7
    async with database.look() as connection:
        assert await audit.count(connection, AuditQuery(actor_id="b" * 32)) == 3
    await database.close()


async def test_trimming_goes_on_after_the_database_was_away(tmp_path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/missing/holdfast.db")
    said = asyncio.Event()
    log: list[str] = []

    def note(event: str, _: Mapping[str, str | int]) -> None:
        log.append(event)
        said.set()

    task = asyncio.create_task(keep_trimming(database, lambda: 0, note, Pacing()))
    await asyncio.wait_for(said.wait(), 10)
    assert log == ["audit_not_trimmed"]
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await database.close()
