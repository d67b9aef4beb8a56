"""IP access rules of zones, accounts and users.

Law 1: an owner has one rule for each target and value; the table holds it.
Law 2: a zone's rules go with it. Whoever writes raises the version of what publishes the rule, in the same transaction: the
zone's, the account's, or that of every account the user belongs to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.model.moment import Moment
from holdfast.store.schema import ACCESS_RULES, MEMBERS

OwnerKind = Literal["zone", "account", "user"]


class Owner(msgspec.Struct, frozen=True):
    """Whose rules."""

    kind: OwnerKind
    id: str

    def owns(self) -> sa.ColumnElement[bool]:
        """The condition on rows of access rules."""
        return sa.and_(ACCESS_RULES.c.owner_kind == self.kind, ACCESS_RULES.c.owner_id == self.id)


class AccessRule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule."""

    id: str
    owner_kind: OwnerKind
    owner_id: str
    mode: str
    target: str
    value: str
    notes: str
    created_on: Moment
    modified_on: Moment


class AccessRuleQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which rules, in which order. `inherited_of` is an account whose rules, and whose members', are shown beside the owner's.
    `is_all` says whether every filter must hold or one suffices."""

    owner: Owner
    inherited_of: str | None = None
    mode: str | None = None
    target: str | None = None
    value: str | None = None
    notes: str | None = None
    is_all: bool = True
    order: str | None = None
    descending: bool = False
    offset: int = 0
    limit: int = 20


_COLUMNS = tuple(ACCESS_RULES.c[name] for name in AccessRule.__struct_fields__)
_ORDERS = {
    "configuration.target": ACCESS_RULES.c.target,
    "configuration.value": ACCESS_RULES.c.value,
    "mode": ACCESS_RULES.c.mode,
}


async def select(connection: AsyncConnection, query: AccessRuleQuery) -> tuple[list[AccessRule], int]:
    """The rules of one page, and how many there are on all pages."""
    condition = sa.and_(_visible(query.owner, query.inherited_of), _asked(query))
    order = _ORDERS.get(query.order or "", ACCESS_RULES.c.created_on)
    statement = (
        sa.select(*_COLUMNS)
        .where(condition)
        .order_by(order.desc() if query.descending else order, ACCESS_RULES.c.id)
        .offset(query.offset)
        .limit(query.limit)
    )
    rows = (await connection.execute(statement)).mappings().all()
    total = await connection.scalar(sa.select(sa.func.count()).select_from(ACCESS_RULES).where(condition))
    return [AccessRule(**row) for row in rows], total or 0


async def find(
    connection: AsyncConnection, owner: Owner, rule_id: str, *, inherited_of: str | None = None
) -> AccessRule | None:
    """The owner's rule with this id, or one that they inherit."""
    condition = sa.and_(_visible(owner, inherited_of), ACCESS_RULES.c.id == rule_id)
    row = (await connection.execute(sa.select(*_COLUMNS).where(condition))).mappings().one_or_none()
    return None if row is None else AccessRule(**row)


async def find_like(connection: AsyncConnection, owner: Owner, target: str, value: str) -> AccessRule | None:
    """The owner's rule for this target and value."""
    condition = sa.and_(owner.owns(), ACCESS_RULES.c.target == target, ACCESS_RULES.c.value == value)
    row = (await connection.execute(sa.select(*_COLUMNS).where(condition))).mappings().one_or_none()
    return None if row is None else AccessRule(**row)


async def count(connection: AsyncConnection, owner: Owner) -> int:
    """How many rules an owner has."""
    return await connection.scalar(sa.select(sa.func.count()).select_from(ACCESS_RULES).where(owner.owns())) or 0


async def insert(connection: AsyncConnection, rule: AccessRule) -> None:
    """Add a rule. Raises sqlalchemy.exc.IntegrityError where the owner has one for its value."""
    zone_id = rule.owner_id if rule.owner_kind == "zone" else None
    await connection.execute(sa.insert(ACCESS_RULES).values(**msgspec.structs.asdict(rule), zone_id=zone_id))


async def change(connection: AsyncConnection, rule_id: str, values: Mapping[str, Any], *, now: Moment) -> None:
    """Set columns of a rule."""
    statement = sa.update(ACCESS_RULES).where(ACCESS_RULES.c.id == rule_id)
    await connection.execute(statement.values(**values, modified_on=now))


async def delete(connection: AsyncConnection, rule_id: str) -> None:
    """Remove a rule."""
    await connection.execute(sa.delete(ACCESS_RULES).where(ACCESS_RULES.c.id == rule_id))


def _visible(owner: Owner, inherited_of: str | None) -> sa.ColumnElement[bool]:
    if inherited_of is None:
        return owner.owns()
    members = sa.select(MEMBERS.c.user_id).where(MEMBERS.c.account_id == inherited_of)
    of_members = sa.and_(ACCESS_RULES.c.owner_kind == "user", ACCESS_RULES.c.owner_id.in_(members))
    return sa.or_(owner.owns(), Owner("account", inherited_of).owns(), of_members)


def _asked(query: AccessRuleQuery) -> sa.ColumnElement[bool]:
    exact = (
        (ACCESS_RULES.c.mode, query.mode),
        (ACCESS_RULES.c.target, query.target),
        (ACCESS_RULES.c.value, query.value),
    )
    filters: list[sa.ColumnElement[bool]] = [column == text for column, text in exact if text is not None]
    if query.notes:
        lowered = sa.func.lower(ACCESS_RULES.c.notes)
        # Contains: taking the text out changes it. LIKE would read "%" and "_" in it as wildcards.
        filters.append(sa.func.replace(lowered, query.notes.lower(), "") != lowered)
    if not filters:
        return sa.true()
    return sa.and_(*filters) if query.is_all else sa.or_(*filters)
