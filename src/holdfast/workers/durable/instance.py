"""One instance of an object: user code in memory, its gates, what it runs, and how it ends.

It ends in one of two ways. It *leaves* (hibernates, or goes for a deploy): nothing runs, all is durable, its sockets stay. Or it *breaks*
(an exception in its constructor or in `blockConcurrencyWhile`, `abort()`, a commit that failed): its code never goes on, what it
had not made durable never was, none of its outputs leave, its callers are told why, its sockets are closed.

A commit takes all writes that came before it, together: it begins when the loop comes round, runs in a thread, and meanwhile the
input gate is closed, so no statement of user code meets it.

Law 1: after `broken` is set, no step of user code runs and nothing of it leaves.
Law 2: `reasons()` says everything for which the instance stays in memory; an instance without one may leave at any moment.
Law 3: all writes of one turn are in one transaction; a transaction over several turns is not committed before its end.
"""

import asyncio
import inspect
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future as Concurrent
from contextvars import Context, copy_context
from functools import partial
from itertools import count
from typing import Any, Protocol

from holdfast.workers.durable.current import CURRENT, SECTION, Section
from holdfast.workers.durable.errors import BLOCKED_TOO_LONG, NO_LONGER_ACTIVE, STORAGE_STALLED, ObjectReset
from holdfast.workers.durable.events import Event, Progress
from holdfast.workers.durable.gates import InputGate, OutputGate, driven, gated, living
from holdfast.workers.durable.ids import DurableObjectId
from holdfast.workers.durable.services import Journal, ObjectClass, Services, Socket

# Precedents: the original's, for both.
BLOCK_LIMIT_S = 30.0
COMMIT_LIMIT_S = 30.0
# How long background work may keep an object in memory. Precedent: the original's, for waitUntil().
WAIT_UNTIL_LIMIT_S = 15 * 60.0
# Time for `preShutdown`. Precedent: the original's.
PRE_SHUTDOWN_LIMIT_S = 10.0
FOREVER = float("inf")


class Place(Protocol):
    """What there is of the object when it is not in memory (`actor.Actor`)."""

    id: DurableObjectId
    kind: ObjectClass
    sockets: dict[Socket, None]

    def broke(self, instance: "Instance", error: BaseException, until: "asyncio.Future[None] | None") -> None:
        """The instance is broken; `until`: its file is still in use."""


