"""Where rate counters live: a file in the data directory, mapped, so that they survive the process; or memory without a name.

Law 1: the file is as large as it will ever be from the start, and its blocks are there: a page that the disk has no room for
when it is first written would end the process (SIGBUS). So would one that is cut off later: nobody may make the file shorter
while an edge runs. What is in it, and whether that is good, is `RateCounters`' to judge; that it was not is said.
Law 2: two edges may map it at once (a release): both count in it. Only one at a time begins it: the other waits for a lock,
LOCK_LIMIT_S at most.
Law 3: counters are worth less than requests. A file that cannot be made or mapped is no reason not to serve: then counters
are kept in memory, and that is said. Nor is it a reason to fill the disk that the database may be on: MIN_FREE_BYTES of it are
left, and what the disk gave is given back where it could not give all.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from holdfast.errors import reason_of
from holdfast.limits.counters import DEFAULT_BYTES, RateCounters

Log = Callable[[str, Mapping[str, str | int]], None]

FILE_NAME = "rate_counters"
# To begin a file takes some milliseconds.
LOCK_LIMIT_S = 2.0
_LOCK_POLL_S = 0.01
# What is left to everybody else on the disk: a database writes its journal there. Precedent: ext4 keeps 5 % for root.
MIN_FREE_BYTES = 64 * 1024 * 1024
_BLOCK_BYTES = 512  # stat(2), st_blocks
_HEAD_BYTES = 4096
_SECRET_BYTES = 32


def counters_file(data_dir: Path) -> Path:
    """The file of a data directory."""
    return data_dir / FILE_NAME


def anonymous_counters(*, size: int = DEFAULT_BYTES) -> RateCounters:
    """Counters that end with this process. Memory is taken as it is used."""
    return RateCounters(mmap.mmap(-1, size), secret=secrets.token_bytes(_SECRET_BYTES))


def open_counters(file: Path, *, log: Log, size: int = DEFAULT_BYTES) -> RateCounters:
    """Counters in `file`, which is made where it is not there. Never raises: see law 3."""
    try:
        counters, doubt = _mapped(file, size)
    except OSError as error:
        counters, doubt = anonymous_counters(size=size), f"they are in memory only: {reason_of(error)}"
    if doubt:
        log("rate_counters_warning", {"file": str(file), "reason": doubt})
    return counters


def _mapped(file: Path, size: int) -> tuple[RateCounters, str]:
    """The counters, and what was wrong with the file, a sentence; "" for nothing."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(file, flags, 0o600)
    try:
        _lock(descriptor)
        found = os.fstat(descriptor).st_size
        is_used = any(os.pread(descriptor, _HEAD_BYTES, 0))
        _allocate(descriptor, size)
        counters = RateCounters(mmap.mmap(descriptor, size), secret=secrets.token_bytes(_SECRET_BYTES))
        if is_used and not counters.statistics()["rate_counters_kept"]:
            return counters, "it is damaged, or of another version: counting begins anew"
        return counters, "its end was missing: some of the counting begins anew" if is_used and found < size else ""
    finally:
        # Said in so many words: the mapping keeps a duplicate of the descriptor, and the lock would be that one's too (flock(2)).
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def _allocate(descriptor: int, size: int) -> None:
    """Have the disk give the whole file, or nothing. Raises OSError."""
    before = os.fstat(descriptor)
    missing = size - before.st_blocks * _BLOCK_BYTES
    disk = os.fstatvfs(descriptor)
    free = disk.f_bavail * disk.f_frsize
    # A file system without a size does not say what is free.
    if missing > 0 and disk.f_blocks and free < missing + MIN_FREE_BYTES:
        need = f"the file needs {missing} and leaves {MIN_FREE_BYTES} to others"
        raise OSError(errno.ENOSPC, f"of the disk, {free} bytes are free: {need}")
    try:
        # It never gets smaller than it was: one that another process maps would lose pages under it.
        os.posix_fallocate(descriptor, 0, size)
    except OSError:
        # What was allocated before the disk was full stays so otherwise (fallocate(2), of ext4).
        os.ftruncate(descriptor, before.st_size)
        raise


def _lock(descriptor: int) -> None:
    """Wait for the lock. Raises BlockingIOError beyond LOCK_LIMIT_S."""
    deadline = time.monotonic() + LOCK_LIMIT_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_LOCK_POLL_S)
