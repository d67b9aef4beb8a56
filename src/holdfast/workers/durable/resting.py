"""When the sockets of objects that are not in memory are put away, and when what that leaves free goes back to the system.

Law 1: it is done between events, RESTED_AT_ONCE objects at a time, and tried TRIES times for an object: then its sockets stay as they are
until it has been in memory again.
Law 2: what stays of an object lies where there was room while its sockets came, each piece in a page of its own that nothing else is in any more. So it is
made again, in one place, when they have gone (`settle`).
Law 3: memory is collected and given back (`runtime.memory`, a step each sweep) when many have gone, and COLLECT_EVERY_S after the last time at
the earliest.
"""

import gc
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Protocol

from holdfast.workers.runtime.memory import FreePools, give_back_heaps

# A thousand objects of ten sockets each take 0.1 s together.
RESTED_AT_ONCE = 200
TRIES = 4
# A collection looks at all that was not there when the script was loaded.
COLLECT_EVERY_S = 30.0
# In the middle of a rush it would be in vain: it is over where none has been put away for so long.
QUIET_S = 5.0
COLLECT_SOCKETS = 500


class Rester(Protocol):
    """An object (`actor.Actor`)."""

    @property
    def instance(self) -> object | None: ...
    @property
    def socket_count(self) -> int: ...
    def rest(self) -> bool:
        """Put its sockets away; False where that cannot be."""

    def settle(self) -> object:
        """Have what was put away lie where there is room now; what it was until now."""


class Resting:
    """See above; `sweep` it whenever it is looked for objects that may leave (`crowding.Crowd`)."""

    def __init__(self, settle: Callable[[], object]) -> None:
        """`settle`: what else is to be done where `Rester.settle` was called for all that were put away."""
        self._settle = settle
        # Object -> how often it may be tried yet.
        self._awake: dict[Rester, int] = {}
        # Those whose sockets were put away since the last collection, and how many those are.
        self._put_away: dict[Rester, None] = {}
        self._gone_sockets = 0
        # When the first and the last of them were.
        self._began_at = self._rested_at = 0.0
        self._collected_at = float("-inf")
        self._pools: FreePools | None = None
        self._giving: Iterator[None] = iter(())

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
                self._rested_at = now
                self._began_at = self._began_at if self._put_away else now
                self._put_away[actor] = None
                self._gone_sockets += actor.socket_count
            elif tries > 1:
                self._awake[actor] = tries - 1
        with suppress(OSError):
            next(self._giving, None)
        if self._is_due(now):
            self._gone_sockets, self._collected_at = 0, now
            gc.collect()
            self._settle_all()
            gc.collect()
            give_back_heaps()
            self._pools = self._pools or FreePools()
            self._giving = self._pools.giving_back()

    def _is_due(self, now: float) -> bool:
        if self._gone_sockets < COLLECT_SOCKETS or now - self._collected_at < COLLECT_EVERY_S:
            return False
        return now - self._rested_at >= QUIET_S or now - self._began_at >= COLLECT_EVERY_S

    def _settle_all(self) -> None:
        put_away, self._put_away = self._put_away, {}
        # Kept until all is made: what is freed is where the next is put.
        before = [actor.settle() for actor in put_away]
        before.append(self._settle())
        before.clear()
        # The addresses of the last 128 requests, each where it came among what has gone since. (Typeshed does not know of it.)
        with suppress(AttributeError):
            urllib.parse.clear_cache()  # type: ignore[attr-defined]
