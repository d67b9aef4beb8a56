"""Memory that the C library keeps free after a rush, given back to the system.

Theory. Each thread of an edge has a heap of its own, and what handshakes and WebSockets took lies free in it between the little that
stays: megabytes after thousands. The library gives back only what is at a heap's end, unless it is asked.

Law 1: it is asked once after a rush, coming or going, when it is over: that takes some milliseconds, in which a thread may wait for
memory.
Law 2: where as much goes on all the time it is asked once in about a minute; where nothing much has come and gone since, never.
"""

from collections.abc import Mapping
from contextlib import suppress

# So many that have come or gone since are worth it.
RUSH = 256
# A rush is over where no more than this part of it has come or gone since the last look, a second ago.
QUIET_PART = 64


class Tidying:
    """When to give memory back, by what has come to an edge and gone."""

    def __init__(self) -> None:
        self._last = self._tidied = 0

    def look(self, moves: int) -> bool:
        """Whether to do it now. `moves` counts since the start (`moved`); for once a second."""
        latest, self._last = moves - self._last, moves
        since = moves - self._tidied
        is_due = since >= RUSH and latest * QUIET_PART <= since
        if is_due:
            self._tidied = moves
        return is_due


def moved(figures: Mapping[str, int]) -> int:
    """How many connections and WebSockets have come, and how many have gone, by what `Edge.statistics` counts: it only rises."""
    come = figures["connections_accepted"] + figures["tunnels_opened"]
    return 2 * come - figures["connections_open"] - figures["tunnels_open"]


def give_back() -> None:
    """Give back what lies free. Another C library than GNU's has no such thing."""
    # Loaded here and not with this module: most edges never need it.
    import ctypes  # noqa: PLC0415

    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
