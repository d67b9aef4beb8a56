"""The audit log: one entry a write, in the transaction of the write itself.

Law 1: an entry with an account is of that account; one without is of a user, and shows in all accounts of that user.
Law 2: pages are in order of time and then id, so that no entry is on two pages or on none.
Law 3: no value is longer than MAX_VALUE_BYTES, whoever writes it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.model.moment import Moment
from holdfast.store.schema import AUDIT, MEMBERS

# Longest value of an entry, as JSON; of one that is longer the beginning of its text is kept. Settings and records have some
# hundred bytes, most rulesets and tokens some thousand.
MAX_VALUE_BYTES = 8 * 1024
# Who did it where nobody asked by the API: the command `init`.
INSTALLATION_ITSELF = "system"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """Who did what to what, when and from where. `action` is "create", "update" or "delete"; the values are JSON.

    `actor_kind` is "user" or "account", the owner of the token that was used; or INSTALLATION_ITSELF, and then `actor_id` is
    the user in whose name it was done. `account_id` is "" for what is of a user.
    """

    id: str
    occurred_on: Moment
    account_id: str
    zone_id: str | None
    zone_name: str | None
    actor_id: str
    actor_email: str
    actor_kind: str
    actor_ip: str
    token_id: str | None
    token_name: str | None
    action: str
    resource_type: str
    resource_id: str
    old_value: Any
    new_value: Any
    method: str
    uri: str
    user_agent: str
    request_id: str

    @property
    def scope(self) -> str:
        """What it is of: "zones", "accounts" or "user"."""
        return "zones" if self.zone_id else "accounts" if self.account_id else "user"


def by_installation(
    now: Moment,
    *,
    command: str,
    user_id: str,
    account_id: str = "",
    resource: tuple[str, str],
    old: object = None,
    new: object = None,
) -> Entry:
    """What the installation itself did to a `resource` (type and id), in a user's name: whoever may write the database asked
    for it, by `command`, at its machine."""
    return Entry(
        id=secrets.token_hex(16),
        occurred_on=now,
        account_id=account_id,
        zone_id=None,
        zone_name=None,
        actor_id=user_id,
        actor_email="",
        actor_kind=INSTALLATION_ITSELF,
        actor_ip="",
        token_id=None,
        token_name=None,
        action="create" if old is None else "delete" if new is None else "update",
        resource_type=resource[0],
        resource_id=resource[1],
        old_value=old,
        new_value=new,
        method="",
        uri=command,
        user_agent="",
        request_id="",
    )


class AuditQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries: of an account (with its users' own unless `hide_user`), or by a user; from `since` until before `before`.

    By a user are what is of the user, and what is of one of `accounts`.
    `wanted` and `unwanted` are texts by name of FILTERS: an entry has one of each wanted, and none of the unwanted. `after` is
    the last entry of the page before.
    """

    account_id: str | None = None
    actor_id: str | None = None
    accounts: frozenset[str] = frozenset()
    hide_user: bool = False
    since: Moment | None = None
    before: Moment | None = None
    wanted: Mapping[str, Sequence[str]] = {}
    unwanted: Mapping[str, Sequence[str]] = {}
    after: tuple[Moment, str] | None = None
    ascending: bool = False
    offset: int = 0
    limit: int = 100


_SCOPE = sa.case((AUDIT.c.zone_id.is_not(None), "zones"), (AUDIT.c.account_id != "", "accounts"), else_="user")
# What can be asked for, by the name the API has for it.
FILTERS: Mapping[str, sa.ColumnElement[Any]] = {
    "id": AUDIT.c.id,
    "audit_log_id": AUDIT.c.id,
    "action_type": AUDIT.c.action,
    "action_result": sa.literal("success"),
    "actor_context": sa.case((AUDIT.c.actor_kind == INSTALLATION_ITSELF, ""), else_="api_token"),
    "actor_email": AUDIT.c.actor_email,
    "actor_id": AUDIT.c.actor_id,
    "actor_ip_address": AUDIT.c.actor_ip,
    "actor_token_id": AUDIT.c.token_id,
    "actor_token_name": AUDIT.c.token_name,
    "actor_type": AUDIT.c.actor_kind,
    "raw_cf_ray_id": AUDIT.c.request_id,
    "raw_method": AUDIT.c.method,
    "raw_status_code": sa.literal("200"),
    "raw_uri": AUDIT.c.uri,
    "resource_id": AUDIT.c.resource_id,
    "resource_product": AUDIT.c.resource_type,
    "resource_scope": _SCOPE,
    "resource_type": AUDIT.c.resource_type,
    "zone_id": AUDIT.c.zone_id,
    "zone_name": AUDIT.c.zone_name,
}


async def insert(connection: AsyncConnection, entries: Sequence[Entry]) -> None:
    """Add entries, with their values cut to what is kept."""
    await connection.execute(sa.insert(AUDIT), [_row(entry) for entry in entries])


async def select(connection: AsyncConnection, query: AuditQuery) -> list[Entry]:
    """The entries of one page."""
    order = (AUDIT.c.occurred_on, AUDIT.c.id)
    statement = sa.select(AUDIT).where(_condition(query)).offset(query.offset).limit(query.limit)
    if query.ascending:
        statement = statement.order_by(*order)
    else:
        statement = statement.order_by(*(column.desc() for column in order))
    return [Entry(**row) for row in (await connection.execute(statement)).mappings().all()]


