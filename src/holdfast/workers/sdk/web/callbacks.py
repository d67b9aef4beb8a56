"""Functions of user code as the platform calls them: plain or async, given by name in a mapping, on an object or as keywords.

Law: what is started here runs on whether anybody awaits it or not; its error is its awaiter's, and nobody's without one.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any


async def settled(outcome: object) -> object:
    """What it is, or what it becomes."""
    return await outcome if inspect.isawaitable(outcome) else outcome


_under_way: set[asyncio.Future[Any]] = set()


def started(work: Any) -> asyncio.Future[Any]:  # noqa: ANN401 - any awaitable
    """Run it now, awaited or not; its error is its awaiter's, and nobody's if there is none."""
    future: asyncio.Future[Any] = asyncio.ensure_future(work)
    _under_way.add(future)
    future.add_done_callback(_forget)
    return future


def _forget(done: asyncio.Future[Any]) -> None:
    _under_way.discard(done)
    if not done.cancelled():
        done.exception()


def members_of(source: object, given: dict[str, object]) -> Callable[[str], Any]:
    """What looks a function of an underlying source or sink up: among keywords, in a mapping, on an object; None without."""

    def member(name: str) -> Any:  # noqa: ANN401 - functions of user code
        if name in given:
            return given[name]
        return source.get(name) if isinstance(source, dict) else getattr(source, name, None)

    return member
