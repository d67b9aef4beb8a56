"""The scripts' host as control has it: what lies on the disk, and what is asked over a socket."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from holdfast.api.context import DeployRefused, WorkersUnavailable
from holdfast.control import worker_hosting as subject
from holdfast.control.worker_hosting import KEPT_VERSIONS, WorkerHosting, prune, stage
from holdfast.model.data_dir import (
    worker_active_file,
    worker_dir,
    worker_namespace_dir,
    worker_schedules_file,
    worker_version_dir,
    workers_host_socket,
)
from holdfast.model.worker_host_messages import (
    Answer,
    Delete,
    Deploy,
    Done,
    ListScripts,
    Logged,
    Missed,
    Question,
    Refused,
    Reschedule,
    Scripts,
    ScriptStatus,
    Tail,
)
from holdfast.model.worker_messages import LineReader, Log, line
from holdfast.model.worker_migrations import DurableClass
from holdfast.model.worker_script import ScriptVersion
from tests.unit.edge.deployed import deployed

KEY = "0123456789ab"
FILES = {"entry.py": b"x = 1", "pkg/mod.py": b""}
LINE = Log(level="log", message="hi", ts_ms=1)


def version(number: int = 1) -> ScriptVersion:
    return ScriptVersion(key=KEY, name="chat", version=f"v{number}", main="entry.py", sealed_secrets={"A": b"\x00"})


def directory(data_dir: Path, number: int = 1) -> Path:
    return worker_version_dir(data_dir, KEY, f"v{number}")


@asynccontextmanager
async def a_host(data_dir: Path, *answers: Answer | bytes) -> AsyncIterator[list[Question]]:
    """A host that answers each question with all of `answers`, and ends the connection. What it was asked."""
    asked: list[Question] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines: LineReader[Question] = LineReader(Question)
        data = await reader.readline()
        asked.extend(lines.feed(data))
        for one in answers:
            writer.write(one if isinstance(one, bytes) else line(one))
        writer.close()

    path = workers_host_socket(data_dir)
    path.parent.mkdir(parents=True, exist_ok=True)
    async with await asyncio.start_unix_server(serve, path):
        yield asked


def test_a_version_is_written_whole_and_for_its_owner_alone(tmp_path: Path) -> None:
    stage(tmp_path, version(), FILES)
    there = directory(tmp_path)
    assert (there / "code/entry.py").read_bytes() == b"x = 1"
    assert (there / "code/pkg/mod.py").read_bytes() == b""
    assert msgspec.json.decode((there / "script.json").read_bytes(), type=ScriptVersion) == version()
    assert there.stat().st_mode & 0o077 == 0
    assert {one.stat().st_mode & 0o077 for one in there.rglob("*") if one.is_file()} == {0}
    assert [one.name for one in there.parent.iterdir()] == ["v1"]


def test_a_version_is_on_the_disk_before_it_is_in_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[tuple[int, bool]] = []

    def sync(descriptor: int) -> None:
        synced.append((os.fstat(descriptor).st_ino, directory(tmp_path).exists()))

    monkeypatch.setattr(os, "fsync", sync)
    stage(tmp_path, version(), FILES)
    there = directory(tmp_path)
    before = {inode for inode, is_in_place in synced if not is_in_place}
    assert before >= {one.stat().st_ino for one in (there, *there.rglob("*"))}
    assert (there.parent.stat().st_ino, True) in synced


def test_a_version_that_is_there_keeps_its_code_and_learns_what_its_script_is_now(tmp_path: Path) -> None:
    stage(tmp_path, version(), FILES)
    there = directory(tmp_path)
    now = msgspec.structs.replace(version(), vars={"MODE": "later"})
    stage(tmp_path, now, {})
    assert msgspec.json.decode((there / "script.json").read_bytes(), type=ScriptVersion) == now
    assert (there / "code/entry.py").read_bytes() == b"x = 1"
    assert sorted(one.name for one in there.iterdir()) == ["code", "script.json"]


def test_a_version_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no path of a module"):
        stage(tmp_path, version(), {"entry.py": b"", "../../x.py": b""})
    assert list(directory(tmp_path).parent.iterdir()) == []
    with pytest.raises(OSError, match=r"exists|directory"):
        stage(tmp_path, version(), {"a": b"", "a/b": b""})
    assert list(directory(tmp_path).parent.iterdir()) == []


def test_of_versions_the_newest_stay_and_the_one_that_runs(tmp_path: Path) -> None:
    for number in range(1, KEPT_VERSIONS + 4):
        stage(tmp_path, version(number), FILES)
    (directory(tmp_path).parent / ".v9-left").mkdir()
    prune(tmp_path, version(1))
    assert len(list(directory(tmp_path).parent.iterdir())) == KEPT_VERSIONS + 1
    assert directory(tmp_path).exists()


async def test_the_host_is_asked_when_the_version_is_there(tmp_path: Path) -> None:
    async with a_host(tmp_path, Done()) as asked:
        await WorkerHosting(tmp_path).deploy(version(), FILES)
        await WorkerHosting(tmp_path).delete(KEY)
    assert asked == [Deploy(key=KEY, version="v1"), Delete(key=KEY)]
    assert directory(tmp_path).exists()


async def test_what_the_host_refuses_is_told_with_its_traceback_and_removed(tmp_path: Path) -> None:
    traceback = f'File "{directory(tmp_path)}/code/entry.py", line 1'
    async with a_host(tmp_path, Refused(error="no", traceback=traceback)):
        with pytest.raises(DeployRefused) as caught:
            await WorkerHosting(tmp_path).deploy(version(), FILES)
    assert (caught.value.error, caught.value.traceback) == ("no", 'File "entry.py", line 1')
    assert not directory(tmp_path).exists()


@pytest.mark.parametrize("answers", [(), (b"nonsense\n",), (Missed(lines=1),), (b"x" * 5_000_000,)])
async def test_a_host_that_does_not_answer_as_one_is_not_available(tmp_path: Path, answers: tuple[Answer, ...]) -> None:
    async with a_host(tmp_path, *answers):
        with pytest.raises(WorkersUnavailable, match="the host of scripts"):
            await WorkerHosting(tmp_path).deploy(version(), FILES)


async def test_a_host_that_is_away_is_not_available(tmp_path: Path) -> None:
    hosting = WorkerHosting(tmp_path)
    with pytest.raises(WorkersUnavailable, match="cannot be reached: no such file or directory"):
        await hosting.deploy(version(), FILES)
    with pytest.raises(WorkersUnavailable, match="cannot be reached: no such file or directory"):
        await hosting.delete(KEY)


async def test_a_host_that_is_silent_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "ANSWER_LIMIT_S", 0.05)
    path = workers_host_socket(tmp_path)
    path.parent.mkdir(parents=True)
    ended = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)
        writer.close()
        ended.set()

    async with await asyncio.start_unix_server(silent, path):
        with pytest.raises(WorkersUnavailable, match="did not answer within"):
            await WorkerHosting(tmp_path).delete(KEY)
        await asyncio.wait_for(ended.wait(), 30)


async def test_lines_are_heard_until_the_host_ends(tmp_path: Path) -> None:
    async with (
        a_host(tmp_path, Logged(log=LINE), Missed(lines=3), Logged(log=LINE)) as asked,
        WorkerHosting(tmp_path).tailing(KEY, 10) as tailing,
    ):
        assert [await tailing.next() for _ in range(4)] == [LINE, 3, LINE, None]
        assert asked == [Tail(key=KEY, lines=10)]


async def test_a_script_that_the_host_does_not_know_cannot_be_heard(tmp_path: Path) -> None:
    async with (
        a_host(tmp_path, Refused(error="there is no such script")),
        WorkerHosting(tmp_path).tailing(KEY, 0) as one,
    ):
        with pytest.raises(WorkersUnavailable, match="no such script"):
            await one.next()


async def test_changes_of_one_script_take_turns_and_of_two_do_not(tmp_path: Path) -> None:
    hosting, order = WorkerHosting(tmp_path), list[str]()
    first_is_in, first_may_leave = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        async with hosting.turn(KEY):
            first_is_in.set()
            await first_may_leave.wait()
            order.append("first")

    async def then(key: str, done: Callable[[], object]) -> None:
        await first_is_in.wait()
        async with hosting.turn(key):
            order.append(key)
            done()

    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(first())
        group.create_task(then(KEY, lambda: None))
        group.create_task(then("other", first_may_leave.set))
    assert order == ["other", "first", KEY]


async def test_the_version_that_was_deployed_is_known_while_its_files_are_there(tmp_path: Path) -> None:
    hosting = WorkerHosting(tmp_path)
    assert await hosting.deployed(KEY) == ""
    stage(tmp_path, version(), FILES)
    (directory(tmp_path).parent.parent / "active").write_text("v1\n")
    assert await hosting.deployed(KEY) == "v1"
    (directory(tmp_path).parent.parent / "active").write_text("v2\n")
    assert await hosting.deployed(KEY) == ""


async def test_objects_are_those_that_have_a_file(tmp_path: Path) -> None:
    hosting = WorkerHosting(tmp_path)
    assert await hosting.stored_objects(KEY, "chat-Room", after="", limit=9) == []
    there = worker_namespace_dir(tmp_path, KEY, "chat-Room")
    there.mkdir(parents=True)
    ids = [f"{number:064x}" for number in range(4)]
    for name in (*(f"{one}.sqlite" for one in ids), f"{ids[0]}.sqlite-wal", "other.sqlite", ".owner"):
        (there / name).touch()
    assert await hosting.stored_objects(KEY, "chat-Room", after="", limit=9) == ids
    assert await hosting.stored_objects(KEY, "chat-Room", after=ids[0], limit=2) == ids[1:3]


async def test_the_host_says_how_its_scripts_are(tmp_path: Path) -> None:
    one = ScriptStatus(
        key=KEY, name="chat", account="a", version="v1", serving="v1", state="serving", totals={"requests": 2}
    )
    async with a_host(tmp_path, Scripts(scripts=(one,))) as asked:
        assert await WorkerHosting(tmp_path).statuses() == (one,)
    assert asked == [ListScripts()]


async def test_a_host_that_does_not_say_how_its_scripts_are_is_not_available(tmp_path: Path) -> None:
    async with a_host(tmp_path, Done()):
        with pytest.raises(WorkersUnavailable, match="does not say which there are"):
            await WorkerHosting(tmp_path).statuses()


async def test_what_objects_stored_is_removed_by_namespace(tmp_path: Path) -> None:
    gone, kept = (worker_namespace_dir(tmp_path, KEY, f"chat-{name}") for name in ("Room", "Room~2"))
    for one in (gone, kept):
        one.mkdir(parents=True)
        (one / f"{'a' * 64}.sqlite").write_bytes(b"x")
    hosting = WorkerHosting(tmp_path)
    await hosting.doom_objects(KEY, ["chat-Room", "chat-Gone"])
    await hosting.forget_objects(KEY, {"chat-Room~2"})
    assert [one.name for one in kept.parent.iterdir()] == [kept.name]
    assert await hosting.stored_objects(KEY, "chat-Room~2", after="", limit=9) == ["a" * 64]


async def test_the_version_that_serves_stays_on_the_disk_where_it_cannot_be_begun_anew(tmp_path: Path) -> None:
    stage(tmp_path, version(), FILES)
    worker_active_file(tmp_path, KEY).write_text("v1\n", encoding="ascii")
    async with a_host(tmp_path, Refused(error="it was not loaded within 30 s")):
        with pytest.raises(DeployRefused):
            await WorkerHosting(tmp_path).deploy(version(), FILES)
    assert (directory(tmp_path) / "code/entry.py").exists()


async def test_what_cannot_be_noted_is_not_removed_later(tmp_path: Path) -> None:
    worker_dir(tmp_path, KEY).parent.mkdir(parents=True)
    worker_dir(tmp_path, KEY).write_bytes(b"no directory")
    with pytest.raises(WorkersUnavailable, match="it cannot be noted which objects are to be removed"):
        await WorkerHosting(tmp_path).doom_objects(KEY, ["chat-Room"])


async def test_objects_that_another_script_serves_are_not_moved(tmp_path: Path) -> None:
    source = deployed(tmp_path, "chat", classes={"Room": DurableClass(namespace="Room")})
    worker_namespace_dir(tmp_path, source, "chat-Room").mkdir(parents=True)
    one = DurableClass(namespace="chat-Room", came_from=source)
    with pytest.raises(
        WorkersUnavailable, match="the objects of hall cannot be moved: the Worker chat serves its objects still"
    ):
        await WorkerHosting(tmp_path).adopt_objects(KEY, "hall", one)
    deployed(tmp_path, "chat", version="v2")
    await WorkerHosting(tmp_path).adopt_objects(KEY, "hall", one)
    assert worker_namespace_dir(tmp_path, KEY, "chat-Room").is_dir()


async def test_schedules_are_written_down_and_told_only_where_they_are_news(tmp_path: Path) -> None:
    file = worker_schedules_file(tmp_path, KEY)
    file.parent.mkdir(parents=True)
    hosting = WorkerHosting(tmp_path)
    await hosting.schedule(KEY, [])
    async with a_host(tmp_path, Done()) as asked:
        await hosting.schedule(KEY, ["* * * * *"])
        await hosting.schedule(KEY, ["* * * * *"])
    assert asked == [Reschedule(key=KEY)]
    assert file.read_text(encoding="utf-8") == '["* * * * *"]'
    with pytest.raises(WorkersUnavailable):
        await hosting.schedule(KEY, [])
