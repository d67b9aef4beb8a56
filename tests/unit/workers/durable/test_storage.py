# mypy: disable-error-code="unused-awaitable"
"""`ctx.storage` as user code has it. That what nobody awaits happens all the same is one of its laws, and used all over."""

import asyncio
import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from holdfast.store.objects.file import ObjectFile
from holdfast.store.objects.identity import Identity
from holdfast.workers.durable.errors import ObjectReset
from holdfast.workers.durable.storage import NO_ALARM_HANDLER, Settled, Storage, Transaction
from holdfast.workers.sdk.errors import JsException, JsTypeError
from tests.unit.workers.durable.stage import turn
from tests.unit.workers.durable.storage_host import Host

NOW_MS = 1_000_000


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    file = ObjectFile.open(tmp_path / "x.sqlite", identity=Identity("Room", "ab" * 32))
    yield Host(file)
    file.close()


@pytest.fixture
def storage(host: Host) -> Storage:
    return Storage(host.file, host, now_ms=lambda: NOW_MS)


async def test_what_was_put_is_got(storage: Storage) -> None:
    value = {"n": 1, "list": [1, None, True], "bytes": b"\0"}
    await storage.put("k", value)
    assert await storage.get("k") == value
    assert (await storage.get("k")).list == [1, None, True]
    assert await storage.get("none") is None


async def test_several_keys_at_once(storage: Storage) -> None:
    await storage.put({"b": 2, "a": 1, "c": 3})
    assert await storage.get(["c", "b", "x", "c"]) == {"b": 2, "c": 3}
    assert list(await storage.get(("c", "b"))) == ["b", "c"]
    assert (await storage.delete(["a", "x"]), await storage.delete("b"), await storage.delete("b")) == (1, True, False)
    assert await storage.list() == {"c": 3}


async def test_what_is_listed_answers_to_the_names_of_javascripts_maps(storage: Storage) -> None:
    await storage.put({"a": 1, "b": b"x", "c": {"d": [b"y"]}})
    listed = await storage.list({"prefix": ""})
    assert (listed.size, listed.has("a"), list(listed), listed.to_py()) == (3, True, ["a", "b", "c"], {**listed})
    assert listed.entries() == [("a", 1), ("b", b"x"), ("c", {"d": [b"y"]})]
    some = await storage.get(["b", "c", "none"])
    assert (some.size, some.get("b").to_bytes(), some["c"].d[0].to_bytes()) == (2, b"x", b"y")
    assert (await storage.get("b")).tobytes() == b"x"


def test_what_nobody_awaits_has_happened(storage: Storage) -> None:
    storage.put("k", 1)
    assert storage.kv.get("k") == 1


async def test_an_answer_can_be_awaited_again_and_gathered(storage: Storage) -> None:
    answer = storage.put("k", 1)
    assert isinstance(answer, Settled)
    await answer
    await answer
    assert list(await asyncio.gather(storage.get("k"), storage.get("l"), storage.get("k"))) == [1, None, 1]


async def test_awaiting_lets_nobody_else_run(storage: Storage) -> None:
    async def increment() -> int:
        value: int = (await storage.get("n") or 0) + 1
        await storage.put("n", value)
        return value

    assert sorted(await asyncio.gather(*(increment() for _ in range(10)))) == list(range(1, 11))


@pytest.mark.parametrize(
    ("options", "keywords", "keys"),
    [
        (None, {}, ["a", "a1", "a2", "b"]),
        ({"prefix": "a"}, {}, ["a", "a1", "a2"]),
        (None, {"prefix": "a", "limit": 2}, ["a", "a1"]),
        ({"start": "a1"}, {"end": "b"}, ["a1", "a2"]),
        ({"startAfter": "a1"}, {}, ["a2", "b"]),
        (None, {"start_after": "a1", "reverse": True}, ["b", "a2"]),
        ({"start": None, "limit": None}, {"noCache": True}, ["a", "a1", "a2", "b"]),
    ],
)
async def test_a_list_is_a_range_in_order(
    storage: Storage, options: dict[str, Any] | None, keywords: dict[str, Any], keys: list[str]
) -> None:
    storage.put({"b": 1, "a2": 1, "a": 1, "a1": 1})
    assert list(await storage.list(options, **keywords)) == keys
    assert [key for key, _ in storage.kv.list(options, **keywords)] == keys


