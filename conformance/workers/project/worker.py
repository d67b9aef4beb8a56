"""The twin of twin.js, for ours: the same routes, probes and commands, line for line. What each says is compared."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from js import WebSocketPair, WebSocketRequestResponsePair
from twin_calls import CALL_PROBES, MORE_VALUES
from twin_failing import FAILING_OUTGOING, FAILING_PROBES
from twin_pairs import OUTGOING_PROBES, PAIR_PROBES
from twin_services import SERVICE_PROBES
from twin_sockets import SOCKET_PROBES
from twin_storage import STORAGE_PROBES
from twin_words import Lines, shown
from twin_worker import WORKER_PROBES
from workers import DurableObject, Request, Response, WorkerEntrypoint


def failure(text: str) -> Exception:
    """What JavaScript's `new Error(text)` is."""
    return Exception(text)


async def failing(room: Any, lines: Lines) -> None:
    """An alarm that fails once."""
    room.failures = 1
    await room.ctx.storage.setAlarm(int(time.time() * 1000))


async def chained(room: Any, lines: Lines) -> None:
    """An alarm that sets the next."""
    room.chained = 1
    await room.ctx.storage.setAlarm(int(time.time() * 1000))


async def now(room: Any, lines: Lines) -> None:
    """An alarm at once."""
    await room.ctx.storage.setAlarm(int(time.time() * 1000))


async def blocking(room: Any, lines: Lines) -> None:
    """What blockConcurrencyWhile gives."""

    async def returned() -> str:
        return "returned"

    await lines.tries("value", lambda: room.ctx.blockConcurrencyWhile(returned))
    await lines.tries("identity", lambda: [room.ctx.id.name, len(str(room.ctx.id))])


async def state(room: Any, lines: Lines) -> None:
    """The sockets of clients."""
    lines += [f"state {socket.readyState}" for socket in room.ctx.getWebSockets("client")]
    lines.append(f"sockets {len(room.ctx.getWebSockets())}")


async def order(room: Any, lines: Lines) -> None:
    """In which order they are listed."""
    lines.append("all " + " ".join(socket.deserializeAttachment() for socket in room.ctx.getWebSockets()))
    lines.append("of a tag " + " ".join(socket.deserializeAttachment() for socket in room.ctx.getWebSockets("client")))


async def log(room: Any, lines: Lines) -> None:
    """What its handlers saw."""
    lines += room.log


async def instance(room: Any, lines: Lines) -> None:
    """Which instance answers."""
    lines.append(f"instance {room.instance}")


OBJECT_PROBES = {
    **PAIR_PROBES,
    **MORE_VALUES,
    **FAILING_PROBES,
    "failing": failing,
    "chained": chained,
    **SOCKET_PROBES,
    **STORAGE_PROBES,
    "now": now,
    "blocking": blocking,
    "state": state,
    "order": order,
    "log": log,
    "instance": instance,
}


EVERY_WORKER_PROBE = {**WORKER_PROBES, **CALL_PROBES, **OUTGOING_PROBES, **SERVICE_PROBES, **FAILING_OUTGOING}


def close(room: Any, ws: Any, text: str) -> None:
    """As the words say."""
    code, _, reason = text.partition(" ")
    if code:
        ws.close(int(code), reason)
    else:
        ws.close()
    room.log.append(f"state after close {ws.readyState}")


def throw(room: Any, ws: Any, text: str) -> None:
    """At once."""
    raise failure("of a handler")


async def reject(room: Any, ws: Any, text: str) -> None:
    """Later."""
    await asyncio.sleep(0.001)
    raise failure("of a handler")


async def broken(room: Any, ws: Any, text: str) -> None:
    """Of what resets an object."""

    async def throws() -> None:
        raise failure("of blocking")

    await room.ctx.blockConcurrencyWhile(throws)


def automatic(room: Any, ws: Any, text: str) -> None:
    """Answered without the object."""
    room.ctx.setWebSocketAutoResponse(WebSocketRequestResponsePair.new(*text.split(" ")))


