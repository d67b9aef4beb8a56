"""A script's process is killed again and again while clients come in a rush: who has a 101 has an owner, and is answered whatever process there is.

Who has none was told so by an ordinary answer, and its object does not know of it.
"""

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from tests.integration.waiting import PATIENT, poll
from tests.integration.worker_up import ServedWorker, worker_up

LIMIT_S = 60.0
# How often the process is killed, and how many clients are opening at any time.
KILLS = 12
OPENING = 8
# After how many more clients it is killed, at most.
CLIENTS_PER_KILL = 40
# What a client may be told whose upgrade was begun by a process that is not there any more.
REFUSED = frozenset({500, 503})

CODE = """
from js import WebSocketPair
from workers import DurableObject, Response, WorkerEntrypoint

class Room(DurableObject):
    async def fetch(self, request):
        path = request.url.rpartition("/")[2]
        if path == "names":
            return Response.json(sorted(self.ctx.getTags(ws)[0] for ws in self.ctx.getWebSockets()))
        client, server = WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(server, [path])
        server.serializeAttachment({"name": path})
        server.send(f"welcome {path}")
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws, message):
        ws.send(f"{message} {self.ctx.getTags(ws)[0]} {ws.deserializeAttachment()['name']}")

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await self.env.ROOM.getByName("lobby").fetch(request)
"""


class Rush:
    """Clients that come one after the other, and stay."""

    def __init__(self, served: ServedWorker) -> None:
        self._served = served
        self._number = 0
        self.open: dict[str, ClientConnection] = {}
        self.refused = Counter[int]()
        self._stack = AsyncExitStack()
        self._changed = asyncio.Condition()

    async def come(self, goes_on: Callable[[], bool]) -> None:
        """Open one after the other."""
        while goes_on():
            self._number += 1
            await self._open(str(self._number))
            async with self._changed:
                self._changed.notify_all()

    async def until_more(self, count: int) -> None:
        """Wait until so many more have come, or were refused."""
        wanted = self._seen + count
        async with asyncio.timeout(LIMIT_S), self._changed:
            await self._changed.wait_for(lambda: self._seen >= wanted)

    async def check(self) -> None:
        """All that were opened are open, know who they are, and were welcomed; and no others are there."""
        answers = await asyncio.gather(*(self._asked(*one) for one in self.open.items()))
        assert answers == [[f"welcome {name}", f"who {name} {name}"] for name in self.open]
        # One that was refused for want of time may be taken yet, and is gone then.
        await asyncio.to_thread(
            poll, lambda: self._served.get("/names").json() == sorted(self.open), what="those alone who are open"
        )

    async def leave(self) -> None:
        await self._stack.aclose()

    @property
    def _seen(self) -> int:
        return len(self.open) + self.refused.total()

    async def _open(self, name: str) -> None:
        opening = connect(f"ws://{self._served.address}/{name}", ping_interval=None, compression=None, **PATIENT)
        try:
            self.open[name] = await self._stack.enter_async_context(opening)
        except InvalidStatus as refused:
            self.refused[refused.response.status_code] += 1

    async def _asked(self, name: str, socket: ClientConnection) -> list[str]:
        await socket.send("who")
        async with asyncio.timeout(LIMIT_S):
            return [str(await socket.recv()), str(await socket.recv())]


async def rush(served: ServedWorker) -> Rush:
    """Clients in a rush, while the process is killed at random."""
    rush, is_over = Rush(served), False
    coming = asyncio.gather(*(rush.come(lambda: not is_over) for _ in range(OPENING)))
    for _ in range(KILLS):
        before = await asyncio.to_thread(served.status)
        await rush.until_more(random.randint(1, CLIENTS_PER_KILL))
        os.kill(before.pid, signal.SIGKILL)
        await asyncio.to_thread(served.until_restarted, before)
    is_over = True
    await coming
    return rush


@pytest.mark.timeout(180)
def test_clients_that_come_while_the_process_is_killed_are_open_and_stay_or_were_told_that_they_are_not() -> None:
    async def scenario() -> None:
        rushed = await rush(served)
        try:
            assert set(rushed.refused) <= REFUSED, rushed.refused
            assert len(rushed.open) > KILLS
            await rushed.check()
        finally:
            await rushed.leave()

    with worker_up(code=CODE) as served:
        asyncio.run(scenario())
