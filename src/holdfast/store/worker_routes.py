"""Which requests go to scripts: routes of zones, and host names whose origin is a script.

Law: whoever changes one raises the version of its zone, in the same transaction (`zones.touch`).
"""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.model.moment import Moment
from holdfast.store.schema import WORKER_DOMAINS, WORKER_ROUTES, WORKER_SCRIPTS, ZONES


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One route. `script_id` and `script` (its name) are None where requests go to the origin."""

    id: str
    zone_id: str
    pattern: str
    script_id: str | None
    script: str | None
    created_on: Moment


class Domain(msgspec.Struct, frozen=True, kw_only=True):
    """One host name whose origin is the script with this id and name."""

    id: str
    zone_id: str
    zone_name: str
    host: str
    script_id: str
    script: str
    created_on: Moment


_ROUTES = sa.select(*WORKER_ROUTES.c, WORKER_SCRIPTS.c.name.label("script")).select_from(
    WORKER_ROUTES.outerjoin(WORKER_SCRIPTS, WORKER_SCRIPTS.c.id == WORKER_ROUTES.c.script_id)
)
_DOMAINS = sa.select(
    *WORKER_DOMAINS.c, WORKER_SCRIPTS.c.name.label("script"), ZONES.c.name.label("zone_name")
).select_from(
    WORKER_DOMAINS.join(WORKER_SCRIPTS, WORKER_SCRIPTS.c.id == WORKER_DOMAINS.c.script_id).join(
        ZONES, ZONES.c.id == WORKER_DOMAINS.c.zone_id
    )
)


async def of_zone(connection: AsyncConnection, zone_id: str) -> list[Route]:
    """The zone's routes, the oldest first."""
    statement = _ROUTES.where(WORKER_ROUTES.c.zone_id == zone_id)
    rows = (await connection.execute(statement.order_by(WORKER_ROUTES.c.created_on, WORKER_ROUTES.c.id))).mappings()
    return [Route(**row) for row in rows.all()]


async def of_script(connection: AsyncConnection, script_id: str) -> list[Route]:
    """The script's routes, of any zone, the oldest first."""
    statement = _ROUTES.where(WORKER_ROUTES.c.script_id == script_id)
    rows = (await connection.execute(statement.order_by(WORKER_ROUTES.c.created_on, WORKER_ROUTES.c.id))).mappings()
    return [Route(**row) for row in rows.all()]


async def find(connection: AsyncConnection, zone_id: str, route_id: str) -> Route | None:
    """The zone's route with this id."""
    return await _route(connection, sa.and_(WORKER_ROUTES.c.zone_id == zone_id, WORKER_ROUTES.c.id == route_id))


async def find_like(connection: AsyncConnection, zone_id: str, pattern: str) -> Route | None:
    """The zone's route with this pattern."""
    return await _route(connection, sa.and_(WORKER_ROUTES.c.zone_id == zone_id, WORKER_ROUTES.c.pattern == pattern))


async def count(connection: AsyncConnection, zone_id: str) -> int:
    """How many routes a zone has."""
    statement = sa.select(sa.func.count()).select_from(WORKER_ROUTES).where(WORKER_ROUTES.c.zone_id == zone_id)
    return await connection.scalar(statement) or 0


async def insert(connection: AsyncConnection, route: Route) -> None:
    """Add a route. Raises sqlalchemy.exc.IntegrityError where the zone has one of this pattern."""
    values = {name: value for name, value in msgspec.structs.asdict(route).items() if name != "script"}
    await connection.execute(sa.insert(WORKER_ROUTES).values(**values))


async def change(connection: AsyncConnection, route_id: str, *, pattern: str, script_id: str | None) -> None:
    """Give a route another pattern, another script, or both."""
    statement = sa.update(WORKER_ROUTES).where(WORKER_ROUTES.c.id == route_id)
    await connection.execute(statement.values(pattern=pattern, script_id=script_id))


async def delete(connection: AsyncConnection, route_id: str) -> None:
    """Remove a route."""
    await connection.execute(sa.delete(WORKER_ROUTES).where(WORKER_ROUTES.c.id == route_id))


async def domains_of(connection: AsyncConnection, account_id: str) -> list[Domain]:
    """The host names of an account's zones whose origin is a script, by name."""
    rows = (
        await connection.execute(_DOMAINS.where(ZONES.c.account_id == account_id).order_by(WORKER_DOMAINS.c.host))
    ).mappings()
    return [Domain(**row) for row in rows.all()]


async def find_domain(connection: AsyncConnection, account_id: str, **is_: str) -> Domain | None:
    """The account's domain of which a column (`id` or `host`) has this value."""
    conditions: list[Any] = [WORKER_DOMAINS.c[name] == value for name, value in is_.items()]
    row = (await connection.execute(_DOMAINS.where(ZONES.c.account_id == account_id, *conditions))).mappings()
    found = row.one_or_none()
    return None if found is None else Domain(**found)


async def insert_domain(connection: AsyncConnection, domain: Domain) -> None:
    """Add a domain. Raises sqlalchemy.exc.IntegrityError where there is one of this host name."""
    values = {
        name: value for name, value in msgspec.structs.asdict(domain).items() if name not in {"script", "zone_name"}
    }
    await connection.execute(sa.insert(WORKER_DOMAINS).values(**values))


async def change_domain(connection: AsyncConnection, domain_id: str, script_id: str) -> None:
    """Give a domain another script."""
    statement = sa.update(WORKER_DOMAINS).where(WORKER_DOMAINS.c.id == domain_id)
    await connection.execute(statement.values(script_id=script_id))


async def delete_domain(connection: AsyncConnection, domain_id: str) -> None:
    """Remove a domain."""
    await connection.execute(sa.delete(WORKER_DOMAINS).where(WORKER_DOMAINS.c.id == domain_id))


async def _route(connection: AsyncConnection, condition: sa.ColumnElement[bool]) -> Route | None:
    row = (await connection.execute(_ROUTES.where(condition))).mappings().one_or_none()
    return None if row is None else Route(**row)
