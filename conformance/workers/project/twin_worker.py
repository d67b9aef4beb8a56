"""Probes of the Worker itself: WORKER_PROBES of twin.js."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from js import WebSocketPair
from twin_words import Lines, shown
from workers import Response


async def ids(env: Any, name: str, lines: Lines, base: str) -> None:
    """Ids are the reference's, bit by bit."""
    rooms = env.ROOM
    unique = rooms.newUniqueId()
    text = str(rooms.idFromName("a"))
    await lines.tries("id of a", lambda: rooms.idFromName("a").toString())
    await lines.tries("id of größer", lambda: rooms.idFromName("größer").toString())
    await lines.tries("id of an empty name", lambda: rooms.idFromName("").toString())
    await lines.tries("name", lambda: rooms.idFromName("a").name)
    await lines.tries("name of a unique id", lambda: unique.name)
    await lines.tries("from its text", lambda: rooms.idFromString(text).equals(rooms.idFromName("a")))
    await lines.tries("name from its text", lambda: rooms.idFromString(text).name)
    await lines.tries("equals another", lambda: rooms.idFromName("a").equals(unique))
    await lines.tries("too short", lambda: rooms.idFromString("ab"))
    await lines.tries("not hex", lambda: rooms.idFromString("x" * 64))
    await lines.tries("of another class", lambda: rooms.idFromString("0" * 64))
    await lines.tries("get of text", lambda: rooms.get("a"))
    await lines.tries("stub's name", lambda: rooms.getByName("a").name)
    await lines.tries("stub's id", lambda: rooms.getByName("a").id.equals(rooms.idFromName("a")))


async def calls(env: Any, name: str, lines: Lines, base: str) -> None:
    """Methods, values and errors over RPC."""
    stub = env.ROOM.getByName(name)

    async def marks() -> list[bool] | None:
        try:
            await stub.fail()
        except Exception as error:  # noqa: BLE001 (what is looked at)
            return [getattr(error, mark, False) for mark in ("remote", "retryable", "overloaded")]
        return None

    await lines.tries("add", lambda: stub.add(1, 2))
    await lines.tries("a field", lambda: stub.value)
    await lines.tries("unknown method", lambda: stub.nope())
    await lines.tries("alarm", lambda: stub.alarm())
    await lines.tries("webSocketMessage", lambda: stub.webSocketMessage())
    date = datetime.fromtimestamp(1, UTC)
    for value in (None, True, 1.5, "größer", [1, [2]], {"a": {"b": None}}, b"\x01\x02", date):
        await lines.tries(f"give {shown(value)}", lambda value=value: stub.give(value))
    await lines.tries("a function", lambda: stub.call(lambda n: n * 21))
    await lines.tries("an error of its own", lambda: stub.fail())
    await lines.tries("its marks", marks)
    await lines.tries("after it", lambda: stub.add(1, 1))


async def gates(env: Any, name: str, lines: Lines, base: str) -> None:
    """What is between a get and a put."""
    stub = env.ROOM.getByName(name)

    async def ten(pause: bool) -> list[int]:
        return list(await asyncio.gather(*(stub.increment(pause) for _ in range(10))))

    await lines.tries("ten at once", lambda: ten(False))
    await lines.tries("ten with a pause", lambda: ten(True))


async def resets(env: Any, name: str, lines: Lines, base: str) -> None:
    """An object that ends itself, and what its callers see."""
    stub = env.ROOM.getByName(name)
    await lines.tries("instance", lambda: stub.number())
    await lines.tries("abort", lambda: stub.abandon())
    await lines.tries("same stub", lambda: stub.number())
    await lines.tries("new stub", lambda: env.ROOM.getByName(name).number())
    other = env.ROOM.getByName(name)
    await lines.tries("blocking that throws", lambda: other.breakIt())
    await lines.tries("same stub", lambda: other.number())
    await lines.tries("new stub", lambda: env.ROOM.getByName(name).number())
    await lines.tries("constructor", lambda: env.ROOM.getByName("broken").number())


async def responses(env: Any, name: str, lines: Lines, base: str) -> None:
    """What no Response can be."""

    def status(code: int, body: str | None = None) -> int:
        return int(Response(body, status=code).status)

    for code in (100, 101, 199, 200, 204, 304, 599, 600):
        await lines.tries(f"status {code}", lambda code=code: status(code))
    await lines.tries("204 with a body", lambda: status(204, "body"))
    await lines.tries("redirect", lambda: int(Response.redirect("http://a.example/", 301).status))
    await lines.tries("redirect by 200", lambda: int(Response.redirect("http://a.example/", 200).status))
    await lines.tries(
        "webSocket with 200", lambda: int(Response(None, status=200, web_socket=WebSocketPair.new()[0]).status)
    )
    await lines.tries("pair's length", lambda: len(WebSocketPair.new().object_values()))


WORKER_PROBES = {"ids": ids, "calls": calls, "gates": gates, "resets": resets, "responses": responses}
