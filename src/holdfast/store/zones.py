"""Zones: found, listed, made, changed and removed.

Law: whatever changes in a zone raises its `version` (`touch`), in the same transaction; the row is locked from then on.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.model.moment import Moment
from holdfast.model.plan import PLANS
from holdfast.store.schema import ACCOUNTS, CERTIFICATES, DNS_RECORDS, INSTALLATION, ZONES


class Zone(msgspec.Struct, frozen=True, kw_only=True):
    """One zone, and the name of its account."""

    id: str
    account_id: str
    account_name: str
    name: str
    type: str
    plan: str
    paused: bool
    version: int
    created_on: Moment
    modified_on: Moment


class Visible(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody may see: all zones of `accounts` but the `hidden` ones, and `zones`. All by id."""

    accounts: frozenset[str]
    zones: frozenset[str]
    hidden: frozenset[str]


class ZoneQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which zones, in which order.

    `visible` is what the asker may see, None all. `name` is an operator and a text, `is_all` whether every filter must hold or one suffices. `order` is a column, `offset` and `limit` count zones.
    """

    visible: Visible | None = None
    name: tuple[str, str] | None = None
    account_id: str | None = None
    account_name: tuple[str, str] | None = None
    type: tuple[str, ...] = ()
    status: str | None = None
    is_all: bool = True
    order: str | None = None
    descending: bool = False
    offset: int = 0
    limit: int = 50


_COLUMNS = (*ZONES.c, ACCOUNTS.c.name.label("account_name"))
_FROM = ZONES.join(ACCOUNTS, ACCOUNTS.c.id == ZONES.c.account_id)
# Made once: every request that names a zone asks it.
_FIND = sa.select(*_COLUMNS).select_from(_FROM).where(ZONES.c.id == sa.bindparam("zone_id"))
_ORDERS = {
    "name": ZONES.c.name,
    "account.id": ZONES.c.account_id,
    "account.name": ACCOUNTS.c.name,
    # Ids of plans are in order of their levels.
    "plan.id": sa.case({plan.legacy_id: plan.level for plan in PLANS}, value=ZONES.c.plan, else_=0),
}


async def find(connection: AsyncConnection, zone_id: str) -> Zone | None:
    """The zone with this id."""
    row = (await connection.execute(_FIND, {"zone_id": zone_id})).mappings().one_or_none()
    return None if row is None else _value(row)


async def find_by_name(connection: AsyncConnection, name: str) -> Zone | None:
    """The zone with this name."""
    statement = sa.select(*_COLUMNS).select_from(_FROM).where(ZONES.c.name == name)
    row = (await connection.execute(statement)).mappings().one_or_none()
    return None if row is None else _value(row)


async def below(connection: AsyncConnection, account_id: str, parent: str) -> list[Zone]:
    """The account's zones whose names are below `parent`, by name."""
    is_below = sa.and_(ZONES.c.account_id == account_id, ZONES.c.name.endswith(f".{parent}", autoescape=True))
    statement = sa.select(*_COLUMNS).select_from(_FROM).where(is_below).order_by(ZONES.c.name)
    return [_value(row) for row in (await connection.execute(statement)).mappings().all()]


async def accounts_of(connection: AsyncConnection, zone_ids: Collection[str]) -> dict[str, str]:
    """The account of each of these zones that there is, by the zone's id. At most 10,000 zones at once."""
    if not zone_ids:
        return {}
    rows = (await connection.execute(sa.select(ZONES.c.id, ZONES.c.account_id).where(ZONES.c.id.in_(zone_ids)))).all()
    return {row.id: row.account_id for row in rows}


async def versions(connection: AsyncConnection) -> dict[str, int]:
    """The version of every zone, by id."""
    rows = (await connection.execute(sa.select(ZONES.c.id, ZONES.c.version))).all()
    return {row.id: row.version for row in rows}


async def select(connection: AsyncConnection, query: ZoneQuery) -> tuple[list[Zone], int]:
    """The zones of one page, and how many there are on all pages."""
    condition = _condition(query)
    order = _ORDERS.get(query.order or "", ZONES.c.created_on)
    statement = (
        sa.select(*_COLUMNS)
        .select_from(_FROM)
        .where(condition)
        .order_by(order.desc() if query.descending else order, ZONES.c.id)
        .offset(query.offset)
        .limit(query.limit)
    )
    rows = (await connection.execute(statement)).mappings().all()
    total = await connection.scalar(sa.select(sa.func.count()).select_from(_FROM).where(condition))
    return [_value(row) for row in rows], total or 0


async def insert(connection: AsyncConnection, zone: Zone) -> None:
    """Add a zone. Raises sqlalchemy.exc.IntegrityError when its name is taken."""
    values = {name: value for name, value in msgspec.structs.asdict(zone).items() if name != "account_name"}
    await connection.execute(sa.insert(ZONES).values(values))


