"""Whose alarm runs right now, in a file that outlives the process: so that an alarm that kills its process is counted as a failed one.

An alarm is run again after a crash, for its row is still in its object's file. One whose handler never ends, or takes all memory, would
kill one process after the other, at once and for ever. So who runs is marked; who is found marked at the start was running when the
process before this one died, and has failed.

Law 1: a mark is in the file before the handler's first step, and gone after its last.
Law 2: marks are for the kernel, not for the disk: they outlive a process, not a power cut. Nothing depends on them but who waits a little.
Law 3: one whose run reset its object is marked until the next run, and has failed likewise.
Law 4: whatever is in the file, it can be read; what is no mark is passed over.
"""

import os
from pathlib import Path

FILE_NAME = ".alarms"
Key = tuple[str, str]
# A class's name and 64 hex digits, for all that may run at once, many times over.
MAX_BYTES = 256 * 1024


class AlarmMarks:
    """See above. `close` forgets all: the process ends as it should."""

    def __init__(self, directory: Path) -> None:
        self._descriptor = os.open(directory / FILE_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._left = _read(os.pread(self._descriptor, MAX_BYTES, 0))
        self._running: set[Key] = set()

    def take(self, key: Key) -> bool:
        """Whether this one ran when the process before this one died, or its run reset its object; asked again, it did not."""
        if key not in self._left:
            return False
        self._left.discard(key)
        self._write()
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
        os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)

    def _write(self) -> None:
        text = "".join(f"{name} {digits}\n" for name, digits in (*self._left, *self._running)).encode()
        os.pwrite(self._descriptor, text, 0)
        os.ftruncate(self._descriptor, len(text))


def _read(data: bytes) -> set[Key]:
    lines = data.decode("utf-8", "replace").splitlines()
    pairs = (line.split(" ") for line in lines)
    return {(pair[0], pair[1]) for pair in pairs if len(pair) == 2}
