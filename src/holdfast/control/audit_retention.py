"""The audit log does not grow for ever: what is old is removed, and so is what is beyond a number.

Law: little at a time, so that no write waits long for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from holdfast.control.pacing import Pacing
from holdfast.model.moment import Moment
from holdfast.store import audit
from holdfast.store.database import Database, StoreUnavailable

# Eighteen months. Precedent: Cloudflare keeps its audit logs for so long.
RETENTION_US = 548 * 86_400 * 1_000_000
# Entries kept at most: about half a gigabyte of settings and records.
MAX_ENTRIES = 500_000
INTERVAL_S = 3600.0
# Entries removed in one transaction.
AT_ONCE = 2000


async def trim(
    database: Database, *, now: Moment, retention_us: int = RETENTION_US, max_entries: int = MAX_ENTRIES
) -> int:
    """Remove what is too old or too much; how many entries it were. Raises StoreUnavailable."""
    async with database.read() as connection:
        beyond = await audit.nth_newest(connection, max_entries)
    until = max(now - retention_us, now - retention_us if beyond is None else beyond)
    removed = 0
    while True:
        async with database.note() as connection:
            count = await audit.delete_until(connection, until, limit=AT_ONCE)
        removed += count
        if count < AT_ONCE:
            return removed


async def keep_trimming(
    database: Database,
    clock: Callable[[], Moment],
    log: Callable[[str, Mapping[str, str | int]], None],
    pacing: Pacing,
) -> None:
    """Trim at once and then every INTERVAL_S, until it is time to stop."""
    goes_on = True
    while goes_on:
        try:
            if removed := await trim(database, now=clock()):
                log("audit_trimmed", {"entries": removed})
        except StoreUnavailable as error:
            log("audit_not_trimmed", {"reason": str(error)})
        goes_on = await pacing.pause(INTERVAL_S)
