"""Probes of sockets in an object: OBJECT_PROBES of twin.js up to `automatic`."""

from collections.abc import Callable
from typing import Any

from js import WebSocket, WebSocketPair, WebSocketRequestResponsePair
from twin_words import Lines, shown

CODES = (0, 999, 1000, 1001, 1004, 1005, 1006, 1011, 1015, 2999, 3000, 4999, 5000)


def pair_of(room: Any, tags: list[Any] | None = None) -> Any:
    """The half of a new pair that the object has accepted."""
    server = WebSocketPair.new()[1]
    if tags is None:
        room.ctx.acceptWebSocket(server)
    else:
        room.ctx.acceptWebSocket(server, tags)
    return server


def without_result(call: Callable[[], object]) -> Callable[[], None]:
    """The call, without what it returns."""

    def calls() -> None:
        call()

    return calls


async def tags(room: Any, lines: Lines) -> None:
    """How many, how long, and what is found by them."""
    ctx = room.ctx
    await lines.tries("ten tags", lambda: ctx.getTags(pair_of(room, [*"abcdefghij"])))
    await lines.tries("eleven tags", without_result(lambda: pair_of(room, [*"abcdefghijk"])))
    await lines.tries("eleven tags, one twice", lambda: ctx.getTags(pair_of(room, [*"abcdefghija"])))
    await lines.tries("an empty tag", lambda: ctx.getTags(pair_of(room, [""])))
    await lines.tries("no tags", lambda: ctx.getTags(pair_of(room)))
    await lines.tries("a tag of 256", lambda: len(ctx.getTags(pair_of(room, ["x" * 256]))[0]))
    await lines.tries("a tag of 257", without_result(lambda: pair_of(room, ["x" * 257])))
    await lines.tries("a number as a tag", lambda: ctx.getTags(pair_of(room, [7])))
    await lines.tries("sockets of a", lambda: len(ctx.getWebSockets("a")))
    await lines.tries("sockets of z", lambda: len(ctx.getWebSockets("z")))
    await lines.tries("all sockets", lambda: len(ctx.getWebSockets()))


async def accepting(room: Any, lines: Lines) -> None:
    """What can be accepted, and how often."""

    def half_accepted(which: int) -> Any:
        pair = WebSocketPair.new()
        pair[which].accept()
        return pair[1]

    await lines.tries("twice", lambda: room.ctx.acceptWebSocket(pair_of(room)))
    await lines.tries("after accept()", lambda: room.ctx.acceptWebSocket(half_accepted(1)))
    await lines.tries("of a pair that is accepted", lambda: room.ctx.acceptWebSocket(half_accepted(0)))
    await lines.tries("accept() after it", lambda: pair_of(room).accept())
    await lines.tries("tags of a standard socket", lambda: room.ctx.getTags(half_accepted(1)))
    await lines.tries("no socket", lambda: room.ctx.acceptWebSocket("socket"))


async def pair(room: Any, lines: Lines) -> None:
    """A half before anything."""
    client, server = WebSocketPair.new().object_values()
    await lines.tries("url", lambda: server.url)
    await lines.tries("protocol", lambda: server.protocol)
    await lines.tries("extensions", lambda: server.extensions)
    await lines.tries("readyState", lambda: server.readyState)
    await lines.tries("send before accept", lambda: server.send("x"))
    await lines.tries("close before accept", lambda: server.close(1000, "x"))
    await lines.tries("attachment", lambda: server.deserializeAttachment())
    await lines.tries(
        "READY_STATEs",
        lambda: [
            WebSocket.READY_STATE_CONNECTING,
            WebSocket.READY_STATE_OPEN,
            WebSocket.READY_STATE_CLOSING,
            WebSocket.READY_STATE_CLOSED,
        ],
    )
    await lines.tries("states", lambda: [WebSocket.CONNECTING, WebSocket.OPEN, WebSocket.CLOSING, WebSocket.CLOSED])
    await lines.tries("accept", lambda: server.accept())
    await lines.tries("accept again", lambda: server.accept())
    await lines.tries("the client's state", lambda: client.readyState)


