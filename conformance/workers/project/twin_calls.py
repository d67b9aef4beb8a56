"""Probes of calls between a Worker and its objects, and of more values: as twin_calls.js."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from twin_words import Lines, shown


async def fetches(env: Any, name: str, lines: Lines, base: str) -> None:
    """Requests to an object."""
    stub = env.ROOM.getByName(name)

    async def seen(what: str, **options: Any) -> list[Any]:
        answer = await stub.fetch(f"http://object.example/http/{name}/{what}", **options)
        return [int(answer.status), await answer.text(), answer.headers.get("X-Answer")]

    async def upgraded() -> list[Any]:
        url = f"http://object.example/hibernatable/{name}/one"
        answer = await stub.fetch(url, headers={"Upgrade": "websocket"})
        socket = answer.js_object.webSocket
        socket.accept()
        heard = asyncio.get_running_loop().create_future()
        socket.addEventListener("message", lambda event: heard.set_result(event.data))
        socket.send("through")
        said = await heard
        socket.close(1000, "done")
        return [int(answer.status), said]

    async def without_socket() -> Any:
        return (await stub.fetch(f"http://object.example/http/{name}/got")).js_object.webSocket

    posted = {"method": "POST", "body": "body", "headers": {"X-Word": "word"}}
    await lines.tries("get", lambda: seen("got"))
    await lines.tries("post", lambda: seen("posted", **posted))
    await lines.tries("throws", lambda: seen("throw"))
    await lines.tries("text", lambda: seen("text"))
    await lines.tries("not a URL", lambda: stub.fetch("/path"))
    await lines.tries("an upgrade", upgraded)
    await lines.tries("no upgrade's socket", without_socket)


async def more_calls(env: Any, name: str, lines: Lines, base: str) -> None:
    """Other values, other errors."""
    stub = env.ROOM.getByName(name)

    async def function_given() -> Any:
        return await (await stub.giveFunction())(41)

    async def mark() -> list[Any] | None:
        try:
            await stub.failOwn()
        except Exception as error:  # noqa: BLE001 (what is looked at)
            return [getattr(error, "message", str(error)), getattr(error, "custom", None)]
        return None

    async def set_given() -> list[Any]:
        return list(await stub.give({1}))

    async def too_few() -> str:
        return "undefined" if await stub.give() is None else "something"

    async def asked(path: str) -> Any:
        return await (await stub.fetch(f"http://object.example{path}")).json()

    async def identity() -> Any:
        return (await asked(f"/probe/{name}/blocking"))[1]

    await lines.tries("nothing", lambda: stub.giveNothing())
    await lines.tries("later", lambda: stub.later())
    await lines.tries("a function given", function_given)
    await lines.tries("a mark of an error", mark)
    await lines.tries("too few arguments", too_few)
    await lines.tries("a set", set_given)
    await lines.tries("a big number", lambda: stub.give(2**53 - 1))
    await lines.tries("constructor", lambda: stub.constructor())
    await lines.tries("fetch is no method", lambda: asked("/probe/x/instance"))
    await lines.tries("id of the object", identity)


async def more_values(room: Any, lines: Lines) -> None:
    """Rarer values, and copies."""
    storage = room.ctx.storage

    async def kept(value: Any) -> Any:
        await storage.put("k", value)
        return await storage.get("k")

    async def error() -> str:
        back = await kept(TypeError("kept"))
        return f"{type(back).__name__}: {back}"

    async def cycle() -> bool:
        value: list[Any] = [1]
        value.append(value)
        back = await kept(value)
        return bool(back[1] is back)

    async def twice() -> bool:
        one = {"a": 1}
        back = await kept([one, one])
        return bool(back[0] is back[1])

    async def copied() -> Any:
        value = {"a": 1}
        await storage.put("k", value)
        value["a"] = 2
        return await storage.get("k")

    async def megabyte() -> int:
        return len(await kept("x" * (1 << 20)))

    async def set_kept() -> list[Any]:
        return sorted(await kept({1, "a"}), key=str)

    await lines.tries("a date", lambda: kept(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=1500)))
    await lines.tries("a set", set_kept)
    await lines.tries("an error", error)
    await lines.tries("a cycle", cycle)
    await lines.tries("one object twice", twice)
    await lines.tries("is a copy", copied)
    await lines.tries("a megabyte", megabyte)


async def belonging(room: Any, lines: Lines) -> None:
    """Keys, and what belongs together."""
    storage = room.ctx.storage

    async def null_byte() -> Any:
        await storage.put("a\0b", 1)
        return await storage.get("a\0b")

    async def without_await() -> Any:
        storage.put("n", 1)
        storage.put("n", 2)
        return await storage.get("n")

    async def deleted() -> Any:
        await storage.setAlarm(4102444800000)
        await storage.deleteAll()
        return await storage.getAlarm()

    async def own(txn: Any) -> list[Any]:
        await txn.put("t", 1)
        return [await txn.get("t"), await storage.get("t"), shown(await txn.list())]

    def both() -> Any:
        storage.sql.exec("CREATE TABLE IF NOT EXISTS both (a)")
        return storage.transactionSync(written)

    def written() -> Any:
        storage.kv.put("b", 1)
        return storage.sql.exec("INSERT INTO both VALUES (1) RETURNING a").one()

    tables = "SELECT name FROM sqlite_master WHERE name NOT LIKE '_cf_%' ORDER BY name"
    await lines.tries("null byte in a key", null_byte)
    await lines.tries("put without await", without_await)
    await lines.tries("list limit 1", lambda: storage.list({"limit": 1, "prefix": "n"}))
    await lines.tries("kv start and end", lambda: list(storage.kv.list({"start": "n", "end": "z"})))
    await lines.tries("kv reverse", lambda: len(list(storage.kv.list({"reverse": True, "limit": 1}))))
    await lines.tries("alarm goes with deleteAll", deleted)
    await lines.tries("transaction sees its own", lambda: storage.transaction(own))
    await lines.tries("transaction deletes", lambda: storage.transaction(lambda txn: txn.delete("t")))
    await lines.tries("sql and kv", both)
    await lines.tries("tables", lambda: storage.sql.exec(tables).toArray())
    await lines.tries("size grows", lambda: storage.sql.databaseSize > 0)


CALL_PROBES = {"fetches": fetches, "more calls": more_calls}
MORE_VALUES = {"more values": more_values, "belonging": belonging}
