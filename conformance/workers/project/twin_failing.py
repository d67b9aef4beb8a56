"""Probes of what fails and is undone: FAILING_PROBES and FAILING_OUTGOING of twin_failing.js."""

import asyncio
import time
from array import array
from contextlib import suppress
from typing import Any

from js import WebSocket, WebSocketPair, WebSocketRequestResponsePair
from twin_words import Lines, shown
from workers import Response

LATER = 4102444800000


async def at_once(room: Any) -> None:
    """An alarm now."""
    await room.ctx.storage.setAlarm(int(time.time() * 1000))


async def block_in_request(room: Any, lines: Lines) -> None:
    """What it is told."""

    async def throws() -> None:
        raise Exception("of blocking")

    await lines.tries("it", lambda: room.ctx.blockConcurrencyWhile(throws))


async def block_in_alarm(room: Any, lines: Lines) -> None:
    """At once."""
    room.blocksInAlarm = True
    await at_once(room)


async def replacing(room: Any, lines: Lines) -> None:
    """An alarm that sets another and throws."""
    room.replaces = True
    await at_once(room)


async def emptying(room: Any, lines: Lines) -> None:
    """An alarm that deletes all there is."""
    await room.ctx.storage.put("kept", 1)
    room.empties = True
    await at_once(room)


async def emptied(room: Any, lines: Lines) -> None:
    """After it."""
    await lines.tries("alarm", lambda: room.ctx.storage.getAlarm())
    await lines.tries("kept", lambda: room.ctx.storage.get("kept"))


async def failing_twice(room: Any, lines: Lines) -> None:
    """An alarm that fails twice."""
    room.failures = 2
    await at_once(room)


async def transactions(room: Any, lines: Lines) -> None:
    """What is within one another, and what is undone with it."""
    storage = room.ctx.storage
    await storage.put("a", 0)
    await _nested(storage, lines)
    await _undone(storage, lines)
    await _within(room, storage, lines)


async def _nested(storage: Any, lines: Lines) -> None:
    async def within(txn: Any) -> None:
        await txn.put("a", 2)
        raise Exception("inner")

    async def around(txn: Any) -> Any:
        await txn.put("a", 1)
        try:
            await storage.transaction(within)
        except Exception as error:  # noqa: BLE001 (any error is what is compared)
            return [str(error), await txn.get("a")]

    async def puts(txn: Any) -> None:
        await txn.put("a", 3)

    async def outer_throws(txn: Any) -> None:
        await storage.transaction(puts)
        raise Exception("outer")

    await lines.tries("inner throws", lambda: storage.transaction(around))
    await lines.tries("a", lambda: storage.get("a"))
    await lines.tries("outer throws", lambda: storage.transaction(outer_throws))
    await lines.tries("a", lambda: storage.get("a"))


async def _undone(storage: Any, lines: Lines) -> None:
    async def undone(txn: Any) -> None:
        storage.sql.exec("INSERT INTO undone VALUES (1)")
        storage.kv.put("a", 4)
        raise Exception("undone")

    def with_sql() -> Any:
        storage.sql.exec("CREATE TABLE IF NOT EXISTS undone (a)")
        return storage.transaction(undone)

    def never() -> None:
        storage.sql.exec("CREATE TABLE never (a)")
        raise Exception("never")

    async def deletes(txn: Any) -> None:
        await txn.delete("a")
        raise Exception("back")

    def fails_within() -> Any:
        storage.kv.put("a", 5)
        with suppress(Exception):
            storage.sql.exec("INSERT INTO undone VALUES (1, 2)")
        return storage.kv.get("a")

    async def twice(txn: Any) -> None:
        await txn.put("a", 6)
        txn.rollback()
        txn.rollback()

    select = "SELECT name FROM sqlite_master WHERE name = 'never'"
    await lines.tries("sql in one that throws", with_sql)
    await lines.tries("rows", lambda: storage.sql.exec("SELECT count(*) AS n FROM undone").one())
    await lines.tries("a", lambda: storage.get("a"))
    await lines.tries("a table in one that throws", lambda: storage.transactionSync(never))
    await lines.tries("tables", lambda: storage.sql.exec(select).toArray())
    await lines.tries("delete in one that throws", lambda: storage.transaction(deletes))
    await lines.tries("a", lambda: storage.get("a"))
    await lines.tries("a statement that fails within", lambda: storage.transactionSync(fails_within))
    await lines.tries("a", lambda: storage.get("a"))
    await lines.tries("rollback twice", lambda: storage.transaction(twice))
    await lines.tries("a", lambda: storage.get("a"))


async def _within(room: Any, storage: Any, lines: Lines) -> None:
    async def all_of_it(txn: Any) -> None:
        await storage.deleteAll()

    async def alarm(txn: Any) -> None:
        await txn.setAlarm(LATER)
        raise Exception("no alarm")

    async def own_alarm(txn: Any) -> list[Any]:
        await txn.setAlarm(LATER)
        return [await txn.getAlarm(), await txn.deleteAlarm(), await txn.getAlarm()]

    async def one() -> int:
        return 1

    async def blocks(txn: Any) -> Any:
        return await room.ctx.blockConcurrencyWhile(one)

    await lines.tries("deleteAll in one", lambda: storage.transaction(all_of_it))
    await lines.tries("alarm in one that throws", lambda: storage.transaction(alarm))
    await lines.tries("alarm", lambda: storage.getAlarm())
    await lines.tries("transaction's own alarm", lambda: storage.transaction(own_alarm))
    await lines.tries("transactionSync of a promise", lambda: storage.transactionSync(one))
    await lines.tries("blocking within", lambda: storage.transaction(blocks))


