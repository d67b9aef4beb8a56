"""One instance of an object: user code in memory, its gates, what it runs, and how it ends.

It ends in one of two ways. It *leaves* (hibernates, or goes for a deploy): nothing runs, all is durable, its sockets stay. Or it *breaks*
(an exception in its constructor or in `blockConcurrencyWhile`, `abort()`, a commit that failed): its code never goes on, what it
had not made durable never was, none of its outputs leave, its callers are told why, its sockets are closed.

How its writes become durable is told in `commits.py`, how its code runs alone in `sections.py`, what it does beside its events in `work.py`.

Law 1: after `broken` is set, no step of user code runs and nothing of it leaves.
Law 2: `reasons()` says everything for which the instance stays in memory; an instance without one may leave at any moment.
Law 3: whatever breaks it, and whatever fails on the way, everybody who waits for it is told.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextvars import Context
from functools import partial
from typing import Any, Protocol

from holdfast.workers.durable import sections
from holdfast.workers.durable.commits import Commits
from holdfast.workers.durable.current import CURRENT, Section
from holdfast.workers.durable.errors import NO_LONGER_ACTIVE, ObjectReset
from holdfast.workers.durable.events import Event, Progress
from holdfast.workers.durable.gates import InputGate, gated, stepwise
from holdfast.workers.durable.ids import DurableObjectId
from holdfast.workers.durable.output_gate import OutputGate
from holdfast.workers.durable.own_file import OwnFile
from holdfast.workers.durable.services import Ledger, ObjectClass, Services, Socket
from holdfast.workers.durable.work import Work


class Place(Protocol):
    """What there is of the object when it is not in memory (`actor.Actor`)."""

    id: DurableObjectId
    kind: ObjectClass
    sockets: dict[Socket, None]
    # How long a handler of a socket's event may take; 0 is without end.
    event_timeout_ms: int

    def broke(self, instance: "Instance", error: BaseException, until: "asyncio.Future[None] | None") -> None:
        """The instance is broken; `until`: its file is still in use."""


class Instance:
    """See above. `construct()` makes the user's object; then `deliver()` gives it events."""

    __slots__ = (
        "_own",
        "_queue",
        "_running",
        "_services",
        "_waiters",
        "broken",
        "code",
        "commits",
        "context",
        "emit",
        "errors",
        "gate",
        "handled",
        "idle_since",
        "is_explained",
        "loop",
        "outputs",
        "place",
        "progress",
        "work",
    )

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
        # Events since it was made, and those whose handler raised.
        self.handled = self.errors = 0
        # Whether it was said why it stays in memory.
        self.is_explained = False
        self._services = services
        # None until there is something: an empty deque takes 760 bytes, and most never hold anything.
        self._queue: deque[Event] | None = None
        self._running: set[Event] = set()
        self.work = Work(self._touched, partial(self.report, "Uncaught exception in waitUntil"))
        # Who waits for its writes.
        self._waiters: set[asyncio.Future[None]] = set()
        self.commits = Commits(
            self.gate,
            self.outputs,
            services.disk,
            soon=services.channels.soon,
            failed=self._not_durable,
            settled=self._committed,
        )
        self._own = OwnFile(place, services, self.commits)
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
            self._queue = self._queue or deque()
            self._queue.append(event)
        else:
            self._begin(event)

    @property
    def waiting(self) -> Iterable[Event]:
        """The events that wait."""
        return self._queue or ()

    @property
    def at_work(self) -> Iterable[Event]:
        """The events that run."""
        return self._running

    @property
    def queued(self) -> int:
        """How many events wait for the input gate."""
        return len(self._queue or ())

    @property
    def active(self) -> int:
        """How many events run."""
        return len(self._running)

    def reasons(self, now: float) -> list[str]:
        """Why it stays in memory: what runs, and what is not over."""
        return [
            *(event.label for event in self._running),
            *self.work.reasons(now),
            *(["events wait for its input gate"] if self._queue or self.gate.is_closed else []),
            *(["writes are not durable yet"] if self.commits.are_due or self.outputs.waiting else []),
        ]

    def is_idle(self, now: float) -> bool:
        """Whether there is no reason."""
        if self._running or self._queue or self.commits.are_due or self.gate.is_closed or self.outputs.waiting:
            return False
        return not self.work.is_there(now)

    @property
    def has_file(self) -> bool:
        """Whether its file is open."""
        return self._own.file is not None

    @property
    def is_at_rest(self) -> bool:
        """Whether no handler runs and all is durable."""
        return not (self._running or self.commits.are_due or self.outputs.waiting)

    async def leave(self, reason: str) -> list[Event]:
        """End it in peace: `preShutdown`, the last commit, the file closed. The events that came meanwhile, for the next instance."""
        method = getattr(self.code, "preShutdown", None) or getattr(self.code, "pre_shutdown", None)
        if method is not None and self.broken is None:
            await sections.last_hours(self, method, reason)
        if self.broken is None and not self.commits.is_in_transaction:
            await self.commits.settle()
        return self.part()

    def part(self) -> list[Event]:
        """The last of `leave`, at once: what still runs ends where it is, what is not committed is undone. Sockets stay."""
        left, self._queue = list(self._queue or ()), None
        if self.broken is None:
            self.broken = gone = ObjectReset(NO_LONGER_ACTIVE, retryable=True)
            self.gate.break_(gone)
            self.outputs.break_()
            self.work.end()
            running, self._running = self._running, set()
            self.place.kind.tally.forget(running)
            for event in running:
                event.fail(gone)
                event.cancel()
            self._let_go()
        return left

    # What its events tell.

    def ended(self, event: Event) -> None:
        """An event is done with."""
        self._running.discard(event)
        self.idle_since = now = self.loop.time()
        self.handled += 1
        tally = self.place.kind.tally
        tally.events[event.kind] += 1
        if tally.timed:
            tally.ended(event, now)
        self._rest()

    def failed(self, event: Event) -> None:
        """The handler of an event has raised."""
        self.errors += 1
        self.place.kind.tally.errors[event.kind] += 1

    def report(self, text: str, error: BaseException | None) -> None:
        """Tell the script's log."""
        self._services.report("error", f"{text} ({self.place.kind.name} {self.place.id})", error)

    # What the SDK and tasks of user code ask (`current.Activity`).

    def adopt(self, coroutine: Coroutine[Any, Any, Any], section: Section | None) -> Coroutine[Any, Any, Any]:
        """The coroutine, each step of it held by the input gate."""
        self.gate.has_branched = True
        return stepwise(coroutine, self.gate, section, self.gate.current)

    def owns(self, task: "asyncio.Task[Any]", coroutine: Coroutine[Any, Any, Any]) -> None:
        """A task of user code: it keeps the instance in memory, and ends with it."""
        self.work.owns(task, coroutine)

    def hold(self, reason: str, *, limit_s: float | None = None) -> Callable[[], None]:
        """Keep the instance in memory until the returned function is called, or the time has passed."""
        return self.work.hold(reason, limit_s=limit_s)

    async def confirmed(self) -> None:
        """Wait until all writes so far are durable. Raises what broke the instance."""
        if not self.outputs.is_clear and self.broken is None:
            await self._durable()
        self.check()

    def wait_until(self, work: Awaitable[Any] | object) -> None:
        """Keep the instance in memory until the work has ended, for a while at most; its exception is reported."""
        self.work.wait_until(work)

    # What storage asks (`storage.StorageHost`).

    def check(self) -> None:
        """Before each operation. Raises what broke the instance."""
        if self.broken is not None:
            raise self.broken
        self.commits.meet()

    def used(self) -> None:
        """The step that runs used the storage."""
        self.gate.is_used = True

    def wrote(self, *, confirmed: bool = True) -> None:
        """There was a write; what is let out from now on waits for it, unless it was not to be `confirmed`."""
        self.commits.wrote(confirmed=confirmed)

    def exclusive(self, callback: Callable[[], Any]) -> "asyncio.Task[Any]":
        """Run the callback alone, and commit nothing before it has ended; its exception comes back, and breaks nothing."""
        return sections.exclusive(self, callback)

    @property
    def storage(self) -> Any:  # noqa: ANN401  `storage.Storage`, which knows this only as its host
        """The object's storage; its file is opened now, if it is not."""
        if self._own.storage is None:
            self._own.storage = self._services.make_storage(self.file, self)
        return self._own.storage

    @property
    def file(self) -> Any:  # noqa: ANN401  `services.File`
        """The object's file, opened now if it is not. Raises what broke the instance."""
        self.check()
        if self._own.file is None:
            try:
                self._own.open()
            except Exception as error:
                self.report("The object's file cannot be opened: the object is reset", error)
                self.break_(error)
                raise
        return self._own.file

    @property
    def ledger(self) -> Ledger | None:
        """What the file says of events and outputs; None where no file is open."""
        return self._own.ledger

    # What `ctx` asks.

    def block(self, callback: Callable[[], Any]) -> "asyncio.Task[Any]":
        """`blockConcurrencyWhile`: run the callback alone; its exception, or more than BLOCK_LIMIT_S, breaks the instance."""
        return sections.block(self, callback)

    def doom(self, error: BaseException) -> None:
        """Break it when the code that asks has come to its end or its next await; nothing is committed and nothing leaves any more."""
        self.commits.stop()
        # What that code returns or raises is nobody's answer: who waits for one hears of the break.
        self.outputs.break_()
        self.loop.call_soon(self.break_, error, context=Context())

    def break_(self, error: BaseException) -> None:
        """End it now. What it waits for is cancelled, what it wrote since the last commit is undone, its sockets are closed."""
        if self.broken is not None:
            return
        self.broken = error
        self.gate.break_(error)
        self.outputs.break_()
        self.work.end()
        for future in self._waiters:
            _resolve(future)
        running, queued = list(self._running), list(self._queue or ())
        self._running.clear()
        self._queue = None
        until = self._let_go()
        self.place.kind.tally.forget(running)
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
        tally = self.place.kind.tally
        tally.begun += 1
        if not tally.begun % tally.every:
            tally.began(event, self.loop.time())
        context = self.context.copy()
        event.prepare(context)
        event.handle = self._services.start(gated, (function, args, self.gate, None), context, event.done)

    def _drain(self) -> None:
        while self._queue and not self.gate.is_closed:
            self._begin(self._queue.popleft())

    # Little things.

    def _let_go(self) -> "asyncio.Future[None] | None":
        try:
            return self._own.let_go()
        except Exception as error:  # noqa: BLE001  of a file that nobody uses any more
            self.report("The object's file could not be closed", error)
            return None

    def _not_durable(self, error: BaseException) -> None:
        self.report("The object's writes could not be made durable: the object is reset", error)
        self.break_(error)

    def _committed(self) -> None:
        happened = self.place.kind.tally.happened
        happened["commits"] += 1
        happened["rows_changed"] += self._own.rows_changed()
        self._rest()

    def _rest(self) -> None:
        if self._services.rested is not None:
            self._services.rested.set()

    async def _durable(self) -> None:
        """Wait until all writes so far are durable, or the instance is broken."""
        future: asyncio.Future[None] = self.loop.create_future()
        self._waiters.add(future)
        self.outputs.emit(partial(_resolve, future))
        try:
            await future
        finally:
            self._waiters.discard(future)

    def _touched(self) -> None:
        self.idle_since = self.loop.time()


def _resolve(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
