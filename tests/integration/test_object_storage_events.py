"""Storage under the events of a living object: real gates, real files, commits in other threads; only the clients are not real."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from holdfast.workers.durable.errors import ObjectReset
from tests.unit.workers.durable.stage import NOW_MS, Acceptor, turn, until
from tests.unit.workers.durable.stage import stage as staged


class Room(Acceptor):
    """Does what it is told: `do(step)` runs a function of the test within an event of its own."""

    async def do(self, step: Any) -> Any:
        return await STEPS[step](self)

    async def webSocketMessage(self, ws: Any, message: str) -> None:  # noqa: N802 - the platform's name
        result = await STEPS[message](self)
        ws.send(f"{result}")

    async def alarm(self, info: Any) -> None:
        await STEPS["alarm"](self, info)


STEPS: dict[str, Any] = {}


@pytest.fixture(autouse=True)
def steps() -> None:
    STEPS.clear()


async def test_no_other_event_comes_in_between_the_parts_of_a_transaction(tmp_path: Path) -> None:
    async def add(room: Room) -> int:
        async def closure(txn: Any) -> int:
            number: int = (await txn.get("n") or 0) + 1
            await turn()
            await txn.put("n", number)
            return number

        found: int = await room.ctx.storage.transaction(closure)
        return found

    STEPS["add"] = add
    async with staged(tmp_path, Room=Room) as scene:
        answers = await asyncio.gather(*(scene.stub().do("add") for _ in range(10)))
        assert sorted(answers) == list(range(1, 11))


async def test_transactions_of_one_event_that_are_begun_together_take_turns(tmp_path: Path) -> None:
    async def both(room: Room) -> list[Any]:
        storage = room.ctx.storage

        async def kept(txn: Any) -> str:
            await txn.put("kept", 1)
            await turn()
            await txn.put("kept", 2)
            return "kept"

        async def dropped(txn: Any) -> None:
            await txn.put("dropped", 1)
            await turn()
            raise LookupError("why")

        results = await asyncio.gather(
            storage.transaction(kept), storage.transaction(dropped), storage.transaction(kept), return_exceptions=True
        )
        return [repr(results), await storage.list()]

    STEPS["both"] = both
    async with staged(tmp_path, Room=Room) as scene:
        assert await scene.stub().do("both") == ["['kept', LookupError('why'), 'kept']", {"kept": 2}]


async def test_a_transaction_that_fails_leaves_the_object_and_what_was_before_it(tmp_path: Path) -> None:
    async def fail(room: Room) -> Any:
        await room.ctx.storage.put("before", 1)

        async def closure(txn: Any) -> None:
            await txn.put("within", 1)
            await turn()
            raise LookupError("why")

        with pytest.raises(LookupError):
            await room.ctx.storage.transaction(closure)
        await room.ctx.storage.sync()
        return await room.ctx.storage.list()

    STEPS["fail"] = fail
    async with staged(tmp_path, Room=Room) as scene:
        session = await scene.client(scene.stub())
        session.says("fail")
        await until(lambda: session.sent)
        assert (session.sent, session.aborted) == (["{'before': 1}"], None)


@pytest.mark.parametrize(
    "spoil",
    [
        "INSERT OR ROLLBACK INTO t VALUES (1)",
        "PRAGMA defer_foreign_keys = ON; INSERT INTO child VALUES (7)",
    ],
)
async def test_what_was_sent_of_a_lost_transaction_never_leaves_and_the_object_is_reset(
    tmp_path: Path, spoil: str
) -> None:
    async def prepare(room: Room) -> None:
        room.ctx.storage.sql.exec("CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)")
        room.ctx.storage.sql.exec("CREATE TABLE child (t REFERENCES t (id))")
        await room.ctx.storage.put("kept", 1)

    async def lose(room: Room) -> str:
        await room.ctx.storage.put("lost", 1)
        room.ctx.storage.sql.exec(spoil)
        return "must not leave"

    async def look(room: Room) -> Any:
        return await room.ctx.storage.list()

    STEPS.update(prepare=prepare, lose=lose, look=look)
    async with staged(tmp_path, Room=Room) as scene:
        session = await scene.client(scene.stub())
        await scene.stub().do("prepare")
        session.says("lose")
        await until(lambda: session.aborted)
        assert session.sent == []
        assert await scene.stub().do("look") == {"kept": 1}


async def test_a_caller_hears_that_the_object_was_reset(tmp_path: Path) -> None:
    async def lose(room: Room) -> None:
        room.ctx.storage.sql.exec("CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)")
        room.ctx.storage.sql.exec("INSERT OR ROLLBACK INTO t VALUES (1)")

    STEPS["lose"] = lose
    async with staged(tmp_path, Room=Room) as scene:
        with pytest.raises(ObjectReset, match=r"reset because its storage failed: .*UNIQUE constraint failed: t\.id"):
            await scene.stub().do("lose")


async def test_a_cursor_lives_through_commits(tmp_path: Path) -> None:
    async def walk(room: Room) -> list[int]:
        sql = room.ctx.storage.sql
        sql.exec("CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (2), (3)")
        found = []
        for row in sql.exec("SELECT id FROM t ORDER BY id"):
            found.append(row.id)
            await room.ctx.storage.put(f"seen {row.id}", True)  # noqa: FBT003 - a value
            await room.ctx.storage.sync()
        return found

    STEPS["walk"] = walk
    async with staged(tmp_path, Room=Room) as scene:
        assert await scene.stub().do("walk") == [1, 2, 3]


async def test_an_alarm_is_none_while_it_runs_and_can_be_set_again(tmp_path: Path) -> None:
    seen: list[Any] = []

    async def start(room: Room) -> None:
        await room.ctx.storage.setAlarm(NOW_MS + 5)

    async def alarm(room: Room, info: Any) -> None:
        storage = room.ctx.storage
        seen.append((info.scheduledTime, info.retryCount, await storage.getAlarm()))
        if len(seen) == 1:
            await storage.setAlarm(NOW_MS + 10)
            seen.append(await storage.getAlarm())

    async def look(room: Room) -> Any:
        return await room.ctx.storage.getAlarm()

    STEPS.update(start=start, alarm=alarm, look=look)
    async with staged(tmp_path, Room=Room) as scene:
        await scene.stub().do("start")
        assert await scene.stub().do("look") == NOW_MS + 5
        scene.now_ms = NOW_MS + 20
        scene.objects._scheduler._changed()  # type: ignore[union-attr]
        await until(lambda: len(seen) == 3)
        assert seen == [(NOW_MS + 5, 0, None), NOW_MS + 20, (NOW_MS + 20, 0, None)]
        await turn()
        assert await scene.stub().do("look") is None


async def test_everything_can_be_deleted_and_begun_anew(tmp_path: Path) -> None:
    async def fill(room: Room) -> None:
        await room.ctx.storage.put({f"key {number}": "x" * 1000 for number in range(100)})
        room.ctx.storage.sql.exec("CREATE TABLE t (x)")
        await room.ctx.storage.setAlarm(NOW_MS + 1000)

    async def empty(room: Room) -> list[Any]:
        storage = room.ctx.storage
        before = storage.sql.databaseSize
        await storage.deleteAll()
        await storage.sync()
        room.ctx.storage.sql.exec("CREATE TABLE t (y)")
        return [before > 100_000, await storage.list(), await storage.getAlarm(), storage.sql.databaseSize < 50_000]

    STEPS.update(fill=fill, empty=empty)
    async with staged(tmp_path, Room=Room) as scene:
        await scene.stub().do("fill")
        assert await scene.stub().do("empty") == [True, {}, None, True]
