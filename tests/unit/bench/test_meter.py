"""CPU and memory of real processes, started here."""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bench import meter

PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {child!r}], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
sys.stdin.readline()
child.kill()
child.wait()
"""
SLEEPER = "import sys, time; print(flush=True); time.sleep(60)"
HOLDER = "import time; held = bytearray(b'x' * 32 * 2**20); print(flush=True); time.sleep(60)"


@contextmanager
def family(child: str) -> Iterator[tuple[int, int]]:
    """The ids of a process and of its one child, which has said that it is ready."""
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT.format(child=child)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert parent.stdout is not None
        yield parent.pid, int(parent.stdout.readline())
    finally:
        parent.communicate(b"\n", timeout=30)


def test_the_tree_has_the_child_of_a_process() -> None:
    with family(SLEEPER) as (parent, child):
        assert meter.tree(parent) == [parent, child]


def test_memory_of_a_child_counts() -> None:
    with family(HOLDER) as (parent, child):
        assert meter.pss_bytes(parent) > 32 * 2**20
        assert meter.pss_bytes(parent) > meter.pss_bytes(child) > 32 * 2**20


def test_cpu_grows_with_work_and_finer_than_a_tick() -> None:
    spin = "import sys\nfor line in sys.stdin: sum(range(20_000)); print(flush=True)"
    with subprocess.Popen(
        [sys.executable, "-c", spin], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        readings = [meter.cpu_seconds(process.pid)]
        for _ in range(10):
            process.stdin.write(b"\n")
            process.stdout.readline()
            readings.append(meter.cpu_seconds(process.pid))
        process.stdin.close()
    steps = [after - before for before, after in itertools.pairwise(readings)]
    assert all(step > 0 for step in steps)
    # A sum in ticks of 10 ms could only stand still or leap.
    assert min(steps) < 0.009


def test_a_process_that_has_ended_is_told_and_not_taken_for_zero() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait(timeout=30)
    with pytest.raises(ProcessLookupError, match="has ended"):
        meter.cpu_seconds(process.pid)


def test_memory_is_settled_when_two_readings_agree() -> None:
    readings = iter([0, 10_000_000, 20_000_000, 20_000_100, 99_000_000])
    assert meter.settled(lambda: next(readings), interval_s=0.0, limit_s=30.0) == 20_000_100


def test_memory_that_never_settles_is_read_at_the_limit() -> None:
    readings = iter(range(0, 10**12, 10**6))
    before = time.monotonic()
    assert meter.settled(lambda: next(readings), interval_s=0.0, limit_s=0.05) > 0
    assert time.monotonic() - before < 60.0