@pytest.mark.parametrize(
    ("act", "kind", "text"),
    [
        (lambda s: s.put("k"), TypeError, "put() called with undefined value."),
        (lambda s: s.kv.put("k"), TypeError, "put() called with undefined value."),
        (lambda s: s.put({"k": 1}, 1), TypeError, "put() may only be called with a single key-value pair"),
        (
            lambda s: s.put("k", print),
            JsException,
            "<built-in function print> of type builtin_function_or_method could not be cloned.",
        ),
        (lambda s: s.put(None, 1), TypeError, "a key must be a string, got NoneType"),
        (lambda s: s.get(True), TypeError, "a key must be a string, got bool"),
        (
            lambda s: s.put("k", b"x" * 2**21),
            ValueError,
            "Values cannot be larger than 2097152 bytes. A value of size 2097159 was provided.",
        ),
        (lambda s: s.put("k" * 2**21, 1), ValueError, "Values cannot be larger than 2097152 bytes."),
        (
            lambda s: s.put({str(n): n for n in range(129)}),
            ValueError,
            "Maximum number of key value pairs is 128. 129 pairs were provided.",
        ),
        (lambda s: s.get([str(n) for n in range(129)]), ValueError, "Maximum number of key value pairs is 128."),
        (lambda s: s.delete([str(n) for n in range(129)]), ValueError, "Maximum number of key value pairs is 128."),
        (
            lambda s: s.list(start="a", startAfter="b"),
            TypeError,
            "list() cannot be called with both start and startAfter values.",
        ),
        (lambda s: s.list(limit=0), TypeError, "List limit must be positive."),
        (lambda s: s.list(limit="many"), TypeError, "List limit must be positive."),
        (lambda s: s.list(limit=float("nan")), TypeError, "List limit must be positive."),
        (lambda s: s.setAlarm(0), TypeError, "setAlarm() cannot be called with an alarm time <= 0"),
        (
            lambda s: s.setAlarm("soon"),
            TypeError,
            "setAlarm(): expected milliseconds of Unix time, a datetime or a Date, got str",
        ),
        (lambda s: s.setAlarm(True), TypeError, "setAlarm(): expected milliseconds"),
        (lambda s: s.setAlarm(float("inf")), TypeError, "setAlarm(): inf is no time"),
        (
            lambda s: s.getCurrentBookmark(),
            JsException,
            "Error: getCurrentBookmark(): Holdfast keeps no history of a database",
        ),
        (lambda s: s.get_bookmark_for_time(1), JsException, "Error: getBookmarkForTime(): Holdfast keeps no history"),
        (
            lambda s: s.onNextSessionRestoreBookmark("x"),
            JsException,
            "Error: onNextSessionRestoreBookmark(): Holdfast keeps no",
        ),
    ],
)
def test_bad_input_is_refused_in_the_originals_words(
    storage: Storage, host: Host, act: Callable[[Storage], object], kind: type[Exception], text: str
) -> None:
    storage.put("before", 1)
    host.told.clear()
    with pytest.raises(kind) as caught:
        act(storage)
    assert text in str(caught.value)
    assert (host.told, host.broken, dict(storage.kv.list())) == ([], None, {"before": 1})


def test_a_value_of_the_greatest_size_is_kept(storage: Storage) -> None:
    value = b"x" * (2**21 - 7)
    storage.put("k", value)
    assert storage.kv.get("k") == value


def test_a_number_is_a_key_as_javascript_has_it(storage: Storage) -> None:
    storage.put(7, "seven")
    assert storage.kv.get("7") == "seven"


async def test_the_instance_is_told_of_writes_and_of_nothing_else(storage: Storage, host: Host) -> None:
    await storage.get("a")
    await storage.list()
    await storage.delete("a")
    await storage.deleteAll()
    await storage.deleteAlarm()
    await storage.put({})
    assert host.told == []
    await storage.put("a", 1)
    await storage.put("a", 2, allowUnconfirmed=True)
    await storage.put({"a": 1}, {"allowUnconfirmed": True})
    await storage.put("a", 2, {"allow_unconfirmed": True, "noCache": True})
    await storage.delete("a", allow_unconfirmed=True)
    storage.sql.exec("CREATE TABLE t (x)")
    storage.sql.exec("SELECT * FROM t")
    assert host.told == ["wrote", "unconfirmed", "unconfirmed", "unconfirmed", "unconfirmed", "wrote"]
    await storage.sync()
    assert host.told[-1] == "confirmed"


