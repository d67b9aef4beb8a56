"""Security events do not fill the disk: what is old is removed, and so is what is beyond a number.

Law 1: little at a time, so that no write waits long for it.
Law 2: a zone has no more than its share, and where all have too many, those that have most give first: a zone that is flooded
pushes out its own history, and nobody else's until all are that full.
Law 3: the events of a zone that is removed go with it, a little later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from holdfast.control.event_intake import EventIntake
from holdfast.control.pacing import Pacing
from holdfast.model.moment import Moment
from holdfast.store import security_events
from holdfast.store.database import Database, StoreUnavailable

_DAY_US = 86_400 * 1_000_000
# The share of a zone, of all rows.
ZONE_SHARE = 5
# How often it is looked at where events were written: meanwhile an edge writes 6,000 at most (`event_sampling.RATES`).
INTERVAL_S = 60.0
# How often where none were: for those that grow old.
SELDOM_S = 1800.0
# Rows removed in one transaction (some 20 ms on SQLite), and the pause after it.
AT_ONCE = 250
_PAUSE_S = 0.02

Log = Callable[[str, Mapping[str, str | int]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLimits:
    """What is kept. Precedent: Cloudflare keeps firewall events for 24 hours to 30 days, by plan. A row has about a
    kilobyte, its indexes included."""

    days: int = 30
    rows: int = 500_000

    @property
    def zone_rows(self) -> int:
        """The most that one zone has."""
        return max(1, self.rows // ZONE_SHARE)


def level(counts: Mapping[str, int], limits: EventLimits) -> int:
    """The most rows that a zone may have, so that all together have no more than they should."""
    left, highest = limits.rows, limits.zone_rows
    several = sorted(min(count, highest) for count in counts.values())
    for index, count in enumerate(several):
        share = left // (len(several) - index)
        if count > share:
            return share
        left -= count
    return highest


async def trim(database: Database, limits: EventLimits, *, now: Moment, pacing: Pacing) -> tuple[int, int]:
    """Remove what is too old or too much; how many rows it were, and how many are left. Raises StoreUnavailable."""
    until = now - limits.days * _DAY_US
    removed, goes_on = 0, True
    while goes_on:
        async with database.note() as connection:
            gone = await security_events.delete_until(connection, until, limit=AT_ONCE)
        removed += gone
        goes_on = gone == AT_ONCE and await pacing.pause(_PAUSE_S)
    async with database.read() as connection:
        counts = await security_events.rows_by_zone(connection)
        living = await security_events.accounts_of(connection, counts)
    most = level({zone: count for zone, count in counts.items() if zone in living}, limits)
    left = sum(counts.values())
    for zone, limit in _deletions(counts, dict.fromkeys(living, most)):
        async with database.note() as connection:
            gone = await security_events.delete_oldest_of(connection, zone, limit=limit)
        removed, left = removed + gone, left - gone
        if not await pacing.pause(_PAUSE_S):
            break
    return removed, left


def _deletions(counts: Mapping[str, int], most: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """How many to remove of which zone, transaction by transaction."""
    for zone, count in counts.items():
        beyond = count - most.get(zone, 0)
        while beyond > 0:
            yield zone, min(AT_ONCE, beyond)
            beyond -= AT_ONCE


class EventKeeping:
    """Trims in the background. `rows` is how many there are, as far as is known."""

    def __init__(
        self, database: Database, intake: EventIntake, limits: EventLimits, *, clock: Callable[[], Moment], log: Log
    ) -> None:
        self._database, self._intake, self._limits = database, intake, limits
        self._clock, self._log = clock, log
        self._counted = 0
        self._written_then = 0

    @property
    def rows(self) -> int:
        """The rows that were left, and those that were written since."""
        return self._counted + self._intake.written - self._written_then

    async def keep_trimming(self, pacing: Pacing) -> None:
        """Trim at once and then as often as it is needed, until it is time to stop."""
        idle_s, goes_on = SELDOM_S, True
        while goes_on:
            if self._intake.written != self._written_then or idle_s >= SELDOM_S:
                idle_s = 0.0
                await self._trim(pacing)
            goes_on = await pacing.pause(INTERVAL_S)
            idle_s += INTERVAL_S

    async def _trim(self, pacing: Pacing) -> None:
        written = self._intake.written
        try:
            removed, left = await trim(self._database, self._limits, now=self._clock(), pacing=pacing)
        except StoreUnavailable as error:
            self._log("security_events_not_trimmed", {"reason": str(error)})
            return
        self._counted, self._written_then = left, written
        if removed:
            self._log("security_events_trimmed", {"events": removed})
