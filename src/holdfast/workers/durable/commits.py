"""How what an object wrote becomes durable: all of a turn together, in a thread, with nobody of the object's code running meanwhile.

A commit begins when what came with the write is handled (`Channels.soon`), runs in a thread, and closes the input gate until it has ended: no statement of
user code meets it, and whatever happens to the object in the meantime shares the next one.

Law 1: all writes of one turn are in one transaction; a transaction over several turns is not committed before its end.
Law 2: what is let out after a write waits for its commit; what is let out within a transaction does not wait for that one's writes, which
are nobody's before its end (it may ask others, and must be answered). What waits is written down with what it waits for (`ledger.py`); who awaited
a transaction goes on before it is committed, so that an answer that is sent then is written down with it.
Law 3: a commit that fails, or takes longer than COMMIT_LIMIT_S, is told once; after `stop` none begins.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from contextvars import Context
from functools import partial
from typing import Protocol

from holdfast.store.objects.errors import StorageError
from holdfast.workers.durable.disk import Job
from holdfast.workers.durable.errors import STORAGE_STALLED, ObjectReset
from holdfast.workers.durable.gates import InputGate
from holdfast.workers.durable.output_gate import OutputGate

# Precedent: the original's.
COMMIT_LIMIT_S = 30.0
# Turns of the loop that a commit waits for events that settle, one after the other: some milliseconds, as a commit takes.
MOST_WAITED = 500
# From the end of one to the first step of the next, where there is a next one.
QUIET_TURNS = 3
# The context of what is nobody's.
_NOBODY = Context()


class Committable(Protocol):
    """An object's file."""

    def commit(self) -> None: ...
    def rollback(self) -> None: ...
    def close(self) -> None: ...


class Keeper(Protocol):
    """Writes down what waits for a commit, and whose events wrote (`ledger.Ledger`)."""

    def write_down(self, waiting: Iterable[Callable[[], None]]) -> None: ...
    def left(self) -> None: ...


class Threads(Protocol):
    """Who does what waits for the disk (`disk.Disk`)."""

    def submit(self, act: Callable[[], object], told: Callable[[Job], object] | None = None) -> Job: ...
    def shutdown(self) -> None: ...


