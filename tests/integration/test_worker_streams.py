"""Bodies and messages that nobody reads, or that never end: what they cost is bounded, whoever makes them is told, everybody else is answered."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from tests.integration.command import children_of
from tests.integration.hostile import logged
from tests.integration.waiting import PATIENT, poll
from tests.integration.worker_up import ServedWorker, worker_up

MIB = 1024 * 1024
LIMIT_S = 30.0
# What processes may take more than before while bodies pass: about what they hold of one, and what the allocator keeps.
GROWTH_BYTES = 48 * MIB

CODE = """
import asyncio
from js import WebSocketPair
from workers import DurableObject, Response, WorkerEntrypoint

class Room(DurableObject):
    async def fetch(self, request):
        client, server = WebSocketPair.new()
        self.ctx.acceptWebSocket(server)
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws, message):
        if message == "flood":
            self.flooding = asyncio.ensure_future(self.flood(ws))
        else:
            ws.send(message)

    async def flood(self, ws):
        sent = 0
        while ws.readyState == 1:
            ws.send(b"f" * 65536)
            sent += 65536
            await asyncio.sleep(0)
        print("the flood ended")

    async def webSocketClose(self, ws, code, reason, was_clean):
        print(f"closed {code}")

async def endless():
    try:
        while True:
            yield b"y" * 65536
    finally:
        print("the stream ended")

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        what = request.url.split("/")[3]
        if what == "ignored":
            return Response("ignored")
        if what == "endless":
            return Response(endless())
        if what == "echo":
            return Response(request.body)
        if what == "count":
            return Response(str(sum([len(chunk) async for chunk in request.body])))
        if what == "ping":
            return Response("pong")
        return await self.env.ROOM.getByName(what).fetch(request)
"""


@pytest.fixture(scope="module")
def served() -> Iterator[ServedWorker]:
    """One with little memory of its own."""
    with worker_up(code=CODE, more="[limits]\ncpu_ms = 20000\nmemory_mb = 400") as one:
        assert ping(one)
        yield one


def ping(served: ServedWorker) -> bool:
    """Whether somebody else is answered."""
    return served.get("/ping").text == "pong"


@contextmanager
def talking(served: ServedWorker, head: str) -> Iterator[socket.socket]:
    """A connection that has said this, and reads only when it is told to."""
    host, _, port = served.address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=LIMIT_S) as one:
        one.sendall("\r\n".join([*head.split("\n"), "Host: a.example", "", ""]).encode())
        yield one


def peaks(served: ServedWorker) -> dict[int, int]:
    """The most that each process had in memory, in bytes."""
    found = {}
    for pid in [*children_of(served.command.process.pid), served.status().pid]:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
        found[pid] = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    return found


@contextmanager
def little_growth(served: ServedWorker, growth_bytes: int = GROWTH_BYTES) -> Iterator[None]:
    """No process that is there before and after has taken more than this in between."""
    before = peaks(served)
    yield
    for pid, peak in peaks(served).items():
        assert peak - before.get(pid, peak) < growth_bytes, f"process {pid} took {(peak - before[pid]) // MIB} MiB"


def poured(one: socket.socket, chunk: bytes, limit_bytes: int) -> int:
    """How much of this a connection takes before it takes nothing for a second, ends, or has taken `limit_bytes`."""
    one.settimeout(1.0)
    taken = 0
    with suppress(OSError):
        while taken < limit_bytes:
            taken += one.send(chunk)
    return taken


def test_a_body_that_a_worker_ignores_is_answered_before_it_has_come(served: ServedWorker) -> None:
    with little_growth(served), talking(served, "POST /ignored HTTP/1.1\nContent-Length: 1073741824") as one:
        answer = bytearray()
        heard = threading.Event()

        def read(hearing: socket.socket) -> None:
            with hearing, suppress(OSError):
                while data := hearing.recv(65536):
                    answer.extend(data)
                    if answer.endswith(b"ignored"):
                        heard.set()

        # Who pours gives up after a second; who listens does not.
        reader = threading.Thread(target=read, args=(one.dup(),))
        reader.start()
        poured(one, b"x" * MIB, 64 * MIB)
        assert heard.wait(LIMIT_S), bytes(answer)
        one.shutdown(socket.SHUT_RDWR)
        reader.join()
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert ping(served)


def test_an_answer_that_nobody_reads_waits_and_ends_with_its_client(served: ServedWorker) -> None:
    with little_growth(served), talking(served, "GET /endless HTTP/1.1") as one:
        assert one.recv(12) == b"HTTP/1.1 200"
        assert all(ping(served) for _ in range(20))
    logged(served, "the stream ended")


def test_a_body_that_comes_back_waits_for_its_reader(served: ServedWorker) -> None:
    with little_growth(served), talking(served, "POST /echo HTTP/1.1\nTransfer-Encoding: chunked") as one:
        chunk = b"10000\r\n" + b"z" * 65536 + b"\r\n"
        assert poured(one, chunk, 256 * MIB) < 128 * MIB
        assert ping(served)


def test_a_long_body_passes_through_little_memory(served: ServedWorker) -> None:
    with little_growth(served):
        body = (b"q" * 65536 for _ in range(2048))
        answer = httpx.post(f"http://{served.address}/count", content=body, timeout=60, trust_env=False)
        assert answer.text == str(2048 * 65536)


def test_a_client_that_does_not_read_a_flood_is_closed_and_its_neighbours_are_heard(served: ServedWorker) -> None:
    before = served.status().pid

    async def neighbour() -> None:
        async with connect(f"ws://{served.address}/flooded", ping_interval=None, **PATIENT) as one:
            for number in range(50):
                await one.send(f"{number}")
                async with asyncio.timeout(LIMIT_S):
                    assert await one.recv() == f"{number}"

    upgrade = "Connection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg=="
    with talking(served, f"GET /flooded HTTP/1.1\n{upgrade}") as one:
        assert one.recv(12) == b"HTTP/1.1 101"
        one.sendall(Frame(Opcode.TEXT, b"flood").serialize(mask=True))
        asyncio.run(neighbour())
        logged(served, "the flood ended")
    logged(served, "closed 1013")
    assert served.status().pid == before
    # The edge gives back what it held; its script may keep what Python does not give back, which is less than its limit.
    edges = [pid for pid in children_of(served.command.process.pid) if pid != before]
    poll(lambda: max(map(resident, edges)) < 200 * MIB, what="memory that was given back")


def resident(pid: int) -> int:
    """What a process has in memory, in bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * 4096


@pytest.mark.parametrize("compression", [None, "deflate"])
async def test_the_longest_message_goes_through_python_and_a_longer_one_does_not(
    served: ServedWorker, compression: str | None
) -> None:
    text = "größer" * (32 * MIB // 8)
    assert len(text.encode()) == 32 * MIB
    url = f"ws://{served.address}/long"
    async with (
        asyncio.timeout(2 * LIMIT_S),
        connect(url, ping_interval=None, max_size=None, compression=compression, **PATIENT) as one,
    ):
        await one.send(text)
        assert await one.recv() == text
        await one.send(text + "!")
        with pytest.raises(ConnectionClosed) as caught:
            await one.recv()
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1009
    assert ping(served)
