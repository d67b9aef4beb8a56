"""Timers: `setTimeout`, `setInterval`, `queueMicrotask`, `scheduler.wait`, `performance.now`.

Law 1: a timer is a task of the code that set it, so an object is kept in memory by it and held by its gates.
Law 2: what a timer's callback raises is reported to the loop, and ends that timer's run only.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Coroutine
from typing import Any

from holdfast.workers.sdk.errors import DOMException
from holdfast.workers.sdk.web.callbacks import settled

# Timers of one process at once. The original's limit, and its text.
MAX_TIMERS = 10_000

_numbers = itertools.count(1)
_running: dict[int, asyncio.Task[None]] = {}
_microtasks: set[asyncio.Task[None]] = set()


def setTimeout(callback: Callable[..., object], delay: float = 0, *args: object) -> int:  # noqa: N802 - JavaScript's name
    """Call it once, after `delay` ms; its number, for `clearTimeout`."""
    return _begin(_once(callback, _seconds(delay), args))


def setInterval(callback: Callable[..., object], delay: float = 0, *args: object) -> int:  # noqa: N802 - JavaScript's name
    """Call it every `delay` ms, never twice at once; its number, for `clearInterval`."""
    return _begin(_again(callback, max(_seconds(delay), 0.001), args))


def clearTimeout(number: object = None) -> None:  # noqa: N802 - JavaScript's name
    """Let it be; nothing if it has ended, or never was."""
    if isinstance(number, int) and (task := _running.pop(number, None)) is not None and not _is_current(task):
        task.cancel()


clearInterval = clearTimeout  # noqa: N816 - JavaScript's name


def queueMicrotask(callback: Callable[[], object]) -> None:  # noqa: N802 - JavaScript's name
    """Call it as soon as what runs now waits."""
    task = asyncio.get_running_loop().create_task(_reported(callback, ()))
    _microtasks.add(task)
    task.add_done_callback(_microtasks.discard)


class Scheduler:
    """`js.scheduler`."""

    async def wait(self, delay: float) -> None:
        """Wait so many ms."""
        await asyncio.sleep(_seconds(delay))


class Performance:
    """`js.performance`."""

    timeOrigin = 0  # noqa: N815 - JavaScript's name

    def now(self) -> float:
        """Ms of Unix time, with fractions: the origin of time is 0, as in Workers."""
        return time.time() * 1000


class Navigator:
    """`js.navigator`: by its name code tells that it runs as a Worker."""

    userAgent = "Cloudflare-Workers"  # noqa: N815 - JavaScript's name
    language, platform = "en", "linux"


scheduler, performance, navigator = Scheduler(), Performance(), Navigator()


def statistics() -> dict[str, int]:
    """How many timers there are."""
    return {"timers": len(_running)}


def _begin(work: Coroutine[Any, Any, None]) -> int:
    if len(_running) >= MAX_TIMERS:
        work.close()
        raise DOMException(
            f"You have exceeded the number of active timeouts you may set. max active timeouts: {MAX_TIMERS}, "
            f"current active timeouts: {len(_running)}, finished timeouts: 0",
            "QuotaExceededError",
        )
    number = next(_numbers)
    task = asyncio.get_running_loop().create_task(work)
    _running[number] = task
    task.add_done_callback(lambda done: _ended(number, done))
    return number


def _ended(number: int, done: asyncio.Task[None]) -> None:
    if _running.get(number) is done:
        del _running[number]


async def _once(callback: Callable[..., object], delay_s: float, args: tuple[object, ...]) -> None:
    await asyncio.sleep(delay_s)
    await _reported(callback, args)


async def _again(callback: Callable[..., object], delay_s: float, args: tuple[object, ...]) -> None:
    me = asyncio.current_task()
    while True:
        await asyncio.sleep(delay_s)
        await _reported(callback, args)
        if me not in _running.values():
            return


async def _reported(callback: Callable[..., object], args: tuple[object, ...]) -> None:
    try:
        await settled(callback(*args))
    except Exception as error:  # noqa: BLE001 - user code raises anything; the loop's handler says it
        asyncio.get_running_loop().call_exception_handler(
            {"message": f"Uncaught exception in a timer: {error}", "exception": error}
        )


def _is_current(task: asyncio.Task[None]) -> bool:
    # A callback that clears its own timer runs to its end.
    return task is asyncio.current_task()


def _seconds(delay: object) -> float:
    number = float(delay) if isinstance(delay, (int, float)) else 0.0
    return max(0.0, number / 1000) if number == number else 0.0  # noqa: PLR0124 - NaN is 0
