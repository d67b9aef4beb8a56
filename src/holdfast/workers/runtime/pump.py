"""Run handlers of user code in the order of their events, without a task for each.

Python 3.11 has no eager tasks, and a task for each message costs more than most handlers. So one task, the *carrier*, runs handler
after handler. One that suspends keeps the carrier, which is then its own task, and another carrier goes on with the next handler.
So `asyncio.current_task()`, `asyncio.timeout()` and task groups work in a handler as in any task.

A carrier that has nothing to run waits as the *idle* one. What a callback of the loop starts between `hold` and `run` is run there and
then, in the name of that task: a message is answered in the turn of the loop that brought it. The idle carrier steps in only for a
handler that suspends.

Law 1: handlers begin in the order of `start`, each before the next one begins or when it suspends.
Law 2: each runs in the context it was started with, and no other handler sees what it sets there.
Law 3: `done` is called exactly once for each, outside of that context: with its result, or with what it raised, whatever that is. Of the
context it sees `known` variables alone, and those only with an error: who reports it asks them whose it was.
Law 4: while it is careful, handlers of events of sockets begin one at a time (`caution.py`). Others, which those may wait for, begin at once.
Law 5: what a handler asks of its task (to be cancelled, even by itself) comes to no other handler.
"""

from __future__ import annotations

import asyncio
import types
from asyncio.tasks import _enter_task, _leave_task
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Coroutine, Generator
from contextvars import Context, ContextVar
from typing import Any, Final

from holdfast.workers.runtime.caution import Caution
from holdfast.workers.runtime.turns import Turns, current_event

_NO_EVENT = (0, 0)
# What a first step gives that was also the last one.
_ENDED: Final = object()
Done = Callable[[Any, "BaseException | None"], None]


class Started:
    """A handler that will run, runs, or has run."""

    __slots__ = (
        "_args",
        "_awaited",
        "_context",
        "_done",
        "_function",
        "_is_cancelled",
        "_is_marked",
        "_steps",
        "_task",
    )

    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...], context: Context, done: Done) -> None:
        self._function = function
        self._args = args
        self._context = context
        self._done = done
        self._is_cancelled = False
        self._task: asyncio.Task[None] | None = None
        # Once it is suspended: what is left of it, and what it waits for.
        self._steps: Coroutine[Any, Any, Any] | None = None
        self._awaited: Any = None
        self._is_marked = False

    def cancel(self) -> None:
        """Cancel it: before it begins, or where it is suspended; once it has ended nothing happens."""
        self._is_cancelled = True
        if self._task is not None:
            self._task.cancel()

    def wait(self, steps: Coroutine[Any, Any, Any], awaited: Any) -> None:  # noqa: ANN401 - what user code awaits
        """It is suspended."""
        self._steps, self._awaited = steps, awaited

    def wait_off(self) -> None:
        """Until its task waits for what it awaits, others may begin to: an awaited future is marked until a task has taken note."""
        self._is_marked = getattr(self._awaited, "_asyncio_future_blocking", None) is True
        if self._is_marked:
            self._awaited._asyncio_future_blocking = False  # noqa: SLF001 - as a task does

    def wait_on(self) -> None:
        """Its task is about to wait."""
        if self._is_marked:
            self._awaited._asyncio_future_blocking = True  # noqa: SLF001 - as a future does


class _Idle:
    """A carrier that has nothing to run. It goes on when `called` is done: with `handed`, or to its end."""

    __slots__ = ("called", "handed", "task")

    def __init__(self, task: asyncio.Task[None], called: asyncio.Future[None]) -> None:
        self.task = task
        self.called = called
        self.handed: Started | None = None

    def call(self) -> None:
        # Who cancels its own task has cancelled this.
        if not self.called.done():
            self.called.set_result(None)


