"""Probes of an object's storage: OBJECT_PROBES of twin.js from `values` to `alarms`."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from twin_words import Lines, shown

LATER = 4102444800000


async def values(room: Any, lines: Lines) -> None:
    """Keys and values, with promises and without."""
    storage = room.ctx.storage

    async def kept(value: Any) -> Any:
        await storage.put("k", value)
        return await storage.get("k")

    await lines.tries("get of nothing", lambda: storage.get("k"))
    for value in (None, True, 7, -1, 1.5, "größer 🎈", [1, [2]], {"a": {"b": None}}, b"\x01\x02"):
        await lines.tries(f"put {shown(value)}", lambda value=value: kept(value))
    await lines.tries("put of a function", lambda: storage.put("k", lambda: 1))
    await lines.tries("put of many", lambda: storage.put({"b": 1, "a": 2, "ä": 3, "": 4, "ab": 5}))
    await lines.tries("get of many", lambda: storage.get(["b", "a", "zz"]))
    await lines.tries("list", lambda: storage.list())
    await lines.tries("list by prefix", lambda: storage.list({"prefix": "a"}))
    await lines.tries("list from a to b", lambda: storage.list({"start": "a", "end": "b"}))
    await lines.tries(
        "list after a, backwards, two", lambda: storage.list({"startAfter": "a", "reverse": True, "limit": 2})
    )
    await lines.tries("start and startAfter", lambda: storage.list({"start": "a", "startAfter": "a"}))
    await lines.tries("limit of 0", lambda: storage.list({"limit": 0}))
    await lines.tries("get of 129", lambda: storage.get([f"k{i}" for i in range(129)]))
    await lines.tries("delete of 129", lambda: storage.delete([f"k{i}" for i in range(129)]))
    await lines.tries("key of 2049 bytes", lambda: storage.put("k" * 2049, 1))
    await lines.tries("delete", lambda: storage.delete("a"))
    await lines.tries("delete again", lambda: storage.delete("a"))
    await lines.tries("delete of many", lambda: storage.delete(["b", "zz"]))
    await lines.tries("kv.put", lambda: storage.kv.put("s", [1]))
    await lines.tries("kv.get", lambda: storage.kv.get("s"))
    await lines.tries("kv.get of nothing", lambda: storage.kv.get("nothing"))
    await lines.tries("kv.list", lambda: list(storage.kv.list({"prefix": "s"})))
    await lines.tries("kv.delete", lambda: storage.kv.delete("s"))
    await lines.tries("kv.delete again", lambda: storage.kv.delete("s"))
    await lines.tries("deleteAll", lambda: storage.deleteAll())
    await lines.tries("list after it", lambda: storage.list())


async def transactions(room: Any, lines: Lines) -> None:
    """Both kinds, and what takes them back."""
    storage = room.ctx.storage

    async def first(txn: Any) -> str:
        await txn.put("a", 1)
        return "returned"

    async def throws(txn: Any) -> None:
        await txn.put("a", 2)
        raise Exception("of mine")

    async def rolled_back(txn: Any) -> str:
        await txn.put("a", 3)
        txn.rollback()
        return "after"

    async def put_after(txn: Any) -> None:
        txn.rollback()
        await txn.put("a", 4)

    def put(value: int, error: str = "") -> str:
        storage.kv.put("b", value)
        if error:
            raise Exception(error)
        return "returned"

    def nested() -> Any:
        storage.kv.put("b", 3)
        with suppress(Exception):
            storage.transactionSync(lambda: put(4, "inner"))
        return storage.kv.get("b")

    await lines.tries("transaction", lambda: storage.transaction(first))
    await lines.tries("transaction that throws", lambda: storage.transaction(throws))
    await lines.tries("transaction rolled back", lambda: storage.transaction(rolled_back))
    await lines.tries("put after rollback", lambda: storage.transaction(put_after))
    await lines.tries("a", lambda: storage.get("a"))
    await lines.tries("transactionSync", lambda: storage.transactionSync(lambda: put(1)))
    await lines.tries("transactionSync that throws", lambda: storage.transactionSync(lambda: put(2, "of mine")))
    await lines.tries("nested transactionSync", lambda: storage.transactionSync(nested))
    await lines.tries("b", lambda: storage.get("b"))
    await lines.tries("sync", lambda: storage.sync())


async def sql(room: Any, lines: Lines) -> None:
    """Statements, cursors and what is refused."""
    run = room.ctx.storage.sql.exec
    await lines.tries("create", lambda: run("CREATE TABLE t (a, b)").toArray())
    await lines.tries("insert", lambda: run("INSERT INTO t VALUES (?, ?), (?, ?)", 1, "x", None, 2.5).rowsWritten)
    await lines.tries("select", lambda: run("SELECT * FROM t").toArray())
    await lines.tries("columns", lambda: run("SELECT a AS q, b FROM t").columnNames)
    await lines.tries("raw", lambda: run("SELECT * FROM t").raw().toArray())
    await lines.tries("one", lambda: run("SELECT count(*) AS n FROM t").one())
    await lines.tries("one of none", lambda: run("SELECT * FROM t WHERE a = 9").one())
    await lines.tries("one of two", lambda: run("SELECT * FROM t").one())
    await lines.tries("true", lambda: run("SELECT ? AS v, typeof(?) AS t", True, True).one())
    await lines.tries("blob", lambda: run("SELECT ? AS v", b"\x01\x02").one())
    await lines.tries("too few bindings", lambda: run("SELECT ?"))
    await lines.tries("too many bindings", lambda: run("SELECT 1", 2))
    await lines.tries("BEGIN", lambda: run("BEGIN"))
    await lines.tries("no such table", lambda: run("SELECT * FROM absent"))
    await lines.tries("reserved table", lambda: run("SELECT * FROM _cf_KV"))
    await lines.tries("PRAGMA user_version", lambda: run("PRAGMA user_version"))
    await lines.tries("two statements", lambda: run("INSERT INTO t VALUES (5, 5); SELECT count(*) AS n FROM t").one())


async def alarms(room: Any, lines: Lines) -> None:
    """Set, looked at, deleted, taken back."""
    storage = room.ctx.storage

    async def throws(txn: Any) -> None:
        await storage.setAlarm(LATER)
        raise Exception("of mine")

    date = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=LATER + 1000)
    await lines.tries("at first", lambda: storage.getAlarm())
    await lines.tries("set", lambda: storage.setAlarm(LATER))
    await lines.tries("get", lambda: storage.getAlarm())
    await lines.tries("set by a date", lambda: storage.setAlarm(date))
    await lines.tries("get", lambda: storage.getAlarm())
    await lines.tries("delete", lambda: storage.deleteAlarm())
    await lines.tries("get", lambda: storage.getAlarm())
    await lines.tries("set in a transaction that throws", lambda: storage.transaction(throws))
    await lines.tries("get", lambda: storage.getAlarm())
    await lines.tries("set to a negative time", lambda: storage.setAlarm(-1))


STORAGE_PROBES = {"values": values, "transactions": transactions, "sql": sql, "alarms": alarms}
