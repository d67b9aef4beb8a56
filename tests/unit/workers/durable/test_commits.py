"""Writes become durable together, and nothing that came after them is seen before."""

import asyncio
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.store.objects.file import ObjectFile
from holdfast.workers import values
from holdfast.workers.durable import commits
from holdfast.workers.durable.errors import ObjectReset
from tests.unit.workers.durable.stage import ByHand, Echo, Writer, stage, told, turn, until

STARTS: list[str] = []


class Journal(Echo):
    """Writes for messages that ask for it."""

    async def webSocketMessage(self, ws: Any, message: Any) -> None:  # noqa: N802  the platform's name
        STARTS.append(message)
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


KINDS = st.sampled_from(["write", "plain", "write later", "plain later", "commit"])
MOVES = st.lists(st.tuples(KINDS, st.integers(0, 4)), max_size=20)


@settings(max_examples=40)
@given(MOVES)
def test_nothing_is_sent_or_acknowledged_before_the_writes_before_it_are_on_the_disk(
    moves: list[tuple[str, int]],
) -> None:
    with TemporaryDirectory() as directory:
        asyncio.run(_moves(Path(directory), moves))


async def _moves(directory: Path, moves: list[tuple[str, int]]) -> None:
    async with stage(directory, Room=Journal) as scene:
        disk = ByHand()
        scene.objects.services.disk = disk
        session = await scene.client(scene.stub())
        path = directory / "chat-Room" / f"{scene.stub().id}.sqlite"
        said: list[str] = []
        STARTS.clear()
        for number, (move, turns) in enumerate(moves):
            if move == "commit":
                disk.run()
            else:
                said.append(f"{move.partition(' ')[0]} {number} {move.partition(' ')[2]}".strip())
                session.says(said[-1])
            for _ in range(turns):
                await turn()
            written = durable_writes(path) if path.exists() else 0
            sent_writes = sum(str(text).startswith("write") for text in session.sent)
            assert sent_writes <= written
            assert sum(one.startswith("write") for one in said[: (session.acks or [0])[-1]]) <= written
        while len(session.sent) < len(said):
            disk.run()
            await turn()
        await until(lambda: (session.acks or [0])[-1] == len(said))
        assert sorted(map(str, session.sent)) == sorted(said)
        assert said == STARTS


async def test_unconfirmed_writes_are_on_the_disk_when_the_object_has_left(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Writer) as scene:
        await scene.stub().unconfirmed()
        await scene.objects.retire(5.0)
    async with stage(tmp_path, Room=Writer) as scene:
        assert await scene.stub().keys() == ["x"]


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
            assert self.open.wait(30)
            if self.error is not None:
                raise self.error
            real(file)

        monkeypatch.setattr(ObjectFile, "commit", commit)


async def test_a_send_leaves_when_the_writes_before_it_are_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = SlowDisk(monkeypatch)
    async with stage(tmp_path, Room=Writer) as scene:
        session = await scene.client(scene.stub())
        session.says("write")
        await until(disk.entered.is_set)
        assert (session.sent, session.acks) == ([], [])
        disk.open.set()
        await until(lambda: session.acks)
        assert (session.sent, session.acks) == (["write"], [1])


class Mover(Echo):
    """Answers when its transaction has been awaited, in one of several ways."""

    async def webSocketMessage(self, ws: Any, message: Any) -> None:  # noqa: N802  the platform's name
        async def closure(txn: Any) -> None:
            await txn.put("a", 1)
            await turn()
            await txn.put("b", 1)

        if message == "below":
            await self.below(closure)
        elif message == "within":
            await self.ctx.storage.transaction(lambda _: self.ctx.storage.transaction(closure))
        else:
            await self.ctx.storage.transaction(closure)
        ws.send(message)

    async def below(self, closure: Any) -> None:
        await self.ctx.storage.transaction(closure)


class Kept:
    """A ledger that keeps how many outputs waited for each commit."""

    def __init__(self) -> None:
        self.waited: list[int] = []

    def write_down(self, waiting: Any) -> None:
        self.waited.append(len(list(waiting)))

    def left(self) -> None:
        """Nothing is to be forgotten."""


@pytest.mark.parametrize("how", ["here", "below", "within"])
async def test_an_answer_behind_a_transaction_that_was_awaited_is_written_down_with_what_that_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    disk = SlowDisk(monkeypatch)
    async with stage(tmp_path, Room=Mover) as scene:
        session = await scene.client(scene.stub())
        kept = Kept()
        monkeypatch.setattr(commits.Commits, "ledger", property(lambda _: kept, lambda *_: None), raising=False)
        for _ in range(3):
            session.says(how)
        disk.open.set()
        await until(lambda: session.acks[-1:] == [3])
        # The answer, and the acknowledgement of the message.
        assert kept.waited == [2, 2, 2]
        assert (session.sent, disk.commits) == ([how] * 3, 3)


async def test_messages_that_come_during_a_commit_share_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = SlowDisk(monkeypatch)
    async with stage(tmp_path, Room=Writer) as scene:
        session = await scene.client(scene.stub())
        session.says("write")
        await until(disk.entered.is_set)
        for _ in range(20):
            session.says("write")
        disk.open.set()
        await until(lambda: session.acks[-1:] == [21])
        assert session.sent == ["write"] * 21
        assert disk.commits == 2
        assert await scene.stub().count() == 21


async def test_what_is_unconfirmed_holds_nothing_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = SlowDisk(monkeypatch)
    async with stage(tmp_path, Room=Writer) as scene:
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
    async with stage(tmp_path, Room=Writer) as scene:
        session = await scene.client(scene.stub())
        waits = scene.stub().increment()
        session.says("write")
        await until(disk.entered.is_set)
        disk.open.set()
        await told(waits, sqlite3.OperationalError, "disk I/O error")
        assert (session.sent, session.acks) == ([], [])
        assert session.aborted == (1011, "Durable Object connection closed because the object was reset.")
        disk.error = None
        assert await scene.stub().count() == 0
        assert any("could not be made durable" in text for text in scene.texts)


async def test_a_disk_that_stalls_resets_the_object_and_the_next_one_waits_for_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commits, "COMMIT_LIMIT_S", 0.01)
    disk = SlowDisk(monkeypatch)
    async with stage(tmp_path, Room=Writer) as scene:
        await told(scene.stub().increment(), ObjectReset, "operation exceeded timeout which caused object to be reset")
        waits = scene.stub().count()
        await turn()
        assert scene.objects.figures().live == 0
        monkeypatch.setattr(commits, "COMMIT_LIMIT_S", 30.0)
        disk.open.set()
        # What was committed all the same is there: nobody was told that it was not.
        assert await waits == 1


async def test_sync_waits_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = SlowDisk(monkeypatch)
    async with stage(tmp_path, Room=Writer) as scene:
        waits = asyncio.ensure_future(scene.stub().syncs())
        await until(disk.entered.is_set)
        assert not waits.done()
        disk.open.set()
        await waits
