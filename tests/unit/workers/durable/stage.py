"""Objects with everything around them: real gates, files and pump, fake channels and sockets' sessions, a wall clock that is set by hand."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import Context
from pathlib import Path
from typing import Any

import pytest

from holdfast.workers.durable.current import CURRENT
from holdfast.workers.durable.disk import Job
from holdfast.workers.durable.namespace import Stub
from holdfast.workers.durable.objects import Objects
from holdfast.workers.durable.tasks import task_factory
from holdfast.workers.runtime.pump import Pump
from holdfast.workers.runtime.sockets import WebSocket, WebSocketPair
from holdfast.workers.runtime.turns import Turns
from holdfast.workers.sdk.entrypoints import DurableObject
from holdfast.workers.sdk.response import Response

LIMIT_S = 30.0
TURNS_AT_ONCE = 100
NOW_MS = 1_700_000_000_000


class Session:
    """A socket at its edge: what was sent to it, acknowledged, kept."""

    numbers = iter(range(1, 1_000_000))

    def __init__(self) -> None:
        self.sid = next(self.numbers)
        self.socket: Any = None
        self.sent: list[str | bytes] = []
        self.acks: list[int] = []
        self.kept: list[bytes] = []
        self.closed: tuple[int, str] | None = None
        self.aborted: tuple[int, str] | None = None
        self.is_hibernatable = False
        self.buffered_bytes = 0
        self.seq = self.last_number = self.skipped_seq = 0
        # Under which numbers what was sent had been written down.
        self.numbers_sent: list[int] = []

    def bind(self, group: int, state: bytes, *, is_hibernatable: bool, **_: Any) -> None:
        self.is_hibernatable = is_hibernatable

    def send(self, data: str | bytes, number: int = 0) -> None:
        self.sent.append(data)
        self.numbers_sent.append(number)

    def close(self, code: int, reason: str, number: int = 0) -> None:
        self.closed = (code, reason)
        self.numbers_sent.append(number)

    def keep(self, state: bytes, number: int = 0) -> None:
        self.kept.append(state)
        self.numbers_sent.append(number)

    def ack(self, seq: int) -> None:
        self.acks.append(seq)

    @property
    def acknowledged(self) -> int:
        return max(self.acks, default=0)

    def abort(self, code: int, reason: str) -> None:
        self.aborted = (code, reason)

    def says(self, data: str | bytes) -> None:
        """The client sends a message."""
        self.seq += 1
        self.socket.arrived(data, self.seq)

    def ends(self, code: int = 1000, reason: str = "", *, was_clean: bool = True) -> None:
        """The client closes."""
        self.seq += 1
        self.socket.ended(code, reason, was_clean=was_clean, seq=self.seq)


class Channels:
    """The links to the edges."""

    def __init__(self) -> None:
        self.autos: list[tuple[int, str | None, str | None]] = []
        self.many: list[tuple[list[Any], str | bytes, bool, int]] = []
        self.numbers: list[int] = []
        self.has_taken = True
        self.settled = 0

    def set_auto(self, group: int, request: str | None, response: str | None) -> None:
        self.autos.append((group, request, response))

    def settle(self) -> None:
        self.settled += 1

    def in_turn(self, act: Callable[[], object]) -> None:
        act()

    def soon(self, act: Callable[[], object]) -> None:
        asyncio.get_running_loop().call_soon(act, context=Context())

    def forget(self, group: int) -> None:
        pass

    def broadcast(
        self,
        sessions: Any,
        data: str | bytes,
        *,
        drop: bool = False,
        max_backlog_bytes: int = 0,
        number: int = 0,
    ) -> None:
        self.many.append((list(sessions), data, drop, max_backlog_bytes))
        self.numbers.append(number)

    def mark(self) -> "Channels":
        return self

    def is_passed(self) -> bool:
        """Whether the kernel has everything."""
        return self.has_taken


class Stage:
    """See above. `reports` are (level, text, error)."""

    def __init__(self, *, classes: dict[str, type], namespaces: dict[str, str]) -> None:
        self.reports: list[tuple[str, str, BaseException | None]] = []
        self.now_ms = NOW_MS
        self.channels = Channels()
        pump = Pump(at_rest=lambda: None, failed=self.failed, turns=Turns())
        self.objects = Objects(
            script="chat",
            classes=classes,
            namespaces=namespaces,
            start=pump.start,
            report=lambda level, text, error: self.reports.append((level, text, error)),
            wall_ms=lambda: self.now_ms,
        )
        self.objects.channels = self.channels
        self.faults: list[BaseException] = []

    def failed(self, fault: BaseException) -> None:
        self.faults.append(fault)

    def stub(self, name: str = "a", kind: str = "Room") -> Stub:
        return self.objects.namespace(kind).getByName(name)

    async def client(self, stub: Stub) -> Session:
        """A client whose socket the object accepted."""
        answer = await stub.fetch("http://edge/", headers={"Upgrade": "websocket"})
        half = answer.web_socket
        half.use()
        session = Session()
        assert half.opened(session)
        return session

    async def sleep_all(self) -> None:
        """Ten idle seconds pass, and what may hibernate has."""
        self.objects.sweep(asyncio.get_running_loop().time() + 11)
        await until(lambda: not self.objects._crowd.leaving)

    @property
    def texts(self) -> list[str]:
        return [text for _, text, _ in self.reports]


@asynccontextmanager
async def stage(directory: Path, *, namespaces: dict[str, str] | None = None, **classes: type) -> AsyncIterator[Stage]:
    """Objects of these classes, started, and retired at the end."""
    loop = asyncio.get_running_loop()
    loop.set_task_factory(task_factory)
    built = Stage(classes=classes, namespaces=namespaces or {})
    await built.objects.start(directory)
    try:
        yield built
    finally:
        await built.objects.retire(1.0)
        loop.set_task_factory(None)
    assert built.faults == []


async def until(condition: Callable[[], object]) -> None:
    """Let the loop go round until it holds."""
    async with asyncio.timeout(LIMIT_S):
        turns = 0
        while not condition():
            await turn()
            turns += 1
            if turns % TURNS_AT_ONCE == 0:
                # Threads that it waits for come to their turn too, though this goes round and round.
                await asyncio.to_thread(threading.Event().wait, 0.001)


async def turn() -> None:
    """Let the loop go round once."""
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    loop.call_soon(future.set_result, None)
    await future


class Acceptor(DurableObject):
    """Accepts every socket; what comes is for subclasses."""

    tags: tuple[str, ...] = ()

    async def fetch(self, request: Any) -> Response:
        client, server = WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(server, list(self.tags))
        return Response(None, status=101, web_socket=client)


class Echo(Acceptor):
    """Sends back what comes."""

    async def webSocketMessage(self, ws: WebSocket, message: Any) -> None:  # noqa: N802  the platform's name
        ws.send(message)


EVENTS: dict[str, asyncio.Event] = {}


class Writer(Echo):
    """Writes, blocks, aborts, waits: as it is told."""

    async def webSocketMessage(self, ws: Any, message: Any) -> None:  # noqa: N802  the platform's name
        if message == "write":
            await self.ctx.storage.put("n", await self.count() + 1)
        if message == "unconfirmed":
            await self.ctx.storage.put("n", 1, {"allowUnconfirmed": True})
        if message == "fail":
            raise ValueError("in the handler")
        ws.send(message)

    async def count(self) -> int:
        found: int | None = await self.ctx.storage.get("n")
        return found or 0

    async def increment(self) -> int:
        count = await self.count()
        await self.ctx.storage.put("n", count + 1)
        return count + 1

    async def late_increment(self) -> int:
        count = await self.count()
        await EVENTS["open"].wait()
        await self.ctx.storage.put("n", count + 1)
        return count + 1

    async def blocked(self, name: str) -> str:
        async def alone() -> str:
            EVENTS["began"].set()
            await EVENTS[name].wait()
            return "alone"

        result: str = await self.ctx.blockConcurrencyWhile(alone)
        return result

    async def nested(self) -> list[str]:
        order: list[str] = []

        async def inner() -> None:
            order.append("inner")

        async def outer() -> None:
            await self.ctx.blockConcurrencyWhile(inner)
            order.append("outer")

        await self.ctx.blockConcurrencyWhile(outer)
        return order

    async def two_at_once(self) -> list[str]:
        order: list[str] = []

        async def one(name: str) -> None:
            order.append(f"{name} begins")
            await turn()
            order.append(f"{name} ends")

        first = self.ctx.blockConcurrencyWhile(lambda: one("first"))
        second = self.ctx.blockConcurrencyWhile(lambda: one("second"))
        await asyncio.gather(first, second)
        return order

    async def transfer(self, fails: bool) -> None:
        async def closure(txn: Any) -> None:
            await txn.put("a", 1)
            EVENTS["began"].set()
            await EVENTS["open"].wait()
            await txn.put("b", 1)
            if fails:
                raise LookupError("not today")

        await self.ctx.storage.transaction(closure)

    async def keys(self) -> list[str]:
        return list(await self.ctx.storage.list())

    async def aborts(self) -> None:
        await self.ctx.storage.put("n", 99)
        self.ctx.abort("enough")

    async def works_in_background(self) -> None:
        self.task = asyncio.create_task(EVENTS["open"].wait(), name="of its own")

    async def waits_until(self) -> None:
        async def fails() -> None:
            await EVENTS["open"].wait()
            raise OSError("too late")

        self.ctx.waitUntil(fails())

    async def unconfirmed(self) -> None:
        await self.ctx.storage.put("x", 1, {"allowUnconfirmed": True})

    async def syncs(self) -> None:
        await self.ctx.storage.put("n", 5)
        await self.ctx.storage.sync()
        assert CURRENT.get() is not None


def events(*names: str) -> None:
    EVENTS.update({name: asyncio.Event() for name in names})


async def told(awaitable: Any, error: type[BaseException], text: str) -> None:
    with pytest.raises(error, match=text):
        await awaitable


class ByHand:
    """Runs what it is given when it is told to."""

    def __init__(self) -> None:
        self.waiting: list[Job] = []

    def submit(self, act: Callable[[], object], told: Callable[[Job], object] | None = None) -> Job:
        self.waiting.append(Job(act, told))
        return self.waiting[-1]

    def run(self) -> None:
        """Run what waits."""
        waiting, self.waiting = self.waiting, []
        for job in waiting:
            job.run()
            if job.told is not None:
                job.told(job)

    def shutdown(self) -> None:
        self.run()
