"""DNS records: those of a zone, put in, changed and taken out.

Law: what may stand beside what is decided before (`holdfast.model.record_book`), under the zone's lock (`zones.touch`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.model.dns_record import DnsRecord
from holdfast.store.schema import DNS_RECORDS

_NAMES = DnsRecord.__struct_fields__
_COLUMNS = tuple(DNS_RECORDS.c[name] for name in _NAMES)


async def of_zone(connection: AsyncConnection, zone_id: str) -> list[DnsRecord]:
    """All records of a zone, the oldest first."""
    statement = sa.select(*_COLUMNS).where(DNS_RECORDS.c.zone_id == zone_id)
    rows = (await connection.execute(statement.order_by(DNS_RECORDS.c.created_on, DNS_RECORDS.c.id))).all()
    return [_value(row) for row in rows]


async def find(connection: AsyncConnection, zone_id: str, record_id: str) -> DnsRecord | None:
    """The zone's record with this id."""
    statement = sa.select(*_COLUMNS).where(DNS_RECORDS.c.zone_id == zone_id, DNS_RECORDS.c.id == record_id)
    row = (await connection.execute(statement)).one_or_none()
    return None if row is None else _value(row)


async def insert(connection: AsyncConnection, zone_id: str, records: Sequence[DnsRecord]) -> None:
    """Add records to a zone; there is at least one."""
    await connection.execute(sa.insert(DNS_RECORDS), [{**_values(record), "zone_id": zone_id} for record in records])


async def update(connection: AsyncConnection, records: Sequence[DnsRecord]) -> None:
    """Write records that are there, in this order; there is at least one."""
    changed: dict[str, Any] = {name: sa.bindparam(name) for name in _NAMES if name != "id"}
    statement = sa.update(DNS_RECORDS).where(DNS_RECORDS.c.id == sa.bindparam("record_id")).values(changed)
    await connection.execute(statement, [{**_values(record), "record_id": record.id} for record in records])


async def delete(connection: AsyncConnection, record_ids: Collection[str]) -> None:
    """Remove records."""
    await connection.execute(sa.delete(DNS_RECORDS).where(DNS_RECORDS.c.id.in_(record_ids)))


def _values(record: DnsRecord) -> dict[str, Any]:
    return {**msgspec.structs.asdict(record), "tags": list(record.tags), "settings": dict(record.settings)}


def _value(row: sa.Row[Any]) -> DnsRecord:
    values = dict(zip(_NAMES, row, strict=True))
    return DnsRecord(**{**values, "tags": tuple(values["tags"])})