async def slow(room: Any, ws: Any, text: str) -> None:
    """Others may run meanwhile."""
    await asyncio.sleep(int(text) / 1000)
    ws.send(f"slept {text}")


async def block(room: Any, ws: Any, text: str) -> None:
    """Nothing may run meanwhile."""
    await room.ctx.blockConcurrencyWhile(lambda: asyncio.sleep(int(text) / 1000))
    ws.send("unblocked")


def everybody(room: Any, ws: Any, text: str) -> None:
    """To all sockets."""
    for socket in room.ctx.getWebSockets():
        socket.send(text)


def many(room: Any, ws: Any, text: str) -> None:
    """Numbers."""
    for number in range(int(text)):
        ws.send(str(number))


def remember(room: Any, ws: Any, text: str) -> None:
    """Values of every kind."""
    date = datetime.fromtimestamp(1, UTC)
    value = {"text": "größer 🎈", "list": [1, [None, True]], "bytes": b"\x01\x02", "date": date}
    ws.serializeAttachment(value)


def remembered(room: Any, ws: Any, text: str) -> None:
    """What is there of them."""
    pair, limit = room.ctx.getWebSocketAutoResponse(), room.ctx.getHibernatableWebSocketEventTimeout()
    found = len(room.ctx.getWebSockets("größer 🎈"))
    for name, value in ws.deserializeAttachment().items():
        ws.send(f"{name} {shown(value)}")
    ws.send(shown([pair.request, pair.response, limit, found]))
    ws.serializeAttachment("b")


async def alarm_in(room: Any, ws: Any, text: str) -> None:
    """One that tells everybody."""
    room.ctx.storage.kv.put("tells", True)
    await room.ctx.storage.setAlarm(int(time.time() * 1000) + int(text))


COMMANDS: dict[str, Callable[[Any, Any, str], Any]] = {
    "tags": lambda room, ws, text: ws.send(shown(room.ctx.getTags(ws))),
    "count": lambda room, ws, text: ws.send(f"sockets {len(room.ctx.getWebSockets())}"),
    "state": lambda room, ws, text: ws.send(f"state {ws.readyState}"),
    "instance": lambda room, ws, text: ws.send(f"instance {room.instance}"),
    "attachment": lambda room, ws, text: ws.send(shown(ws.deserializeAttachment())),
    "attach": lambda room, ws, text: ws.serializeAttachment(text),
    "close": close,
    "throw": throw,
    "reject": reject,
    "abort": lambda room, ws, text: room.ctx.abort("of mine"),
    "broken": broken,
    "automatic": automatic,
    "limit": lambda room, ws, text: room.ctx.setHibernatableWebSocketEventTimeout(int(text)),
    "doom": lambda room, ws, text: room.ctx.storage.kv.put("doomed", True),
    "manual": lambda room, ws, text: room.ctx.setWebSocketAutoResponse(),
    "answered": lambda room, ws, text: ws.send(
        f"answered {shown(room.ctx.getWebSocketAutoResponseTimestamp(ws) is not None)}"
    ),
    "slow": slow,
    "remember": remember,
    "remembered": remembered,
    "alarm": alarm_in,
    "before": lambda room, ws, text: room.ctx.storage.kv.put("before", True),
    "left": lambda room, ws, text: ws.send(shown(room.ctx.storage.kv.get("left"))),
    "block": block,
    "all": everybody,
    "many": many,
}


def upgrade(socket: Any, request: Request) -> Response:
    """The 101, with the first subprotocol that was offered."""
    offered = request.headers.get("Sec-WebSocket-Protocol")
    headers = {"Sec-WebSocket-Protocol": offered.split(",")[0].strip()} if offered else {}
    return Response(None, status=101, web_socket=socket, headers=headers)


