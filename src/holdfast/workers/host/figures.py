"""What the kernel says about a process of ours, and what the process itself says it is at.

Law: a process that is gone has no figures: None, never an error.
"""

from __future__ import annotations

import os
import resource
import struct
import time
from pathlib import Path

from holdfast.model.worker_messages import TURN_FILE_BYTES, TURN_FORMAT, TURN_OF_EVENT, TURN_WAITS, Turn

_TURN = struct.Struct(TURN_FORMAT)
_PAGE_BYTES = resource.getpagesize()
# clock_getcpuclockid(3): the id of a process's clock is made of its number; CPUCLOCK_SCHED of linux/posix-timers.h.
_CPUCLOCK_SCHED = 2


def cpu_s(pid: int) -> float | None:
    """Seconds of processor time that all threads of a process have had."""
    try:
        return time.clock_gettime((~pid << 3) | _CPUCLOCK_SCHED)
    except OSError:
        return None


def rss_bytes(pid: int) -> int | None:
    """Bytes of a process that are in memory (proc(5), statm), those it shares with others too."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError, ValueError):
        return None


def is_at_work(pid: int) -> bool:
    """Whether the main thread of a process is on a processor or waits for one, or for a disk (proc(5), stat: R and D)."""
    try:
        # Behind the name, which may hold anything.
        _, _, rest = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")
    except OSError:
        return False
    return rest[:1] in {b"R", b"D"}


class TurnFile:
    """The file in which a process marks what it is at. It has it mapped, and we do not: it may cut it at any moment, and who reads a map then gets
    SIGBUS."""

    def __init__(self, path: Path) -> None:
        """Make it. Raises OSError."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(descriptor, TURN_FILE_BYTES)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def turn(self) -> Turn | None:
        """What it is at. None where the process has cut the file."""
        try:
            read = os.pread(self._descriptor, TURN_FILE_BYTES, 0)
        except OSError:
            return None
        if len(read) < TURN_FILE_BYTES:
            return None
        number, sid, seq, has_it = _TURN.unpack_from(read)
        return Turn(number=number, sid=sid, seq=seq, is_running=has_it != TURN_WAITS, is_past=has_it != TURN_OF_EVENT)

    def close(self) -> None:
        """Let go of it."""
        os.close(self._descriptor)
