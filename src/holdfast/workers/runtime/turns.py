"""Tell the host whether user code has the loop: a few bytes of a file that is mapped here (`model.worker_messages.Turn`).

The host counts the processor time of a process whose turn goes on and on, and ends it.

Law 1: the loop marks that it waits before it waits, and a new turn after; what runs between is user code, or ours for it.
Law 2: the last event that had the loop stays written while other things have it: what it left behind may end the process.
Law 3: writing costs no system call, so that it can be done for each message.
"""

from __future__ import annotations

import math
import mmap
import select
import selectors
import struct
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from pathlib import Path

from holdfast.model.worker_messages import TURN_FILE_BYTES, TURN_FORMAT, TURN_OF_ANOTHER, TURN_OF_EVENT, TURN_WAITS

# The event of a socket that runs now: its `sid` and `seq` on the channel.
current_event: ContextVar[tuple[int, int] | None] = ContextVar("current_event", default=None)
_TURN = struct.Struct(TURN_FORMAT)


class Turns:
    """Writes where the loop is: to memory of its own, until there is a file."""

    def __init__(self) -> None:
        self._map = mmap.mmap(-1, TURN_FILE_BYTES)
        self._number = 0
        self._last = (0, 0)

    def use(self, path: str) -> None:
        """Write to this file from now on. Raises OSError."""
        with Path(path).open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), TURN_FILE_BYTES)

    def begin(self, sid: int = 0, seq: int = 0) -> None:
        """An event, of a socket or of none, has the loop."""
        self._number += 1
        if not sid:
            _TURN.pack_into(self._map, 0, self._number, *self._last, TURN_OF_ANOTHER)
            return
        self._last = (sid, seq & 0xFFFF_FFFF)
        _TURN.pack_into(self._map, 0, self._number, *self._last, TURN_OF_EVENT)

    def lend(self, sid: int, seq: int) -> Callable[[], None]:
        """What comes about for an event, which has not begun, has the loop; call what is returned when it has let go of it."""
        last = self._last
        self.begin(sid, seq)

        def back() -> None:
            self._last = last
            self.begin()

        return back

    def rest(self) -> None:
        """The loop waits."""
        _TURN.pack_into(self._map, 0, self._number, *self._last, TURN_WAITS)


def see_event(sid: int, seq: int) -> None:
    """The code of this context is about this event."""
    current_event.set((sid, seq))


class Selector(selectors.EpollSelector):
    """The loop's selector, which marks turns."""

    def __init__(self, turns: Turns) -> None:
        super().__init__()
        self._turns = turns
        # Asked for in each turn; `register` and `unregister` change it, and never replace it.
        self._keys: Mapping[int, selectors.SelectorKey] = self._fd_to_key  # type: ignore[attr-defined]  # of its base class
        self._poll: Callable[[float, int], list[tuple[int, int]]] = self._selector.poll  # type: ignore[attr-defined]

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait, and mark it; a turn begins when it returns. As the base class does it, in fewer steps."""
        wait_s = -1.0
        if timeout is not None:
            # The kernel counts in milliseconds: rather too late than to be asked again.
            wait_s = math.ceil(timeout * 1e3) * 1e-3 if timeout > 0 else 0.0
        keys = self._keys
        if wait_s:
            self._turns.rest()
        try:
            found = self._poll(wait_s, len(keys) or 1)
        except InterruptedError:
            found = []
        self._turns.begin()
        ready = []
        for descriptor, what in found:
            if (key := keys.get(descriptor)) is not None:
                events = (what & ~select.EPOLLIN and selectors.EVENT_WRITE) | (
                    what & ~select.EPOLLOUT and selectors.EVENT_READ
                )
                ready.append((key, events & key.events))
        return ready