def standard(server: Any, log: list[str], options: dict[str, bool] | None = None) -> None:
    """The API of listeners."""

    def message(event: Any) -> None:
        if isinstance(event.data, str) and event.data.startswith("!close"):
            code, _, reason = event.data[7:].partition(" ")
            if code:
                server.close(int(code), reason)
            else:
                server.close()
            log.append(f"state after close {server.readyState}")
        elif event.data == "!throw":
            raise failure("of a listener")
        else:
            server.send(event.data)

    def closed(event: Any) -> None:
        seen = f"{event.code} {shown(event.reason)} {shown(event.wasClean)}"
        log.append(f"close {seen} state {server.readyState}")

    server.accept(options)
    server.binaryType = "arraybuffer"
    server.addEventListener("message", message)
    server.addEventListener("close", closed)
    server.addEventListener("error", lambda event: log.append(f"error state {server.readyState}"))


class Room(DurableObject):
    """An object that says what it sees."""

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.log: list[str] = []
        self.value = 7
        self.failures = self.chained = 0
        self.blocksInAlarm = self.replaces = self.empties = False
        if (ctx.id.name or "").startswith("broken") or ctx.storage.kv.get("doomed"):
            raise failure("of the constructor")
        self.instance = (ctx.storage.kv.get("instance") or 0) + 1
        ctx.storage.kv.put("instance", self.instance)

    async def fetch(self, request: Request) -> Response:
        _, where, _, *what = unquote(urlsplit(request.url).path).split("/")
        if where == "http":
            return await self.http(request, what[0])
        if where == "probe":
            lines = Lines()
            await OBJECT_PROBES[what[0]](self, lines)
            return Response.json(lines)
        if (request.headers.get("Upgrade") or "").lower() != "websocket":
            return Response("expected websocket", status=426)
        client, server = WebSocketPair.new().object_values()
        if where == "standard":
            standard(server, self.log)
        elif where == "half":
            # Both are the object's: none is left for the client.
            self.ctx.acceptWebSocket(server)
            if what[0] == "both":
                client.accept()
            return Response(None, status=101, web_socket=server if what[0] == "server" else client)
        elif where == "early":
            self.ctx.acceptWebSocket(server)
            server.send("before the answer")
            server.serializeAttachment("early")
            if what[0] == "closed":
                server.close(4005, "and closed")
        else:
            self.ctx.acceptWebSocket(server, ["client", what[0]])
            server.serializeAttachment(what[0])
        return upgrade(client, request)

    async def http(self, request: Request, what: str) -> Response:
        if what == "throw":
            raise TypeError("of fetch")
        if what == "text":
            return Response(str(len("no response")))
        said = f"{request.method} {what} {request.headers.get('X-Word') or 'null'} {await request.text()}"
        return Response(said, status=201, headers={"X-Answer": "yes"})

    async def webSocketMessage(self, ws: Any, message: Any) -> None:
        if not isinstance(message, str) or not message.startswith("!"):
            ws.send(message)
            return
        command, _, rest = message[1:].partition(" ")
        done = COMMANDS[command](self, ws, rest)
        if asyncio.iscoroutine(done):
            await done

    async def webSocketClose(self, ws: Any, code: int, reason: str, was_clean: bool) -> None:
        tags, attachment = ",".join(self.ctx.getTags(ws)), ws.deserializeAttachment()
        seen = f"{code} {shown(reason)} {shown(was_clean)}"
        self.log.append(f"close {seen} tags {tags} attachment {attachment}")
        self.log.append(f"listed {shown(ws in self.ctx.getWebSockets())}")
        if reason == "throw":
            raise failure("of a close handler")
        if reason != "leave":
            ws.close(1000 if code in {1005, 1006} else code, reason)

    async def webSocketError(self, ws: Any, error: Any) -> None:
        self.log.append(f"error of {ws.deserializeAttachment()}")
        if ws.deserializeAttachment() == "throw":
            raise failure("of an error handler")

    async def alarm(self, info: Any) -> None:
        at = await self.ctx.storage.getAlarm()
        self.log.append(f"alarm {info.retryCount} {shown(info.isRetry)} {'null' if at is None else at}")
        if self.blocksInAlarm:
            await broken(self, None, "")
        if self.replaces:
            self.replaces = False
            await self.ctx.storage.setAlarm(int(time.time() * 1000) + 300)
            raise failure("of an alarm")
        if self.empties:
            self.empties = False
            await self.ctx.storage.setAlarm(4102444800000)
            await self.ctx.storage.deleteAll()
        if self.ctx.storage.kv.get("tells"):
            for socket in self.ctx.getWebSockets():
                socket.send(f"awake {self.ctx.id.name}")
        self.failures -= 1
        if self.failures >= 0:
            raise failure("of an alarm")
        self.chained -= 1
        if self.chained >= 0:
            await self.ctx.storage.setAlarm(int(time.time() * 1000))

    async def preShutdown(self, info: Any) -> None:
        if self.ctx.storage.kv.get("before"):
            self.ctx.storage.kv.put("left", info.reason)

    def add(self, a: int, b: int) -> int:
        return a + b

    def give(self, value: Any) -> Any:
        return value

    def fail(self) -> None:
        raise TypeError("of a method")

    async def call(self, callback: Any) -> Any:
        return await callback(2)

    def abandon(self) -> None:
        self.ctx.abort("of mine")

    async def breakIt(self) -> None:
        await broken(self, None, "")

    def number(self) -> int:
        return self.instance

    def failOwn(self) -> None:
        error = failure("with a mark")
        error.custom = 5  # type: ignore[attr-defined]
        raise error

    def giveFunction(self) -> Any:
        return lambda n: n + 1

    def giveNothing(self) -> None:
        return None

    async def ring(self, other: str, depth: int) -> int:
        return 1 + await self.env.ROOM.getByName(other).ring(self.ctx.id.name, depth - 1) if depth else 0

    async def circle(self, depth: int) -> int:
        return 1 + await self.env.SHELF.getByName("circle").circle(depth - 1) if depth else 0

    async def ringBlocked(self, other: str) -> Any:
        return await self.ctx.blockConcurrencyWhile(lambda: self.env.ROOM.getByName(other).number())

    async def later(self) -> str:
        await asyncio.sleep(0.005)
        return "later"

    async def increment(self, pause: bool) -> int:
        number = await self.ctx.storage.get("n") or 0
        if pause:
            await asyncio.sleep(0.01)
        await self.ctx.storage.put("n", number + 1)
        return int(number) + 1


