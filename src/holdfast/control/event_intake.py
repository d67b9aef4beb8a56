"""Security events from edges into the database.

Law 1: an edge is told that a batch is taken when it is on the disk; until then it keeps it. So the database may be away, or
control end, at any moment.
Law 2: one short transaction at a time, and a pause after each: a write of the API waits for one of them at most.
Law 3: what waits is bounded: one batch of each run of an edge, MAX_RUNS in all. A batch that comes again replaces itself.
Law 4: a batch that no database takes is given up and said in the log: it must not stand in the way of all that follow.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from holdfast.control.pacing import Pacing
from holdfast.model.event_messages import EventsTaken, SecurityEvents, event_id
from holdfast.store import security_events
from holdfast.store.database import Database, StoreUnavailable
from holdfast.store.security_events import StoredEvent, moment_of_event

# Between two transactions. A batch takes some 15 ms on SQLite, so nine tenths of the time are left to others.
PAUSE_S = 0.1
# Before a database that is away is tried again.
RETRY_S = 1.0
# How long control waits for what is here when it ends.
STOP_LIMIT_S = 1.5
# Edges that may have a batch here: those that are connected (64), and such as ended while the database was away.
MAX_RUNS = 256

Log = Callable[[str, Mapping[str, str | int]], None]
Answer = Callable[[EventsTaken], None]


class EventIntake:
    """Writes what edges send. Of one event loop."""

    def __init__(self, database: Database, *, log: Log) -> None:
        self._database = database
        self._log = log
        self._pacing = Pacing()
        self._waiting: dict[str, tuple[SecurityEvents, Answer]] = {}
        self._task: asyncio.Task[None] | None = None
        self._has_complained = False
        self._is_stopped = False
        self.written = 0
        self.given_up = 0

    def offer(self, message: SecurityEvents, answer: Answer) -> None:
        """Take a batch in, and have `answer` told when it is kept. Never waits."""
        if self._is_stopped:
            return
        if message.run not in self._waiting and len(self._waiting) >= MAX_RUNS:
            # Its edge still has it where it lives, and sends it again when it connects again.
            self._waiting.pop(next(iter(self._waiting)))
        self._waiting[message.run] = (message, answer)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write_all())

    async def stop(self) -> None:
        """Write what is here, for STOP_LIMIT_S at most, and take no more: an edge that has ended has it no longer."""
        self._is_stopped = True
        self._pacing.stop()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=STOP_LIMIT_S)

    async def _write_all(self) -> None:
        while self._waiting:
            run, (message, answer) = next(iter(self._waiting.items()))
            is_done = await self._is_done_with(message)
            if is_done:
                # Another may have come meanwhile: the same, and some more.
                if self._waiting.get(run, (None,))[0] is message:
                    del self._waiting[run]
                answer(EventsTaken(run=run, until=message.first + len(message.events)))
            goes_on = await self._pacing.pause(PAUSE_S if is_done else RETRY_S)
            if not (goes_on or is_done):
                return

    async def _is_done_with(self, message: SecurityEvents) -> bool:
        """Whether a batch is kept, or given up; False to try again."""
        try:
            self.written += await self._write(message)
        except StoreUnavailable as error:
            if not self._has_complained:
                self._log("security_events_wait", {"reason": str(error)})
            self._has_complained = True
            return False
        except Exception as error:  # noqa: BLE001  Law 4
            self.given_up += len(message.events)
            self._log("security_events_given_up", {"events": len(message.events), "reason": type(error).__name__})
        self._has_complained = False
        return True

    async def _write(self, message: SecurityEvents) -> int:
        """Write a batch in one transaction; how many events of zones that exist it had."""
        zones = {one.event.zone for one in message.events}
        async with self._database.note() as connection:
            accounts = await security_events.accounts_of(connection, zones)
            stored = stored_events(message, accounts)
            await security_events.insert(connection, stored)
        return len(stored)


def stored_events(message: SecurityEvents, accounts: Mapping[str, str]) -> Sequence[StoredEvent]:
    """The events of a batch as they are kept: those of zones that have an account. Raises ValueError for what is no batch."""
    return [
        StoredEvent(
            id=event_id(message.run, message.first + index),
            account_id=accounts[one.event.zone],
            occurred_on=moment_of_event(one.event),
            sample_interval=one.count,
            event=one.event,
        )
        for index, one in enumerate(message.events)
        if one.event.zone in accounts
    ]
