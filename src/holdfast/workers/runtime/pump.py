"""Run handlers of user code in the order of their events, without a task for each.

Python 3.11 has no eager tasks, and a task for each message costs more than most handlers. So one task, the *carrier*, runs handler
after handler. One that suspends keeps the carrier, which is then its own task, and another carrier goes on with the next handler.
So `asyncio.current_task()`, `asyncio.timeout()` and task groups work in a handler as in any task.

Law 1: handlers begin in the order of `start`, each before the next one begins or when it suspends.
Law 2: each runs in the context it was started with, and no other handler sees what it sets there.
Law 3: `done` is called exactly once for each, outside of that context: with its result, or with what it raised, whatever that is. Of the
context it sees `known` variables alone, and those only with an error: who reports it asks them whose it was.
Law 4: while it is careful, the loop comes round after each handler before the next begins: what a handler has left behind that ends the process
does so before another can be taken for it.
"""

from __future__ import annotations

import asyncio
import types
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextvars import Context, ContextVar
from typing import Any

from holdfast.workers.runtime.turns import Turns, current_event

_NO_EVENT = (0, 0)
Done = Callable[[Any, "BaseException | None"], None]


class Started:
    """A handler that will run, runs, or has run."""

    __slots__ = ("_args", "_context", "_done", "_function", "_is_cancelled", "_task")

    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...], context: Context, done: Done) -> None:
        self._function = function
        self._args = args
        self._context = context
        self._done = done
        self._is_cancelled = False
        self._task: asyncio.Task[None] | None = None

    def cancel(self) -> None:
        """Cancel it: before it begins, or where it is suspended; once it has ended nothing happens."""
        self._is_cancelled = True
        if self._task is not None:
            self._task.cancel()


class Pump:
    """See above. `at_rest` is called whenever all that was started has ended or is suspended: outputs may leave then."""

    def __init__(
        self,
        *,
        at_rest: Callable[[], None],
        failed: Callable[[BaseException], None],
        turns: Turns,
        known: tuple[ContextVar[Any], ...] = (),
    ) -> None:
        """`failed` hears what a `done` raised: a fault of ours. `turns` is told whose event has the loop."""
        self._turns = turns
        self._known = known
        # Asking for the running loop costs a system call.
        self._loop = asyncio.get_running_loop()
        self._at_rest = at_rest
        self._failed = failed
        self._waiting: deque[Started] = deque()
        self._carrier: asyncio.Task[None] | None = None
        self._suspended: set[asyncio.Task[None]] = set()
        # What is held back while it is careful, until when it is.
        self._held: deque[Started] | None = None
        self._careful_until = 0.0
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
        if self._held is not None:
            if not self._held:
                self._loop.call_soon(self._let_one_go)
            self._held.append(started)
            return started
        self._waiting.append(started)
        if self._carrier is None:
            self._go_on()
        return started

    def be_careful(self, for_s: float) -> None:
        """Be so for as many seconds from now, and until nothing waits."""
        self._held = deque()
        self._careful_until = self._loop.time() + for_s

    def _let_one_go(self) -> None:
        held = self._held
        if not held:
            return
        self._waiting.append(held.popleft())
        if self._carrier is None:
            self._go_on()
        if held:
            self._loop.call_soon(self._let_one_go)
        elif self._loop.time() > self._careful_until:
            self._held = None

    def _go_on(self) -> None:
        # Not the loop's factory, which asks whose code makes a task.
        self._carrier = asyncio.Task(self._carry(), loop=self._loop, context=self._context)

    async def _carry(self) -> None:
        me = asyncio.current_task(self._loop)
        waiting = self._waiting
        while waiting:
            started = waiting.popleft()
            error = result = None
            self._turns.begin(*(started._context.get(current_event) or _NO_EVENT))  # noqa: SLF001
            try:
                if started._is_cancelled:  # noqa: SLF001 - the other half of this class
                    raise asyncio.CancelledError  # noqa: TRY301 - told as any other end
                result = started._context.run(started._function, *started._args)  # noqa: SLF001
                if isinstance(result, Coroutine):
                    result = await self._driven(result, started)
                elif isinstance(result, Awaitable):
                    result = await self._driven(_awaited(result), started)
            except BaseException as raised:  # noqa: BLE001 - user code's; told, whatever it is
                error = raised
            self._tell(started, result, error)
            if self._carrier is not me:
                self._suspended.discard(me)
                if self._carrier is None:
                    self._at_rest()
                return
        self._carrier = None
        self._at_rest()

    def _tell(self, started: Started, result: Any, error: BaseException | None) -> None:  # noqa: ANN401 - user code's
        try:
            if error is None:
                started._done(result, None)  # noqa: SLF001
            else:
                self._about(started._context).run(started._done, result, error)  # noqa: SLF001
        except Exception as fault:  # noqa: BLE001 - the next handler is not to suffer from it
            self._failed(fault)

    def _about(self, context: Context) -> Context:
        about = Context()
        for variable in self._known:
            if variable in context:
                about.run(variable.set, context[variable])
        return about

    @types.coroutine
    def _driven(self, steps: Coroutine[Any, Any, Any], started: Started) -> Generator[Any, Any, Any]:
        run = started._context.run  # noqa: SLF001
        event = started._context.get(current_event) or _NO_EVENT  # noqa: SLF001
        try:
            awaited = run(steps.send, None)
            self._hand_over(started)
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
        if self._waiting:
            self._go_on()
        else:
            self._carrier = None
            self._at_rest()


async def _awaited(awaitable: Awaitable[Any]) -> Any:  # noqa: ANN401 - user code's
    return await awaitable
