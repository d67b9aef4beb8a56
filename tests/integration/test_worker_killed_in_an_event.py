"""A process that somebody kills again and again in the same event: how often the event is tried, and that it is passed over in the end."""

import asyncio
import os
import signal
import struct
from pathlib import Path

from holdfast.model.worker_messages import TURN_FORMAT, TURN_WAITS
from tests.integration.speakers import client, heard, told
from tests.integration.waiting import poll
from tests.integration.worker_up import ServedWorker, worker_up

CODE = """
import asyncio
from js import WebSocketPair
from workers import DurableObject, Response, WorkerEntrypoint

class Room(DurableObject):
    async def fetch(self, request):
        client, server = WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(server)
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws, message):
        if message == "spin":
            # In the directory of this process.
            open("spins", "w").close()
        while message == "spin":
            pass
        if message == "wait":
            ws.send("waits")
            await asyncio.get_running_loop().create_future()
        ws.send(message)

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await self.env.ROOM.getByName("lobby").fetch(request)
"""


def own(pid: int, name: str) -> Path:
    """A file of the directory that a script's process runs in."""
    return Path(f"/proc/{pid}/cwd", name)


def waits(pid: int) -> bool:
    """Whether the loop of a script's process has said that it waits."""
    return bool(struct.unpack_from(TURN_FORMAT, own(pid, "turn").read_bytes())[-1] == TURN_WAITS)


async def killed(served: ServedWorker, *, busy: bool) -> None:
    """Kill the process, once it computes if it is to be `busy`, and once its loop waits if not, and wait for the next one."""
    before = await asyncio.to_thread(served.status)
    if busy:
        await asyncio.to_thread(poll, own(before.pid, "spins").exists, what="a handler that computes")
    else:
        # What its client has heard leaves before the turn ends.
        await asyncio.to_thread(poll, lambda: waits(before.pid), what="a loop that waits")
    os.kill(before.pid, signal.SIGKILL)
    await asyncio.to_thread(served.until_restarted, before)


def test_an_event_that_keeps_the_loop_when_the_process_is_killed_is_tried_once_more() -> None:
    async def scenario(served: ServedWorker) -> None:
        async with client(served) as socket:
            await socket.send("spin")
            await socket.send("behind it")
            await killed(served, busy=True)
            await killed(served, busy=True)
            assert await heard(socket) == "behind it"
            # It does not count for the next one.
            await socket.send("spin")
            await killed(served, busy=True)
            await killed(served, busy=True)
            assert await told(socket, "after all") == "after all"
        assert served.status().restarts == 4

    with worker_up(code=CODE) as served:
        asyncio.run(scenario(served))


def test_an_event_that_waits_for_something_when_the_process_is_killed_is_tried_four_times_more() -> None:
    async def scenario(served: ServedWorker) -> None:
        async with client(served) as socket:
            await socket.send("wait")
            for _ in range(5):
                assert await heard(socket) == "waits"
                await killed(served, busy=False)
            assert await told(socket, "after all") == "after all"
        assert served.status().restarts == 5

    with worker_up(code=CODE) as served:
        asyncio.run(scenario(served))
