"""One edge and one control for each data directory: a lock file for each role.

Law 1: whoever holds the lock is alive: the kernel lets go of it with the process (flock(2)), however that ended.
Law 2: a role whose predecessor is still saying goodbye waits for it; one that finds somebody at home says so.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from holdfast.errors import SetupError, reason_of

# An edge that ends has 5 s of grace, and some for its log.
_LIMIT_S = 10.0
_POLL_S = 0.02


@contextmanager
def data_lock(data_dir: Path, role: str) -> Iterator[None]:
    """Hold the lock of `role` in `data_dir`, which is made if it is not there. Raises SetupError."""
    file = data_dir / f"{role}.lock"
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SetupError(f"the data directory {data_dir} cannot be used: {reason_of(error)}") from error
    try:
        if not _locked(descriptor):
            owner = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
            raise SetupError(f"the data directory {data_dir} has a running {role} already (process {owner})")
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def holder_of(data_dir: Path, role: str) -> int | None:
    """The process that has the lock of `role` in `data_dir`, None where nobody has; 0 where it has not said yet who it is.

    Whoever wants the lock in this very moment tries again (`data_lock`).
    """
    try:
        descriptor = os.open(data_dir / f"{role}.lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        said = os.pread(descriptor, 20, 0).strip()
        return int(said) if said.isdigit() else 0
    finally:
        os.close(descriptor)
    return None


def _locked(descriptor: int) -> bool:
    deadline = time.monotonic() + _LIMIT_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
        time.sleep(_POLL_S)