async def sending(room: Any, lines: Lines) -> None:
    """What is a message."""
    one, two = WebSocketPair.new().object_values()
    room.ctx.acceptWebSocket(two)
    one.accept()
    one.binaryType = "arraybuffer"
    one.addEventListener("message", lambda event: lines.append(f"heard {shown(event.data)}"))
    await lines.tries("text", lambda: two.send("text"))
    await lines.tries("bytes", lambda: two.send(b"\x01\x02"))
    await lines.tries("a part of bytes", lambda: two.send(memoryview(b"\x01\x02\x03\x04")[1:3]))
    await lines.tries("numbers of 16 bits", lambda: two.send(array("H", [1, 256])))
    await lines.tries("a view", lambda: two.send(memoryview(bytearray([7, 8, 9]))[1:]))
    await lines.tries("a buffer", lambda: two.send(bytearray([5])))
    await lines.tries("an empty text", lambda: two.send(""))
    await lines.tries("nothing", lambda: two.send(None))
    await asyncio.sleep(0.05)
    await lines.tries("a close code that is text", lambda: two.close("4001", "text"))
    await asyncio.sleep(0.05)
    lines.append(f"states {one.readyState} {two.readyState}")


async def accepting(room: Any, lines: Lines) -> None:
    """Tags, attachments and pairs that are odd."""
    tags = ["größer 🎈", "a b", "ä" * 129, "\n"]

    def accepted(*given: Any) -> Any:
        socket = WebSocketPair.new()[1]
        room.ctx.acceptWebSocket(socket, *given)
        return socket

    def of_unicode() -> list[Any]:
        socket = accepted(tags)
        return [room.ctx.getTags(socket)[0], len(room.ctx.getTags(socket)[2]), len(room.ctx.getWebSockets(tags[0]))]

    def other_half() -> None:
        one, two = WebSocketPair.new()
        room.ctx.acceptWebSocket(one)
        room.ctx.acceptWebSocket(two)

    def after_close() -> None:
        socket = accepted(["closed"])
        socket.close(1000, "done")
        room.ctx.acceptWebSocket(socket)

    def late() -> Any:
        socket = room.ctx.getWebSockets("closed")[0]
        socket.serializeAttachment("late")
        return socket.deserializeAttachment()

    def of_standard() -> Any:
        socket = WebSocketPair.new()[1]
        socket.accept()
        socket.serializeAttachment("standard")
        return socket.deserializeAttachment()

    def automatic() -> list[str]:
        room.ctx.setWebSocketAutoResponse(WebSocketRequestResponsePair.new("größer", "🎈"))
        pair = room.ctx.getWebSocketAutoResponse()
        room.ctx.setWebSocketAutoResponse()
        return [pair.request, pair.response]

    async def long_pair() -> None:
        room.ctx.setWebSocketAutoResponse(WebSocketRequestResponsePair.new("ä" * 2048, "x"))

    await lines.tries("unicode tags", of_unicode)
    await lines.tries("emoji 65 times", lambda: len(room.ctx.getTags(accepted(["🎈" * 65]))))
    await lines.tries("the other half too", other_half)
    await lines.tries("after close()", after_close)
    await lines.tries("its tags", lambda: room.ctx.getTags(room.ctx.getWebSockets("closed")[0]))
    await lines.tries("attachment after close()", late)
    await lines.tries("attachment of a standard socket", of_standard)
    await lines.tries("tags of what is none", lambda: room.ctx.getTags({}))
    await lines.tries("sockets of no tag", lambda: len(room.ctx.getWebSockets(None)) > 0)
    await lines.tries("responses of the pair", automatic)
    await lines.tries("2048 of two bytes", long_pair)
    await lines.tries("cleared", lambda: room.ctx.setWebSocketAutoResponse())


async def closed_early(env: Any, name: str, lines: Lines, base: str) -> None:
    """Closed before it is open, wrongly, and twice."""
    url = base.replace("http", "ws") + "/echo"

    def noted(label: str, socket: Any) -> None:
        def closed(event: Any) -> None:
            seen = f"{event.code} {shown(event.reason)} {shown(event.wasClean)}"
            lines.append(f"{label}: close {seen} state {socket.readyState}")

        socket.addEventListener("open", lambda event: lines.append(f"{label}: open {socket.readyState}"))
        socket.addEventListener("close", closed)

    early = WebSocket.new(url)
    noted("early", early)
    await lines.tries("close while it connects", lambda: early.close(4001, "early"))
    lines.append(f"state {early.readyState}")
    await asyncio.sleep(0.3)
    lines.append(f"state {early.readyState}")
    wrong = WebSocket.new(url)
    noted("wrong", wrong)
    await lines.tries("a code that may not be", lambda: wrong.close(1005))
    await lines.tries("a reason that is too long", lambda: wrong.close(1000, "x" * 124))
    await asyncio.sleep(0.2)
    lines.append(f"state {wrong.readyState}")
    await lines.tries("accept of one that is", lambda: wrong.accept())
    wrong.close(1000, "enough")
    await asyncio.sleep(0.2)
    lines.append(f"state {wrong.readyState}")
    await lines.tries("send after it", lambda: wrong.send("late"))
    await lines.tries("close after it", lambda: wrong.close(4000, "late"))
    await lines.tries("as an answer", lambda: int(Response(None, status=101, web_socket=WebSocket.new(url)).status))


FAILING_PROBES = {
    "block in request": block_in_request,
    "block in alarm": block_in_alarm,
    "replacing": replacing,
    "emptying": emptying,
    "emptied": emptied,
    "failing twice": failing_twice,
    "more transactions": transactions,
    "sending": sending,
    "accepting more": accepting,
}
FAILING_OUTGOING = {"outgoing, closed early": closed_early}
