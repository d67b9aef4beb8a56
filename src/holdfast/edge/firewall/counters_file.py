"""Where rate counters live: a file in the data directory, mapped, so that they survive the process; or memory without a name.

Law 1: the file is as large as it will ever be from the start, and its blocks are there: a page that the disk has no room for
when it is first written would end the process (SIGBUS). What is in it, and whether that is good, is `RateCounters`' to judge.
Law 2: two edges may map it at once (a release): both count in it. Only one at a time begins it: the other waits for a lock,
LOCK_LIMIT_S at most.
Law 3: counters are worth less than requests. A file that cannot be made or mapped is no reason not to serve: then counters
are kept in memory, and that is said.
"""

from __future__ import annotations

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
        return _mapped(file, size)
    except OSError as error:
        log("rate_counters_warning", {"file": str(file), "reason": f"they are in memory only: {reason_of(error)}"})
        return anonymous_counters(size=size)


def _mapped(file: Path, size: int) -> RateCounters:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(file, flags, 0o600)
    try:
        _lock(descriptor)
        # It never gets smaller: one that another process maps would lose pages under it.
        os.posix_fallocate(descriptor, 0, size)
        return RateCounters(mmap.mmap(descriptor, size), secret=secrets.token_bytes(_SECRET_BYTES))
    finally:
        # Said in so many words: the mapping keeps a duplicate of the descriptor, and the lock would be that one's too (flock(2)).
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


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