LOG: list[str] = []
RETURNED: list[Any] = []


def plain(request: Request, what: str) -> Response:
    """Without an object."""
    if what == "log":
        return Response.json(LOG)
    if what == "refused":
        return Response("not you", status=403)
    if what == "throws":
        raise failure("of the Worker")
    client, server = WebSocketPair.new().object_values()
    if what == "nosocket":
        return Response(None, status=101)
    if what == "with200":
        return Response(None, status=200, web_socket=client)
    if what == "accepted":
        client.accept()
    if what == "twice":
        RETURNED.append(client)
        return Response(None, status=101, web_socket=RETURNED[0])
    if what == "once":
        server.accept()
        server.send("before you came")
        server.close(4003, "and gone")
    else:
        standard(server, LOG, {"allowHalfOpen": True} if what == "half" else None)
    return upgrade(client, request)


class Default(WorkerEntrypoint):
    """The front."""

    async def fetch(self, request: Request) -> Response:
        parts = urlsplit(request.url)
        _, where, name, *what = unquote(parts.path).split("/")
        if where == "plain":
            return plain(request, what[0])
        if where == "store":
            return await self.env.STORE.fetch(request)
        if where == "shelf":
            return await self.env.SHELF.getByName(name).fetch(request)
        if where == "worker":
            lines = Lines()
            await EVERY_WORKER_PROBE[what[0]](self.env, name, lines, parts.query.removeprefix("origin="))
            return Response.json(lines)
        return await self.env.ROOM.getByName(name).fetch(request)
