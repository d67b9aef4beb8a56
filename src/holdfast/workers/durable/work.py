"""What an object does beside its events: tasks of user code, what `waitUntil` waits for, what else keeps it in memory.

Law 1: what is here keeps the instance in memory until it has ended, `waitUntil`'s for WAIT_UNTIL_LIMIT_S at most.
Law 2: when the instance ends, tasks are cancelled, and nobody is told any more how they fared.
Law 3: a task that was cancelled before its first step leaves no coroutine that was never awaited.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from itertools import count
from typing import Any

# How long background work may keep an object in memory. Precedent: the original's, for waitUntil().
WAIT_UNTIL_LIMIT_S = 15 * 60.0
FOREVER = float("inf")


class Work:
    """See above."""

    __slots__ = ("_failed", "_holds", "_is_over", "_loop", "_tasks", "_tokens", "_touched")

    def __init__(self, touched: Callable[[], None], failed: Callable[[BaseException], None]) -> None:
        """`touched` is told when something has ended, `failed` what `waitUntil`'s work raised."""
        self._touched, self._failed = touched, failed
        self._loop = asyncio.get_running_loop()
        # Until when each keeps the instance in memory.
        self._tasks: dict[asyncio.Task[Any], tuple[Coroutine[Any, Any, Any], float]] = {}
        self._holds: dict[int, tuple[str, float]] = {}
        self._tokens = count()
        self._is_over = False

    def reasons(self, now: float) -> list[str]:
        """What keeps the instance in memory."""
        return [
            *(f"task {task.get_name()}" for task, (_, until) in self._tasks.items() if now < until),
            *(reason for reason, until in self._holds.values() if now < until),
        ]

    def is_there(self, now: float) -> bool:
        """Whether there is a reason."""
        return any(now < until for held in (self._tasks, self._holds) for _, until in held.values())

    def owns(self, task: "asyncio.Task[Any]", coroutine: Coroutine[Any, Any, Any]) -> None:
        """A task of user code: it keeps the instance in memory, and ends with it."""
        self._tasks[task] = (coroutine, FOREVER)
        task.add_done_callback(self._disown)

    def hold(self, reason: str, *, limit_s: float | None = None) -> Callable[[], None]:
        """Keep the instance in memory until the returned function is called, or the time has passed."""
        token = next(self._tokens)
        self._holds[token] = (reason, FOREVER if limit_s is None else self._loop.time() + limit_s)
        return partial(self._release, token)

    def wait_until(self, work: Awaitable[Any] | object) -> None:
        """Keep the instance in memory until the work has ended, WAIT_UNTIL_LIMIT_S at most."""
        if not inspect.isawaitable(work):
            # As in JavaScript, what is there already needs no waiting for.
            return
        future = asyncio.ensure_future(work)
        if future in self._tasks:
            self._tasks[future] = (self._tasks[future][0], self._loop.time() + WAIT_UNTIL_LIMIT_S)
            release: Callable[[], None] | None = None
        else:
            release = self.hold("waitUntil()", limit_s=WAIT_UNTIL_LIMIT_S)
        future.add_done_callback(partial(self._waited, release))

    def end(self) -> None:
        """The instance ends."""
        self._is_over = True
        for task in list(self._tasks):
            task.cancel()
        self._holds.clear()

    def _release(self, token: int) -> None:
        if self._holds.pop(token, None) is not None:
            self._touched()

    def _disown(self, task: "asyncio.Task[Any]") -> None:
        self._touched()
        owned = self._tasks.pop(task, None)
        if owned is not None:
            # Of a task that was cancelled before its first step nobody else would.
            owned[0].close()
        if self._is_over and not task.cancelled():
            # It ended because of that; nobody is left to be told so.
            task.exception()

    def _waited(self, release: Callable[[], None] | None, future: "asyncio.Future[Any]") -> None:
        if release is not None:
            release()
        if not future.cancelled() and (error := future.exception()) is not None and not self._is_over:
            self._failed(error)
