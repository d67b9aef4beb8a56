"""A script's process is killed at random in the midst of what it writes: nothing is half done, what was said to be done is, and each move is answered once.

The object, its moves and its books are those of `test_worker_transactions`.
"""

import asyncio
import json
import os
import random
import signal

import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.integration.test_worker_transactions import CODE, LIMIT_S, WAYS, check_books
from tests.integration.waiting import PATIENT
from tests.integration.worker_up import ServedWorker, worker_up

# How often the process is killed while clients of all ways are at work.
KILLS = 6
# Moves that a client has under way.
WINDOW = 6


class Mover:
    """A client that asks for move after move, with some under way, and keeps which of them it was told are done."""

    def __init__(self, served: ServedWorker, way: str) -> None:
        self._served, self.way = served, way
        self.asked = 0
        self.done: list[str] = []
        self._changed = asyncio.Condition()

    async def move(self, is_over: asyncio.Event) -> None:
        """Until it is over, and the last answer is there."""
        async with connect(f"ws://{self._served.address}/{self.way}", ping_interval=None, **PATIENT) as socket:
            while not is_over.is_set():
                while self.asked - len(self.done) < WINDOW:
                    await self._ask(socket)
                await self._hear(socket)
            while len(self.done) < self.asked:
                await self._hear(socket)

    async def until_done(self, count: int) -> None:
        """Wait until so many more are done."""
        wanted = len(self.done) + count
        async with asyncio.timeout(LIMIT_S), self._changed:
            await self._changed.wait_for(lambda: len(self.done) >= wanted)

    def check(self) -> None:
        """Nothing is half done, nothing twice, and what was said to be done is."""
        told = list(self.done)
        made = check_books(self._served, self.way)
        assert set(told) <= set(made), f"{self.way}: told to be done and is not"

    async def _ask(self, socket: ClientConnection) -> None:
        await socket.send(json.dumps([f"{self.way} {self.asked}", random.randint(1, 9), None]))
        self.asked += 1

    async def _hear(self, socket: ClientConnection) -> None:
        async with asyncio.timeout(LIMIT_S):
            answer = str(await socket.recv())
        async with self._changed:
            self.done.append(answer)
            self._changed.notify_all()


async def kill_at_random(served: ServedWorker) -> None:
    """Kill the process again and again while there are moves in all ways, and look at the books each time."""
    movers, is_over = [Mover(served, way) for way in WAYS], asyncio.Event()
    moving = asyncio.gather(*(one.move(is_over) for one in movers))
    for _ in range(KILLS):
        await asyncio.gather(*(one.until_done(random.randint(1, 3 * WINDOW)) for one in movers))
        before = await asyncio.to_thread(served.status)
        os.kill(before.pid, signal.SIGKILL)
        await asyncio.to_thread(served.until_restarted, before)
        await asyncio.gather(*(asyncio.to_thread(one.check) for one in movers))
    is_over.set()
    await moving
    for one in movers:
        one.check()
        # Answers are written down with what is written.
        assert one.done == [f"{one.way} {number}" for number in range(one.asked)]


@pytest.mark.timeout(180)
def test_a_process_that_is_killed_at_random_leaves_nothing_half_done_and_forgets_nothing_it_acknowledged() -> None:
    with worker_up(code=CODE) as served:
        asyncio.run(kill_at_random(served))