async def is_within_or_above_others(connection: AsyncConnection, zone: Zone) -> bool:
    """Whether a zone that has been added lies within a zone of another account, or has one within it.

    Of two who add such zones at once, one is asked after the other's is there: until the transaction ends, nobody else is
    asked.
    """
    await connection.execute(sa.select(INSTALLATION.c.revision).with_for_update())
    labels = zone.name.split(".")
    above = [".".join(labels[at:]) for at in range(1, len(labels))]
    below = f".{zone.name}"
    overlapping = sa.or_(ZONES.c.name.in_(above), _positioned(ZONES.c.name, "ends_with", below))
    others = sa.select(ZONES.c.id).where(ZONES.c.account_id != zone.account_id, overlapping).limit(1)
    return (await connection.execute(others)).first() is not None


async def change(connection: AsyncConnection, zone_id: str, values: Mapping[str, Any], *, now: Moment) -> None:
    """Set columns of a zone, and touch it."""
    statement = sa.update(ZONES).where(ZONES.c.id == zone_id)
    await connection.execute(statement.values(**values, version=ZONES.c.version + 1, modified_on=now))


async def touch(connection: AsyncConnection, zone_id: str) -> bool:
    """Raise the zone's version, because something of it changes; False where there is no such zone (any more)."""
    statement = sa.update(ZONES).where(ZONES.c.id == zone_id).values(version=ZONES.c.version + 1)
    return (await connection.execute(statement)).rowcount == 1


async def delete(connection: AsyncConnection, zone_id: str) -> bool:
    """Remove the zone and all that belongs to it; False where there is none."""
    return (await connection.execute(sa.delete(ZONES).where(ZONES.c.id == zone_id))).rowcount == 1


async def belongings(connection: AsyncConnection, zone_id: str) -> tuple[int, int]:
    """How many DNS records and how many certificates a zone has."""
    counts = [
        sa.select(sa.func.count()).select_from(table).where(table.c.zone_id == zone_id).scalar_subquery()
        for table in (DNS_RECORDS, CERTIFICATES)
    ]
    records, certificates = (await connection.execute(sa.select(*counts))).one()
    return records, certificates


def _condition(query: ZoneQuery) -> sa.ColumnElement[bool]:
    filters: list[sa.ColumnElement[bool]] = []
    if query.name is not None:
        filters.append(_compare(ZONES.c.name, *query.name))
    if query.account_id is not None:
        filters.append(ZONES.c.account_id == query.account_id)
    if query.account_name is not None:
        filters.append(_compare(ACCOUNTS.c.name, *query.account_name))
    if query.type:
        filters.append(ZONES.c.type.in_(query.type))
    if query.status is not None:
        # Nobody delegates a domain to an edge, so every zone is active from its first moment.
        filters.append(sa.literal(query.status == "active"))
    asked = (sa.and_ if query.is_all else sa.or_)(*filters) if filters else sa.true()
    return sa.and_(asked, _visible(query.visible))


def _visible(visible: Visible | None) -> sa.ColumnElement[bool]:
    if visible is None:
        return sa.true()
    of_accounts: sa.ColumnElement[bool] = ZONES.c.account_id.in_(visible.accounts)
    if visible.hidden:
        of_accounts = sa.and_(of_accounts, ZONES.c.id.not_in(visible.hidden))
    return sa.or_(of_accounts, ZONES.c.id.in_(visible.zones)) if visible.zones else of_accounts


def _compare(column: sa.ColumnElement[str], operator: str, text: str) -> sa.ColumnElement[bool]:
    """`column` against `text`: the operators of the API, without regard to case where they do not say otherwise."""
    if operator.endswith("_case_sensitive"):
        # LIKE is without case on SQLite and with it on PostgreSQL; positions are the same on both.
        return _positioned(column, operator.removesuffix("_case_sensitive"), text)
    lowered = sa.func.lower(column)
    if operator in ("equal", "not_equal"):
        return lowered == text.lower() if operator == "equal" else lowered != text.lower()
    return _positioned(lowered, operator, text.lower())


def _positioned(column: sa.ColumnElement[str], operator: str, text: str) -> sa.ColumnElement[bool]:
    if operator == "starts_with":
        return sa.func.substr(column, 1, len(text)) == text
    if operator == "ends_with":
        return sa.func.substr(column, sa.func.length(column) - len(text) + 1, len(text)) == text
    # Contains: taking the text out changes it. LIKE would read "%" and "_" in it as wildcards.
    return sa.func.replace(column, text, "") != column if text else sa.true()


def _value(row: Mapping[Any, Any]) -> Zone:
    return Zone(**row)
