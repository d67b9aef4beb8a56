"""Memory that lies free in a script's process after a rush, given back to the system.

Python's allocator has a megabyte at a time of the system, in pools of sixteen kilobytes each for objects of one size, and gives it back when nothing
at all is in it. Where ten thousand sockets came and went to sleep, something has stayed in each of those megabytes, and all around it lies
free: a kilobyte a socket, for as long as the process lives. So pools that are free are taken, as blocks of the largest size; what a pool holds that is
wholly ours has no content any more, and its pages go back. The process has their addresses still, and uses others until it gives back again.

Law 1: of a pool that is not taken whole, and laid out as we know it, nothing is given back; with another allocator nothing ever is.
Law 2: what is taken is kept until the next time, and freed first then: there is never more of it than one rush has left.
Law 3: the process is not made larger: a block that the system would have to give more for is let go of, and is the last.
Law 4: it is done in steps of STEP_BLOCKS, some milliseconds each, in which nothing else runs.
"""

from __future__ import annotations

import ctypes
import mmap
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

STEP_BLOCKS = 2048
# So many steps later it is looked again: what is under way while it is done comes free behind it.
AGAIN_AFTER_STEPS = 10
# 32 MiB.
MAX_BLOCKS = 65_536
# As CPython lays out pools (`obmalloc.c`, since 3.10): where the first block is, and how large the largest are.
_POOL_BYTES, _HEAD_BYTES, _BLOCK_BYTES = 16 * 1024, 48, 512
_MADV_DONTNEED = 4
_MAPS = Path("/proc/self/maps")


class FreePools:
    """What was taken, and has no content. For one thread."""

    def __init__(self) -> None:
        self._blocks = array("Q")
        # Bytes that were given back the last time.
        self.given_bytes = 0
        python, library = ctypes.pythonapi, ctypes.CDLL(None)
        self._allocate = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_size_t)(("PyObject_Malloc", python))
        self._free = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)(("PyObject_Free", python))
        self._advise = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)(
            ("madvise", library)
        )

    def giving_back(self) -> Iterator[None]:
        """Give back what lies free, a step each time it is asked on. Raises OSError where the system does not say what this process has."""
        while self._blocks:
            for block in self._blocks[-STEP_BLOCKS:]:
                self._free(block)
            del self._blocks[-STEP_BLOCKS:]
            yield
        self.given_bytes = 0
        yield from self._taking()
        for _ in range(AGAIN_AFTER_STEPS):
            yield
        yield from self._taking()

    def _taking(self) -> Iterator[None]:
        known = _anonymous()
        while len(self._blocks) < MAX_BLOCKS:
            step = array("Q", self._taken(known))
            self._blocks += step
            self._drop(step)
            if len(step) < STEP_BLOCKS:
                return
            yield

    def _taken(self, known: Sequence[tuple[int, int]]) -> Iterator[int]:
        starts = [start for start, _ in known]
        for _ in range(STEP_BLOCKS):
            block = self._allocate(_BLOCK_BYTES)
            if block is None:
                return
            place = bisect_right(starts, block) - 1
            if place < 0 or block >= known[place][1]:
                # Law 3: there was none left.
                self._free(block)
                return
            yield block

    def _drop(self, blocks: Sequence[int]) -> None:
        for pool in whole_pools(blocks):
            # Its first page has its head.
            if self._advise(pool + mmap.PAGESIZE, _POOL_BYTES - mmap.PAGESIZE, _MADV_DONTNEED) == 0:
                self.given_bytes += _POOL_BYTES - mmap.PAGESIZE


def whole_pools(blocks: Sequence[int]) -> Iterator[int]:
    """The pools, by their addresses, whose blocks are all among these."""
    ours = set(blocks)
    for block in blocks:
        pool = block - _HEAD_BYTES
        if pool % _POOL_BYTES == 0 and ours.issuperset(
            range(block, pool + _POOL_BYTES - _BLOCK_BYTES + 1, _BLOCK_BYTES)
        ):
            yield pool


def give_back_heaps() -> None:
    """Give back what the C library keeps free at the end of its heaps, and between. Another than GNU's has no such thing."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _anonymous() -> list[tuple[int, int]]:
    """What this process has of memory that is no file's, no stack's and not the C library's heap: from, to; in order."""
    found = []
    for line in _MAPS.read_text(encoding="utf-8", errors="replace").splitlines():
        place, permissions, *rest = line.split()
        if permissions.startswith("rw") and len(rest) < 4:  # offset, device, inode, and a name where it has one
            start, end = place.split("-")
            found.append((int(start, 16), int(end, 16)))
    return found
