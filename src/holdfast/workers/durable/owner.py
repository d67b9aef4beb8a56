"""Who owns the objects: one process at a time, proved by a lock, counted by an epoch.

`OwnerStore` is what owning is, on one machine or on many. `LocalOwner` is the one for one machine: who holds the operating system's lock on
the objects' directory owns all of them. The lock ends with its process, however that ends, so nobody has to be declared dead; the
epoch, raised at each taking and on the disk before the first object is made, tells one owner's time from the next one's.

Law 1: at no time do two processes own an object.
Law 2: epochs rise; what is done under an old one is refused (`Fenced`).
Law 3: what `append` returned from is durable, and the next owner's `load` finds it.
"""

import asyncio
import fcntl
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

LOCK_NAME = ".owner"
# How long the owner before may take to let go: the host starts us when it is gone, so this is a bound, not a wait.
JOIN_LIMIT_S = 10.0
RETRY_S = 0.02


class Fenced(RuntimeError):
    """Somebody else owns the object now; whoever hears this must stop at once."""


class NotOwned(RuntimeError):
    """The objects could not be taken: another process holds them."""


class ObjectKey(NamedTuple):
    """An object among all of a script: the class's namespace, and 64 hex digits."""

    namespace: str
    digits: str


class Claim(NamedTuple):
    """Who owns an object: its node, where to reach that, and since which epoch. `is_own`: the caller does."""

    node: str
    address: str
    epoch: int
    is_own: bool


class OwnerStore(Protocol):
    """What owning objects is, wherever the record of it is kept (`local` here; rows of PostgreSQL for many machines)."""

    async def join(self, node: str, address: str) -> int:
        """Become a node; the epoch of this membership. Raises NotOwned where that is not possible."""

    async def renew(self) -> None:
        """Say that this node lives. Raises Fenced where it is taken for dead: then it must stop."""

    async def leave(self) -> None:
        """Give everything back, at once."""

    async def claim(self, key: ObjectKey) -> Claim:
        """Own an object, or learn who does."""

    async def release(self, key: ObjectKey, epoch: int) -> None:
        """Own it no more."""

    async def lookup(self, key: ObjectKey) -> Claim | None:
        """Who owns it, if anybody does."""

    async def append(self, key: ObjectKey, epoch: int, seq: int, frames: bytes) -> None:
        """Keep a commit of an object. Raises Fenced under an old epoch; then nothing was kept."""

    async def load(self, key: ObjectKey) -> Sequence[bytes]:
        """The commits that are not in the object's file, oldest first."""

    async def due_alarms(self, now_ms: int, limit: int) -> Sequence[Any]:
        """Objects whose alarm is due, the earliest first (`store.objects.alarms.AlarmRow`)."""


class Alarms(Protocol):
    """The table of all alarms (`store.objects.alarms.AlarmTable`)."""

    def due(self, now_ms: int, limit: int) -> Sequence[Any]: ...


class LocalOwner:
    """The objects of one directory, on one machine. Commits are in the objects' own files, so `load` has nothing to add."""

    def __init__(self, directory: Path, alarms: Alarms | None = None) -> None:
        self._directory = directory
        self._alarms = alarms
        self._descriptor: int | None = None
        self._node = self._address = ""
        self.epoch = 0

    async def join(self, node: str, address: str) -> int:
        """Take the lock, and begin a new epoch. Raises NotOwned after JOIN_LIMIT_S."""
        loop = asyncio.get_running_loop()
        limit = loop.time() + JOIN_LIMIT_S
        while not self.take(node, address):
            if loop.time() >= limit:
                raise NotOwned(
                    f"{self._directory / LOCK_NAME}: another process ({self._holder()}) has held it for {JOIN_LIMIT_S:.0f} s"
                )
            await asyncio.sleep(RETRY_S)
        return self.epoch

    def take(self, node: str, address: str) -> bool:
        """Take the lock if nobody has it."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor, self._node, self._address = descriptor, node, address
        self.epoch = _record(descriptor).get("epoch", 0) + 1
        _write(descriptor, {"epoch": self.epoch, "node": node, "address": address})
        return True

    async def renew(self) -> None:
        """Raises Fenced where the lock is no longer that of the directory (which was moved, or put back from a backup)."""
        self.check()

    def check(self) -> None:
        """As `renew`, at once."""
        self._check(self.epoch)

    async def leave(self) -> None:
        """Let go of the lock."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    async def claim(self, key: ObjectKey) -> Claim:
        """The object is this process's, as all are. Raises Fenced where it owns nothing."""
        self._check(self.epoch)
        return Claim(self._node, self._address, self.epoch, is_own=True)

    async def release(self, key: ObjectKey, epoch: int) -> None:
        """Nothing to do: all are released together."""
        self._check(epoch)

    async def lookup(self, key: ObjectKey) -> Claim | None:
        """Who holds the lock, from whatever process this is asked."""
        if self._descriptor is not None:
            return Claim(self._node, self._address, self.epoch, is_own=True)
        record = self._read()
        if not record or self._is_free():
            return None
        return Claim(record["node"], record["address"], record["epoch"], is_own=False)

    async def append(self, key: ObjectKey, epoch: int, seq: int, frames: bytes) -> None:
        """The commit is in the object's file already; what is left is to be sure that it was ours to write."""
        self._check(epoch)

    async def load(self, key: ObjectKey) -> Sequence[bytes]:
        """Nothing: the object's file has all of it."""
        self._check(self.epoch)
        return ()

    async def due_alarms(self, now_ms: int, limit: int) -> Sequence[Any]:
        """As the table of alarms has it."""
        self._check(self.epoch)
        return () if self._alarms is None else self._alarms.due(now_ms, limit)

    def _check(self, epoch: int) -> None:
        if self._descriptor is None or epoch != self.epoch:
            raise Fenced(f"epoch {epoch} of {self._directory} is over")
        try:
            there = (self._directory / LOCK_NAME).stat()
        except FileNotFoundError:
            raise Fenced(f"{self._directory / LOCK_NAME} is gone") from None
        if not os.path.samestat(there, os.fstat(self._descriptor)):
            raise Fenced(f"{self._directory / LOCK_NAME} is another file now")

    def _is_free(self) -> bool:
        descriptor = os.open(self._directory / LOCK_NAME, os.O_RDWR | os.O_CLOEXEC)
        try:
            # A shared lock for a moment: an owner's excludes it, another one who asks does not.
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(descriptor)
        return True

    def _read(self) -> dict[str, Any]:
        try:
            descriptor = os.open(self._directory / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return {}
        try:
            return _record(descriptor)
        finally:
            os.close(descriptor)

    def _holder(self) -> str:
        return str(self._read().get("node", "unknown"))


def _record(descriptor: int) -> dict[str, Any]:
    # Its first line: a longer one may have been written over, and its end not be cut off yet.
    text = os.pread(descriptor, 4096, 0).partition(b"\n")[0]
    # Torn by a power cut, or never written: the first epoch follows.
    try:
        record = json.loads(text or b"{}")
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


def _write(descriptor: int, record: dict[str, Any]) -> None:
    text = json.dumps(record).encode() + b"\n"
    os.pwrite(descriptor, text, 0)
    os.ftruncate(descriptor, len(text))
    os.fsync(descriptor)
