"""One turn of the loop for all that comes of something: a read of a link, or what has become durable.

Handlers that it starts are run there and then, what is to be done after them (commits) is begun, and what all of that says goes out, before the
callback returns. Each of these by itself would cost a turn, and with it a question to the kernel.

Law 1: what is to be done `soon` is done once, after the handlers of the turn that runs, or, where none runs, when the loop comes round.
Law 2: whatever one of them raises, the others are done, and what was said goes out.
Law 3: a turn within a turn is part of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import Protocol

Act = Callable[[], object]


class Handlers(Protocol):
    """Who runs what events start (`runtime.pump.Pump`)."""

    def hold(self) -> None:
        """What is started from now on waits for `run`."""

    def run(self) -> None:
        """Run it."""


class Turn:
    """See above. `is_open` while one runs."""

    __slots__ = ("_at_end", "_flush", "_handlers", "_loop", "is_open")

    def __init__(self, handlers: Handlers | None, flush: Callable[[], None]) -> None:
        """Without `handlers` whoever runs them flushes: then there are no turns."""
        self._handlers, self._flush = handlers, flush
        self._loop = asyncio.get_running_loop()
        self._at_end: list[Act] = []
        self.is_open = False

    def run(self, act: Act) -> None:
        """Do this, in a callback of the loop, and all that comes of it."""
        handlers = self._handlers
        if handlers is None or self.is_open:
            act()
            return
        self.is_open = True
        handlers.hold()
        try:
            act()
        finally:
            try:
                handlers.run()
            finally:
                self.is_open = False
                self._end()
                self._flush()

    def soon(self, act: Act) -> None:
        """Do this when what has come is handled."""
        if self.is_open:
            self._at_end.append(act)
        else:
            self._loop.call_soon(act, context=Context())

    def _end(self) -> None:
        if self._at_end:
            at_end, self._at_end = self._at_end, []
            for act in at_end:
                Context().run(self._guarded, act)

    def _guarded(self, act: Act) -> None:
        try:
            act()
        except Exception as error:  # noqa: BLE001 - as the loop does with a callback
            self._loop.call_exception_handler(
                {"message": "what was to be done at the end of a turn failed", "exception": error}
            )
