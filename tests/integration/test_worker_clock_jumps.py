"""A clock that jumps, under a Worker that serves: what is to happen at a time of day does, what takes a while takes that, and nobody is ended for it.

The Python processes of `holdfast up` (the supervisor, the host, the script's) read the time of day with an offset that a test sets; the machine's own clock,
and those that nobody can set, are left alone. What a process does that is started again later is not tried here: it would read the machine's clock.
"""

import asyncio
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.speakers import client, heard, told
from tests.integration.worker_up import ServedWorker, worker_up

DAY_S = 86_400
# How long a clock that was set may go unnoticed is 10 s.
NOTICED_S = 40.0

# Loaded by each interpreter that starts with its directory on PYTHONPATH, and so before anything of ours.
JUMPING = """
import mmap, os, struct, time

_map = mmap.mmap(os.open("@FILE@", os.O_RDONLY), 8, prot=mmap.PROT_READ)
_time, _time_ns = time.time, time.time_ns

def _offset():
    return struct.unpack("<q", _map[:8])[0]

time.time = lambda: _time() + _offset()
time.time_ns = lambda: _time_ns() + _offset() * 1_000_000_000
"""

CODE = """
import asyncio, time
from js import Date, WebSocketPair
from workers import DurableObject, Response, WorkerEntrypoint

born = 0

def jumped(before):
    return abs(time.time() - before) > 3600

class Room(DurableObject):
    def __init__(self, ctx, env):
        global born
        super().__init__(ctx, env)
        born += 1

    async def fetch(self, request):
        client, server = WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(server)
        return Response(None, status=101, web_socket=client)

    async def alarm(self, info):
        if not info.retryCount and self.ctx.storage.kv.get("fails"):
            self.ctx.storage.kv.put("fails", False)
            self.ctx.broadcast("fails")
            raise ValueError("as it was told")
        self.ctx.broadcast(f"alarm {info.retryCount}")

    async def ring(self, cron):
        self.ctx.broadcast(f"cron {cron}")

    async def webSocketMessage(self, ws, message):
        what, _, seconds = message.partition(" ")
        if what == "now":
            ws.send(str(Date.now() // 1000))
        elif what == "born":
            ws.send(str(born))
        elif what in {"alarm", "fails"}:
            self.ctx.storage.kv.put("fails", what == "fails")
            await self.ctx.storage.setAlarm(Date.now() + int(seconds) * 1000)
            ws.send("set")
        elif what == "work":
            before = time.time()
            ws.send("works")
            # Until it has gone out: from then on nothing does.
            await asyncio.sleep(0.1)
            began = time.process_time()
            while not jumped(before) and time.process_time() - began < 5:
                pass
            began = time.process_time()
            while time.process_time() - began < 0.5:
                pass
            ws.send("worked")
        elif what == "block":
            async def alone():
                before = time.time()
                ws.send("blocks")
                while not jumped(before):
                    await asyncio.sleep(0.05)
                await asyncio.sleep(1)
            await self.ctx.blockConcurrencyWhile(alone)
            ws.send("let go")

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await self.env.ROOM.getByName("lobby").fetch(request)

    async def scheduled(self, controller, env, ctx):
        await self.env.ROOM.getByName("lobby").ring(controller.cron)
"""


class Clock:
    """The offset that is added to what processes read."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "clock"
        self.set(0)
        (directory / "sitecustomize.py").write_text(JUMPING.replace("@FILE@", str(self._file)), encoding="utf-8")

    def set(self, offset_s: int) -> None:
        with self._file.open("r+b" if self._file.exists() else "wb") as file:
            file.write(struct.pack("<q", offset_s))


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clock:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return Clock(tmp_path)


@pytest.fixture
def unscheduled(clock: Clock) -> Iterator[ServedWorker]:
    """The same, whose objects nobody wakes each minute."""
    del clock
    with worker_up(code=CODE) as one:
        yield one


@pytest.fixture
def served(clock: Clock) -> Iterator[ServedWorker]:
    del clock  # it is set up before anything starts
    with worker_up(code=CODE, more='[triggers]\ncrons = ["* * * * *"]') as one:
        yield one


async def heard_but_crons(socket: object, *, limit_s: float = NOTICED_S) -> str:
    while (text := await heard(socket, limit_s=limit_s)).startswith("cron"):  # type: ignore[arg-type]  # a connection
        pass
    return text


def test_what_has_a_time_of_day_happens_at_it_and_what_takes_a_while_takes_that(
    served: ServedWorker, clock: Clock
) -> None:
    async def scenario() -> None:
        async with client(served) as socket:
            began = int(await told(socket, "now"))
            # An alarm of tomorrow, and a clock that is set to after it.
            assert await told(socket, f"alarm {DAY_S // 2}") == "set"
            clock.set(DAY_S)
            assert await heard_but_crons(socket) == "alarm 0"
            await socket.send("now")
            assert int(await heard_but_crons(socket)) >= began + DAY_S
            # One that fails, and a clock that is set back while it waits for another try.
            await socket.send("fails 0")
            assert {await heard_but_crons(socket), await heard_but_crons(socket)} == {"set", "fails"}
            clock.set(-DAY_S)
            assert await heard_but_crons(socket) == "alarm 1"
            # An alarm that is set in the day before.
            await socket.send("alarm 1")
            assert await heard_but_crons(socket) == "set"
            assert await heard_but_crons(socket) == "alarm 0"
        assert served.status().restarts == 0

    asyncio.run(scenario())


def test_a_minute_is_looked_at_when_the_clock_comes_to_it_by_a_jump(served: ServedWorker, clock: Clock) -> None:
    async def scenario() -> None:
        async with client(served) as socket:
            for days in (1, -1):
                offset = days * DAY_S
                clock.set(offset)
                await socket.send("now")
                seconds = int(await heard_but_crons(socket)) % 60
                # One second before the next minute, in that day.
                clock.set(offset + 59 - seconds)
                while not (await heard(socket, limit_s=NOTICED_S)).startswith("cron * * * * *"):
                    pass
        assert served.status().restarts == 0

    asyncio.run(scenario())


def test_nobody_is_ended_or_put_to_sleep_for_a_clock_that_jumps(served: ServedWorker, clock: Clock) -> None:
    async def scenario() -> None:
        async with client(served) as socket:
            assert await told(socket, "born") == "1"
            for away, back in ((DAY_S, -DAY_S), (400 * DAY_S, 0), (-DAY_S, DAY_S), (0, 400 * DAY_S)):
                # While a handler keeps the loop, and while one keeps the others out.
                for message, begins, ends, offset in (
                    ("work", "works", "worked", away),
                    ("block", "blocks", "let go", back),
                ):
                    await socket.send(message)
                    assert await heard_but_crons(socket) == begins
                    # It goes on when it has seen that.
                    clock.set(offset)
                    assert await heard_but_crons(socket) == ends
                await socket.send("born")
                assert await heard_but_crons(socket) == "1"
        assert served.status().restarts == 0

    asyncio.run(scenario())


def test_an_object_sleeps_after_its_ten_seconds_whatever_the_clock_says(
    unscheduled: ServedWorker, clock: Clock
) -> None:
    async def scenario() -> None:
        async with client(unscheduled) as socket:
            assert await told(socket, "born") == "1"
            await asyncio.to_thread(
                unscheduled.until, lambda status: status.objects.get("Room") == 1, what="an object in memory"
            )
            clock.set(-DAY_S)
            await asyncio.to_thread(
                unscheduled.until, lambda status: not status.objects.get("Room"), what="an object that sleeps"
            )
            assert await told(socket, "born") == "2"

    asyncio.run(scenario())
