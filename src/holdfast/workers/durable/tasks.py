"""Tasks as user code makes them, with `asyncio.create_task`, `gather` and their like.

Law 1: one that code of an object makes is that object's: its steps are held by the object's gate, it keeps the object in memory, and ends with it.
Law 2: each knows the context that it was made in, and what it was made of, whatever has the steps of that: a gate, a stack.
Law 3: what it was made of is closed, though it was cancelled before its first step.
"""

import asyncio
from collections.abc import Coroutine
from contextvars import Context, copy_context
from functools import partial
from typing import Any

from holdfast.workers.durable.current import CURRENT, SECTION
from holdfast.workers.durable.gates import end
from holdfast.workers.sdk.in_place import Wanted


class Task(asyncio.Task[Any]):
    """One that knows its context, as those of Python 3.12 do: who reports what nobody awaited asks there whose it was."""

    __slots__ = ("_made_in", "made_of")

    def __init__(
        self,
        coroutine: Coroutine[Any, Any, Any],
        *,
        loop: asyncio.AbstractEventLoop,
        name: str | None,
        context: Context | None,
        made_of: Any = None,  # noqa: ANN401
    ) -> None:
        self.made_of = coroutine if made_of is None else made_of
        self._made_in = copy_context() if context is None else context
        super().__init__(coroutine, loop=loop, name=name, context=self._made_in)

    def get_context(self) -> Context:
        """What it was made in."""
        return self._made_in


def task_factory(
    loop: asyncio.AbstractEventLoop,
    coroutine: Any,  # noqa: ANN401
    *,
    name: str | None = None,
    context: Context | None = None,
) -> "asyncio.Task[Any]":
    """Makes tasks: one that code of an object makes is the object's, held by its gate and counted among its reasons to stay."""
    if Wanted.on_stacks is None:
        return _task(loop, coroutine, coroutine, name, context)
    task = _task(loop, Wanted.on_stacks(_itself, (coroutine,)), coroutine, name, context)
    # Where the task is cancelled before its first step, what goes on stacks has not come to it, and nobody else would close it.
    task.add_done_callback(partial(_close, coroutine))
    return task


def _task(
    loop: asyncio.AbstractEventLoop,
    coroutine: Any,  # noqa: ANN401
    made_of: Any,  # noqa: ANN401
    name: str | None,
    context: Context | None,
) -> Task:
    activity = CURRENT.get() if context is None else context.get(CURRENT)
    if activity is None:
        return Task(coroutine, loop=loop, name=name, context=context, made_of=made_of)
    section = SECTION.get() if context is None else context.get(SECTION)
    task = Task(activity.adopt(coroutine, section), loop=loop, name=name, context=context, made_of=made_of)
    activity.owns(task, coroutine)
    return task


def _itself(coroutine: Any) -> Any:  # noqa: ANN401
    return coroutine


def _close(coroutine: Any, _: "asyncio.Task[Any]") -> None:  # noqa: ANN401
    end(coroutine)