def test_an_instance_that_is_broken_is_asked_first(storage: Storage, host: Host) -> None:
    host.broken = ObjectReset("gone")
    acts: list[Callable[[], object]] = [
        lambda: storage.get("a"),
        lambda: storage.get(["a"]),
        lambda: storage.put("a", 1),
        lambda: storage.put({"a": 1}),
        lambda: storage.delete("a"),
        lambda: storage.list(),
        lambda: storage.deleteAll(),
        lambda: storage.getAlarm(),
        lambda: storage.setAlarm(NOW_MS),
        lambda: storage.sql.exec("SELECT 1"),
        lambda: storage.sql.databaseSize,
        lambda: storage.transactionSync(lambda: 1),
    ]
    for act in acts:
        with pytest.raises(ObjectReset, match="gone"):
            act()
    assert not host.file.exists


def test_a_file_of_no_use_breaks_the_instance(host: Host, storage: Storage) -> None:
    host.file.path.write_bytes(b"x" * 5000)
    with pytest.raises(ObjectReset, match=r"reset because its storage failed: .*SQLITE_NOTADB"):
        storage.get("a")
    assert isinstance(host.broken, ObjectReset)


def test_a_file_that_may_not_be_looked_for_breaks_the_instance_by_whatever_way(
    storage: Storage, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "exists", denied)
    acts: list[Callable[[], object]] = [
        lambda: storage.get("a"),
        lambda: storage.put("a", 1),
        lambda: storage.delete("a"),
        lambda: storage.list(),
        lambda: storage.deleteAll(),
        lambda: storage.getAlarm(),
        lambda: storage.setAlarm(NOW_MS),
        lambda: storage.sql.databaseSize,
        lambda: storage.transactionSync(lambda: storage.kv.get("a")),
    ]
    for act in acts:
        host.broken = None
        with pytest.raises(ObjectReset, match="Permission denied"):
            act()
        assert isinstance(host.broken, ObjectReset)


# Alarms.


@pytest.mark.parametrize(
    ("at", "at_ms"),
    [
        (NOW_MS + 5, NOW_MS + 5),
        (NOW_MS + 5.9, NOW_MS + 5),
        (1, NOW_MS),
        (dt.datetime.fromtimestamp(NOW_MS / 1000 + 1, dt.UTC), NOW_MS + 1000),
        (dt.datetime.fromtimestamp(NOW_MS / 1000 + 1), NOW_MS + 1000),  # noqa: DTZ006 - as `datetime.now()` gives it
        (SimpleNamespace(getTime=lambda: NOW_MS + 7), NOW_MS + 7),
    ],
)
async def test_an_alarm_is_set_by_anything_that_is_a_time(storage: Storage, host: Host, at: Any, at_ms: int) -> None:
    assert await storage.getAlarm() is None
    await storage.setAlarm(at)
    assert await storage.get_alarm() == at_ms
    await storage.delete_alarm()
    assert await storage.getAlarm() is None
    assert host.told == ["wrote", "wrote"]


def test_a_class_without_a_handler_sets_no_alarm(host: Host) -> None:
    storage = Storage(host.file, host, now_ms=lambda: NOW_MS, has_alarm_handler=False)
    with pytest.raises(JsTypeError) as caught:
        storage.setAlarm(NOW_MS)
    assert caught.value.message == NO_ALARM_HANDLER
    with pytest.raises(JsTypeError, match="an alarm time <= 0"):
        storage.setAlarm(0)


async def test_delete_all_deletes_the_alarm_too(storage: Storage, host: Host) -> None:
    await storage.put("a", 1)
    await storage.setAlarm(NOW_MS + 1)
    host.told.clear()
    await storage.delete_all()
    assert (await storage.list(), await storage.getAlarm()) == ({}, None)
    assert host.told == ["wrote", "wrote"]


# Transactions.


