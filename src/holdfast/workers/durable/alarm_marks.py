"""Whose alarm runs right now, in a file that outlives the process: so that an alarm that kills its process is counted as a failed one.

An alarm is run again after a crash, for its row is still in its object's file. One whose handler never ends, or takes all memory, would
kill one process after the other, at once and for ever. So who runs is marked; who is found marked at the start was running when the
process before this one died, and has failed.

Law 1: a mark is in the file before the handler's first step, and gone after its last.
Law 2: marks are for the kernel, not for the disk: they outlive a process, not a power cut. Nothing depends on them but who waits a little.
Law 3: one whose run reset its object is marked until the next run, and has failed likewise. That it has failed is written down by that
run: the mark stays until it has ended, for another alarm may end the process before it does, again and again.
Law 4: whatever is in the file, it can be read; what is no mark is passed over.
Law 5: how many processes in a row have ended while alarms ran is known too (`ends`), as a line of its own.
Law 6: whose object is being made for its alarm is marked with how often its process has died of that: it waits longer each time (`died_at_birth`).
"""

import os
from collections.abc import Mapping
from pathlib import Path

FILE_NAME = ".alarms"
Key = tuple[str, str]
# A class's name and 64 hex digits, for all that may run at once, many times over.
MAX_BYTES = 256 * 1024
# Of how often something has died.
MAX_DIGITS = 10


class AlarmMarks:
    """See above. `close` forgets all: the process ends as it should."""

    def __init__(self, directory: Path) -> None:
        self._running: set[Key] = set()
        self._descriptor = os.open(directory / FILE_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._left, self._births, before = _read(os.pread(self._descriptor, MAX_BYTES, 0))
        self._ends = before + 1 if self._left else 0
        if self._ends:
            # One that ends before its alarms run counts for nothing, or they would never come to run.
            self._write(with_ends=False)

    @property
    def ends(self) -> int:
        """How many processes in a row, up to the one before this one, have ended while alarms ran."""
        return self._ends

    @property
    def died_at_birth(self) -> Mapping[Key, int]:
        """Whose objects could not be made because the process died, and how often in a row."""
        return self._births

    def bear(self, key: Key) -> None:
        """Its object is about to be made, if it is not there."""
        self._births[key] = self._births.get(key, 0) + 1
        self._write()

    def born(self, key: Key) -> None:
        """It is there, or could not be made."""
        if self._births.pop(key, 0):
            self._write()

    def take(self, key: Key) -> bool:
        """Whether this one ran when the process before this one died, or its run reset its object. It runs then, to have that written
        down: asked again, it did not."""
        if key not in self._left:
            return False
        self._left.discard(key)
        self._running.add(key)
        return True

    def begin(self, key: Key) -> None:
        """It is about to run."""
        self._running.add(key)
        self._write()

    def end(self, key: Key) -> None:
        """It has run."""
        if key in self._running:
            self._running.discard(key)
            self._write()

    def fail(self, key: Key) -> None:
        """Its run has reset its object."""
        self._running.discard(key)
        self._left.add(key)
        self._write()

    def close(self) -> None:
        """Nobody is marked any more."""
        self._left.clear()
        self._running.clear()
        self._births.clear()
        os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)

    def _write(self, *, with_ends: bool = True) -> None:
        marks = [f"{name} {digits}\n" for name, digits in (*self._left, *self._running)]
        births = [f"{name} {digits} {times}\n" for (name, digits), times in self._births.items()]
        ends = [f"{self._ends}\n"] if self._ends and marks and with_ends else []
        text = "".join((*ends, *marks, *births)).encode()
        os.pwrite(self._descriptor, text, 0)
        os.ftruncate(self._descriptor, len(text))


def _read(data: bytes) -> tuple[set[Key], dict[Key, int], int]:
    lines = data.decode("utf-8", "replace").splitlines()
    marks: set[Key] = set()
    births: dict[Key, int] = {}
    ends = 0
    for line in lines:
        match line.split(" "):
            case [times] if _is_count(times):
                ends = int(times)
            case [name, digits]:
                marks.add((name, digits))
            case [name, digits, times] if _is_count(times):
                births[name, digits] = int(times)
            case _:
                continue
    return marks, births, ends


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < MAX_DIGITS
