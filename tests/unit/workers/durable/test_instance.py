"""An instance: gates around real storage, sections, resets, reasons to stay, the last hours."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.store.objects.file import ObjectFile
from holdfast.workers import values
from holdfast.workers.durable import instance as module
from holdfast.workers.durable.current import CURRENT
from holdfast.workers.durable.errors import ObjectReset
from tests.unit.workers.durable.stage import Echo, stage, turn, until

EVENTS: dict[str, asyncio.Event] = {}


class Room(Echo):
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

    async def syncs(self) -> None:
        await self.ctx.storage.put("n", 5)
        await self.ctx.storage.sync()
        assert CURRENT.get() is not None


def events(*names: str) -> None:
    EVENTS.update({name: asyncio.Event() for name in names})


class SlowDisk:
    """Commits of every file wait for `open`, or fail with `error`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.open = threading.Event()
        self.entered = threading.Event()
        self.error: Exception | None = None
        self.commits = 0
        real = ObjectFile.commit

        def commit(file: ObjectFile) -> None:
            self.commits += 1
            self.entered.set()
            assert self.open.wait(10)
            if self.error is not None:
                raise self.error
            real(file)

        monkeypatch.setattr(ObjectFile, "commit", commit)


async def told(awaitable: Any, error: type[BaseException], text: str) -> None:
    with pytest.raises(error, match=text):
        await awaitable


async def test_reading_and_then_writing_is_atomic_and_an_await_of_something_else_is_not(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        stub = scene.stub()
        assert list(await asyncio.gather(*(stub.increment() for _ in range(10)))) == list(range(1, 11))
        events("open")
        late = [stub.late_increment() for _ in range(5)]
        assert await stub.count() == 10
        EVENTS["open"].set()
        assert [await one for one in late] == [11] * 5


async def test_a_send_leaves_when_the_writes_before_it_are_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = SlowDisk(monkeypatch)
    async with stage(tmp_path, Room=Room) as scene:
        session = await scene.client(scene.stub())
        session.says("write")
        await until(disk.entered.is_set)
        assert (session.sent, session.acknowledged) == ([], [])
        disk.open.set()
        await until(lambda: session.acknowledged)
        assert (session.sent, session.acknowledged) == (["write"], [1])


async def test_messages_that_come_during_a_commit_share_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = SlowDisk(monkeypatch)
    async with stage(tmp_path, Room=Room) as scene:
        session = await scene.client(scene.stub())
        session.says("write")
        await until(disk.entered.is_set)
        for _ in range(20):
            session.says("write")
        disk.open.set()
        await until(lambda: session.acknowledged[-1:] == [21])
        assert session.sent == ["write"] * 21
        assert disk.commits == 2
        assert await scene.stub().count() == 21


async def test_what_is_unconfirmed_holds_nothing_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = SlowDisk(monkeypatch)
    async with stage(tmp_path, Room=Room) as scene:
        session = await scene.client(scene.stub())
        session.says("unconfirmed")
        await until(disk.entered.is_set)
        assert session.sent == ["unconfirmed"]
        disk.open.set()


async def test_a_commit_that_fails_resets_the_object_and_nothing_of_it_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = SlowDisk(monkeypatch)
    disk.error = sqlite3.OperationalError("disk I/O error")
    async with stage(tmp_path, Room=Room) as scene:
        session = await scene.client(scene.stub())
        waits = scene.stub().increment()
        session.says("write")
        await until(disk.entered.is_set)
        disk.open.set()
        await told(waits, sqlite3.OperationalError, "disk I/O error")
        assert (session.sent, session.acknowledged) == ([], [])
        assert session.aborted == (1011, "Durable Object connection closed because the object was reset.")
        disk.error = None
        assert await scene.stub().count() == 0
        assert any("could not be made durable" in text for text in scene.texts)


async def test_a_disk_that_stalls_resets_the_object_and_the_next_one_waits_for_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "COMMIT_LIMIT_S", 0.01)
    disk = SlowDisk(monkeypatch)
    async with stage(tmp_path, Room=Room) as scene:
        await told(scene.stub().increment(), ObjectReset, "operation exceeded timeout which caused object to be reset")
        waits = scene.stub().count()
        await turn()
        assert scene.objects.figures().live == 0
        monkeypatch.setattr(module, "COMMIT_LIMIT_S", 30.0)
        disk.open.set()
        # What was committed all the same is there: nobody was told that it was not.
        assert await waits == 1


