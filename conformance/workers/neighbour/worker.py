"""The twin of neighbour.js, for ours: a script that another one names in its bindings."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import js
from js import WebSocketPair
from workers import DurableObject, Request, Response, WorkerEntrypoint

# By the name of who writes it.
LOGS: defaultdict[str, list[str]] = defaultdict(list)


class Mine(Exception):
    """An error of the script's own."""


KINDS: dict[str, Any] = {
    "Error": Exception,
    "TypeError": TypeError,
    "RangeError": js.RangeError,
    "SyntaxError": js.SyntaxError,
    "Mine": Mine,
}


def failure(kind: str) -> Exception:
    """One of a kind, with a property of its own."""
    error: Exception = KINDS[kind](f"of {kind}")
    error.custom = 5  # type: ignore[attr-defined]
    return error


def upgraded(request: Request, accept: Callable[[Any], None]) -> Response:
    """The 101, with the first subprotocol that was offered."""
    client, server = WebSocketPair.new().object_values()
    accept(server)
    offered = request.headers.get("Sec-WebSocket-Protocol")
    headers = {"Sec-WebSocket-Protocol": offered.split(",")[0].strip()} if offered else {}
    return Response(None, status=101, web_socket=client, headers=headers)


def listening(server: Any, log: list[str]) -> None:
    """The API of listeners."""

    def message(event: Any) -> None:
        if event.data == "!close":
            server.close(4006, "of the neighbour")
        else:
            server.send(event.data)

    def closed(event: Any) -> None:
        log.append(f'close {event.code} "{event.reason}" {str(event.wasClean).lower()}')

    server.accept()
    server.binaryType = "arraybuffer"
    server.addEventListener("message", message)
    server.addEventListener("close", closed)


class Shelf(DurableObject):
    """An object that another script asks."""

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.log: list[str] = []

    async def fetch(self, request: Request) -> Response:
        path = urlsplit(request.url).path
        what = path.split("/")[3]
        if what == "log":
            return Response.json(self.log)
        if what == "refused":
            return Response("not you", status=403)
        if what == "throws":
            raise Exception("of the shelf")
        if request.headers.get("Upgrade") != "websocket":
            return Response(f"{request.method} {path} {await request.text()}", headers={"X-Answer": "shelf"})
        return upgraded(request, lambda server: self.ctx.acceptWebSocket(server, ["far", what]))

    async def webSocketMessage(self, ws: Any, message: Any) -> None:
        if message == "!throw":
            raise Exception("of a handler")
        if message == "!close":
            ws.close(4006, "of the neighbour")
        elif message == "!tags":
            ws.send(" ".join(self.ctx.getTags(ws)))
        else:
            ws.send(message)

    async def webSocketClose(self, ws: Any, code: int, reason: str, was_clean: bool) -> None:
        tags = ",".join(self.ctx.getTags(ws))
        self.log.append(f'close {code} "{reason}" {str(was_clean).lower()} tags {tags}')
        ws.close(1000 if code in {1005, 1006} else code, reason)

    async def increment(self) -> int:
        number = (await self.ctx.storage.get("n") or 0) + 1
        await self.ctx.storage.put("n", number)
        return int(number)

    def identity(self) -> list[str]:
        return [str(self.ctx.id), self.ctx.id.name]

    async def circle(self, depth: int) -> int:
        return 1 + await self.env.ROOM.getByName("circle").circle(depth - 1) if depth else 0

    def give(self, value: Any) -> Any:
        return value

    def fail(self, kind: str) -> None:
        raise failure(kind)

    def abandon(self) -> None:
        self.ctx.abort("of the shelf")


class Admin(WorkerEntrypoint):
    """Another entrypoint."""

    def who(self) -> str:
        return "admin"

    async def fetch(self, request: Request) -> Response:
        return Response("of Admin")


class Default(WorkerEntrypoint):
    """What a binding without an entrypoint reaches."""

    limit = 7

    async def fetch(self, request: Request) -> Response:
        name, what = urlsplit(request.url).path.split("/")[-2:]
        if what == "log":
            return Response.json(LOGS[name])
        if what == "refused":
            return Response("not you", status=403)
        if what == "throws":
            raise TypeError("of the neighbour")
        if what == "moved":
            return Response.redirect("http://elsewhere.example/", 302)
        if request.headers.get("Upgrade") == "websocket":
            return upgraded(request, lambda server: listening(server, LOGS[name]))
        said = f"{request.method} {request.url} {request.headers.get('X-Word') or 'null'} {await request.text()}"
        return Response(said, status=203, headers={"X-Answer": "neighbour"})

    def add(self, a: int, b: int) -> int:
        return a + b

    def give(self, value: Any) -> Any:
        return value

    def giveNothing(self) -> None:
        return None

    def fail(self, kind: str) -> None:
        raise failure(kind)

    async def each(self, count: int, given: Any) -> int:
        return sum([await given["to"][0](number) for number in range(count)])

    def adder(self, start: int) -> Any:
        return lambda number: start + number

    async def failing(self, callback: Any) -> str | None:
        try:
            await callback()
        except Exception as error:  # noqa: BLE001 (any error is what is compared)
            return f"{getattr(error, 'name', type(error).__name__)}: {getattr(error, 'message', error)}"
        return None
