"""One edge and one control for each data directory: a lock file for each role.

Law 1: whoever holds the lock is alive: the kernel lets go of it with the process (flock(2)), however that ended.
Law 2: a role whose predecessor is still saying goodbye waits for it; one that finds somebody at home says so.
Law 3: the successor of a release starts without the lock, and takes it when its predecessor lets go.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from holdfast.errors import SetupError, reason_of

# An edge that ends has 5 s of grace, and some for its log.
LIMIT_S = 10.0
_POLL_S = 0.02


class DataLock:
    """The lock of `role` in `data_dir`, which is made if it is not there. It is not held before it is taken."""

    def __init__(self, data_dir: Path, role: str) -> None:
        """Raises SetupError."""
        self._data_dir, self._role = data_dir, role
        self.is_held = False
        try:
            data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._descriptor = os.open(data_dir / f"{role}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise SetupError(f"the data directory {data_dir} cannot be used: {reason_of(error)}") from error

    def take(self, *, limit_s: float = LIMIT_S, waits: Callable[[str], None] | None = None, else_do: str = "") -> None:
        """Hold it. Raises SetupError, with what to `else_do`, where somebody else does not let go of it in time; `waits` is told
        that it takes some, by the sentence who has it.
        """
        deadline, told = time.monotonic() + limit_s, waits
        while not self.try_to_take():
            owner = os.pread(self._descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
            sentence = f"the data directory {self._data_dir} has a running {self._role} already (process {owner})"
            if time.monotonic() >= deadline:
                raise SetupError(sentence + else_do)
            if told is not None:
                told(sentence)
                told = None
            time.sleep(_POLL_S)

    def try_to_take(self) -> bool:
        """Hold it, unless somebody else does; whether it is held now."""
        if not self.is_held:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            self.is_held = True
            # Who has it is for others to read. On a full disk it is held all the same.
            with suppress(OSError):
                os.ftruncate(self._descriptor, 0)
                os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)
        return True

    def let_go(self) -> None:
        """Let another have it."""
        self.is_held = False
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of it, for good."""
        os.close(self._descriptor)


@contextmanager
def data_lock(data_dir: Path, role: str, *, limit_s: float = LIMIT_S) -> Iterator[None]:
    """Hold the lock of `role` in `data_dir`, which is made if it is not there. Raises SetupError."""
    with closing(DataLock(data_dir, role)) as lock:
        lock.take(limit_s=limit_s)
        yield


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
