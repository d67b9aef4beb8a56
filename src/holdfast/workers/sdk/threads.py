"""Calls from threads: applications of WSGI run there, and plain functions of ASGI frameworks.

Law 1: nothing of the loop is touched from elsewhere. What a thread calls gives a coroutine that makes the call when the loop comes to
it: `run_sync` has the loop do that, with the context of who called, and so has an `await` on another loop, one that a thread runs for itself.
Law 2: on the loop itself nothing changes: a call is made when it is made.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, TypeVar, cast

Given = ParamSpec("Given")
Made = TypeVar("Made", bound=Awaitable[Any])


class Home:
    """The loop of this process, for whoever is not on it."""

    loop: asyncio.AbstractEventLoop | None = None


def is_elsewhere() -> bool:
    """Whether this is a thread without a loop, or with one of its own."""
    try:
        running = asyncio.get_running_loop()
    except RuntimeError:
        return True
    return _home_of(running) is not running


def wherever(call: Callable[Given, Made]) -> Callable[Given, Made]:
    """A call that can be made from threads too, where it is made when it is awaited."""

    @functools.wraps(call)
    def made(*args: Given.args, **kwargs: Given.kwargs) -> Made:
        return cast("Made", _later(call, args, kwargs)) if is_elsewhere() else call(*args, **kwargs)

    return made


def soon(call: Callable[[Any], object], given: object) -> None:
    """Call on the loop: now where this is it, else as soon as it can, with the context of who asks."""
    if is_elsewhere() and Home.loop is not None:
        Home.loop.call_soon_threadsafe(call, given)
    else:
        call(given)


async def _later(call: Callable[..., Awaitable[Any]], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:  # noqa: ANN401 - its result
    running = asyncio.get_running_loop()
    home = _home_of(running)
    if home is running:
        return await call(*args, **kwargs)
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_made(call, args, kwargs), home))


async def _made(call: Callable[..., Awaitable[Any]], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:  # noqa: ANN401 - its result
    return await call(*args, **kwargs)


def _home_of(running: asyncio.AbstractEventLoop) -> asyncio.AbstractEventLoop:
    """Where the calls of who is on this loop are made: there where no loop of the process goes on."""
    home = Home.loop
    return running if home is None or not home.is_running() else home