async def count(connection: AsyncConnection, query: AuditQuery) -> int:
    """How many entries there are on all pages."""
    statement = sa.select(sa.func.count()).select_from(AUDIT).where(_condition(query))
    return await connection.scalar(statement) or 0


class Share(Enum):
    """Entries that are counted together, so that nobody's push out those of others: each is of one key.

    The key is a zone, an account (its own entries, or those of all its zones), or a user (what is of nothing but them).
    """

    ZONE = "zone"
    ZONES_OF_ACCOUNT = "zones of account"
    ACCOUNT = "account"
    USER = "user"


_SHARES: Mapping[Share, tuple[sa.Column[Any], sa.ColumnElement[bool]]] = {
    Share.ZONE: (AUDIT.c.zone_id, AUDIT.c.zone_id.is_not(None)),
    Share.ZONES_OF_ACCOUNT: (AUDIT.c.account_id, AUDIT.c.zone_id.is_not(None)),
    Share.ACCOUNT: (AUDIT.c.account_id, sa.and_(AUDIT.c.zone_id.is_(None), AUDIT.c.account_id != "")),
    Share.USER: (AUDIT.c.actor_id, AUDIT.c.account_id == ""),
}


async def crowded(connection: AsyncConnection, share: Share, most: int) -> list[str]:
    """The keys of `share` that have more than `most` entries."""
    key, condition = _SHARES[share]
    statement = sa.select(key).where(condition).group_by(key).having(sa.func.count() > most).order_by(key)
    return list((await connection.scalars(statement)).all())


async def nth_newest(connection: AsyncConnection, place: int, share: Share, key: str) -> Moment | None:
    """When the entry of a share that has `place` newer ones occurred; None if there are not so many."""
    statement = sa.select(AUDIT.c.occurred_on).where(_of_share(share, key)).order_by(AUDIT.c.occurred_on.desc())
    found: Moment | None = await connection.scalar(statement.offset(place).limit(1))
    return found


async def delete_until(
    connection: AsyncConnection, moment: Moment, *, limit: int, of: tuple[Share, str] | None = None
) -> int:
    """Remove the oldest entries up to `moment`, at most `limit` of them, of one share or of all; how many it were."""
    condition = sa.true() if of is None else _of_share(*of)
    until = sa.and_(condition, AUDIT.c.occurred_on <= moment)
    oldest = sa.select(AUDIT.c.id).where(until).order_by(AUDIT.c.occurred_on).limit(limit)
    return (await connection.execute(sa.delete(AUDIT).where(AUDIT.c.id.in_(oldest)))).rowcount


def _of_share(share: Share, key: str) -> sa.ColumnElement[bool]:
    column, condition = _SHARES[share]
    return sa.and_(condition, column == key)


def bounded(value: Any) -> Any:  # noqa: ANN401  JSON
    """`value`, or the beginning of its text where it is too long to be kept for years."""
    encoded = msgspec.json.encode(value)
    if len(encoded) <= MAX_VALUE_BYTES:
        return value
    return {"truncated": encoded[:MAX_VALUE_BYTES].decode("utf-8", "ignore"), "bytes": len(encoded)}


def _row(entry: Entry) -> dict[str, Any]:
    values = {"old_value": bounded(entry.old_value), "new_value": bounded(entry.new_value)}
    return {**msgspec.structs.asdict(entry), **values}


def _condition(query: AuditQuery) -> sa.ColumnElement[bool]:
    parts: list[sa.ColumnElement[bool]] = [_ownership(query)]
    if query.since is not None:
        parts.append(AUDIT.c.occurred_on >= query.since)
    if query.before is not None:
        parts.append(AUDIT.c.occurred_on < query.before)
    if query.after is not None:
        parts.append(_beyond(*query.after, ascending=query.ascending))
    parts += [sa.func.coalesce(FILTERS[name], "").in_(texts) for name, texts in query.wanted.items()]
    parts += [sa.func.coalesce(FILTERS[name], "").not_in(texts) for name, texts in query.unwanted.items()]
    return sa.and_(*parts)


def _ownership(query: AuditQuery) -> sa.ColumnElement[bool]:
    if query.account_id is None:
        return sa.and_(AUDIT.c.actor_id == query.actor_id, AUDIT.c.account_id.in_({"", *query.accounts}))
    of_account = AUDIT.c.account_id == query.account_id
    if query.hide_user:
        return of_account
    members = sa.select(MEMBERS.c.user_id).where(MEMBERS.c.account_id == query.account_id)
    return sa.or_(of_account, sa.and_(AUDIT.c.account_id == "", AUDIT.c.actor_id.in_(members)))


def _beyond(moment: Moment, id_: str, *, ascending: bool) -> sa.ColumnElement[bool]:
    time, key = AUDIT.c.occurred_on, AUDIT.c.id
    if ascending:
        return sa.or_(time > moment, sa.and_(time == moment, key > id_))
    return sa.or_(time < moment, sa.and_(time == moment, key < id_))
