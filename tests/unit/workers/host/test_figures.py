"""Figures of processes, from the kernel and from the file in which they mark their turns."""

import os
import resource
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from holdfast.model.worker_messages import TURN_FORMAT, TURN_OF_ANOTHER, TURN_OF_EVENT, TURN_WAITS, Turn
from holdfast.workers.host.figures import TurnFile, cpu_s, is_at_work, rss_bytes


def test_the_clock_and_the_size_of_a_process_are_its_own() -> None:
    before = cpu_s(os.getpid())
    assert before is not None
    sum(range(200_000))
    after = cpu_s(os.getpid())
    assert after is not None
    assert after > before
    size = rss_bytes(os.getpid())
    assert size is not None
    # At most what it ever was; the kernel counts it a little late.
    assert 5_000_000 < size < resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 + 50_000_000


def test_a_process_that_is_gone_has_no_figures() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert (cpu_s(process.pid), rss_bytes(process.pid), is_at_work(process.pid)) == (None, None, False)


def test_who_computes_is_at_work_and_who_waits_is_not() -> None:
    assert is_at_work(os.getpid())
    with subprocess.Popen([sys.executable, "-c", "print(flush=True); input()"], stdin=-1, stdout=-1) as process:
        assert process.stdout is not None
        process.stdout.readline()
        limit = time.monotonic() + 30
        while is_at_work(process.pid) and time.monotonic() < limit:
            os.sched_yield()
        assert not is_at_work(process.pid)
        process.kill()


def test_a_turn_is_read_as_it_is_marked(tmp_path: Path) -> None:
    path = tmp_path / "turn"
    file = TurnFile(path)
    assert file.turn() == Turn(number=0, sid=0, seq=0, is_running=False, is_past=True)
    for last, is_running, is_past in (
        (TURN_OF_EVENT, True, False),
        (TURN_OF_ANOTHER, True, True),
        (TURN_WAITS, False, True),
    ):
        with path.open("r+b") as marking:
            marking.write(struct.pack(TURN_FORMAT, 2**64 - 1, 7, 2**32 - 1, last))
        assert file.turn() == Turn(number=2**64 - 1, sid=7, seq=2**32 - 1, is_running=is_running, is_past=is_past)
    os.truncate(path, 0)
    assert file.turn() is None
    file.close()


def test_the_file_is_made_and_not_found(tmp_path: Path) -> None:
    (tmp_path / "turn").touch()
    with pytest.raises(FileExistsError):
        TurnFile(tmp_path / "turn")


# A process that cuts its file all the time, and one that looks at it all the time.
CUTTING = """
import os, sys
file = os.open(sys.argv[1], os.O_RDWR)
print(flush=True)
while os.getppid() == int(sys.argv[2]):
    os.ftruncate(file, 0)
    os.ftruncate(file, 64)
"""
LOOKING = """
import os, subprocess, sys
from pathlib import Path
from holdfast.workers.host.figures import TurnFile
path = Path(sys.argv[1])
file = TurnFile(path)
with subprocess.Popen([sys.executable, "-c", sys.argv[2], path, str(os.getpid())], stdout=-1) as cutting:
    cutting.stdout.readline()
    turns = [file.turn() for _ in range(100_000)]
    cutting.kill()
"""


def test_a_process_that_cuts_its_file_while_it_is_read_harms_nobody(tmp_path: Path) -> None:
    looked = subprocess.run([sys.executable, "-c", LOOKING, tmp_path / "turn", CUTTING], check=False, timeout=60)
    assert looked.returncode == 0
