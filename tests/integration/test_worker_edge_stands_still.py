"""What an object lets out waits in its process while the edge takes nothing: a process that is killed then has lost nothing, and nothing
happens twice."""

import asyncio
import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from websockets.asyncio.client import ClientConnection, connect

from tests.integration.waiting import PATIENT, poll
from tests.integration.worker_up import ServedWorker, worker_up

LIMIT_S = 60.0
# Far more than the kernel keeps between a process and an edge that does not read.
MESSAGES, ANSWER_BYTES = 200, 20_000
# More than a value may have that user code's SQL makes, and less than what is written down of an object at a time.
LONG_BYTES = 5 * 1024 * 1024

CODE = """
import asyncio, os
from js import WebSocketPair
from workers import DurableObject, Response, WorkerEntrypoint

class Room(DurableObject):
    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.begun = 0
        ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS said (number INTEGER)")

    async def fetch(self, request):
        if request.url.endswith("/begun"):
            return Response(str(self.begun))
        client, server = WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(server)
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws, message):
        number, length = map(int, message.split())
        self.begun += 1
        while not os.path.exists("@GATE@"):
            await asyncio.sleep(0.05)
        # Each has a commit of its own.
        await asyncio.sleep(number * 0.005)
        self.ctx.storage.sql.exec("INSERT INTO said VALUES (?)", number)
        ws.send(f"{number} {'x' * length}")

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await self.env.ROOM.getByName("lobby").fetch(request)
"""


@contextmanager
def standing_still(pid: int) -> Iterator[None]:
    """The process takes nothing meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def said(served: ServedWorker) -> list[int]:
    """What the object has written down, by its file: nobody need be asked."""
    (path,) = served.data.glob("**/objects/*/*.sqlite")
    file = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return [number for (number,) in file.execute("SELECT number FROM said ORDER BY rowid")]
    finally:
        file.close()


async def begun(served: ServedWorker, count: int) -> None:
    """Wait until so many handlers have begun."""
    async with asyncio.timeout(LIMIT_S):
        while (await asyncio.to_thread(served.get, "/begun")).text != str(count):
            pass


async def killed_in_silence(served: ServedWorker, gate: Path, numbers: list[int]) -> None:
    """Let the handlers go on while the edge stands still, and kill the object's process when all these are written down."""
    with standing_still(served.started("edge")):
        await asyncio.to_thread(gate.touch)
        await asyncio.to_thread(poll, lambda: sorted(said(served)) == numbers, what="all handlers", limit_s=LIMIT_S)
        os.kill(served.status().pid, signal.SIGKILL)


async def heard(socket: ClientConnection) -> str:
    async with asyncio.timeout(LIMIT_S):
        return str(await socket.recv())


def test_what_is_handled_while_the_edge_takes_nothing_happens_once_though_the_process_is_killed(
    tmp_path: Path,
) -> None:
    gate = tmp_path / "gate"

    async def scenario(served: ServedWorker) -> list[int]:
        async with connect(f"ws://{served.address}/", ping_interval=None, max_queue=None, **PATIENT) as socket:
            for number in range(MESSAGES):
                await socket.send(f"{number} {ANSWER_BYTES}")
            await begun(served, MESSAGES)
            await killed_in_silence(served, gate, list(range(MESSAGES)))
            answers = [await heard(socket) for _ in range(MESSAGES)]
            # Behind it nothing comes twice.
            await socket.send(f"{MESSAGES} {ANSWER_BYTES}")
            answers.append(await heard(socket))
            return [int(answer.partition(" ")[0]) for answer in answers]

    with worker_up(code=CODE.replace("@GATE@", str(gate))) as served:
        answers = asyncio.run(scenario(served))
        assert sorted(said(served)) == list(range(MESSAGES + 1))
        assert answers == said(served)


def test_a_long_answer_after_a_write_outlives_its_process(tmp_path: Path) -> None:
    gate = tmp_path / "gate"

    async def scenario(served: ServedWorker) -> None:
        async with connect(f"ws://{served.address}/", ping_interval=None, max_size=None, **PATIENT) as socket:
            gate.touch()
            await socket.send(f"0 {LONG_BYTES}")
            assert len(await heard(socket)) == LONG_BYTES + 2
            gate.unlink()
            await socket.send(f"1 {LONG_BYTES}")
            await begun(served, 2)
            await killed_in_silence(served, gate, [0, 1])
            text = await heard(socket)
            assert (text[:2], len(text)) == ("1 ", LONG_BYTES + 2)

    with worker_up(code=CODE.replace("@GATE@", str(gate))) as served:
        asyncio.run(scenario(served))
        assert said(served) == [0, 1]