class Pump:
    """See above. `at_rest` is called whenever all that was started has ended or is suspended: outputs may leave then."""

    def __init__(
        self,
        *,
        at_rest: Callable[[], None],
        failed: Callable[[BaseException], None],
        turns: Turns,
        known: tuple[ContextVar[Any], ...] = (),
        held: Collection[object] = (),
        over: Callable[[Context], None] | None = None,
    ) -> None:
        """`failed` hears what a `done` raised: a fault of ours. `turns` is told whose event has the loop. `over` hears of contexts in which a
        handler has ended, while there is anything in `held`."""
        self._turns = turns
        self._known = known
        self._held_for, self._over = held, over
        # Asking for the running loop costs a system call.
        self._loop = asyncio.get_running_loop()
        self._at_rest = at_rest
        self._failed = failed
        self._waiting: deque[Started] = deque()
        self._carrier: asyncio.Task[None] | None = None
        self._idle: _Idle | None = None
        self._is_on_hold = False
        self._suspended: set[asyncio.Task[None]] = set()
        # While it is careful.
        self._caution: Caution[Started] | None = None
        # Carriers belong to nobody: no context of user code.
        self._context = Context()

    @property
    def suspended(self) -> int:
        """How many handlers are suspended."""
        return len(self._suspended)

    def start(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        context: Context,
        done: Done,
    ) -> Started:
        """Have `function(*args)` run in `context` (nobody else's), and what it returns awaited if it can be."""
        started = Started(function, args, context, done)
        if self._caution is not None and current_event in context:
            if not self._caution.is_over:
                self._caution.hold(started)
                return started
            self._caution = None
        self._waiting.append(started)
        if self._carrier is None and not self._is_on_hold:
            self._go_on()
        return started

    def hold(self) -> None:
        """What is started from now on waits for `run`. Only a callback of the loop says this, and `run` before it returns."""
        self._is_on_hold = True

    def run(self) -> None:
        """Run what was started since `hold`, here if that can be."""
        self._is_on_hold = False
        if not self._waiting or self._carrier is not None:
            return
        idle = self._idle
        if idle is None or idle.called.done() or asyncio.current_task(self._loop) is not None:
            self._go_on()
        else:
            self._context.run(self._run_as, idle)

    def be_careful(self, for_s: float, wait_s: float = 0.0) -> None:
        """Be so for as many seconds from now, and until nothing waits; a handler that takes longer than `wait_s` is not waited for."""
        self._caution = Caution(self._begin_one, for_s=for_s, wait_s=wait_s, context=self._context)

    def be_bold(self) -> None:
        """Be careful no longer: no handler that has begun is waited for."""
        if self._caution is not None:
            self._caution.be_bold()

    def _begin_one(self, started: Started) -> None:
        self._waiting.append(started)
        if self._carrier is None:
            self._go_on()

    def _go_on(self) -> None:
        if self._idle is not None and not self._idle.called.done():
            self._carrier = self._idle.task
            self._idle.call()
            return
        # Not the loop's factory, which asks whose code makes a task.
        self._carrier = asyncio.Task(self._carry(), loop=self._loop, context=self._context)

    def _run_as(self, idle: _Idle) -> None:
        """Run all that waits in the name of an idle carrier."""
        self._carrier = idle.task
        _enter_task(self._loop, idle.task)
        try:
            begun = self._drain(idle.task, idle.called)
        finally:
            _leave_task(self._loop, idle.task)
        if begun is not None:
            begun.wait_off()
            self._idle, idle.handed = None, begun
            idle.call()
            self._hand_over(begun)
        elif self._waiting:
            # The last one has cancelled its task: that was this carrier's end.
            self._idle = None
            self._go_on()
        else:
            self._carrier = None
            self._at_rest()

    async def _carry(self) -> None:
        me = asyncio.current_task(self._loop)
        if me is None:
            raise RuntimeError("a carrier is a task")
        while True:
            has_run = bool(self._waiting)
            # What ran is let go of: a carrier that waits must not keep it.
            if (begun := self._drain(me)) is not None:
                self._hand_over(begun)
                await self._finish(begun, me)
                return
            self._carrier = None
            if self._waiting:
                self._go_on()
                return
            if has_run:
                self._at_rest()
            if me.cancelling() or self._idle or self._carrier:
                return
            if (begun := await self._wait(_Idle(me, self._loop.create_future()))) is not None:
                await self._finish(begun, me)
                return

    def _drain(self, me: asyncio.Task[None], called: asyncio.Future[None] | None = None) -> Started | None:
        """Run what waits, up to one that suspends: that one. It stops before the next where one has cancelled its task."""
        while self._waiting and not (me.cancelling() or (called is not None and called.done())):
            started = self._waiting.popleft()
            if self._begin(started) is not _ENDED:
                return started
        return None

    async def _wait(self, idle: _Idle) -> Started | None:
        """Be the idle carrier until there is something to run (None), or a handler that was begun in its name and is its own now."""
        self._idle = idle
        try:
            await idle.called
        except asyncio.CancelledError:
            started = idle.handed
            if started is None:
                self._replace(idle.task)
                raise
            # It is the handler that is cancelled: by itself, or since it was suspended. It is told where it waits.
            idle.task.uncancel()
            idle.task.cancel()
        finally:
            if self._idle is idle:
                self._idle = None
        if (begun := idle.handed) is not None:
            begun.wait_on()
        return begun

    def _replace(self, carrier: asyncio.Task[None]) -> None:
        if self._carrier is carrier:
            self._carrier = None
            if self._waiting:
                self._go_on()

    def _begin(self, started: Started) -> Any:  # noqa: ANN401 - what user code awaits
        """Take the first step of a handler. What it awaits, or _ENDED; then that is told."""
        error = result = None
        context = started._context  # noqa: SLF001 - the other half of this class
        self._turns.begin(*(context.get(current_event) or _NO_EVENT))
        try:
            if started._is_cancelled:  # noqa: SLF001
                raise asyncio.CancelledError  # noqa: TRY301 - told as any other end
            result = context.run(started._function, *started._args)  # noqa: SLF001
            # Asked by type first: all of ours are, and the other question costs a microsecond.
            if type(result) is types.CoroutineType or isinstance(result, Awaitable):
                steps = result if isinstance(result, Coroutine) else _awaited(result)
                try:
                    awaited = context.run(steps.send, None)
                except StopIteration as stop:
                    result = stop.value
                else:
                    started.wait(steps, awaited)
                    return awaited
        except BaseException as raised:  # noqa: BLE001 - user code's; told, whatever it is
            error = raised
        self._tell(started, result, error)
        # Its traceback has this frame, and with it all that user code had at hand: that is to be let go of now, not when rings are looked for.
        error = None
        return _ENDED

    async def _finish(self, started: Started, me: asyncio.Task[None]) -> None:
        """Drive a handler that is suspended to its end, as its own task."""
        error = result = None
        try:
            result = await self._driven(started)
        except BaseException as raised:  # noqa: BLE001 - user code's; told, whatever it is
            error = raised
        self._tell(started, result, error)
        error = None
        self._suspended.discard(me)
        if self._carrier is None:
            self._at_rest()
            if self._idle is None and self._carrier is None:
                # The next one is to find a carrier that waits.
                self._go_on()

    def _tell(self, started: Started, result: Any, error: BaseException | None) -> None:  # noqa: ANN401 - user code's
        if self._caution is not None:
            self._caution.ended(started)
        done = started._done  # noqa: SLF001
        # Whom it tells has it as what runs: neither is to keep the other, with what it is given and answers, until the collector comes round.
        del started._done  # noqa: SLF001
        started._args = ()  # noqa: SLF001
        if self._held_for and self._over is not None:
            self._over(started._context)  # noqa: SLF001
        try:
            if error is None:
                done(result, None)
            else:
                self._about(started._context).run(done, result, _readable(error))  # noqa: SLF001
        except Exception as fault:  # noqa: BLE001 - the next handler is not to suffer from it
            self._failed(fault)

    def _about(self, context: Context) -> Context:
        about = Context()
        for variable in self._known:
            if variable in context:
                about.run(variable.set, context[variable])
        return about

    @types.coroutine
    def _driven(self, started: Started) -> Generator[Any, Any, Any]:
        run = started._context.run  # noqa: SLF001
        event = started._context.get(current_event) or _NO_EVENT  # noqa: SLF001
        steps, awaited = started._steps, started._awaited  # noqa: SLF001
        if steps is None:
            raise RuntimeError("a handler is driven that is not suspended")
        try:
            while True:
                try:
                    yield awaited
                except GeneratorExit:
                    run(steps.close)
                    raise
                except BaseException as thrown:  # noqa: BLE001 - user code's to handle
                    self._turns.begin(*event)
                    awaited = run(steps.throw, thrown)
                else:
                    self._turns.begin(*event)
                    awaited = run(steps.send, None)
        except StopIteration as stop:
            return stop.value

    def _hand_over(self, started: Started) -> None:
        """The handler suspends: this task is its own from now on."""
        task = self._carrier
        if task is None:
            raise RuntimeError("a handler suspends outside of its carrier")
        started._task = task  # noqa: SLF001
        self._suspended.add(task)
        if started._is_cancelled:  # noqa: SLF001
            task.cancel()
        self._carrier = None
        if self._waiting:
            self._go_on()
        else:
            self._at_rest()


async def _awaited(awaitable: Awaitable[Any]) -> Any:  # noqa: ANN401 - user code's
    return await awaitable


def _readable(error: BaseException) -> BaseException:
    """The error, or one that says of it what can be said where its class does not let itself be looked at."""
    try:
        # `isinstance` asks for the first.
        _ = error.__class__, error.args, error.__traceback__, error.__cause__, error.__context__
    except BaseException as why:  # noqa: BLE001 - user code's
        return RuntimeError(f"{type(error).__name__}: an exception that cannot be read ({type(why).__name__})")
    return error
