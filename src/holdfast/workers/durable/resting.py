"""When the sockets of objects that are not in memory are put away, and when what that leaves free goes back to the system.

Law 1: it is done between events, RESTED_AT_ONCE objects at a time, and tried TRIES times for an object: then its sockets stay as they are
until it has been in memory again.
Law 2: memory is collected and given back when many have gone, and COLLECT_EVERY_S after the last time at the earliest.
"""

import ctypes
import gc
from contextlib import suppress
from typing import Protocol

# A thousand objects of ten sockets each take 0.1 s together.
RESTED_AT_ONCE = 200
TRIES = 4
# A collection looks at all that was not there when the script was loaded.
COLLECT_EVERY_S = 30.0
COLLECT_SOCKETS = 500


class Rester(Protocol):
    """An object (`actor.Actor`)."""

    @property
    def instance(self) -> object | None: ...
    @property
    def socket_count(self) -> int: ...
    def rest(self) -> bool:
        """Put its sockets away; False where that cannot be."""


class Resting:
    """See above; `sweep` it each second."""

    def __init__(self) -> None:
        # Object -> how often it may be tried yet.
        self._awake: dict[Rester, int] = {}
        self._gone_sockets = 0
        self._collected_at = float("-inf")

    def add(self, actor: Rester) -> None:
        """The sockets of this object may be put away when nothing happens to it."""
        self._awake[actor] = TRIES

    def sweep(self, now: float) -> None:
        """Put away what can be, now (the loop's time)."""
        for actor, tries in list(self._awake.items())[:RESTED_AT_ONCE]:
            del self._awake[actor]
            if actor.instance is not None or not actor.socket_count:
                # It is added again when it leaves memory.
                continue
            if actor.rest():
                self._gone_sockets += actor.socket_count
            elif tries > 1:
                self._awake[actor] = tries - 1
        if self._gone_sockets >= COLLECT_SOCKETS and not self._awake and now - self._collected_at >= COLLECT_EVERY_S:
            self._gone_sockets, self._collected_at = 0, now
            gc.collect()
            _give_back()


def _give_back() -> None:
    """What the C library keeps free at the end of its heaps, and between. Another C library than GNU's has no such thing."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
