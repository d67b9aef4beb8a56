"""A project that is read again when it changes."""

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import pytest

from holdfast.app import worker_watch
from holdfast.app.local_project import placed
from holdfast.app.worker_watch import Seen, WorkerWatch, seen
from holdfast.config.wrangler import read_worker
from holdfast.model.worker_host_messages import Answer, Done, Refused


class FakeHost:
    """Remembers what is deployed; gives `answer`."""

    def __init__(self) -> None:
        self.deployed: list[tuple[str, str]] = []
        self.scheduled: list[tuple[str, ...]] = []
        self.answer: Answer = Done()

    async def deploy(self, key: str, version: str) -> Answer:
        self.deployed.append((key, version))
        return self.answer

    def schedule(self, _key: str, crons: tuple[str, ...]) -> None:
        self.scheduled.append(crons)


class Project:
    """A project, watched, and what is said about it."""

    def __init__(self, directory: Path) -> None:
        self.path, self.data_dir, self.said = directory / "p", directory / "d", list[str]()
        self.path.mkdir()
        self.write("x = 1\n")
        self.worker, _ = placed(self.path, self.data_dir)
        self.watch = WorkerWatch(self.path, self.data_dir, self.worker, say=self.said.append)

    def write(self, code: str, name: str = "chat", more: str = "") -> None:
        (self.path / "wrangler.toml").write_text(f'name = "{name}"\nmain = "worker.py"\n{more}', encoding="utf-8")
        (self.path / "worker.py").write_text(code, encoding="utf-8")

    def take_up(self, host: Any) -> list[str]:
        self.said.clear()
        asyncio.run(self.watch.take_up(host))
        return self.said


def test_a_change_is_deployed_once(tmp_path: Path) -> None:
    project, host = Project(tmp_path), FakeHost()
    project.write("x = 2\n")
    (said,) = project.take_up(host)
    assert said.startswith("reloaded: chat, version ")
    assert project.take_up(host) == []
    assert [key for key, _ in host.deployed] == [project.worker.key]


def test_what_is_watched_is_read_in_its_environment(tmp_path: Path) -> None:
    project, host = Project(tmp_path), FakeHost()
    project.write("x = 2\n", more="[env.staging.vars]\nA = 1\n")
    worker, _ = placed(project.path, project.data_dir, "staging")
    project.watch = WorkerWatch(project.path, project.data_dir, worker, say=project.said.append, env="staging")
    assert project.take_up(host) == []
    project.write("x = 2\n", more="[env.staging.vars]\nA = 2\n")
    (said,) = project.take_up(host)
    assert said.startswith("reloaded: chat-staging, version ")


def test_the_files_of_a_single_module_are_looked_at_and_nothing_beside_them(tmp_path: Path) -> None:
    for name in ("one.py", "other.py", ".dev.vars"):
        (tmp_path / name).write_text("", encoding="utf-8")
    watched = read_worker(tmp_path / "one.py").watched
    assert set(seen(watched)) == {str(tmp_path / "one.py"), str(tmp_path / ".dev.vars")}


def test_a_change_of_its_times_is_taken_up_when_it_serves(tmp_path: Path) -> None:
    project, host = Project(tmp_path), FakeHost()
    host.answer = Refused(error="SyntaxError: invalid syntax")
    project.write("x =\n", more='triggers.crons = ["* * * * *"]\n')
    project.take_up(host)
    assert host.scheduled == []
    host.answer = Done()
    project.write("x = 3\n", more='triggers.crons = ["* * * * *"]\n')
    project.take_up(host)
    project.write("x = 3\n")
    project.take_up(host)
    assert host.scheduled == [("* * * * *",), ()]


def test_a_change_that_does_not_load_is_said_and_tried_again_when_it_has_changed(tmp_path: Path) -> None:
    project, host = Project(tmp_path), FakeHost()
    host.answer = Refused(error="SyntaxError: invalid syntax")
    project.write("x =\n")
    assert project.take_up(host) == ["the change is not taken up: SyntaxError: invalid syntax"]
    host.answer = Done()
    project.write("x = 3\n")
    assert len(project.take_up(host)) == 1
    assert len(host.deployed) == 2


def test_a_configuration_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    project, host = Project(tmp_path), FakeHost()
    (project.path / "wrangler.toml").write_text("name = ", encoding="utf-8")
    (said,) = project.take_up(host)
    assert said.startswith("the change is not taken up: ")
    assert host.deployed == []


def test_another_name_is_another_worker(tmp_path: Path) -> None:
    project, host = Project(tmp_path), FakeHost()
    project.write("x = 1\n", name="other")
    assert project.take_up(host) == ["the Worker is called other now: start again to serve it under that name"]


def test_a_project_in_which_something_is_written_all_the_time_is_taken_up_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host: Any = FakeHost()
    project, looks = Project(tmp_path), iter(range(100))
    monkeypatch.setattr(worker_watch, "LOOK_INTERVAL_S", 0)
    host.answer = Refused(error="SyntaxError: invalid syntax")

    def always_other(_: tuple[Path, ...]) -> Seen:
        if (look := next(looks)) == 40:
            host.answer = Done()
            project.write("x = 3\n")
        if look == 80:
            raise EOFError
        return {"noise.log": (look, look, 0)}

    monkeypatch.setattr(worker_watch, "seen", always_other)
    project.write("x =\n")
    with pytest.raises(EOFError):
        asyncio.run(project.watch.run(host))
    refused, served = project.said
    # What was refused is neither tried nor said again for a change of something else.
    assert refused == "the change is not taken up: SyntaxError: invalid syntax"
    assert served.startswith("reloaded: chat")
    assert len(host.deployed) == 2


def test_whatever_reading_a_project_comes_to_the_next_change_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, host = Project(tmp_path), FakeHost()

    def broken(*_: object) -> None:
        raise RecursionError("too deep")

    with monkeypatch.context() as patched:
        patched.setattr(worker_watch, "placed", broken)
        assert project.take_up(host) == ["the change is not taken up: RecursionError: too deep"]
    project.write("x = 3\n")
    assert len(project.take_up(host)) == 1
    assert len(host.deployed) == 1


def test_what_is_seen_changes_with_the_files_of_the_project_alone(tmp_path: Path) -> None:
    project = Project(tmp_path)
    before = seen((project.path,))
    (project.path / "__pycache__").mkdir()
    (project.path / "__pycache__" / "x.pyc").touch()
    assert seen((project.path,)) == before
    (project.path / "more.py").touch()
    after = seen((project.path,))
    assert after != before
    (project.path / "loop").symlink_to(".")
    assert seen((project.path,)) != after
    (project.path / "loop").unlink()
    assert seen((project.path,)) == after
    assert seen((project.path / "nowhere",)) == {}


def test_a_file_is_seen_to_change_where_its_size_and_its_time_stay(tmp_path: Path) -> None:
    file = tmp_path / "worker.py"
    file.write_text("x = 1", encoding="utf-8")
    before, times = seen((file,)), (file.stat().st_atime_ns, file.stat().st_mtime_ns)
    until = time.monotonic() + 30
    while seen((file,)) == before and time.monotonic() < until:
        # Clocks of file systems tick some hundred times a second.
        file.write_text("x = 2", encoding="utf-8")
        os.utime(file, ns=times)
    assert seen((file,)) != before
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (5, times[1])
