"""`holdfast.control.event_retention`: what is old or too much goes, a little at a time, and nobody's for another's sake."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.control import event_retention
from holdfast.control.event_intake import EventIntake
from holdfast.control.event_retention import EventKeeping, EventLimits, level, trim
from holdfast.control.pacing import Pacing
from holdfast.store import security_events, zones
from holdfast.store.database import Database
from holdfast.store.security_events import EventQuery
from tests.unit.store.conftest import database
from tests.unit.store.test_security_events import OTHER, ZONE, a_zone, add, stored

__all__ = ["database"]
LIMIT_S = 30.0
NOW = 1_700_000_000_000_000
DAY = 86_400


@given(
    st.dictionaries(st.text(max_size=3), st.integers(0, 2000), max_size=30),
    st.integers(1, 5000),
)
def test_at_the_level_there_are_no_more_than_there_should_be_and_no_fewer_than_there_could(
    counts: dict[str, int], rows: int
) -> None:
    limits = EventLimits(rows=rows)
    most = level(counts, limits)
    assert 0 <= most <= limits.zone_rows
    assert sum(min(count, most) for count in counts.values()) <= rows
    if most < limits.zone_rows:
        assert sum(min(count, most + 1) for count in counts.values()) > rows


async def with_zones(opened: Database) -> None:
    async with opened.write() as connection:
        await zones.insert(connection, a_zone())
        await zones.insert(connection, msgspec.structs.replace(a_zone(), id=OTHER, name="other.example"))


async def left(opened: Database) -> dict[str, int]:
    async with opened.read() as connection:
        return await security_events.rows_by_zone(connection)


async def test_what_is_old_is_removed(database: Database) -> None:
    await with_zones(database)
    await add(database, *(stored(number, occurred_at=NOW / 1e6 - number * DAY) for number in range(10)))
    assert await trim(database, EventLimits(days=3), now=NOW, pacing=Pacing()) == (7, 3)
    async with database.read() as connection:
        kept = await security_events.select(connection, EventQuery())
    assert [int(one.id, 16) for one in kept] == [0, 1, 2]


async def test_a_zone_that_is_flooded_pushes_out_its_own_history(
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(event_retention, "AT_ONCE", 7)
    monkeypatch.setattr(event_retention, "_PAUSE_S", 0.0)
    await with_zones(database)
    quiet = [stored(number, zone=OTHER) for number in range(5)]
    await add(database, *quiet, *(stored(number) for number in range(100, 160)))
    assert await trim(database, EventLimits(rows=100), now=NOW, pacing=Pacing()) == (40, 25)
    assert await left(database) == {ZONE: 20, OTHER: 5}
    async with database.read() as connection:
        kept = await security_events.select(connection, EventQuery(zone_id=ZONE, ascending=True))
    assert [int(one.id, 16) for one in kept] == list(range(140, 160))
    assert await trim(database, EventLimits(rows=100), now=NOW, pacing=Pacing()) == (0, 25)


async def test_the_events_of_a_zone_that_is_gone_go_too(database: Database) -> None:
    await with_zones(database)
    await add(database, stored(1), stored(2, zone="e" * 32))
    assert await trim(database, EventLimits(), now=NOW, pacing=Pacing()) == (1, 1)
    assert await left(database) == {ZONE: 1}


async def test_trimming_ends_where_control_does(
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(event_retention, "AT_ONCE", 1)
    await add(database, *(stored(number) for number in range(10)))
    pacing = Pacing()
    pacing.stop()
    removed, _ = await trim(database, EventLimits(), now=NOW, pacing=pacing)
    assert removed == 1


class Keeping:
    """A keeping in the background, and what it said."""

    def __init__(self, opened: Database) -> None:
        self.log: list[str] = []
        self.said = asyncio.Event()
        self.intake = EventIntake(opened, log=self.note)
        limits = EventLimits(days=1)
        self.keeping = EventKeeping(opened, self.intake, limits, clock=lambda: NOW, log=self.note)
        self.pacing = Pacing()

    def note(self, event: str, _: Mapping[str, Any]) -> None:
        self.log.append(event)
        self.said.set()

    async def once(self) -> None:
        """Let it trim until it says something, and stop."""
        task = asyncio.create_task(self.keeping.keep_trimming(self.pacing))
        await asyncio.wait_for(self.said.wait(), LIMIT_S)
        self.pacing.stop()
        await asyncio.wait_for(task, LIMIT_S)


async def test_it_is_known_how_many_rows_there_are(database: Database) -> None:
    await with_zones(database)
    await add(database, stored(1, occurred_at=1.0), stored(2, occurred_at=NOW / 1e6))
    kept = Keeping(database)
    await kept.once()
    assert (kept.log, kept.keeping.rows) == (["security_events_trimmed"], 1)
    kept.intake.written += 5
    assert kept.keeping.rows == 6


async def test_a_database_that_is_away_is_said(tmp_path: Path) -> None:
    away = Database(f"sqlite+aiosqlite:///{tmp_path}/missing/holdfast.db")
    kept = Keeping(away)
    await kept.once()
    assert kept.log == ["security_events_not_trimmed"]
    await away.close()