async def test_sync_waits_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = SlowDisk(monkeypatch)
    async with stage(tmp_path, Room=Room) as scene:
        waits = asyncio.ensure_future(scene.stub().syncs())
        await until(disk.entered.is_set)
        assert not waits.done()
        disk.open.set()
        await waits


async def test_nothing_else_happens_while_a_section_runs(tmp_path: Path) -> None:
    events("began", "open")
    async with stage(tmp_path, Room=Room) as scene:
        blocked = scene.stub().blocked("open")
        await EVENTS["began"].wait()
        other = asyncio.ensure_future(scene.stub().count())
        await turn()
        await turn()
        assert not other.done()
        assert scene.objects.reasons() != {}
        EVENTS["open"].set()
        assert (await blocked, await other) == ("alone", 0)


async def test_sections_nest_and_follow_each_other(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        assert await scene.stub().nested() == ["inner", "outer"]
        assert await scene.stub().two_at_once() == ["first begins", "first ends", "second begins", "second ends"]


async def test_a_section_that_takes_too_long_resets_the_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events("began", "never")
    monkeypatch.setattr(module, "BLOCK_LIMIT_S", 0.01)
    async with stage(tmp_path, Room=Room) as scene:
        waiting = asyncio.ensure_future(scene.stub().blocked("never"))
        await told(waiting, ObjectReset, "waited for too long")
        assert await scene.stub().count() == 0


@pytest.mark.parametrize("fails", [True, False])
async def test_a_transaction_over_turns_is_kept_whole_or_not_at_all(tmp_path: Path, fails: bool) -> None:
    events("began", "open")
    async with stage(tmp_path, Room=Room) as scene:
        moving = asyncio.ensure_future(scene.stub().transfer(fails))
        await EVENTS["began"].wait()
        other = asyncio.ensure_future(scene.stub().keys())
        await turn()
        assert not other.done()
        EVENTS["open"].set()
        if fails:
            await told(moving, LookupError, "not today")
        else:
            await moving
        assert await other == ([] if fails else ["a", "b"])
        assert scene.objects.figures().happened.get("reset") is None


async def test_abort_resets_tells_callers_and_loses_what_was_not_durable(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        session = await scene.client(scene.stub())
        await told(scene.stub().aborts(), ObjectReset, "enough")
        assert session.aborted is not None
        assert await scene.stub().count() == 0
        assert scene.objects.figures().sockets == 0


async def test_an_exception_in_a_handler_harms_neither_socket_nor_object(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        session = await scene.client(scene.stub())
        session.says("fail")
        session.says("next")
        await until(lambda: session.acknowledged[-1:] == [2])
        assert session.sent == ["next"]
        assert session.aborted is None
        (report,) = scene.reports
        assert "webSocketMessage" in report[1]
        assert str(report[2]) == "in the handler"


async def test_background_work_keeps_an_object_in_memory_and_says_so(tmp_path: Path) -> None:
    events("open")
    async with stage(tmp_path, Room=Room) as scene:
        await scene.stub().works_in_background()
        await scene.sleep_all()
        assert list(scene.objects.reasons().values()) == [["task of its own"]]
        EVENTS["open"].set()
        await until(lambda: scene.objects.reasons() == {f"Room {scene.stub().id}": []})
        await scene.sleep_all()
        assert scene.objects.figures().live == 0


async def test_what_waits_until_fails_later_is_reported(tmp_path: Path) -> None:
    events("open")
    async with stage(tmp_path, Room=Room) as scene:
        await scene.stub().waits_until()
        await scene.sleep_all()
        assert scene.objects.figures().live == 1
        EVENTS["open"].set()
        await until(lambda: scene.reports)
        assert "waitUntil" in scene.texts[0]


async def test_background_work_beyond_its_limit_is_ended_with_the_instance(tmp_path: Path) -> None:
    events("open")
    async with stage(tmp_path, Room=Room) as scene:
        await scene.stub().waits_until()
        scene.objects.sweep(asyncio.get_running_loop().time() + 16 * 60)
        await until(lambda: scene.objects.figures().live == 0)


async def test_a_reset_ends_background_work_whatever_it_catches(tmp_path: Path) -> None:
    events("open")
    async with stage(tmp_path, Room=Room) as scene:
        await scene.stub().works_in_background()
        actor = next(iter(scene.objects._live))
        assert actor.instance is not None
        task = actor.instance.code.task
        await told(scene.stub().aborts(), ObjectReset, "enough")
        await until(task.done)


class LastHours(Echo):
    """Has something to do before it leaves."""

    seen: list[str] = []  # noqa: RUF012  of the test
    hangs = False

    async def preShutdown(self, info: Any) -> None:  # noqa: N802  the platform's name
        self.seen.append(info.reason)
        await self.ctx.storage.put("left", info.reason)
        if self.hangs:
            await asyncio.get_running_loop().create_future()

    async def left(self) -> Any:
        return await self.ctx.storage.get("left")


async def test_an_object_has_its_last_hours_and_what_it_writes_then_is_kept(tmp_path: Path) -> None:
    LastHours.seen.clear()
    async with stage(tmp_path, Room=LastHours) as scene:
        assert await scene.stub().left() is None
        await scene.sleep_all()
        assert await scene.stub().left() == "inactive"
    assert LastHours.seen == ["inactive", "codeUpdated"]


async def test_last_hours_that_do_not_end_are_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PRE_SHUTDOWN_LIMIT_S", 0.01)
    monkeypatch.setattr(LastHours, "hangs", True)
    async with stage(tmp_path, Room=LastHours) as scene:
        await scene.stub().left()
        await scene.sleep_all()
        assert "preShutdown" in scene.texts[0]
        assert scene.objects.figures().live == 0


async def test_a_timeout_of_events_ends_a_handler_and_leaves_the_socket(tmp_path: Path) -> None:
    class Slow(Echo):
        async def webSocketMessage(self, ws: Any, message: Any) -> None:  # noqa: N802  the platform's name
            self.ctx.setHibernatableWebSocketEventTimeout(5)
            if message == "hang":
                await asyncio.get_running_loop().create_future()
            ws.send(message)

    async with stage(tmp_path, Room=Slow) as scene:
        session = await scene.client(scene.stub())
        for text in ("set", "hang", "next"):
            session.says(text)
            await until(lambda: session.acknowledged[-1:] == [session.seq])
        assert session.sent == ["set", "next"]
        assert scene.reports == []


async def test_user_code_of_an_object_knows_itself_in_tasks_and_callbacks(tmp_path: Path) -> None:
    seen: list[Any] = []

    class Asks(Echo):
        async def asks(self) -> None:
            asyncio.get_running_loop().call_soon(lambda: seen.append(CURRENT.get()))
            await asyncio.create_task(self.inner())

        async def inner(self) -> None:
            seen.append(CURRENT.get())

    async with stage(tmp_path, Room=Asks) as scene:
        await scene.stub().asks()
        actor = next(iter(scene.objects._live))
        assert seen == [actor.instance, actor.instance]
    assert CURRENT.get() is None


class Prepared(Echo):
    """Reads what it needs before anything else happens to it."""

    fails = False

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.ready: list[str] = []
        _ = ctx.blockConcurrencyWhile(self.prepare)
        ctx.waitUntil(None)

    async def prepare(self) -> None:
        await EVENTS["open"].wait()
        if self.fails:
            raise RuntimeError("cannot be prepared")
        self.ready.append("prepared")

    async def seen(self) -> list[str]:
        return self.ready


async def test_what_a_constructor_blocks_for_comes_before_everything_else(tmp_path: Path) -> None:
    events("open")
    async with stage(tmp_path, Room=Prepared) as scene:
        waiting = [asyncio.ensure_future(scene.stub().seen()) for _ in range(3)]
        await turn()
        await turn()
        EVENTS["open"].set()
        assert await asyncio.gather(*waiting) == [["prepared"]] * 3


async def test_what_fails_there_is_told_to_all_who_waited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events("open")
    monkeypatch.setattr(Prepared, "fails", True)
    async with stage(tmp_path, Room=Prepared) as scene:
        waiting = [scene.stub().seen() for _ in range(3)]
        EVENTS["open"].set()
        for one in waiting:
            await told(one, RuntimeError, "cannot be prepared")


class ByHand(Executor):
    """Runs what it is given when it is told to."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Future[Any], Callable[[], Any]]] = []

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.waiting.append((future, lambda: function(*args, **kwargs)))
        return future

    def run(self) -> None:
        """Run what waits."""
        waiting, self.waiting = self.waiting, []
        for future, function in waiting:
            future.set_result(function())

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self.run()


class Journal(Echo):
    """Writes for messages that ask for it."""

    async def webSocketMessage(self, ws: Any, message: Any) -> None:  # noqa: N802  the platform's name
        if message.startswith("write"):
            self.ctx.storage.kv.put("n", (self.ctx.storage.kv.get("n") or 0) + 1)
        if message.endswith("later"):
            await turn()
        ws.send(message)


def durable_writes(path: Path) -> int:
    """What is on the disk, for whoever opens the file now."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        row = connection.execute("SELECT value FROM _cf_KV WHERE key = 'n'").fetchone()
    return 0 if row is None else int(values.decode(row[0]))


MOVES = st.lists(st.sampled_from(["write", "plain", "write later", "plain later", "commit"]), max_size=15)


@settings(max_examples=40)
@given(MOVES)
def test_nothing_is_sent_or_acknowledged_before_the_writes_before_it_are_on_the_disk(moves: list[str]) -> None:
    with TemporaryDirectory() as directory:
        asyncio.run(_moves(Path(directory), moves))


async def _moves(directory: Path, moves: list[str]) -> None:
    async with stage(directory, Room=Journal) as scene:
        disk = ByHand()
        scene.objects.services.executor = disk
        session = await scene.client(scene.stub())
        path = directory / "chat-Room" / f"{scene.stub().id}.sqlite"
        said: list[str] = []
        for number, move in enumerate(moves):
            if move == "commit":
                disk.run()
            else:
                said.append(f"{move.partition(' ')[0]} {number} {move.partition(' ')[2]}".strip())
                session.says(said[-1])
            for _ in range(4):
                await turn()
            written = durable_writes(path) if path.exists() else 0
            sent_writes = sum(str(text).startswith("write") for text in session.sent)
            assert sent_writes <= written
            assert sum(one.startswith("write") for one in said[: (session.acknowledged or [0])[-1]]) <= written
        while len(session.sent) < len(said):
            disk.run()
            await turn()
        await until(lambda: (session.acknowledged or [0])[-1] == len(said))
        assert sorted(map(str, session.sent)) == sorted(said)


class Asking(Echo):
    """Asks another object within a transaction, with writes before it and in it."""

    async def moves(self) -> list[str]:
        await self.ctx.storage.put("before", 1)

        async def inner(txn: Any) -> None:
            await txn.put("inner", 1)

        async def closure(txn: Any) -> str:
            await txn.put("in it", 1)
            told: str = await self.ctx.exports.Room.getByName("other").says()
            await self.ctx.storage.transaction(inner)
            return told

        told = await self.ctx.storage.transaction(closure)
        return [told, *await self.ctx.storage.list()]

    async def says(self) -> str:
        return "told"

    async def unconfirmed(self) -> None:
        await self.ctx.storage.put("x", 1, {"allowUnconfirmed": True})


async def test_a_transaction_may_ask_others_whatever_was_written_before_and_in_it(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Asking) as scene:
        assert await scene.stub().moves() == ["told", "before", "in it", "inner"]


async def test_unconfirmed_writes_are_on_the_disk_when_the_object_has_left(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Asking) as scene:
        await scene.stub().unconfirmed()
        await scene.objects.retire(5.0)
    async with stage(tmp_path, Room=Room) as scene:
        assert await scene.stub().keys() == ["x"]
