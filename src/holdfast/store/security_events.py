"""Security events: what edges did with requests. A row stands for `sample_interval` of them.

Law 1: an event has one row, however often it is handed in (`insert`): its id was given where it occurred.
Law 2: pages are in order of time and then id, so that no event is on two pages or on none, whatever arrives meanwhile.
Law 3: a ray is kept without the "-<colo>" that clients see. Precedent: the original's `rayName`.
Law 4: both databases answer alike: text is compared as it is, or without regard to the case of ASCII letters.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.model.moment import Moment
from holdfast.model.security_event import SecurityEvent
from holdfast.store.schema import ID_CHARS, SECURITY_EVENTS, ZONES

IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
_MICROSECONDS = 1_000_000
# The end of the year 9999, in seconds: later moments have no date, whatever a clock said.
_LATEST_S = 253_402_300_799
# Most ids put into one statement: SQLite takes 32,766 values, PostgreSQL's driver 32,767.
_MAX_IDS = 10_000


class StoredEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event with the account its zone is of. It stands for `sample_interval` events of the same zone, rule and action,
    itself among them."""

    id: str
    account_id: str
    occurred_on: Moment
    sample_interval: int
    event: SecurityEvent


class EventQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which events: of a zone or of an account, from `since` until before `before`.

    `equal` are values by name of EQUAL; `path` is how the path begins; `containing` are texts within `path`, `query` or
    `user_agent`, any case. `client` is the network of the client. `after` is the last event of the page before.
    """

    zone_id: str | None = None
    account_id: str | None = None
    since: Moment | None = None
    before: Moment | None = None
    equal: Mapping[str, str | int | bool] = {}
    path: str = ""
    containing: Mapping[str, str] = {}
    client: IpNetwork | None = None
    after: tuple[Moment, str] | None = None
    ascending: bool = False
    limit: int = 100


EVENTS = SECURITY_EVENTS.c
# Columns that are asked for by their very value.
EQUAL = (
    "zone_id",
    "action",
    "source",
    "rule_id",
    "ruleset_id",
    "host",
    "method",
    "ray",
    "country",
    "asn",
    "status",
    "is_upgrade",
)
# What events are counted by in a summary.
DIMENSIONS = ("action", "source", "client_ip", "host", "country", "path")
_OF_EVENT = tuple(name for name in SecurityEvent.__struct_fields__ if name not in ("zone", "occurred_at"))


def address_bytes(text: str) -> bytes:
    """The 16 bytes that an address is compared by; b"" for what is none."""
    try:
        return _mapped(ipaddress.ip_address(text))
    except ValueError:
        return b""


def bare_ray(text: str) -> str:
    """A ray as it is kept, of one as a client was told it."""
    return text.partition("-")[0].lower()


def moment_of_event(event: SecurityEvent) -> Moment:
    """When it occurred, in microseconds."""
    # What is no number compares false, and becomes 1970.
    return int(event.occurred_at * _MICROSECONDS) if 0 < event.occurred_at < _LATEST_S else 0


async def insert(connection: AsyncConnection, events: Sequence[StoredEvent]) -> None:
    """Add the events that are not there yet."""
    statement: sqlite.Insert | postgresql.Insert
    if connection.dialect.name == "sqlite":
        statement = sqlite.insert(SECURITY_EVENTS).on_conflict_do_nothing(index_elements=["id"])
    else:
        statement = postgresql.insert(SECURITY_EVENTS).on_conflict_do_nothing(index_elements=["id"])
    if events:
        await connection.execute(statement, [_row(one) for one in events])


async def accounts_of(connection: AsyncConnection, zone_ids: Collection[str]) -> dict[str, str]:
    """The accounts of those zones that there are."""
    ids, found = sorted(zone_ids), dict[str, str]()
    for start in range(0, len(ids), _MAX_IDS):
        statement = sa.select(ZONES.c.id, ZONES.c.account_id).where(ZONES.c.id.in_(ids[start : start + _MAX_IDS]))
        found.update((await connection.execute(statement)).all())
    return found


async def select(connection: AsyncConnection, query: EventQuery) -> list[StoredEvent]:
    """The events of one page."""
    order = (EVENTS.occurred_on, EVENTS.id)
    statement = sa.select(SECURITY_EVENTS).where(_condition(query)).limit(query.limit)
    if query.ascending:
        statement = statement.order_by(*order)
    else:
        statement = statement.order_by(*(column.desc() for column in order))
    return [_event(row) for row in (await connection.execute(statement)).mappings().all()]


async def find(connection: AsyncConnection, zone_id: str, id_or_ray: str) -> list[StoredEvent]:
    """The event of a zone with this id, or those of the request with this ray, in the order they occurred."""
    is_it = EVENTS.id == id_or_ray if len(id_or_ray) == ID_CHARS else EVENTS.ray == id_or_ray
    statement = sa.select(SECURITY_EVENTS).where(is_it, EVENTS.zone_id == zone_id).order_by(EVENTS.id).limit(100)
    return [_event(row) for row in (await connection.execute(statement)).mappings().all()]


async def total(connection: AsyncConnection, query: EventQuery) -> tuple[int, int]:
    """How many events occurred, and how many rows stand for them."""
    statement = sa.select(_occurred(), sa.func.count()).where(_condition(query))
    occurred, rows = (await connection.execute(statement)).one()
    return int(occurred), int(rows)


async def top(connection: AsyncConnection, query: EventQuery, dimension: str, *, limit: int) -> list[tuple[str, int]]:
    """The values of one of DIMENSIONS that the most events have, with how many; the most first."""
    column = EVENTS[dimension]
    statement = sa.select(column, _occurred()).where(_condition(query)).group_by(column)
    found = await connection.execute(statement.order_by(_occurred().desc(), column).limit(limit))
    return [(value, int(count)) for value, count in found.all()]


async def top_rules(connection: AsyncConnection, query: EventQuery, *, limit: int) -> list[tuple[str, str, int]]:
    """The rules that the most events are of, each with a description and how many; the most first."""
    statement = sa.select(EVENTS.rule_id, sa.func.max(EVENTS.description), _occurred())
    of_rules = statement.where(_condition(query), EVENTS.rule_id != "").group_by(EVENTS.rule_id)
    found = await connection.execute(of_rules.order_by(_occurred().desc(), EVENTS.rule_id).limit(limit))
    return [(rule, text, int(count)) for rule, text, count in found.all()]


async def rows_by_zone(connection: AsyncConnection) -> dict[str, int]:
    """How many rows each zone has, also one that is gone."""
    statement = sa.select(EVENTS.zone_id, sa.func.count()).group_by(EVENTS.zone_id)
    return dict((await connection.execute(statement)).all())


async def delete_until(connection: AsyncConnection, moment: Moment, *, limit: int) -> int:
    """Remove the oldest events up to `moment`, at most `limit`; how many it were."""
    oldest = sa.select(EVENTS.id).where(EVENTS.occurred_on <= moment).order_by(EVENTS.occurred_on).limit(limit)
    return (await connection.execute(sa.delete(SECURITY_EVENTS).where(EVENTS.id.in_(oldest)))).rowcount


async def delete_oldest_of(connection: AsyncConnection, zone_id: str, *, limit: int) -> int:
    """Remove the `limit` oldest events of a zone; how many it were."""
    of_zone = sa.select(EVENTS.id).where(EVENTS.zone_id == zone_id)
    oldest = of_zone.order_by(EVENTS.occurred_on, EVENTS.id).limit(limit)
    return (await connection.execute(sa.delete(SECURITY_EVENTS).where(EVENTS.id.in_(oldest)))).rowcount


def _occurred() -> sa.ColumnElement[int]:
    return sa.func.coalesce(sa.func.sum(EVENTS.sample_interval), 0)


def _mapped(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bytes:
    if isinstance(address, ipaddress.IPv4Address):
        return b"\0" * 10 + b"\xff\xff" + address.packed
    return address.packed


def _row(stored: StoredEvent) -> dict[str, Any]:
    event = stored.event
    return {
        **{name: getattr(event, name) for name in _OF_EVENT},
        "id": stored.id,
        "ray": bare_ray(event.ray),
        "occurred_on": stored.occurred_on,
        "account_id": stored.account_id,
        "zone_id": event.zone,
        "client_ip_bytes": address_bytes(event.client_ip),
        "sample_interval": stored.sample_interval,
    }


def _event(row: sa.RowMapping) -> StoredEvent:
    facts = {name: row[name] for name in _OF_EVENT}
    facts["fields"] = tuple((name, value) for name, value in row["fields"])
    facts["components"] = tuple(row["components"])
    return StoredEvent(
        id=row["id"],
        account_id=row["account_id"],
        occurred_on=row["occurred_on"],
        sample_interval=row["sample_interval"],
        event=SecurityEvent(zone=row["zone_id"], occurred_at=row["occurred_on"] / _MICROSECONDS, **facts),
    )


def _condition(query: EventQuery) -> sa.ColumnElement[bool]:
    parts: list[sa.ColumnElement[bool]] = [EVENTS[name] == value for name, value in query.equal.items()]
    if query.zone_id is not None:
        parts.append(EVENTS.zone_id == query.zone_id)
    if query.account_id is not None:
        parts.append(EVENTS.account_id == query.account_id)
    if query.since is not None:
        parts.append(EVENTS.occurred_on >= query.since)
    if query.before is not None:
        parts.append(EVENTS.occurred_on < query.before)
    if query.path:
        parts.append(sa.func.substr(EVENTS.path, 1, len(query.path)) == query.path)
    parts += [_contains(EVENTS[name], text) for name, text in query.containing.items()]
    if query.client is not None:
        first, last = _mapped(query.client.network_address), _mapped(query.client.broadcast_address)
        parts.append(EVENTS.client_ip_bytes.between(first, last))
    if query.after is not None:
        parts.append(_beyond(*query.after, ascending=query.ascending))
    return sa.and_(sa.true(), *parts)


def _contains(column: sa.Column[Any], text: str) -> sa.ColumnElement[bool]:
    escaped = text.replace("/", "//").replace("%", "/%").replace("_", "/_")
    # Both lowered by the database: SQLite knows the case of ASCII letters only.
    return sa.func.lower(column).like(sa.func.lower(f"%{escaped}%"), escape="/")


def _beyond(moment: Moment, id_: str, *, ascending: bool) -> sa.ColumnElement[bool]:
    """What comes after that event. The first part alone is what an index can be searched by."""
    time, key = EVENTS.occurred_on, EVENTS.id
    if ascending:
        return sa.and_(time >= moment, sa.or_(time > moment, key > id_))
    return sa.and_(time <= moment, sa.or_(time < moment, key < id_))
