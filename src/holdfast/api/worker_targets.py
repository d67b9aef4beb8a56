"""What routes and domains are made of: the script that gets the requests, and the zone that they are of.

Law: a script that is named here is held until the transaction ends: nobody removes it meanwhile.
"""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.api.faults import ApiFault, fault
from holdfast.store import worker_scripts, zones
from holdfast.store.worker_scripts import Script
from holdfast.store.zones import Zone

# Ours.
NO_ZONE = 10471


async def held_script(connection: AsyncConnection, account_id: str, name: str, *, member: str, code: int) -> Script:
    """The account's script of this name, which the request has in `member`. Raises ApiFault, with `code` where there is none."""
    script = await worker_scripts.hold(connection, account_id, name)
    if script is None:
        raise fault(400, code, f"{member}: the account has no Worker {name[:80]!r}", pointer=f"/{member}")
    return script


async def zone_of(
    connection: AsyncConnection, account_id: str, host: str, *, zone_id: str | None = None, zone_name: str | None = None
) -> Zone:
    """The account's zone that a host name is of; where it is named, that one. Raises ApiFault."""
    labels = host.split(".")
    for at in range(len(labels)):
        zone = await zones.find_by_name(connection, ".".join(labels[at:]))
        if zone is not None and zone.account_id == account_id:
            if zone_id not in {None, zone.id} or zone_name not in {None, zone.name}:
                raise _no_zone(f"expected the zone {zone.name} ({zone.id}) for {host}")
            return zone
    raise _no_zone(f"the account has no zone that {host} is of")


def _no_zone(reason: str) -> ApiFault:
    return fault(400, NO_ZONE, f"hostname: {reason}", pointer="/hostname")
