"""Custom certificates of zones. The private key is sealed; nothing here can open it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.model.moment import Moment
from holdfast.store.schema import CERTIFICATES

LEGACY = "legacy_custom"


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """One certificate. `hosts` are all it is for, `geo_restrictions` the API's shape, `sealed_key` its sealed private key."""

    id: str
    type: str
    bundle_method: str
    hosts: tuple[str, ...]
    issuer: str
    signature: str
    chain_pem: str
    sealed_key: bytes
    priority: int
    geo_restrictions: Mapping[str, Any] | None
    policy: str | None
    uploaded_on: Moment
    modified_on: Moment
    starts_on: Moment
    expires_on: Moment

    def status(self, now: Moment) -> str:
        """What the API calls it at `now`: pending (not valid yet), active or expired."""
        if self.expires_on <= now:
            return "expired"
        return "pending" if self.starts_on > now else "active"


_NAMES = Certificate.__struct_fields__
_COLUMNS = tuple(CERTIFICATES.c[name] for name in _NAMES)
# The order to choose in: legacy_custom before sni_custom, the highest priority, the newest (Cloudflare, "Custom certificates").
BEST_FIRST: tuple[sa.ColumnElement[Any], ...] = (
    sa.case((CERTIFICATES.c.type == LEGACY, 0), else_=1),
    CERTIFICATES.c.priority.desc(),
    CERTIFICATES.c.uploaded_on.desc(),
    CERTIFICATES.c.id,
)


async def of_zone(connection: AsyncConnection, zone_id: str) -> list[Certificate]:
    """The zone's certificates, in the order to choose in."""
    statement = sa.select(*_COLUMNS).where(CERTIFICATES.c.zone_id == zone_id).order_by(*BEST_FIRST)
    return [_value(row) for row in (await connection.execute(statement)).all()]


async def some_sealed_keys(connection: AsyncConnection, *, limit: int) -> list[tuple[str, bytes]]:
    """(id, sealed private key) of `limit` certificates at most, whichever."""
    rows = (await connection.execute(sa.select(CERTIFICATES.c.id, CERTIFICATES.c.sealed_key).limit(limit))).all()
    return [(row.id, row.sealed_key) for row in rows]


async def find(connection: AsyncConnection, zone_id: str, certificate_id: str) -> Certificate | None:
    """The zone's certificate with this id."""
    statement = sa.select(*_COLUMNS).where(CERTIFICATES.c.zone_id == zone_id, CERTIFICATES.c.id == certificate_id)
    row = (await connection.execute(statement)).one_or_none()
    return None if row is None else _value(row)


async def insert(connection: AsyncConnection, zone_id: str, certificate: Certificate) -> None:
    """Add a certificate to a zone."""
    await connection.execute(sa.insert(CERTIFICATES).values(**_values(certificate), zone_id=zone_id))


async def update(connection: AsyncConnection, certificate: Certificate) -> None:
    """Write a certificate that is there."""
    statement = sa.update(CERTIFICATES).where(CERTIFICATES.c.id == certificate.id)
    await connection.execute(statement.values(**_values(certificate)))


async def delete(connection: AsyncConnection, certificate_id: str) -> None:
    """Remove a certificate."""
    await connection.execute(sa.delete(CERTIFICATES).where(CERTIFICATES.c.id == certificate_id))


async def zones_turned(connection: AsyncConnection, *, since: Moment, until: Moment) -> set[str]:
    """Ids of zones of which a certificate has become valid or expired after `since`, and by `until`."""
    starts, expires = CERTIFICATES.c.starts_on, CERTIFICATES.c.expires_on
    turned = sa.or_(sa.and_(starts > since, starts <= until), sa.and_(expires > since, expires <= until))
    return set((await connection.scalars(sa.select(CERTIFICATES.c.zone_id).distinct().where(turned))).all())


def _values(certificate: Certificate) -> dict[str, Any]:
    return {**msgspec.structs.asdict(certificate), "hosts": list(certificate.hosts)}


def _value(row: sa.Row[Any]) -> Certificate:
    values = dict(zip(_NAMES, row, strict=True))
    return Certificate(**{**values, "hosts": tuple(values["hosts"])})
