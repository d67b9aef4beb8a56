"""Alarms of objects whose process is killed: none is lost, and what their handlers write is written once.

A handler's writes and the end of its alarm are one transaction: so an alarm may run more than once, and its row is there once.
"""

import os
import random
import signal

import pytest

from tests.integration.waiting import poll
from tests.integration.worker_up import ServedWorker, worker_up

ROUNDS = 4 * int(os.environ.get("CRASH_ROUNDS", "1"))
OBJECTS = 5
# How far ahead alarms are set: some are due while the process is away, some after it is back.
AHEAD_MS = 400

CLOCKS = """
import time
from workers import DurableObject, Response, WorkerEntrypoint

class Room(DurableObject):
    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS rang (round INTEGER, at INTEGER)")

    async def fetch(self, request):
        _, what, round, ahead = request.url.rsplit("/", 3)
        if what == "set":
            await self.ctx.storage.put("round", int(round))
            await self.ctx.storage.setAlarm(int(time.time() * 1000) + int(ahead))
        rows = [row["round"] for row in self.ctx.storage.sql.exec("SELECT round FROM rang ORDER BY rowid")]
        return Response.json({"rang": rows, "alarm": await self.ctx.storage.getAlarm()})

    async def alarm(self, info):
        self.ctx.storage.sql.exec(
            "INSERT INTO rang VALUES (?, ?)", await self.ctx.storage.get("round"), info.scheduledTime
        )

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        name = request.url.split("/")[3]
        return await self.env.ROOM.getByName(name).fetch(request)
"""


@pytest.fixture
def chance() -> random.Random:
    return random.Random(1)


def rang(served: ServedWorker, number: int) -> list[int] | None:
    """The rounds whose alarms have run at an object; None while one is still to come."""
    answer = served.get(f"/clock-{number}/look/0/0").json()
    return None if answer["alarm"] is not None else list(answer["rang"])


def test_an_alarm_is_not_lost_with_its_process_and_what_it_writes_is_there_once(chance: random.Random) -> None:
    with worker_up(code=CLOCKS) as served:
        for one in range(ROUNDS):
            before = served.status()
            for number in range(OBJECTS):
                served.get(f"/clock-{number}/set/{one}/{chance.randint(1, AHEAD_MS)}").raise_for_status()
            os.kill(before.pid, signal.SIGKILL)
            served.until_restarted(before)
            for number in range(OBJECTS):
                rounds = poll(lambda number=number: rang(served, number), what=f"alarm {one} of {number}")  # type: ignore[misc]
                # The last one has run, though never asked for by anybody; and none twice.
                assert rounds == list(range(one + 1))
