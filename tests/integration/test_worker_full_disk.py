"""A disk that fills while objects write: user code, or its client, is told; what was acknowledged is there; and there is room again, it goes on."""

import asyncio
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.integration.waiting import PATIENT
from tests.integration.worker_up import ServedWorker, worker_up

LIMIT_S = 60.0
DISK_MB = 48
TEXT_BYTES = 20_000
# What is left of it when it is filled.
LEFT_BYTES = 400_000

CODE = """
import json
from js import WebSocketPair
from workers import DurableObject, Response, WorkerEntrypoint

class Room(DurableObject):
    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS said (number INTEGER, text TEXT)")

    async def fetch(self, request):
        if request.url.endswith("/said"):
            return Response.json([row["number"] for row in self.ctx.storage.sql.exec("SELECT DISTINCT number FROM said ORDER BY number")])
        client, server = WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(server)
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws, message):
        number, how = json.loads(message)
        try:
            # More than SQLite keeps in memory of a transaction is on the disk before that ends.
            for _ in range(1 if how == "little" else 400):
                self.ctx.storage.sql.exec("INSERT INTO said VALUES (?, ?)", number, "t" * @TEXT_BYTES@)
        except Exception as error:
            print(f"told {type(error).__name__}: {error}")
            raise
        ws.send(json.dumps(number))

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await self.env.ROOM.getByName("lobby").fetch(request)
""".replace("@TEXT_BYTES@", str(TEXT_BYTES))


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A small disk, on which all that is temporary lies."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", place], capture_output=True, text=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"this user may not mount anything: {mounted.stderr.strip()}")
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """Next to no room is left on it."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        with suppress(OSError):
            while True:
                file.write(bytes(4096))
        file.truncate(file.tell() - LEFT_BYTES)
    try:
        yield
    finally:
        ballast.unlink()


async def written(served: ServedWorker, first: int, how: str, *, most: int) -> tuple[list[int], str]:
    """Have rows written, one after the other, until the socket is closed: the numbers that were answered, and how it was closed."""
    answered: list[int] = []
    async with connect(f"ws://{served.address}/", ping_interval=None, **PATIENT) as socket, asyncio.timeout(LIMIT_S):
        with suppress(ConnectionClosed):
            for number in range(first, first + most):
                await socket.send(f'[{number}, "{how}"]')
                answered.append(int(await socket.recv()))
        return answered, "" if socket.close_code is None else f"{socket.close_code} {socket.close_reason}"


@pytest.mark.parametrize(
    ("how", "said_so"),
    [
        ("little", "The object's writes could not be made durable: the object is reset"),
        ("much", "told StorageReset: Durable Object reset because its storage failed: "),
    ],
)
def test_nothing_that_was_acknowledged_is_lost_and_with_room_again_it_goes_on(
    disk: Path, how: str, said_so: str
) -> None:
    async def scenario(served: ServedWorker) -> None:
        acknowledged, closed = await written(served, 0, "little", most=5)
        assert (acknowledged, closed) == ([0, 1, 2, 3, 4], "")
        with filled(disk):
            for attempt in range(3):
                more, closed = await written(served, 100 * (attempt + 1), how, most=90)
                acknowledged += more
                # What the disk did not take was not answered.
                assert closed.startswith("1011 "), closed
                assert await asyncio.to_thread(said, served) == acknowledged
        assert len(acknowledged) > 5 or how == "much"
        told = served.command.record(lambda record: said_so in record.get("message", ""))
        assert "SQLITE_FULL" in told["message"]
        more, closed = await written(served, 1_000, how, most=3)
        assert (more, closed) == ([1_000, 1_001, 1_002], "")
        assert await asyncio.to_thread(said, served) == [*acknowledged, *more]
        assert served.status().restarts == 0

    with worker_up(code=CODE) as served:
        asyncio.run(scenario(served))


def said(served: ServedWorker) -> list[int]:
    numbers: list[int] = served.get("/said").json()
    return numbers