class Commits:
    """See above. `soon` is how a commit begins; `failed` hears of one that did not come about, `settled` of each that did."""

    __slots__ = ("_began_at", "_disk", "_failed", "_gate", "_is_dirty", "_is_scheduled", "_is_stopped", "_loop", "_outputs", "_quiet", "_running", "_settled", "_soon",
                 "_transactions", "_waited", "_waiters", "_watch", "file", "ledger")  # fmt: skip

    def __init__(
        self,
        gate: InputGate,
        outputs: OutputGate,
        disk: Threads,
        *,
        soon: Callable[[Callable[[], object]], None],
        failed: Callable[[BaseException], None],
        settled: Callable[[], None],
    ) -> None:
        self.file: Committable | None = None
        # What is let out after a commit is written down with it; None where nobody would send it again.
        self.ledger: Keeper | None = None
        self._loop = asyncio.get_running_loop()
        self._gate = gate
        self._outputs = outputs
        self._disk = disk
        self._soon = soon
        self._failed = failed
        self._settled = settled
        self._is_dirty = self._is_scheduled = self._is_stopped = False
        self._running: Job | None = None
        self._began_at = 0.0
        # One for many commits: a timer for each would cost more than what it watches.
        self._watch: asyncio.TimerHandle | None = None
        self._transactions = self._waited = self._quiet = 0
        self._waiters: set[asyncio.Future[None]] = set()

    @property
    def are_due(self) -> bool:
        """Whether something was written that is not durable."""
        return self._is_dirty or self._running is not None

    def wrote(self, *, confirmed: bool) -> None:
        """There was a write; what is let out from now on waits for it, if it is to be `confirmed`."""
        if confirmed and not self._transactions:
            self._outputs.wrote()
        self._is_dirty = True
        self._schedule()

    def begin_transaction(self) -> None:
        """Commit nothing before its end."""
        self._transactions += 1

    def end_transaction(self) -> None:
        """What it wrote is written now."""
        self._transactions -= 1
        if self._is_dirty and not self._transactions:
            self._outputs.wrote()
            # Who awaits its end is called after this, and before what the loop is asked for then.
            self._schedule(behind_who_waits=True)

    @property
    def is_in_transaction(self) -> bool:
        """Whether one is open that lasts over turns."""
        return self._transactions > 0

    async def settle(self) -> None:
        """Wait until there is nothing to be committed, or nothing is committed any more."""
        while self.are_due and not self._is_stopped:
            future: asyncio.Future[None] = self._loop.create_future()
            self._waiters.add(future)
            try:
                await future
            finally:
                self._waiters.discard(future)

    def meet(self) -> None:
        """Block until no commit runs: for code that no gate holds (a callback of the loop's own) and that would touch the file."""
        if self._running is not None:
            self._running.wait()

    def stop(self) -> None:
        """Begin no more."""
        self._is_stopped = True
        self._tell()

    def let_go(self) -> "asyncio.Future[None] | None":
        """Undo what is not committed, and close the file; a future where a commit must end first."""
        self.stop()
        file, self.file, self.ledger = self.file, None, None
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        if file is None:
            return None
        if self._running is None:
            file.rollback()
            self._disk.submit(file.close)
            return None
        until: asyncio.Future[None] = self._loop.create_future()
        self._running.then(partial(self._close, file, until))
        return until

    def _schedule(self, *, behind_who_waits: bool = False) -> None:
        if not (self._is_scheduled or self._transactions or self._running is not None or self._is_stopped):
            self._is_scheduled = True
            if behind_who_waits:
                self._loop.call_soon(self._loop.call_soon, self._begin, context=Context())
            else:
                self._soon(self._begin)

    def _begin(self) -> None:
        self._is_scheduled = False
        if self._is_stopped or self._transactions or not self._is_dirty or self.file is None:
            return
        if self._gate.has_settled and self._waits():
            self._is_scheduled = True
            self._loop.call_soon(self._begin, context=_NOBODY)
            return
        self._waited = self._quiet = 0
        self._gate.has_settled = False
        if self.ledger is not None:
            try:
                self.ledger.write_down(self._outputs.actions)
            except Exception as error:  # noqa: BLE001  as of the commit itself
                self._failed(error)
                return
        self._is_dirty = False
        generation = self._outputs.begin()
        self._gate.hold()
        self._began_at = self._loop.time()
        if self._watch is None:
            self._watch = self._loop.call_later(COMMIT_LIMIT_S, self._look, context=Context())
        self._running = self._disk.submit(self.file.commit, partial(self._ended, generation))

    def _waits(self) -> bool:
        """Whether an event settles, or has just done so: it goes on within a few turns, and is likely to write, and so is the next one. All
        of them go into one commit.
        """
        self._waited += 1
        self._quiet = 0 if self._gate.is_settling else self._quiet + 1
        return self._waited <= MOST_WAITED and self._quiet < QUIET_TURNS

    def _ended(self, generation: int, job: Job) -> None:
        self._running = None
        if self._is_stopped:
            return
        if job.error is not None:
            self._failed(job.error)
            return
        self._outputs.confirm(generation)
        if self.ledger is not None:
            self.ledger.left()
        self._tell()
        self._settled()
        if self._is_dirty:
            self._schedule()
        self._gate.release()

    def _look(self) -> None:
        """Whether a commit takes too long."""
        self._watch = None
        if self._running is None or self._is_stopped:
            return
        left_s = self._began_at + COMMIT_LIMIT_S - self._loop.time()
        if left_s > 0:
            self._watch = self._loop.call_later(left_s, self._look, context=Context())
        else:
            self._failed(ObjectReset(STORAGE_STALLED))

    def _tell(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _close(self, file: Committable, until: "asyncio.Future[None]", _commit: object) -> None:
        # In the thread of the commit.
        try:
            # Nobody's any more: what is not written is undone when it is opened.
            with suppress(StorageError):
                file.rollback()
            file.close()
        finally:
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(until.set_result, None, context=Context())
