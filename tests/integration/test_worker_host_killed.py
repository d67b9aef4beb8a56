"""The host of scripts is killed, and its script's process with it: what had not been begun is done by the next one."""

import asyncio
import os
import signal
from pathlib import Path

import httpx
from websockets.asyncio.client import connect

from holdfast.model.data_dir import local_home, workers_dir
from holdfast.model.worker_host_messages import Done
from tests.integration.command import children_of
from tests.integration.releasing import released
from tests.integration.speakers import client, told
from tests.integration.waiting import PATIENT, poll
from tests.integration.worker_up import ServedWorker, worker_up

LIMIT_S = 60.0

CODE = """
from js import WebSocketPair
from workers import DurableObject, Response, WorkerEntrypoint

VERSION = "@VERSION@"

class Room(DurableObject):
    async def fetch(self, request):
        client, server = WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(server)
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws, message):
        ws.send(f"{VERSION} {message}")

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        if request.method == "POST":
            return Response(f"{len(await request.text())}")
        if request.headers.get("upgrade"):
            return await self.env.ROOM.getByName("lobby").fetch(request)
        return Response(VERSION)
"""


def waiting(served: ServedWorker) -> int:
    """How many connections wait in the queues of the script's sockets: the kernel lists them without an inode."""
    place = str(workers_dir(local_home(served.data)))
    rows = (row.split() for row in Path("/proc/net/unix").read_text(encoding="utf-8", errors="replace").splitlines())
    return sum(len(row) == 8 and row[6] == "0" and row[7].startswith(place) and ".http.sock" in row[7] for row in rows)


async def until_another_host(served: ServedWorker, before: int) -> None:
    """Wait until it is said of another host than `before` that it has started."""
    await asyncio.to_thread(poll, lambda: served.started("workers") != before, what="the next host", limit_s=LIMIT_S)


def posted(served: ServedWorker, body: str) -> str:
    return httpx.post(f"http://{served.address}/", content=body, timeout=LIMIT_S, trust_env=False).text


async def opened(served: ServedWorker) -> str:
    async with connect(f"ws://{served.address}/", ping_interval=None, **PATIENT) as socket:
        return await told(socket, "new")


def test_what_the_process_of_a_killed_host_had_not_begun_is_answered_by_the_next_one() -> None:
    async def scenario(served: ServedWorker) -> None:
        async with client(served) as kept:
            assert await told(kept, "1") == "v0 1"
            for _ in range(2):
                host, process = served.started("workers"), served.status().pid
                # It does not take what waits for it.
                os.kill(process, signal.SIGSTOP)
                asked = [
                    asyncio.create_task(opened(served)),
                    asyncio.create_task(asyncio.to_thread(lambda: served.get("/").text)),
                    *(asyncio.create_task(asyncio.to_thread(posted, served, "b" * size)) for size in (10, 300_000)),
                ]
                message = asyncio.create_task(told(kept, "2"))
                # The GET may go by a connection that is there already, and is not read either.
                await asyncio.to_thread(poll, lambda: waiting(served) >= 3, what="requests in the queue")
                os.kill(host, signal.SIGKILL)
                assert await asyncio.gather(*asked) == ["v0 new", "v0", "10", "300000"]
                assert await message == "v0 2"
                # What is said of it may be read later than what it has answered.
                await until_another_host(served, host)

    with worker_up(code=CODE) as served:
        asyncio.run(scenario(served))


def test_sockets_are_kept_over_a_release_too_and_over_a_deployment_that_comes_before_the_kill() -> None:
    async def scenario(served: ServedWorker) -> None:
        before = served.started("workers")
        await asyncio.to_thread(released, served.data)
        await until_another_host(served, before)
        await asyncio.to_thread(served.deploy, "v1")
        host, process = served.started("workers"), served.status().pid
        os.kill(process, signal.SIGSTOP)
        asked = asyncio.create_task(asyncio.to_thread(posted, served, "body"))
        await asyncio.to_thread(poll, lambda: waiting(served) == 1, what="a request in the queue")
        os.kill(host, signal.SIGKILL)
        assert await asked == "4"
        assert await opened(served) == "v1 new"

    with worker_up(code=CODE) as served:
        asyncio.run(scenario(served))


def test_a_release_right_behind_the_kill_of_the_host_waits_for_the_next_one_and_loses_nothing() -> None:
    async def scenario(served: ServedWorker) -> None:
        async with client(served) as kept:
            assert await told(kept, "1") == "v0 1"
            os.kill(served.started("workers"), signal.SIGKILL)
            releasing = asyncio.create_task(asyncio.to_thread(released, served.data))
            asked = [asyncio.create_task(asyncio.to_thread(posted, served, "b" * size)) for size in range(20)]
            message = asyncio.create_task(told(kept, "2"))
            await releasing
            assert await message == "v0 2"
            assert await asyncio.gather(*asked) == [str(size) for size in range(20)]
            assert await told(kept, "3") == "v0 3"
            assert await opened(served) == "v0 new"

    with worker_up(code=CODE) as served:
        asyncio.run(scenario(served))


# It is imported as long as the deployment is under way.
SLOW = "import os, time\nwhile not os.path.exists('@GATE@'):\n    time.sleep(0.01)\n" + CODE


def test_a_release_while_a_deployment_is_under_way_serves_what_was_said_to_be_served(tmp_path: Path) -> None:
    gate = tmp_path / "gate"

    async def scenario(served: ServedWorker) -> None:
        async with client(served) as kept:
            assert await told(kept, "1") == "v0 1"
            slow = SLOW.replace("@GATE@", str(gate))
            deploying = asyncio.create_task(asyncio.to_thread(served.deploy, "v1", slow))
            before = served.started("workers")
            await asyncio.to_thread(poll, lambda: len(children_of(before)) == 2, what="the version that is loaded")
            releasing = asyncio.create_task(asyncio.to_thread(released, served.data))
            await until_another_host(served, before)
            gate.touch()
            await asyncio.wait([deploying, releasing])
            assert releasing.exception() is None
            # Where the host ended first, nobody was told that it serves.
            is_served = deploying.exception() is None and deploying.result() == Done()
            version = "v1" if is_served else "v0"
            assert await told(kept, "2") == f"{version} 2"
            assert await opened(served) == f"{version} new"

    with worker_up(code=CODE) as served:
        asyncio.run(scenario(served))
