"""What a proxy's processes have used: CPU time and memory, from the kernel.

Law 1: a proxy is a tree of processes; all of them count, and children that have ended too.
Law 2: CPU is the kernel's own sum in nanoseconds (`clock_getcpuclockid(3)`), the one of which `utime + stime` in
/proc/PID/stat are the same value rounded down to ticks of 10 ms. A tick is a percent of a short measurement, so the sum
is read where it is exact.
Law 3: memory is PSS (/proc/PID/smaps_rollup): shared pages count once over all that share them. What the kernel
holds for sockets is in no process and is not counted.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

# clock_getcpuclockid(3): the clock of a process is (~pid << 3) | CPUCLOCK_SCHED.
_CPUCLOCK_SCHED = 2
_CUTIME, _CSTIME = 13, 14
_SETTLE_BYTES = 64 * 1024


def tree(root: int) -> list[int]:
    """`root` and all its descendants that live."""
    found = [root]
    for pid in found:
        found.extend(_children(pid))
    return found


def cpu_seconds(root: int) -> float:
    """User and system time of the tree since its start. Raises ProcessLookupError if `root` has ended."""
    return sum(_cpu_of(pid, must_live=pid == root) for pid in tree(root))


def pss_bytes(root: int) -> int:
    """Proportional set size of the tree. Raises OSError where the kernel does not let us read it."""
    return sum(_pss_of(pid) for pid in tree(root))


def settled_pss_bytes(root: int, *, interval_s: float = 0.25, limit_s: float = 5.0) -> int:
    """`pss_bytes` once two readings `interval_s` apart agree within 64 KiB, or at `limit_s`."""
    return settled(lambda: pss_bytes(root), interval_s=interval_s, limit_s=limit_s)


def settled(read: Callable[[], int], *, interval_s: float, limit_s: float) -> int:
    """The second of two readings in a row, `interval_s` apart, that agree within 64 KiB, or the last one before `limit_s`."""
    deadline = time.monotonic() + limit_s
    last = read()
    while time.monotonic() < deadline:
        time.sleep(interval_s)
        now = read()
        if abs(now - last) <= _SETTLE_BYTES:
            return now
        last = now
    return last


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found.extend(int(child) for child in task.read_text(encoding="ascii").split())
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def _cpu_of(pid: int, *, must_live: bool) -> float:
    try:
        own = time.clock_gettime((~pid << 3) | _CPUCLOCK_SCHED)
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except (OSError, ProcessLookupError) as error:
        if must_live:
            raise ProcessLookupError(f"process {pid} has ended") from error
        return 0.0
    ended_children = int(fields[_CUTIME]) + int(fields[_CSTIME])
    return own + ended_children / os.sysconf("SC_CLK_TCK")


def _pss_of(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    for line in lines:
        name, _, value = line.partition(":")
        if name == "Pss":
            return int(value.split()[0]) * 1024
    return 0