class Instance:
    """See above. `construct()` makes the user's object; then `deliver()` gives it events."""

    __slots__ = (
        "_committing",
        "_exclusives",
        "_file",
        "_holds",
        "_is_dirty",
        "_is_doomed",
        "_is_scheduled",
        "_journal",
        "_queue",
        "_running",
        "_services", "_settling",
        "_stall",
        "_storage",
        "_tasks",
        "_tokens",
        "_waiters",
        "broken",
        "code",
        "context", "emit",
        "gate",
        "idle_since",
        "loop",
        "outputs",
        "place",
        "progress",
    )  # fmt: skip

    def __init__(self, place: Place, services: Services) -> None:
        self.place = place
        self.loop = asyncio.get_running_loop()
        self.gate = InputGate(self._drain)
        self.outputs = OutputGate(lambda error: self.report("What an object sent could not be sent", error))
        # Do this when all writes so far are durable. (The gate's own method: it is called for whatever leaves.)
        self.emit = self.outputs.emit
        self.progress = Progress()
        self.broken: BaseException | None = None
        self.code: Any = None
        self.idle_since = self.loop.time()
        self._services = services
        self._queue: deque[Event] = deque()
        self._running: set[Event] = set()
        self._tasks: dict[asyncio.Task[Any], tuple[Coroutine[Any, Any, Any], float]] = {}
        self._holds: dict[int, tuple[str, float]] = {}
        # Who waits for its writes, and who waits until there is nothing to be committed.
        self._waiters: set[asyncio.Future[None]] = set()
        self._settling: set[asyncio.Future[None]] = set()
        self._tokens = count()
        self._file: Any = None
        self._journal: Journal | None = None
        self._storage: Any = None
        self._is_dirty = self._is_scheduled = self._is_doomed = False
        self._committing: Concurrent[None] | None = None
        self._stall: asyncio.TimerHandle | None = None
        self._exclusives = 0
        self.context = Context()
        self.context.run(CURRENT.set, self)
        if services.context is not None:
            self.context.run(services.context, self)

    # What its place asks.

    def construct(self, state: Any) -> None:  # noqa: ANN401  the `ctx` of user code
        """Run the constructor of user code. Raises what it raises; then the instance is broken."""
        try:
            self.code = self.context.copy().run(self.place.kind.code, state, self._services.env)
        except BaseException as error:
            self.report("Uncaught exception in the constructor", error)
            self.break_(error)
            raise

    def deliver(self, event: Event) -> None:
        """Let an event happen to it, now or when its input gate opens."""
        event.host = self
        if self.broken is not None:
            event.fail(self.broken)
        elif self.gate.is_closed or self._queue:
            self._queue.append(event)
        else:
            self._begin(event)

    @property
    def queued(self) -> int:
        """How many events wait for the input gate."""
        return len(self._queue)

    @property
    def active(self) -> int:
        """How many events run."""
        return len(self._running)

    def reasons(self, now: float) -> list[str]:
        """Why it stays in memory: what runs, and what is not over."""
        held = [reason for reason, until in self._holds.values() if now < until]
        return [
            *(event.label for event in self._running),
            *(f"task {task.get_name()}" for task, (_, until) in self._tasks.items() if now < until),
            *held,
            *(["events wait for its input gate"] if self._queue or self.gate.is_closed else []),
            *(["writes are not durable yet"] if self._is_dirty or self.outputs.waiting else []),
        ]

    def is_idle(self, now: float) -> bool:
        """Whether there is no reason."""
        if self._running or self._queue or self._is_dirty or self.gate.is_closed or self.outputs.waiting:
            return False
        return not any(now < until for held in (self._tasks, self._holds) for _, until in held.values())

    @property
    def is_at_rest(self) -> bool:
        """Whether no handler runs and all is durable."""
        return not (self._running or self._is_dirty or self._committing or self.outputs.waiting)

    async def leave(self, reason: str) -> list[Event]:
        """End it in peace: `preShutdown`, the last commit, the file closed. The events that came meanwhile, for the next instance."""
        method = getattr(self.code, "preShutdown", None) or getattr(self.code, "pre_shutdown", None)
        if method is not None and self.broken is None:
            await self._shut_down(method, reason)
        if self.broken is None:
            await self.settled()
        left, self._queue = list(self._queue), deque()
        if self.broken is None:
            # What is left of its code (work beyond its limit, callbacks) ends at its next step.
            self.broken = ObjectReset(NO_LONGER_ACTIVE, retryable=True)
            self.gate.break_(self.broken)
            self.outputs.break_()
            for task in list(self._tasks):
                task.cancel()
            self._retire_file(None)
        return left

    async def settled(self) -> None:
        """Wait until there is nothing to be committed. Raises nothing: a failure breaks the instance, and says so there."""
        while self.broken is None and (self._is_dirty or self._committing is not None):
            await self._told(self._settling)

    # What its events tell.

    def ended(self, event: Event) -> None:
        """An event is done with."""
        self._running.discard(event)
        self.idle_since = self.loop.time()
        if self._services.rested is not None:
            self._services.rested.set()

    def report(self, text: str, error: BaseException | None) -> None:
        """Tell the script's log."""
        self._services.report("error", f"{text} ({self.place.kind.name} {self.place.id})", error)

    # What the SDK and tasks of user code ask (`current.Activity`).

    def adopt(self, coroutine: Coroutine[Any, Any, Any], section: Section | None) -> Coroutine[Any, Any, Any]:
        """The coroutine, each step of it held by the input gate."""
        return _stepwise(coroutine, self.gate, section)

    def owns(self, task: "asyncio.Task[Any]", coroutine: Coroutine[Any, Any, Any]) -> None:
        """A task of user code: it keeps the instance in memory, and ends with it."""
        self._tasks[task] = (coroutine, FOREVER)
        task.add_done_callback(self._disown)

    def hold(self, reason: str, *, limit_s: float | None = None) -> Callable[[], None]:
        """Keep the instance in memory until the returned function is called, or the time has passed."""
        token = next(self._tokens)
        self._holds[token] = (reason, FOREVER if limit_s is None else self.loop.time() + limit_s)
        return partial(self._release, token)

    async def confirmed(self) -> None:
        """Wait until all writes so far are durable. Raises what broke the instance."""
        if not self.outputs.is_clear and self.broken is None:
            await self._durable()
        self.check()

    def wait_until(self, work: Awaitable[Any] | object) -> None:
        """Keep the instance in memory until the work has ended, WAIT_UNTIL_LIMIT_S at most; its exception is reported."""
        if not inspect.isawaitable(work):
            # As in JavaScript, what is there already needs no waiting for.
            return
        future = asyncio.ensure_future(work)
        until = self.loop.time() + WAIT_UNTIL_LIMIT_S
        if future in self._tasks:
            self._tasks[future] = (self._tasks[future][0], until)
            release: Callable[[], None] | None = None
        else:
            release = self.hold("waitUntil()", limit_s=WAIT_UNTIL_LIMIT_S)
        future.add_done_callback(partial(self._waited, release))

    # What storage asks (`storage.StorageHost`).

    def check(self) -> None:
        """Before each operation. Raises what broke the instance."""
        if self.broken is not None:
            raise self.broken
        if self._committing is not None:
            # Code that no gate holds (a callback of the loop's own): a statement must not meet the commit.
            self._committing.exception()

    def wrote(self, *, confirmed: bool = True) -> None:
        """There was a write; what is let out from now on waits for it, unless it was not to be `confirmed`."""
        if confirmed and not self._exclusives:
            # What a transaction writes is waited for from its end on: until then it may ask others, and must be answered.
            self.outputs.wrote()
        self._is_dirty = True
        self._schedule()

    def alarm_changed(self, at_ms: int | None) -> None:
        """The alarm was set (Unix milliseconds) or deleted: the table of alarms, which the commit tells, says so to their scheduler."""

    def exclusive(self, callback: Callable[[], Any]) -> "asyncio.Task[Any]":
        """Run the callback alone, and commit nothing before it has ended; its exception comes back, and breaks nothing."""
        return self._in_section(callback, is_transaction=True)

    @property
    def storage(self) -> Any:  # noqa: ANN401  `storage.Storage`, which knows this only as its host
        """The object's storage; its file is opened now, if it is not."""
        if self._storage is None:
            self._storage = self._services.make_storage(self.file, self)
        return self._storage

    @property
    def file(self) -> Any:  # noqa: ANN401  `services.File`
        """The object's file, opened now if it is not. Raises what broke the instance."""
        self.check()
        if self._file is None:
            self._file = self._services.open_file(self.place.kind, str(self.place.id))
            self._open_journal()
        return self._file

    @property
    def journal(self) -> Journal | None:
        """Which events of sockets the file says were handled; None where no file is open."""
        return self._journal

    def _open_journal(self) -> None:
        if self._services.open_journal is not None:
            self._journal = self._services.open_journal(self._file)
            if self._services.has_all_sockets():
                self._journal.retain([ws.session.sid for ws in self.place.sockets if ws.session is not None])

    # What `ctx` asks.

    def block(self, callback: Callable[[], Any]) -> "asyncio.Task[Any]":
        """`blockConcurrencyWhile`: run the callback alone; its exception, or more than BLOCK_LIMIT_S, breaks the instance."""
        return self._in_section(callback, is_transaction=False)

    def doom(self, error: BaseException) -> None:
        """Break it when the code that asks has come to its end or its next await; nothing is committed any more."""
        self._is_doomed = True
        self.loop.call_soon(self.break_, error, context=Context())

    def break_(self, error: BaseException) -> None:
        """End it now. What it waits for is cancelled, what it wrote since the last commit is undone, its sockets are closed."""
        if self.broken is not None:
            return
        self.broken = error
        self.gate.break_(error)
        self.outputs.break_()
        for task in list(self._tasks):
            task.cancel()
        self._holds.clear()
        for future in (*self._waiters, *self._settling):
            _resolve(future)
        running, queued = list(self._running), list(self._queue)
        self._running.clear()
        self._queue.clear()
        until = self._retire_file(self._committing)
        self.place.broke(self, error, until)
        for event in running:
            event.fail(error)
            event.cancel()
        for event in queued:
            event.fail(error)

    # Events.

    def _begin(self, event: Event) -> None:
        try:
            function, args = event.handler()
        except Exception as error:  # noqa: BLE001  the event tells its caller
            event.done(None, error)
            return
        self._running.add(event)
        context = self.context.copy()
        event.prepare(context)
        event.handle = self._services.start(gated, (function, args, self.gate, None), context, event.done)

    def _drain(self) -> None:
        while self._queue and not self.gate.is_closed:
            self._begin(self._queue.popleft())

    # Sections.

    def _in_section(self, callback: Callable[[], Any], *, is_transaction: bool) -> "asyncio.Task[Any]":
        self.check()
        section = Section(living(SECTION.get()))
        # At once where that may be: who calls this in a constructor, without awaiting, is alone from now on.
        if is_in := self.gate.admits(section.parent):
            self.gate.enter(section)
        context = copy_context()
        context.run(CURRENT.set, self)
        context.run(SECTION.set, section)
        run = (
            self._transaction(callback, section, is_in=is_in)
            if is_transaction
            else self._critical(callback, section, is_in=is_in)
        )
        task = asyncio.Task(run, loop=self.loop, context=context)
        self.owns(task, run)
        return task

    async def _critical(self, callback: Callable[[], Any], section: Section, *, is_in: bool) -> Any:  # noqa: ANN401  the callback's
        try:
            return await self._alone(callback, section, is_in=is_in)
        except BaseException as error:
            if not isinstance(error, asyncio.CancelledError):
                self.report("Uncaught exception in blockConcurrencyWhile(): the object is reset", error)
                self.break_(error)
            raise
        finally:
            self.gate.leave(section)

    async def _transaction(self, callback: Callable[[], Any], section: Section, *, is_in: bool) -> Any:  # noqa: ANN401  the callback's
        try:
            if not is_in:
                await self.gate.admission(section.parent)
                self.gate.enter(section)
            if not self._exclusives:
                # What was written before is not to wait for the transaction's end.
                await self.settled()
            self._exclusives += 1
            try:
                return await self._alone(callback, section, is_in=True)
            finally:
                self._exclusives -= 1
                if self._is_dirty:
                    self.outputs.wrote()
                    self._schedule()
        finally:
            self.gate.leave(section)

    async def _alone(self, callback: Callable[[], Any], section: Section, *, is_in: bool) -> Any:  # noqa: ANN401  the callback's
        if not is_in:
            await self.gate.admission(section.parent)
            self.gate.enter(section)
        limit = asyncio.timeout(BLOCK_LIMIT_S)
        try:
            async with limit:
                return await gated(callback, (), self.gate, section)
        except TimeoutError:
            if not limit.expired():
                raise
            error = ObjectReset(BLOCKED_TOO_LONG)
            self.break_(error)
            raise error from None

    async def _shut_down(self, method: Callable[..., Any], reason: str) -> None:
        section = Section()
        self.gate.enter(section)
        context = self.context.copy()
        context.run(SECTION.set, section)
        run = gated(method, (ShutdownInfo(reason),), self.gate, section)
        task = asyncio.Task(run, loop=self.loop, context=context)
        await asyncio.wait([task], timeout=PRE_SHUTDOWN_LIMIT_S)
        if not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=1)
            self.report(f"preShutdown() took longer than {PRE_SHUTDOWN_LIMIT_S:.0f} s and was ended", None)
        elif not task.cancelled() and (error := task.exception()) is not None:
            self.report("Uncaught exception in preShutdown", error)
        # The section stays: nobody else's code runs in this instance any more.

    # Commits.

    def _schedule(self) -> None:
        if not (self._is_scheduled or self._exclusives or self._committing is not None or self.broken is not None):
            self._is_scheduled = True
            self.loop.call_soon(self._commit, context=Context())

    def _commit(self) -> None:
        self._is_scheduled = False
        if self.broken is not None or self._exclusives or self._is_doomed or not self._is_dirty:
            return
        self._is_dirty = False
        generation = self.outputs.begin()
        self.gate.hold()
        self._stall = self.loop.call_later(COMMIT_LIMIT_S, self._stalled, context=Context())
        self._committing = self._services.executor.submit(self._file.commit)
        self._committing.add_done_callback(partial(self._tell_committed, generation))

    def _tell_committed(self, generation: int, future: "Concurrent[None]") -> None:
        # In the thread of the commit; the loop may be over by now.
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self._committed, generation, future, context=Context())

    def _committed(self, generation: int, future: "Concurrent[None]") -> None:
        self._committing = None
        if self._stall is not None:
            self._stall.cancel()
        if self.broken is not None:
            return
        if (error := future.exception()) is not None:
            self.report("The object's writes could not be made durable: the object is reset", error)
            self.break_(error)
            return
        self.outputs.confirm(generation)
        for waiter in self._settling:
            _resolve(waiter)
        if self._services.rested is not None:
            self._services.rested.set()
        if self._is_dirty:
            self._schedule()
        self.gate.release()

    def _stalled(self) -> None:
        self.break_(ObjectReset(STORAGE_STALLED))

    def _retire_file(self, committing: "Concurrent[None] | None") -> "asyncio.Future[None] | None":
        """Undo what is not committed, and close; a future where a commit must end first."""
        file, self._file, self._storage, self._journal = self._file, None, None, None
        if file is None:
            return None
        if committing is None:
            file.rollback()
            self._services.executor.submit(file.close)
            return None
        until: asyncio.Future[None] = self.loop.create_future()
        committing.add_done_callback(partial(self._close_after, file, until))
        return until

    def _close_after(self, file: Any, until: "asyncio.Future[None]", _commit: object) -> None:  # noqa: ANN401  as `file` is
        # In the thread of the commit.
        try:
            file.rollback()
            file.close()
        finally:
            if not self.loop.is_closed():
                self.loop.call_soon_threadsafe(_resolve, until, context=Context())

    # Little things.

    async def _durable(self) -> None:
        """Wait until all writes so far are durable, or the instance is broken."""
        future: asyncio.Future[None] = self.loop.create_future()
        self.outputs.emit(partial(_resolve, future))
        await self._told(self._waiters, future)

    async def _told(self, told: "set[asyncio.Future[None]]", future: "asyncio.Future[None] | None" = None) -> None:
        """Wait as one of those who are told."""
        awaited = future or self.loop.create_future()
        told.add(awaited)
        try:
            await awaited
        finally:
            told.discard(awaited)

    def _release(self, token: int) -> None:
        if self._holds.pop(token, None) is not None:
            self.idle_since = self.loop.time()

    def _disown(self, task: "asyncio.Task[Any]") -> None:
        self.idle_since = self.loop.time()
        owned = self._tasks.pop(task, None)
        if owned is not None:
            # Of a task that was cancelled before its first step nobody else would.
            owned[0].close()
        if self.broken is not None and not task.cancelled():
            # It ended because of that; nobody is left to be told so.
            task.exception()

    def _waited(self, release: Callable[[], None] | None, future: "asyncio.Future[Any]") -> None:
        if release is not None:
            release()
        if not future.cancelled() and (error := future.exception()) is not None and self.broken is None:
            self.report("Uncaught exception in waitUntil", error)


class ShutdownInfo:
    """What `preShutdown` is told: `reason` is "inactive" or "codeUpdated"."""

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.reason = reason


async def _stepwise(coroutine: Coroutine[Any, Any, Any], gate: InputGate, section: Section | None) -> Any:  # noqa: ANN401  a task's result
    if gate.is_closed:
        await gate.admission(section)
    return await driven(coroutine, gate, section)


def _resolve(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
