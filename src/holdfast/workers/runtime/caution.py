"""Handlers that begin one at a time, for a while: so that what ends the process, in a handler or left behind by it, does so before another can be
taken for it.

Law 1: the next one begins when the one before has ended, or took longer than it is waited for, and the loop has come round.
Law 2: it lasts for as long as was said, and then until nothing is held back.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextvars import Context
from typing import Generic, TypeVar

T = TypeVar("T")


class Caution(Generic[T]):
    """See above. `is_over` once it is: nothing need be held back any more."""

    __slots__ = ("_begin", "_context", "_held", "_impatience", "_loop", "_until", "_wait_s", "_watched", "is_over")

    def __init__(self, begin: Callable[[T], None], *, for_s: float, wait_s: float, context: Context) -> None:
        """`begin` one. For `for_s` seconds from now; one is waited for `wait_s` at most, 0: not at all. `context` is nobody's."""
        self._begin, self._context = begin, context
        self._loop = asyncio.get_running_loop()
        self._until, self._wait_s = self._loop.time() + for_s, wait_s
        self._held: deque[T] = deque()
        # The one that was let go last, while it is waited for; and who ends that.
        self._watched: T | None = None
        self._impatience: asyncio.TimerHandle | None = None
        self.is_over = False

    def hold(self, one: T) -> None:
        """Begin this one in its turn."""
        if not self._held and self._watched is None:
            self._loop.call_soon(self._let_one_go, context=self._context)
        self._held.append(one)

    def ended(self, one: T) -> None:
        """This one has."""
        if one is self._watched:
            self._next()

    def be_bold(self) -> None:
        """Wait for nobody any more."""
        self._until = 0.0
        if self._watched is not None:
            self._next()

    def _let_one_go(self) -> None:
        if not self._held:
            return
        one = self._held.popleft()
        if self._wait_s and self._loop.time() < self._until:
            self._watched = one
            self._impatience = self._loop.call_later(self._wait_s, self._next, context=self._context)
            self._begin(one)
        else:
            self._begin(one)
            self._next()

    def _next(self) -> None:
        """The one that was let go last has ended, or is not waited for any more."""
        self._watched = None
        if self._impatience is not None:
            self._impatience.cancel()
            self._impatience = None
        if self._held:
            self._loop.call_soon(self._let_one_go, context=self._context)
        elif self._loop.time() > self._until:
            self.is_over = True
