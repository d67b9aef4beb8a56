"""What a starting child writes to standard error before it has its own: why Python itself could not start it.

Law 1: it goes on to our standard error as it comes, unless that would wait; and the end of it is kept, TAIL_BYTES at most.
Law 2: a child takes the real standard error as soon as it has read what it was given (`inheritance`), so that what an edge
logs passes through nobody. One that never does is read for as long as it lives, and its start is not waited for.
"""

from __future__ import annotations

import os
import select
from contextlib import suppress

from holdfast.app.descriptors import STDERR_FD

# The end of a traceback, whose last line says what it was.
TAIL_BYTES = 2048
# What poll(2) says a pipe has room for where it is ready (PIPE_BUF).
_CHUNK_BYTES = 4096
# How much is read in one turn: a child that writes without an end does not keep us from the others.
_CHUNKS_A_TURN = 16


class LastWords:
    """A pipe's reading end. `close` it; it is readable while there is something to `pass_on`."""

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._tail = b""

    def fileno(self) -> int:
        """The descriptor."""
        return self._descriptor

    def pass_on(self) -> bool:
        """Write what has come to standard error; whether more may come."""
        for _ in range(_CHUNKS_A_TURN):
            try:
                chunk = os.read(self._descriptor, _CHUNK_BYTES)
            except BlockingIOError:
                return True
            except OSError:
                return False
            if not chunk:
                return False
            self._tail = (self._tail + chunk)[-TAIL_BYTES:]
            _write(chunk)
        return True

    def last_line(self) -> str:
        """The last line that says something, "" where there is none; what a terminal would take for commands is left out."""
        lines = [line.strip() for line in self._tail.decode("utf-8", "replace").splitlines()]
        last = next((line for line in reversed(lines) if line), "")
        return "".join(character for character in last if character.isprintable())

    def close(self) -> None:
        """Read no more."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _write(chunk: bytes) -> None:
    poll = select.poll()
    poll.register(STDERR_FD, select.POLLOUT)
    if poll.poll(0):
        with suppress(OSError):
            os.write(STDERR_FD, chunk)
