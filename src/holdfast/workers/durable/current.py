"""Whose code is running: the object that user code belongs to, by the context that it runs in.

Everything that user code starts (a task, a timer, a callback) copies its context, so what it does an hour later is known to
be its object's too: it is held by that object's input gate, keeps it in memory, and its outputs wait for that object's writes.

Law: outside of an object every function here does nothing, so that a Worker and an object use the same SDK.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import Any, Protocol


class Section:
    """One run of `blockConcurrencyWhile`: while it is the innermost of its gate, only its own code goes on."""

    __slots__ = ("has_ended", "parent")

    def __init__(self, parent: "Section | None" = None) -> None:
        self.parent = parent
        self.has_ended = False


class Activity(Protocol):
    """What a running object is to those who make tasks, timers, fetches and sockets for it."""

    def adopt(self, coroutine: Coroutine[Any, Any, Any], section: Section | None) -> Coroutine[Any, Any, Any]:
        """The coroutine, each step of it held by the object's input gate as code of that section."""

    def owns(self, task: "asyncio.Task[Any]", coroutine: Coroutine[Any, Any, Any]) -> None:
        """The task of an adopted coroutine: it keeps the object in memory until it ends, and ends when the object breaks."""

    def hold(self, reason: str, *, limit_s: float | None = None) -> Callable[[], None]:
        """Keep the object in memory for this reason ("an outgoing WebSocket") until the returned function is called."""

    def emit(self, action: Callable[[], None]) -> None:
        """Do this when all writes so far are durable; now, if they are. Never, if they fail."""

    async def confirmed(self) -> None:
        """Wait until all writes so far are durable. Raises what broke the object."""

    def deliver(self, event: Any) -> None:  # noqa: ANN401  `events.Event`
        """Let an event happen to the object."""


CURRENT: ContextVar[Activity | None] = ContextVar("durable_object", default=None)
SECTION: ContextVar[Section | None] = ContextVar("durable_object_section", default=None)


async def confirmed() -> None:
    """Wait for the writes of the object whose code this is; for outgoing fetches and handshakes."""
    if (activity := CURRENT.get()) is not None:
        await activity.confirmed()


def emit(action: Callable[[], None]) -> None:
    """Do this when the writes of the object whose code this is are durable; now, if there are none."""
    if (activity := CURRENT.get()) is not None:
        activity.emit(action)
    else:
        action()


def hold(reason: str, *, limit_s: float | None = None) -> Callable[[], None]:
    """Keep the object whose code this is in memory until the returned function is called, or that time has passed."""
    if (activity := CURRENT.get()) is not None:
        return activity.hold(reason, limit_s=limit_s)
    return _nothing


def _nothing() -> None:
    """What lets go of nobody."""
