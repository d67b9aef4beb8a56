"""What rules draw on besides their zone, as it is published: what accounts say for all of their zones, and lists.

Law 1: access rules of a user count for all accounts that the user belongs to. Whoever changes them touches those accounts.
Law 2: a document is no older than its version: what is written while it is read makes a later version, read again.
Law 3: a list may be long: its items are read in parts, and others get their turn in between.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.model.rule_documents import (
    AccessRuleDocument,
    AccountDocument,
    ListDocument,
    RuleDocument,
    RulesetDocument,
)
from holdfast.store.database import StoreUnavailable
from holdfast.store.schema import ACCESS_RULES, ACCOUNTS, LIST_ITEMS, LISTS, MEMBERS, RULESETS

# Most ids put into one statement: SQLite takes 32,766 values, PostgreSQL's driver 32,767.
_MAX_IDS = 10_000
# Items of a list that are taken over without letting others have their turn: about 5 ms.
_ITEMS_AT_ONCE = 10_000


async def account_versions(connection: AsyncConnection) -> dict[str, int]:
    """The version of what each account says, by the account's id."""
    return await _versions(connection, ACCOUNTS)


async def list_versions(connection: AsyncConnection) -> dict[str, int]:
    """The version of every list, by id."""
    return await _versions(connection, LISTS)


async def account_documents(connection: AsyncConnection, ids: Collection[str] | None) -> list[AccountDocument]:
    """What the accounts of `ids` that there are say (None: all accounts), also those that say nothing."""
    if ids is None:
        return await _accounts(connection, sa.true(), sa.true(), sa.true())
    return [
        document
        for part in batches(ids)
        for document in await _accounts(
            connection, ACCOUNTS.c.id.in_(part), RULESETS.c.account_id.in_(part), _OWNING_ACCOUNT.in_(part)
        )
    ]


async def list_documents(connection: AsyncConnection, ids: Collection[str] | None) -> list[ListDocument]:
    """The lists of `ids` that there are (None: all lists), with all their items."""
    conditions = [sa.true()] if ids is None else [LISTS.c.id.in_(part) for part in batches(ids)]
    columns = (LISTS.c.id, LISTS.c.account_id, LISTS.c.version, LISTS.c.name, LISTS.c.kind)
    found = []
    for condition in conditions:
        statement = sa.select(*columns).where(condition).order_by(LISTS.c.id)
        rows = (await connection.execute(statement)).mappings().all()
        found += [ListDocument(**row, items=await _items(connection, row["id"])) for row in rows]
    return found


def batches(ids: Collection[str]) -> Iterator[list[str]]:
    """`ids` in order, no more at once than a statement takes."""
    ordered = sorted(ids)
    for start in range(0, len(ordered), _MAX_IDS):
        yield ordered[start : start + _MAX_IDS]


def ruleset_of(row: Any) -> RulesetDocument:  # noqa: ANN401  rows have no type
    """A row of `rulesets` as it is published. Raises StoreUnavailable for one that nobody of ours wrote."""
    try:
        rules = msgspec.convert(row.rules, tuple[RuleDocument, ...])
    except msgspec.ValidationError as error:
        raise StoreUnavailable(f"the database holds a ruleset that cannot be read, {row.id}: {error}") from error
    return RulesetDocument(id=row.id, kind=row.kind, phase=row.phase, version=row.version, name=row.name, rules=rules)


def access_rule_of(row: Any) -> AccessRuleDocument:  # noqa: ANN401  rows have no type
    """A row of `access_rules` as it is published."""
    return AccessRuleDocument(id=row.id, mode=row.mode, target=row.target, value=row.value, notes=row.notes)


# For which account an access rule counts: its owner, or each to which its owner belongs.
_OWNING_ACCOUNT = sa.case((ACCESS_RULES.c.owner_kind == "account", ACCESS_RULES.c.owner_id), else_=MEMBERS.c.account_id)
_ACCESS_RULES = (
    sa.select(
        _OWNING_ACCOUNT.label("account_id"),
        *(ACCESS_RULES.c[name] for name in ("id", "mode", "target", "value", "notes")),
    )
    .select_from(
        ACCESS_RULES.outerjoin(
            MEMBERS, sa.and_(ACCESS_RULES.c.owner_kind == "user", MEMBERS.c.user_id == ACCESS_RULES.c.owner_id)
        )
    )
    .where(ACCESS_RULES.c.owner_kind.in_(("account", "user")), _OWNING_ACCOUNT.is_not(None))
    # Those of the account come before those of its users.
    .order_by(ACCESS_RULES.c.owner_kind, ACCESS_RULES.c.created_on, ACCESS_RULES.c.id)
)
_RULESETS = sa.select(
    *(RULESETS.c[name] for name in ("account_id", "id", "kind", "phase", "version", "name", "rules"))
).order_by(RULESETS.c.phase, RULESETS.c.id)


async def _versions(connection: AsyncConnection, table: sa.Table) -> dict[str, int]:
    rows = (await connection.execute(sa.select(table.c.id, table.c.version))).all()
    return {row.id: row.version for row in rows}


async def _accounts(
    connection: AsyncConnection,
    of_accounts: sa.ColumnElement[bool],
    of_rulesets: sa.ColumnElement[bool],
    of_access_rules: sa.ColumnElement[bool],
) -> list[AccountDocument]:
    # First, for law 2.
    found = sa.select(ACCOUNTS.c.id, ACCOUNTS.c.version).where(of_accounts).order_by(ACCOUNTS.c.id)
    versions = (await connection.execute(found)).all()
    rulesets: dict[str, list[RulesetDocument]] = defaultdict(list)
    is_account_s = RULESETS.c.account_id.is_not(None)
    for row in (await connection.execute(_RULESETS.where(is_account_s, of_rulesets))).all():
        rulesets[row.account_id].append(ruleset_of(row))
    access_rules: dict[str, list[AccessRuleDocument]] = defaultdict(list)
    for row in (await connection.execute(_ACCESS_RULES.where(of_access_rules))).all():
        access_rules[row.account_id].append(access_rule_of(row))
    return [
        AccountDocument(
            id=row.id,
            version=row.version,
            rulesets=tuple(rulesets.get(row.id, ())),
            access_rules=tuple(access_rules.get(row.id, ())),
        )
        for row in versions
    ]


async def _items(connection: AsyncConnection, list_id: str) -> tuple[str, ...]:
    statement = sa.select(LIST_ITEMS.c.value).where(LIST_ITEMS.c.list_id == list_id).order_by(LIST_ITEMS.c.value)
    found: list[str] = []
    async with connection.stream_scalars(statement, execution_options={"yield_per": _ITEMS_AT_ONCE}) as result:
        async for part in result.partitions():
            found += part
    return tuple(found)
