"""How long to wait before a child that died is started again. Pure: the time is an argument.

Law 1: the first restart comes at once: an edge that crashed must be back before its clients' connection attempts give up.
Law 2: one that dies again and again is started ever more rarely, and never given up: what it lacks may come back.
Law 3: a child that was well for HEALTHY_AFTER_S has earned a first restart again.
"""

from __future__ import annotations

# The second restart; each further one waits twice as long. Precedent: systemd's RestartSec is 100 ms.
FIRST_DELAY_S = 0.1
# What a database that comes up needs at most to be found, once it is there.
MOST_DELAY_S = 5.0
HEALTHY_AFTER_S = 10.0


class BackOff:
    """The restarts of one child."""

    __slots__ = ("_deaths", "_ready_since")

    def __init__(self) -> None:
        self._deaths = 0
        self._ready_since: float | None = None

    def ready(self, now: float) -> None:
        """The child serves since `now` (seconds of a clock that does not jump)."""
        self._ready_since = now

    def delay_after_exit(self, now: float) -> float:
        """The child has ended at `now`; the seconds until it should be started again."""
        if self._ready_since is not None and now - self._ready_since >= HEALTHY_AFTER_S:
            self._deaths = 0
        self._ready_since = None
        self._deaths += 1
        if self._deaths == 1:
            return 0.0
        # Beyond the sixth doubling it is MOST_DELAY_S anyway; a power of a large number would take memory.
        return min(FIRST_DELAY_S * 2.0 ** min(self._deaths - 2, 10), MOST_DELAY_S)
