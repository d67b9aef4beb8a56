"""A script that calls and one that is called, in one process: the real ends of a call, and an edge between them that only passes it on."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from holdfast.model.worker_egress import BoundCall, Called, RequestContext, field_of
from holdfast.workers.remote.bindings import RemoteNamespace, Service, foreign_class
from holdfast.workers.remote.calling import Way
from holdfast.workers.runtime import egress
from holdfast.workers.runtime.dispatch import Dispatcher
from holdfast.workers.runtime.egress_answer import Incoming
from holdfast.workers.runtime.egress_request import Outgoing
from holdfast.workers.runtime.http_server import Exchange
from holdfast.workers.runtime.loading import Script
from holdfast.workers.runtime.reception import Reception
from tests.unit.workers.durable.stage import Stage, stage

Respond = Callable[[Outgoing, BoundCall], Incoming | None]


class Line:
    """The exchange of one call: what the called end sees, and what the calling end gets of it."""

    is_begun = is_ended = is_answered = False
    status = 0
    field = Exchange.field

    def __init__(self, outgoing: Outgoing, context: RequestContext) -> None:
        self.method, self.target = outgoing.method, str(outgoing.url).split(outgoing.url.authority(), 1)[1]
        self.fields = [
            (b"host", outgoing.url.authority().encode()),
            (b"holdfast-context", field_of(context).encode()),
            *((name.lower(), value) for name, value in outgoing.headers),
        ]
        self._body = outgoing.body
        self.head: asyncio.Future[tuple[int, list[tuple[bytes, bytes]]]] = asyncio.get_running_loop().create_future()
        self.pieces: asyncio.Queue[bytes | None] = asyncio.Queue()

    @property
    def has_body(self) -> bool:
        return self._body is not None

    def count_as_answered(self) -> None:
        self.is_answered = True

    async def body(self) -> AsyncIterator[bytes]:
        if isinstance(self._body, bytes):
            yield self._body
        elif self._body is not None:
            async for piece in self._body:
                yield piece

    async def answer(self, status: int, fields: Any, body: Any, *, reason: str = "", length: int | None = None) -> None:
        self.is_begun = True
        self.head.set_result((status, list(fields)))
        if isinstance(body, bytes):
            self.pieces.put_nowait(body)
        elif body is not None:
            async for piece in body:
                self.pieces.put_nowait(piece)
        self.pieces.put_nowait(None)
        self.is_ended = True


class Pieces:
    """An answer's body."""

    def __init__(self, pieces: asyncio.Queue[bytes | None]) -> None:
        self._pieces = pieces
        self.is_closed = False

    def __aiter__(self) -> "Pieces":
        return self

    async def __anext__(self) -> bytes:
        piece = await self._pieces.get()
        if piece is None:
            raise StopAsyncIteration
        return piece

    def close(self) -> None:
        self.is_closed = True


class Log:
    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, Any]]] = []

    def log(self, level: str, message: str, **more: Any) -> None:
        self.lines.append((level, message, more))

    def of(self, kind: str) -> list[str]:
        return [message for _, message, more in self.lines if more["kind"] == kind]


class TwoScripts:
    """`called` entrypoints and objects by class name. `answers`: what the edge says to the next calls itself; None lets one pass."""

    def __init__(self, scene: Stage | None, entrypoints: dict[str, type]) -> None:
        self.log, self.scene = Log(), scene
        objects = None if scene is None else scene.objects
        script = Script(
            ModuleType("main"),
            Path(__file__).parent,
            objects={} if scene is None else {"Room": object},
            entrypoints=entrypoints,
        )
        self.dispatcher = Dispatcher(
            script, SimpleNamespace(A=1), key="k", reception=Reception(), log=self.log, objects=objects,  # type: ignore[arg-type]
        )  # fmt: skip
        self.answers: list[Respond | None] = []
        self.calls: list[BoundCall] = []
        self.contexts: list[RequestContext | None] = []
        self.tasks: set[asyncio.Task[None]] = set()
        self.line: Line | None = None

    async def call(self, outgoing: Outgoing, bound: BoundCall, context: RequestContext | None) -> Incoming:
        """As `runtime.egress.call`."""
        self.calls.append(bound)
        self.contexts.append(context)
        respond = self.answers.pop(0) if self.answers else None
        if respond is not None and (answer := respond(outgoing, bound)) is not None:
            return answer
        called = Called(
            caller="chat",
            entrypoint=bound.binding if bound.binding != "OTHER" else "",
            props={"user": "x"} if bound.binding == "OTHER" else {},
            class_name="Room" if bound.object_id else "",
            object_id=bound.object_id,
            object_name=bound.object_name,
            is_rpc=bound.is_rpc,
        )
        line = self.line = Line(outgoing, RequestContext(ray="ab", script="k", scheme="http", called=called))
        task = asyncio.get_running_loop().create_task(self.dispatcher.answer(line))  # type: ignore[arg-type]
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        status, fields = await line.head
        return Incoming(status, "", fields, Pieces(line.pieces))  # type: ignore[arg-type]

    def service(self, binding: str = "OTHER") -> Any:
        """`env.OTHER`, an entrypoint of the script that is called."""
        return Service(Way(binding, "proof"))

    def namespace(self, script: str = "chat") -> Any:
        """`env.ROOM`, of the script that is called."""
        return RemoteNamespace(Way("ROOM", "proof"), foreign_class(script, "Room", "Room"))


@asynccontextmanager
async def two_scripts(
    monkeypatch: pytest.MonkeyPatch, directory: Path, *, room: type | None = None, **entrypoints: type
) -> AsyncIterator[TwoScripts]:
    """Both, for the code inside."""

    async with AsyncExitStack() as stack:
        scene = None if room is None else await stack.enter_async_context(stage(directory, Room=room))
        two = TwoScripts(scene, entrypoints)
        monkeypatch.setattr(egress, "call", two.call)
        yield two
        for task in list(two.tasks):
            task.cancel()


def edge_says(outcome: str, text: str = "", *, status: int = 500) -> Respond:
    """An answer of the edge's own."""

    def respond(_outgoing: Outgoing, _bound: BoundCall) -> Incoming:
        pieces: asyncio.Queue[bytes | None] = asyncio.Queue()
        pieces.put_nowait(text.encode())
        pieces.put_nowait(None)
        return Incoming(status, "", [(b"X-Holdfast-Called", outcome.encode())], Pieces(pieces))  # type: ignore[arg-type]

    return respond


def raising(error: Exception) -> Respond:
    """The way is broken."""

    def respond(_outgoing: Outgoing, _bound: BoundCall) -> Incoming:
        raise error

    return respond
