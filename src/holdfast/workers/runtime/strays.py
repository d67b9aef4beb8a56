"""What user code leaves to itself: whose was a task, a callback or a thread that failed where nobody waits for it, and which tasks it may end.

Law 1: a task knows the context that it was made in for as long as it lives (Python 3.12 has that: `Task.get_context`), a thread who started it.
Law 2: what a thread raises is one line of the log.
Law 3: who asks for all tasks is told of those that the same request or object has made, and that are not Holdfast's: whoever cancels them all, as many
programs do at their end, ends nothing of anybody else's.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from contextvars import Context
from typing import Any

from holdfast.workers.durable.current import CURRENT
from holdfast.workers.runtime import console
from holdfast.workers.runtime.isolation import CODE
from holdfast.workers.sdk.context import running

# Where loops name, in what they tell their exception handler, who failed.
_NAMED = ("task", "future", "handle")
# Told an exception of a thread and who started it.
Report = Callable[[BaseException, str, str], None]


def whose(told: Mapping[str, Any]) -> tuple[str, str]:
    """(ray, entrypoint) of whatever a loop tells of (`loop.call_exception_handler`)."""
    for name in _NAMED:
        if (failed := told.get(name)) is not None and (context := _context_of(failed)) is not None:
            return context.copy().run(console.who)
    return console.who()


def _context_of(failed: asyncio.Future[Any] | asyncio.Handle) -> Context | None:
    if isinstance(failed, asyncio.Handle):
        context = getattr(failed, "_context", None)
    else:
        context = failed.get_context() if hasattr(failed, "get_context") else None
    return context if isinstance(context, Context) else None


# Whose threads are started once, and work for whoever comes: what they do next is not known to be of who started them.
_POOLS = ("concurrent.futures.", "anyio.", "asgiref.", "holdfast.")


def watch_threads(report: Report) -> None:
    """From now on, for good: threads know who starts them, and what they raise is reported."""
    start = threading.Thread.start

    def started(self: threading.Thread) -> None:
        target = getattr(self, "_target", None)
        if not str(getattr(target, "__module__", "")).startswith(_POOLS):
            console.STARTED_BY[self] = console.who()
        start(self)

    def failed(told: threading.ExceptHookArgs) -> None:
        if told.exc_value is not None and not issubclass(told.exc_type, SystemExit):
            report(told.exc_value, *console.who())

    threading.Thread.start = started  # type: ignore[method-assign]  # as long as this process runs
    threading.excepthook = failed


def hide_tasks() -> None:
    """From now on, for good: `asyncio.all_tasks` of the running loop is as law 3 says."""
    home, all_tasks = asyncio.get_running_loop(), asyncio.all_tasks

    def own(loop: asyncio.AbstractEventLoop | None = None) -> set[asyncio.Task[Any]]:
        """Return a set of all tasks of the Worker's request, or object, that asks; of another loop, all."""
        asked = loop or asyncio.get_running_loop()
        if asked is not home:
            return all_tasks(asked)
        # While modules are imported nobody asks whom it could be of, and the task is not theirs.
        is_asked = CURRENT.get() is not None or running.get(None) is not None
        me = asyncio.current_task(home) if is_asked else None
        return {task for task in all_tasks(home) if task is me or _is_of_who_asks(task)}

    asyncio.all_tasks = asyncio.tasks.all_tasks = own


def _is_of_who_asks(task: asyncio.Task[Any]) -> bool:
    # Those of handlers themselves have none: they go from one to the next.
    context = _context_of(task)
    if context is None or context.get(CURRENT) is not CURRENT.get() or context.get(running) is not running.get(None):
        return False
    code = getattr(getattr(task, "made_of", None), "cr_code", None)
    return code is None or not code.co_filename.startswith(CODE)
