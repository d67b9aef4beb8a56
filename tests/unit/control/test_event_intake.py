"""`holdfast.control.event_intake`: a batch is answered when it is kept, and nothing that is wrong with one stops the rest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from holdfast.control import event_intake
from holdfast.control.event_intake import EventIntake, stored_events
from holdfast.model.event_messages import CountedEvent, EventsTaken, SecurityEvents
from holdfast.store import security_events, zones
from holdfast.store.database import Database, StoreUnavailable
from holdfast.store.security_events import EventQuery, StoredEvent
from tests.unit.edge.events import an_event
from tests.unit.store.conftest import ACCOUNT_ID, database
from tests.unit.store.test_security_events import ZONE, a_zone

__all__ = ["database"]
RUN, OTHER_RUN = "0" * 15 + "a", "0" * 15 + "b"
LIMIT_S = 30.0


def batch(*numbers: int, run: str = RUN, zone: str = ZONE, **facts: Any) -> SecurityEvents:
    events = tuple(CountedEvent(an_event(number, zone=zone, **facts), number) for number in numbers)
    return SecurityEvents(run=run, first=numbers[0], events=events)


class Answered:
    """An intake and what it answered."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.log: list[tuple[str, Mapping[str, str | int]]] = []
        self.answers: asyncio.Queue[EventsTaken] = asyncio.Queue()
        self.logged = asyncio.Event()
        self.intake = EventIntake(database, log=self.note)

    def note(self, event: str, fields: Mapping[str, str | int]) -> None:
        self.log.append((event, fields))
        self.logged.set()

    def offer(self, message: SecurityEvents) -> None:
        self.intake.offer(message, self.answers.put_nowait)

    async def answer(self) -> EventsTaken:
        return await asyncio.wait_for(self.answers.get(), LIMIT_S)

    async def kept(self) -> list[StoredEvent]:
        async with self.database.read() as connection:
            return await security_events.select(connection, EventQuery(ascending=True))


@pytest.fixture
async def answered(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Answered]:
    monkeypatch.setattr(event_intake, "PAUSE_S", 0.001)
    monkeypatch.setattr(event_intake, "RETRY_S", 0.001)
    # What waits is written at the end, however busy the disk is.
    monkeypatch.setattr(event_intake, "STOP_LIMIT_S", LIMIT_S)
    async with database.write() as connection:
        await zones.insert(connection, a_zone())
    made = Answered(database)
    yield made
    await made.intake.stop()


async def test_a_batch_is_answered_when_it_is_kept(answered: Answered) -> None:
    answered.offer(batch(1, 2))
    assert await answered.answer() == EventsTaken(run=RUN, until=3)
    assert [(one.id, one.account_id, one.sample_interval) for one in await answered.kept()] == [
        (f"{RUN}{number:016x}", ACCOUNT_ID, number) for number in (1, 2)
    ]
    assert answered.intake.written == 2


async def test_batches_of_several_edges_and_those_that_come_again_are_kept_once(answered: Answered) -> None:
    answered.offer(batch(1))
    answered.offer(batch(1, run=OTHER_RUN))
    assert {(await answered.answer()).run for _ in range(2)} == {RUN, OTHER_RUN}
    answered.offer(batch(1, 2))
    assert (await answered.answer()).until == 3
    answered.offer(batch(1, 2, 3))
    assert (await answered.answer()).until == 4
    assert len(await answered.kept()) == 4


async def test_events_of_zones_that_are_gone_are_taken_and_not_kept(answered: Answered) -> None:
    answered.offer(batch(1, zone="e" * 32))
    assert await answered.answer() == EventsTaken(run=RUN, until=2)
    assert await answered.kept() == []


async def test_while_the_database_is_away_nothing_is_answered_and_it_is_said_once(
    answered: Answered, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures, insert = 3, security_events.insert

    async def failing(*arguments: Any) -> None:
        nonlocal failures
        if failures:
            failures -= 1
            raise StoreUnavailable("it is away")
        await insert(*arguments)

    monkeypatch.setattr(security_events, "insert", failing)
    answered.offer(batch(1))
    assert await answered.answer() == EventsTaken(run=RUN, until=2)
    assert failures == 0
    assert answered.log == [("security_events_wait", {"reason": "it is away"})]


async def test_a_batch_that_no_database_takes_does_not_stop_the_next(answered: Answered) -> None:
    answered.offer(batch(1, run="no run"))
    assert (await answered.answer()).run == "no run"
    answered.offer(batch(1))
    assert (await answered.answer()).run == RUN
    assert answered.log == [("security_events_given_up", {"events": 1, "reason": "ValueError"})]
    assert answered.intake.given_up == 1


async def test_one_batch_of_each_run_waits_and_of_too_many_runs_the_oldest_is_forgotten(
    answered: Answered, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_intake, "MAX_RUNS", 2)
    runs = [f"{number:016x}" for number in range(3)]
    # Before the loop goes on to write any of them.
    for run in runs:
        answered.offer(batch(1, run=run))
        answered.offer(batch(1, 2, run=run))
    assert [(await answered.answer()).until for _ in range(2)] == [3, 3]
    assert {one.id[:16] for one in await answered.kept()} == set(runs[1:])


async def test_what_comes_after_the_end_is_not_taken(answered: Answered) -> None:
    await answered.intake.stop()
    answered.offer(batch(1))
    await answered.intake.stop()
    assert answered.answers.empty()


async def test_what_waits_is_written_when_control_stops(answered: Answered) -> None:
    for number in range(5):
        answered.offer(batch(1, run=f"{number:016x}"))
    await answered.intake.stop()
    assert len(await answered.kept()) == 5


async def test_a_stop_does_not_wait_for_a_database_that_is_away(tmp_path: Path) -> None:
    away = Answered(Database(f"sqlite+aiosqlite:///{tmp_path}/missing/holdfast.db"))
    away.offer(batch(1))
    await asyncio.wait_for(away.logged.wait(), LIMIT_S)
    await asyncio.wait_for(away.intake.stop(), LIMIT_S)
    assert away.answers.empty()
    await away.database.close()


def test_ids_follow_from_the_run_and_the_number() -> None:
    [one, other] = stored_events(batch(8, 9), {ZONE: ACCOUNT_ID})
    assert (one.id, other.id) == (f"{RUN}{8:016x}", f"{RUN}{9:016x}")
    assert other.occurred_on == 9_000_000
