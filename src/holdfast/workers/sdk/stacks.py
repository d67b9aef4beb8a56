"""Waiting in place, on the loop: user code that calls `run_sync` in a handler runs on a stack of its own, which is put aside meanwhile.

Law 1: this is imported where a script wants it (`in_place.py`); others pay nothing for it.
Law 2: who waits in place lets others run, as at an `await`: other events come, and where it goes on its gate admits it, as there.
Law 3: what may not be interrupted (`held`) is not: waiting in it is refused.
A stack is a greenlet; it has the context of the task whose step it runs, as asyncio's own frames have.
"""

from __future__ import annotations

import contextlib
import inspect
import types
from collections.abc import Awaitable, Callable, Generator, Iterator
from functools import partial
from typing import Any, cast

import greenlet  # type: ignore[import-untyped, unused-ignore]  # it has no types

Steps = Generator[Any, Any, Any]


class Stack(greenlet.greenlet):  # type: ignore[misc, unused-ignore]  # as above
    """Where a step of user code runs. `held`: why it may not be put aside, "" where it may."""

    held = ""


class CannotWait(RuntimeError):
    """Nothing can be put aside here. `str` is a sentence."""


def can_wait() -> bool:
    """Whether code that runs here may wait in place."""
    here = greenlet.getcurrent()
    return isinstance(here, Stack) and not here.held


def wait(work: Awaitable[Any]) -> Any:  # noqa: ANN401 - its result
    """What `work` becomes. CannotWait where nothing can be put aside."""
    # No name here may be that of the stack: it would hold itself for as long as it waits.
    return _behind().switch(work)


def _behind() -> greenlet.greenlet:
    here = greenlet.getcurrent()
    if not isinstance(here, Stack) or here.parent is None:
        raise CannotWait("run_sync() cannot wait here, for nothing else would run meanwhile: use `await`")
    if here.held:
        raise CannotWait(f"run_sync() cannot wait in {here.held}: nothing may come between")
    return here.parent


@contextlib.contextmanager
def held(where: str) -> Iterator[None]:
    """Let nothing inside wait in place."""
    here = greenlet.getcurrent()
    before = getattr(here, "held", "")
    if isinstance(here, Stack):
        here.held = where
    try:
        yield
    finally:
        if isinstance(here, Stack):
            here.held = before


async def on_stacks(function: Callable[..., Any], args: tuple[Any, ...]) -> Any:  # noqa: ANN401 - user code's
    """Call user code so that it may wait in place, and await what it gives."""
    return await _called(function, args)


@types.coroutine
def _called(function: Callable[..., Any], args: tuple[Any, ...]) -> Steps:
    _, result = yield from _step(partial(function, *args))
    if not inspect.isawaitable(result):
        return result
    steps = cast("Generator[Any, Any, Any]", result if hasattr(result, "send") else result.__await__())
    following: Callable[[], Any] = partial(steps.send, None)
    while True:
        has_ended, value = yield from _step(following)
        if has_ended:
            return value
        try:
            following = partial(steps.send, (yield value))
        except GeneratorExit:
            steps.close()
            raise
        except BaseException as error:  # noqa: BLE001 - user code's to handle
            following = partial(steps.throw, error)


def _step(step: Callable[[], Any]) -> Generator[Any, Any, tuple[bool, Any]]:
    """Run it; what it waits for in place is awaited by whoever awaits this. Whether a coroutine ended with it, and what it gave."""
    stack = Stack(partial(_ended, step))
    stack.gr_context = greenlet.getcurrent().gr_context
    given = stack.switch()
    while not stack.dead:
        try:
            # What is waited for is user code too, and may wait in place itself.
            answer = yield from on_stacks(_itself, (given,)).__await__()
        except GeneratorExit:
            # Nobody listens any more, whatever it does. One of its own, for the traceback of this one holds the stack.
            with contextlib.suppress(BaseException):
                _behind_this(stack).throw(GeneratorExit())
            raise
        except BaseException as error:  # noqa: BLE001 - user code's to handle
            given = _behind_this(stack).throw(error)
        else:
            given = _behind_this(stack).switch(answer)
    return cast("tuple[bool, Any]", given)


def _behind_this(stack: Stack) -> Stack:
    # Whoever goes on with it may be on another stack than who began it: one that is on a stack itself has had steps of its own meanwhile.
    stack.parent = greenlet.getcurrent()
    return stack


def _itself(work: Awaitable[Any]) -> Awaitable[Any]:
    return work


def _ended(step: Callable[[], Any]) -> tuple[bool, Any]:
    # A generator may not raise StopIteration, so it cannot come out of a stack as one.
    try:
        return False, step()
    except StopIteration as stop:
        return True, stop.value