async def closing(room: Any, lines: Lines) -> None:
    """Codes, reasons, and what goes after a close."""
    for code in CODES:
        await lines.tries(f"close {code}", lambda code=code: pair_of(room).close(code, "why"))
    await lines.tries("reason of 123 bytes", lambda: pair_of(room).close(1000, "x" * 123))
    await lines.tries("reason of 124 bytes", lambda: pair_of(room).close(1000, "x" * 124))
    await lines.tries("reason of 42 times 3 bytes", lambda: pair_of(room).close(1000, "€" * 42))
    await lines.tries("reason without code", lambda: pair_of(room).close(None, "why"))
    await lines.tries("no code", lambda: pair_of(room).close())
    socket = pair_of(room)
    await lines.tries("state before", lambda: socket.readyState)
    socket.close(1000, "done")
    await lines.tries("state after", lambda: socket.readyState)
    await lines.tries("second close", lambda: socket.close(4000, "again"))
    await lines.tries("send after close", lambda: socket.send("x"))
    await lines.tries("is still listed", lambda: socket in room.ctx.getWebSockets())


async def attachments(room: Any, lines: Lines) -> None:
    """What can be attached, as a copy, up to which size."""
    socket = pair_of(room)

    def attached(value: Any) -> Any:
        socket.serializeAttachment(value)
        return socket.deserializeAttachment()

    def cycle() -> bool:
        value: list[Any] = [1]
        value.append(value)
        back = attached(value)
        return bool(back[1] is back)

    def copied() -> list[Any]:
        value = {"a": 1}
        socket.serializeAttachment(value)
        value["a"] = 2
        return [socket.deserializeAttachment(), socket.deserializeAttachment() is socket.deserializeAttachment()]

    await lines.tries("at first", lambda: socket.deserializeAttachment())
    for value in (None, True, 7, 1.5, "größer", [1, [2]], {"a": {"b": None}}, b"\x01\x02"):
        await lines.tries(shown(value), lambda value=value: attached(value))
    await lines.tries("a cycle", cycle)
    await lines.tries("is a copy", copied)
    await lines.tries("16379 characters", lambda: len(attached("x" * 16379)))
    await lines.tries("20000 characters", lambda: socket.serializeAttachment("x" * 20000))
    await lines.tries("a function", lambda: socket.serializeAttachment(lambda: 1))
    await lines.tries("the last one stays", lambda: len(socket.deserializeAttachment()))


async def automatic(room: Any, lines: Lines) -> None:
    """Auto-responses and the time a handler may take."""
    ctx = room.ctx

    def set_to(request: str, response: str) -> None:
        ctx.setWebSocketAutoResponse(WebSocketRequestResponsePair.new(request, response))

    def now() -> list[int] | None:
        found = ctx.getWebSocketAutoResponse()
        return found and [len(found.request), len(found.response)]

    await lines.tries("at first", now)
    await lines.tries("2048 and 2048", lambda: set_to("x" * 2048, "y" * 2048))
    await lines.tries("now", now)
    await lines.tries("2049 and 1", lambda: set_to("x" * 2049, "y"))
    await lines.tries("1 and 2049", lambda: set_to("x", "y" * 2049))
    await lines.tries("empty", lambda: set_to("", ""))
    await lines.tries("now", now)
    await lines.tries("cleared", lambda: ctx.setWebSocketAutoResponse())
    await lines.tries("now", now)
    await lines.tries("timestamp", lambda: ctx.getWebSocketAutoResponseTimestamp(pair_of(room)))
    await lines.tries("timeout at first", lambda: ctx.getHibernatableWebSocketEventTimeout())
    await lines.tries("timeout of 7 days", lambda: ctx.setHibernatableWebSocketEventTimeout(604800000))
    await lines.tries("timeout now", lambda: ctx.getHibernatableWebSocketEventTimeout())
    await lines.tries("more than 7 days", lambda: ctx.setHibernatableWebSocketEventTimeout(604800001))
    await lines.tries("timeout of 0", lambda: ctx.setHibernatableWebSocketEventTimeout(0))
    await lines.tries("timeout now", lambda: ctx.getHibernatableWebSocketEventTimeout())


SOCKET_PROBES = {
    "tags": tags,
    "accepting": accepting,
    "pair": pair,
    "closing": closing,
    "attachments": attachments,
    "automatic": automatic,
}
