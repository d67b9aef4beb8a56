"""The audit log does not grow for ever: what is old is removed, and so is what is beyond a number.

Law 1: little at a time, so that no write waits long for it.
Law 2: each zone, account and user has a number of its own: who may write to one of them pushes out no history but its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from holdfast.control.pacing import Pacing
from holdfast.model.moment import Moment
from holdfast.store import audit
from holdfast.store.audit import Share
from holdfast.store.database import Database, StoreUnavailable

# Eighteen months. Precedent: Cloudflare keeps its audit logs for so long.
RETENTION_US = 548 * 86_400 * 1_000_000
# Entries kept at most of each, the newest. One of a setting or record has about a kilobyte, none more than 20
# (`audit.MAX_VALUE_BYTES`, twice, and who did it).
QUOTAS: Mapping[Share, int] = MappingProxyType(
    {Share.ZONE: 20_000, Share.ZONES_OF_ACCOUNT: 100_000, Share.ACCOUNT: 20_000, Share.USER: 20_000}
)
# A user may write 2,400 times meanwhile, of which each leaves 10 entries at most (`record_changes.MAX_ENTRIES`).
INTERVAL_S = 600.0
# Entries removed in one transaction.
AT_ONCE = 2000


async def trim(
    database: Database, *, now: Moment, retention_us: int = RETENTION_US, quotas: Mapping[Share, int] = QUOTAS
) -> int:
    """Remove what is too old or too much; how many entries it were. Raises StoreUnavailable.

    Of entries of the same microsecond, none is kept if not all can be.
    """
    removed = await _remove(database, now - retention_us)
    for share, most in quotas.items():
        async with database.read() as connection:
            keys = await audit.crowded(connection, share, most)
            beyond = {key: await audit.nth_newest(connection, most, share, key) for key in keys}
        for key, moment in beyond.items():
            removed += 0 if moment is None else await _remove(database, moment, of=(share, key))
    return removed


async def _remove(database: Database, until: Moment, *, of: tuple[Share, str] | None = None) -> int:
    removed = 0
    while True:
        async with database.note() as connection:
            count = await audit.delete_until(connection, until, limit=AT_ONCE, of=of)
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
