"""Wait for what another process does, with a limit.

Law 1: whatever can notify is waited for by its notification (`Changes`). Only /proc, which notifies nobody, is polled.
Law 2: a wait that reaches its limit raises AssertionError with the last thing seen, never returns quietly.
"""

import threading
import time
from collections.abc import Callable
from typing import Final, TypedDict, TypeVar

T = TypeVar("T")

# Longest any test waits for something that should happen at once. The machine may be busy with other tests.
LIMIT_S = 30.0
# How often /proc is read while waiting for a number of another process to change.
POLL_S = 0.02


class Patience(TypedDict):
    """Limits of a client of `websockets`."""

    open_timeout: float
    close_timeout: float


# For clients whose edge, or whose Worker's next process, may be slow to have its turn: by themselves they wait 10 s.
PATIENT: Final[Patience] = {"open_timeout": 2 * LIMIT_S, "close_timeout": 2 * LIMIT_S}


class Changes:
    """A condition that other threads announce with `announce()` and tests wait for with `until()`."""

    def __init__(self) -> None:
        self._condition = threading.Condition()

    def announce(self) -> None:
        """Say that something observable has changed."""
        with self._condition:
            self._condition.notify_all()

    def until(self, look: Callable[[], T | None], *, what: str, limit_s: float = LIMIT_S) -> T:
        """Return the first truthy result of `look()`, which is called at once and after each announcement."""
        with self._condition:
            seen = self._condition.wait_for(look, timeout=limit_s)
        assert seen, f"waited {limit_s} s for {what}; last seen: {seen!r}"
        return seen


def poll(look: Callable[[], T | None], *, what: str, limit_s: float = LIMIT_S) -> T:
    """Return the first truthy result of `look()`, asked every POLL_S: for files of /proc and ports, which cannot notify."""
    never = threading.Event()
    end = time.monotonic() + limit_s
    while not (seen := look()):
        assert time.monotonic() < end, f"waited {limit_s} s for {what}; last seen: {seen!r}"
        never.wait(POLL_S)
    return seen