async def test_a_transaction_keeps_all_and_returns_what_its_closure_does(storage: Storage) -> None:
    async def closure(txn: Transaction) -> str:
        await txn.put("a", 1)
        await turn()
        assert (await txn.get("a"), await storage.get("a"), await txn.list()) == (1, 1, {"a": 1})
        return "done"

    assert await storage.transaction(closure) == "done"
    assert await storage.get("a") == 1


async def test_a_transaction_that_raises_keeps_nothing_and_raises_the_same(storage: Storage, host: Host) -> None:
    await storage.put("a", 0)

    async def closure(txn: Transaction) -> None:
        txn.put("a", 1)
        storage.put("b", 1)
        storage.sql.exec("CREATE TABLE t (x)")
        raise KeyError("why")

    with pytest.raises(KeyError, match="why"):
        await storage.transaction(closure)
    assert (await storage.list(), host.file.depth) == ({"a": 0}, 0)
    assert storage.sql.exec("SELECT count(*) AS n FROM sqlite_schema WHERE name = 't'").one() == {"n": 0}


async def test_a_transaction_can_be_rolled_back_and_does_nothing_more(storage: Storage) -> None:
    async def closure(txn: Transaction) -> str:
        await txn.put("a", 1)
        txn.rollback()
        txn.rollback()
        with pytest.raises(JsException, match=r"Cannot put\(\) on rolled back transaction"):
            await txn.put("a", 2)
        await storage.put("outside", 3)
        return "done"

    assert await storage.transaction(closure) == "done"
    assert await storage.list() == {"outside": 3}


async def test_a_txn_that_was_taken_out_of_its_closure_says_so(storage: Storage) -> None:
    async def closure(txn: Transaction) -> Transaction:
        return txn

    txn = await storage.transaction(closure)
    for act in (txn.rollback, lambda: txn.get("a"), txn.getAlarm):
        with pytest.raises(JsException, match="already committed: did you move `txn` outside of the closure"):
            act()


async def test_transactions_within_transactions_are_parts_of_them(storage: Storage) -> None:
    async def inner(txn: Transaction) -> None:
        txn.put("inner", 1)
        raise ValueError("why")

    async def outer(txn: Transaction) -> None:
        txn.put("outer", 1)
        with pytest.raises(ValueError, match="why"):
            await storage.transaction(inner)
        storage.transactionSync(lambda: storage.kv.put("sync", 1))

    await storage.transaction(outer)
    assert await storage.list() == {"outer": 1, "sync": 1}


async def test_delete_all_is_refused_within_a_transaction(storage: Storage) -> None:
    async def closure(txn: Transaction) -> None:
        for act in (txn.deleteAll, storage.deleteAll):
            with pytest.raises(JsException, match=r"Cannot call deleteAll\(\) within a transaction"):
                act()

    await storage.put("a", 1)
    await storage.transaction(closure)
    assert await storage.list() == {"a": 1}


async def test_a_closure_may_be_plain_and_take_nothing(storage: Storage) -> None:
    assert await storage.transaction(lambda: storage.kv.put("a", 1)) is None
    assert await storage.transaction(lambda _: 7) == 7
    assert storage.kv.get("a") == 1


def test_transaction_sync_keeps_all_or_nothing(storage: Storage) -> None:
    def fail() -> None:
        storage.kv.put("b", 1)
        raise LookupError("why")

    def succeed() -> str:
        storage.kv.put("a", 1)
        return "x"

    assert storage.transactionSync(succeed) == "x"
    with pytest.raises(LookupError, match="why"):
        storage.transaction_sync(fail)
    assert dict(storage.kv.list()) == {"a": 1}


def test_transaction_sync_refuses_what_is_async(storage: Storage) -> None:
    async def closure() -> None:
        storage.kv.put("a", 1)

    with pytest.raises(TypeError, match="a function that is not async"):
        storage.transactionSync(closure)  # type: ignore[unused-coroutine]
    assert dict(storage.kv.list()) == {}


def test_the_error_of_a_closure_is_the_one_that_is_raised(storage: Storage, host: Host) -> None:
    def fail() -> None:
        storage.sql.exec("CREATE TABLE t (x UNIQUE); INSERT INTO t VALUES (1)")
        storage.sql.exec("INSERT OR ROLLBACK INTO t VALUES (1)")

    with pytest.raises(ObjectReset, match="UNIQUE"):
        storage.transactionSync(fail)
    assert isinstance(host.broken, ObjectReset)
