"""Code of an object that runs alone: `blockConcurrencyWhile`, a transaction over several turns, the last hours.

Law 1: while a section runs, no other code of the object does (`gates.InputGate`); one that is asked for meanwhile waits.
Law 2: a section that may run now shuts the others out at once, before its first step: so may a constructor rely on it without awaiting.
Law 3: an exception of `blockConcurrencyWhile` breaks the object, one of a transaction does not; more than BLOCK_LIMIT_S breaks it anyway,
and ends its code where that is, whatever it makes of being cancelled.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from typing import Any, Protocol

from holdfast.workers.durable.commits import Commits
from holdfast.workers.durable.current import CURRENT, SECTION, Section
from holdfast.workers.durable.errors import BLOCKED_TOO_LONG, ObjectReset
from holdfast.workers.durable.gates import InputGate, gated, living

# Precedent: the original's.
BLOCK_LIMIT_S = 30.0
# Time for `preShutdown`, and for what it does when it is cancelled then. Precedent: the original's.
PRE_SHUTDOWN_LIMIT_S = 10.0
CANCEL_LIMIT_S = 1.0


class Alone(Protocol):
    """The instance, as its sections know it."""

    context: Context
    gate: InputGate
    commits: Commits

    def check(self) -> None: ...
    def break_(self, error: BaseException) -> None: ...
    def report(self, text: str, error: BaseException | None) -> None: ...
    def owns(self, task: "asyncio.Task[Any]", coroutine: Coroutine[Any, Any, Any]) -> None: ...


class ShutdownInfo:
    """What `preShutdown` is told: `reason` is "inactive" or "codeUpdated"."""

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.reason = reason


def block(host: Any, callback: Callable[[], Any]) -> "asyncio.Task[Any]":  # noqa: ANN401  `Alone`, and a `current.Activity`
    """`blockConcurrencyWhile`: the task of the callback; its exception, or its taking too long, breaks the object."""
    return _begin(host, callback, _critical)


def exclusive(host: Any, callback: Callable[[], Any]) -> "asyncio.Task[Any]":  # noqa: ANN401  as above
    """The task of a callback during which nothing is committed; its exception comes back, and breaks nothing."""
    return _begin(host, callback, _transaction)


async def last_hours(host: Alone, method: Callable[..., Any], reason: str) -> None:
    """Run `preShutdown`; its section does not end, for nobody else's code is to run in this instance any more."""
    section = Section()
    host.gate.enter(section)
    context = host.context.copy()
    context.run(SECTION.set, section)
    run = gated(method, (ShutdownInfo(reason),), host.gate, section)
    task = asyncio.Task(run, loop=asyncio.get_running_loop(), context=context)
    await asyncio.wait([task], timeout=PRE_SHUTDOWN_LIMIT_S)
    if not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=CANCEL_LIMIT_S)
        host.report(f"preShutdown() took longer than {PRE_SHUTDOWN_LIMIT_S:.0f} s and was ended", None)
    elif not task.cancelled() and (error := task.exception()) is not None:
        host.report("Uncaught exception in preShutdown", error)


Run = Callable[[Alone, Callable[[], Any], Section, bool], Coroutine[Any, Any, Any]]


def _begin(host: Any, callback: Callable[[], Any], run: Run) -> "asyncio.Task[Any]":  # noqa: ANN401  as above
    host.check()
    section = Section(living(SECTION.get()))
    if is_in := host.gate.admits(section.parent, host.gate.current):
        host.gate.enter(section)
    context = copy_context()
    context.run(CURRENT.set, host)
    context.run(SECTION.set, section)
    coroutine = run(host, callback, section, is_in)
    # Not by the loop's factory: its steps are held where the callback's are.
    task = asyncio.Task(coroutine, loop=asyncio.get_running_loop(), context=context)
    host.owns(task, coroutine)
    return task


async def _critical(host: Alone, callback: Callable[[], Any], section: Section, is_in: bool) -> Any:  # noqa: ANN401  the callback's
    try:
        await _enter(host, section, is_in=is_in)
        return await _limited(host, callback, section)
    except BaseException as error:
        if not isinstance(error, asyncio.CancelledError):
            host.report("Uncaught exception in blockConcurrencyWhile(): the object is reset", error)
            host.break_(error)
        raise
    finally:
        host.gate.leave(section, asyncio.current_task())


async def _transaction(host: Alone, callback: Callable[[], Any], section: Section, is_in: bool) -> Any:  # noqa: ANN401  the callback's
    try:
        await _enter(host, section, is_in=is_in)
        if not host.commits.is_in_transaction:
            # What was written before is not to wait for the transaction's end.
            await host.commits.settle()
        host.commits.begin_transaction()
        try:
            return await _limited(host, callback, section)
        finally:
            host.commits.end_transaction()
    finally:
        host.gate.leave(section, asyncio.current_task())


async def _enter(host: Alone, section: Section, *, is_in: bool) -> None:
    if not is_in:
        await host.gate.admission(section.parent)
        host.gate.enter(section)


async def _limited(host: Alone, callback: Callable[[], Any], section: Section) -> Any:  # noqa: ANN401  the callback's
    loop = asyncio.get_running_loop()
    limit = loop.call_later(BLOCK_LIMIT_S, host.break_, ObjectReset(BLOCKED_TOO_LONG), context=Context())
    try:
        return await gated(callback, (), host.gate, section)
    finally:
        limit.cancel()
