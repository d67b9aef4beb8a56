"""What a script's process is started with, and what is left of it."""

import asyncio
import errno
import os
import sys
import threading
from pathlib import Path

import pytest

from holdfast.model.worker_messages import ProcessMessage, Turn, WorkerLimits
from holdfast.workers.host.process import MOST_AT_ONCE, PROGRAM, ScriptProcess, Surroundings, environment, left_in
from tests.integration.waiting import poll

LIMIT_S = 30.0
# Directories within each other, more than Python calls functions so; and more files than are removed at once.
DEEP = "import os\nfor _ in range(3000): os.mkdir('x'); os.chdir('x')"
MANY = f"for number in range({3 * MOST_AT_ONCE}): open(str(number), 'w').close()"


class Ends:
    """Hears of a process, and waits for its end."""

    def __init__(self) -> None:
        self.over = asyncio.get_running_loop().create_future()

    def heard(self, number: int, message: ProcessMessage) -> None: ...

    def printed(self, number: int, text: str) -> None: ...

    def link_ended(self, number: int, sentence: str) -> None: ...

    def exited(self, number: int, how: str, turn: Turn | None) -> None:
        self.over.set_result((number, how))


def descriptors() -> list[str]:
    """What this process has open."""
    return sorted(one.name for one in Path("/proc/self/fd").iterdir())


def _name_of(thread: threading.Thread) -> str:
    return thread.name


@pytest.mark.parametrize("code", [DEEP, MANY])
async def test_whatever_it_leaves_its_end_is_told_and_its_directory_goes(tmp_path: Path, code: str) -> None:
    ends = Ends()
    around = Surroundings(
        program=(sys.executable, "-c", code), descriptors=(), run_dir=tmp_path / "run" / "1", limits=WorkerLimits()
    )
    ScriptProcess(1, around, ends)
    assert await asyncio.wait_for(ends.over, LIMIT_S) == (1, "status 0")
    await asyncio.to_thread(poll, lambda: not around.run_dir.exists(), what="a directory that goes")
    await asyncio.to_thread(poll, lambda: "clear" not in map(_name_of, threading.enumerate()), what="who removed it")


async def test_a_process_whose_end_nobody_could_hear_of_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []

    def full(pid: int) -> int:
        started.append(pid)
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(os, "pidfd_open", full)
    around = Surroundings(
        program=(sys.executable, "-c", "input()"), descriptors=(), run_dir=tmp_path / "1", limits=WorkerLimits()
    )
    before = descriptors()
    with pytest.raises(OSError, match="Too many open files"):
        ScriptProcess(1, around, Ends())
    assert descriptors() == before
    assert not around.run_dir.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(started[0], 0)


def test_a_script_sees_nothing_of_the_hosts_environment_but_what_everybody_may() -> None:
    host = {
        "PATH": "/bin",
        "TZ": "UTC",
        "HOLDFAST_SECRET_KEY": "k",
        "AWS_SECRET": "s",
        "PYTHONPATH": "/x",
        "HOME": "/home/me",
    }
    assert environment(host, link=7, run_dir=Path("/r")) == {
        "PATH": "/bin",
        "TZ": "UTC",
        "HOME": "/r",
        "TMPDIR": "/r",
        "PYTHONUTF8": "1",
        "HOLDFAST_WORKER_FD": "7",
    }


def test_the_working_directory_is_not_on_its_path() -> None:
    assert PROGRAM[1:] == ("-P", "-m", "holdfast.workers.host.launch")


def test_whatever_it_left_in_the_place_of_its_stack_costs_no_descriptor(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "file").write_text(" at worker.py \n", encoding="utf-8")
    before = os.listdir("/proc/self/fd")  # noqa: PTH208
    told = [left_in(tmp_path / name) for name in ("directory", "fifo", "link", "nothing", "file")]
    assert told == ["", "", "", "", "at worker.py"]
    assert len(os.listdir("/proc/self/fd")) == len(before)  # noqa: PTH208
