"""Which loops of which edges keep sockets for the script: known to the next process before the first of them is back.

A process that serves before an edge is back wakes objects that do not see its sockets: what they send meanwhile never gets there. That nobody waits
in the kernel's queue says nothing: an edge that is busy, or was stopped for a moment, comes later. So each process writes down who keeps something.

Law 1: a loop is in the file from before its first hibernatable socket has its 101 until its last one is done with; nobody else is. So who
starts for the first time, or has lost no sockets, waits for nobody.
Law 2: it is for the kernel, not for the disk: a power cut takes the edges along.
Law 3: whatever is in the file, or becomes of it, costs no more than a wait that is bounded, or the want of one; it is reported once.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from holdfast.errors import reason_of

FILE_NAME = ".keepers"
# Lines beyond two for each loop; then the file is written anew. One is written whenever a loop comes to keep something, or no longer does.
SPARE_LINES = 1024
# An edge, which of its loops; as in its HELLO.
Key = tuple[str, int]
# A process: its id, and when it began (`started`), for ids are given again.
Process = tuple[int, str]


class Keepers:
    """See above. `missed` are those that a process before this one left there, and their edges' processes."""

    def __init__(self, path: Path, report: Callable[[str], None]) -> None:
        self._path, self._report = path, report
        self._descriptor: int | None = None
        self._is_broken = False
        self._lines = 0
        self._keys: dict[Key, Process] = self._read()
        self.missed = dict(self._keys)

    def add(self, key: Key, pid: int) -> None:
        """This loop keeps a socket, or is about to; the process id of its edge."""
        if self._keys.get(key, (0, ""))[0] != pid:
            self._keys[key] = (pid, started(pid))
            self._put(_line("+", key, *self._keys[key]))

    def discard(self, key: Key) -> None:
        """It keeps none any more."""
        if self._keys.pop(key, None) is not None:
            self._put(_line("-", key, 0, ""))

    def came(self, key: Key) -> None:
        """This loop has told what it keeps."""
        self.missed.pop(key, None)

    def still_missed(self) -> bool:
        """Whether somebody is missed whose edge lives: who has ended has no sockets, and is forgotten."""
        for key in [key for key, (pid, start) in self.missed.items() if not start or started(pid) != start]:
            del self.missed[key]
            self.discard(key)
        return bool(self.missed)

    def give_up(self) -> None:
        """Those that are missed are not waited for again."""
        for key in self.missed:
            self.discard(key)
        self.missed = {}

    def close(self) -> None:
        """This process has no sockets any more; what is in the file is for the next one."""
        self._is_broken = True
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _read(self) -> dict[Key, Process]:
        try:
            lines = self._path.read_text("ascii", "replace").splitlines()
        except FileNotFoundError:
            return {}
        except OSError as error:
            self._fails(error)
            return {}
        self._lines = len(lines)
        keys: dict[Key, Process] = {}
        for line in lines:
            match line.split(" "):
                case ["+", edge, loop, pid, start] if loop.isdecimal() and pid.isdecimal():
                    keys[edge, int(loop)] = (int(pid), start)
                case ["-", edge, loop, _, _] if loop.isdecimal():
                    keys.pop((edge, int(loop)), None)
                case _:
                    # Nothing that this version wrote.
                    pass
        return keys

    def _put(self, line: bytes) -> None:
        if self._is_broken:
            return
        try:
            if self._descriptor is None or self._lines > 2 * len(self._keys) + SPARE_LINES:
                self._write_anew()
            else:
                os.write(self._descriptor, line)
                self._lines += 1
        except OSError as error:
            self._fails(error)

    def _write_anew(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        beside = self._path.with_name(f"{FILE_NAME}.new")
        beside.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(b"".join(_line("+", key, *process) for key, process in self._keys.items()))
        beside.replace(self._path)
        self._lines = len(self._keys)
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)

    def _fails(self, error: OSError) -> None:
        self.close()
        self._report(f"which edges keep sockets cannot be written down in {self._path.name}: {reason_of(error)}")


def _line(sign: str, key: Key, pid: int, start: str) -> bytes:
    return f"{sign} {key[0]} {key[1]} {pid} {start}\n".encode("ascii", "replace")


def started(pid: int) -> str:
    """When a process began: which boot, and how many ticks after it (proc(5), `stat`); "" of one that has ended."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except (OSError, ValueError):
        return ""
    return "" if state in {"Z", "X"} else f"{boot}/{fields[18]}"
