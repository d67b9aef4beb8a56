"""An event that used the storage, until it has what it awaits: the storage's answer, by way of a task.

`await get(key)` never suspends, so nothing can come between it and what follows. `await gather(get(a), get(b))` does, for a few turns of the
loop, though the answers are there: so long the event *settles*, and no other one goes on (`gates.InputGate`).

Law 1: an event settles from the end of a step that used the storage and made a task, or of a task whose last step used it, for SETTLING_TURNS, or
until it ends. What suspends for anything else lets others in, so that what many of them write is one commit.
Law 2: turns in which the gate is held for everybody (a commit) do not count.
"""

import asyncio
from collections.abc import Callable
from contextvars import Context

# From the end of a task to the step of who awaits it are 2 turns; 3 for `gather` and `wait_for`, and 2 more for each of them within another.
SETTLING_TURNS = 6
# The context of what is nobody's.
_NOBODY = Context()


class Settling:
    """See above; `over` is called when it is. An event is any object that is nobody else's."""

    __slots__ = ("_is_counting", "_over", "_turns", "event", "is_held")

    def __init__(self, over: Callable[[], None]) -> None:
        self._over = over
        self._turns = 0
        self._is_counting = False
        # Whose it is; None while nobody settles.
        self.event: object = None
        self.is_held = False

    def begin(self, event: object) -> None:
        """It has used the storage, and suspends."""
        self.event, self._turns = event, SETTLING_TURNS
        self._count()

    def end(self, event: object) -> None:
        """It has ended, and awaits nothing."""
        if self.event is event:
            self._turns = 0

    def go_on(self) -> None:
        """The gate is not held any more."""
        self.is_held = False
        if self.event is not None:
            self._count()

    def _count(self) -> None:
        if not self._is_counting:
            self._is_counting = True
            asyncio.get_running_loop().call_soon(self._counted, context=_NOBODY)

    def _counted(self) -> None:
        self._is_counting = False
        if self.is_held and self._turns:
            self._turns = SETTLING_TURNS
            return
        self._turns -= 1
        if self._turns > 0:
            self._count()
        else:
            self.event = None
            self._over()
