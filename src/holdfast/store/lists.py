"""Lists that rules name, and the operations that changed their items. The items are in `holdfast.store.list_items`.

Law 1: whatever changes in a list raises its `version` (`touch`, `change`), in the same transaction; the row is locked from
then on.
Law 2: who saves a rule that names a list holds the list until the rule is there (`list_names`); who removes a list asks for
rules once it is theirs (`hold`). So no rule is left that names what is gone.
Law 3: an account's operations are kept, the newest MAX_OPERATIONS of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.model.moment import Moment
from holdfast.store.schema import LIST_OPERATIONS, LISTS, RULESETS, ZONES

# Operations of an account that can be asked for; a client asks within seconds.
MAX_OPERATIONS = 1_000


class RuleList(msgspec.Struct, frozen=True, kw_only=True):
    """One list, without its items."""

    id: str
    account_id: str
    name: str
    kind: str
    description: str
    num_items: int
    version: int
    created_on: Moment
    modified_on: Moment


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """A change of items. `status` is as in the API."""

    id: str
    account_id: str
    status: str
    error: str | None
    created_on: Moment
    completed_on: Moment | None


class RuleTexts(msgspec.Struct, frozen=True):
    """What of a rule can name lists."""

    class Limit(msgspec.Struct, frozen=True):
        """The expressions of a rate limit."""

        counting_expression: str = ""
        characteristics: tuple[str, ...] = ()

    expression: str = ""
    ratelimit: Limit | None = None


async def of_account(connection: AsyncConnection, account_id: str) -> list[RuleList]:
    """The account's lists, by name."""
    statement = sa.select(LISTS).where(LISTS.c.account_id == account_id).order_by(LISTS.c.name)
    return [RuleList(**row) for row in (await connection.execute(statement)).mappings().all()]


async def find(connection: AsyncConnection, account_id: str, list_id: str) -> RuleList | None:
    """The account's list with this id."""
    row = (await connection.execute(sa.select(LISTS).where(_is(account_id, list_id)))).mappings().one_or_none()
    return None if row is None else RuleList(**row)


async def hold(connection: AsyncConnection, account_id: str, list_id: str) -> RuleList | None:
    """The same, which nobody can name in a rule from now on until the transaction ends."""
    statement = sa.select(LISTS).where(_is(account_id, list_id)).with_for_update()
    row = (await connection.execute(statement)).mappings().one_or_none()
    return None if row is None else RuleList(**row)


async def insert(connection: AsyncConnection, made: RuleList) -> None:
    """Add a list without items. Raises sqlalchemy.exc.IntegrityError where the account has one of this name."""
    await connection.execute(sa.insert(LISTS).values(msgspec.structs.asdict(made)))


async def touch(connection: AsyncConnection, account_id: str, list_id: str, *, now: Moment) -> RuleList | None:
    """Raise the list's version, because something of it changes; the list then, None where there is none (any more)."""
    return await change(connection, account_id, list_id, {}, now=now)


async def change(
    connection: AsyncConnection, account_id: str, list_id: str, values: Mapping[str, Any], *, now: Moment
) -> RuleList | None:
    """Set columns of a list, and touch it."""
    statement = sa.update(LISTS).where(_is(account_id, list_id))
    await connection.execute(statement.values(**values, version=LISTS.c.version + 1, modified_on=now))
    return await find(connection, account_id, list_id)


async def set_count(connection: AsyncConnection, list_id: str, num_items: int) -> None:
    """Write down how many items a list has."""
    await connection.execute(sa.update(LISTS).where(LISTS.c.id == list_id).values(num_items=num_items))


async def delete(connection: AsyncConnection, list_id: str) -> None:
    """Remove a list and its items."""
    await connection.execute(sa.delete(LISTS).where(LISTS.c.id == list_id))


async def total_items(connection: AsyncConnection, account_id: str) -> tuple[int, int]:
    """How many items the lists of an account have together, and all lists there are."""
    of_account = sa.case((LISTS.c.account_id == account_id, LISTS.c.num_items), else_=0)
    statement = sa.select(
        sa.func.coalesce(sa.func.sum(of_account), 0), sa.func.coalesce(sa.func.sum(LISTS.c.num_items), 0)
    )
    mine, everybody_s = (await connection.execute(statement)).one()
    return int(mine), int(everybody_s)


async def rules_with(connection: AsyncConnection, account_id: str, text: str) -> AsyncIterator[tuple[RuleTexts, ...]]:
    """The rules of each ruleset of the account and of its zones that contains `text` anywhere. Raises nothing for rows that
    cannot be read: those name no list."""
    of_zones = sa.select(ZONES.c.id).where(ZONES.c.account_id == account_id)
    is_theirs = sa.or_(RULESETS.c.account_id == account_id, RULESETS.c.zone_id.in_(of_zones))
    rules = sa.cast(RULESETS.c.rules, sa.Text)
    # Contains: taking the text out changes it. LIKE would read "_" in it as a wildcard.
    statement = sa.select(rules).where(is_theirs, sa.func.replace(rules, text, "") != rules)
    # One at a time: together they may have gigabytes.
    async with connection.stream_scalars(statement, execution_options={"yield_per": 1}) as result:
        async for found in result:
            yield _texts(found)


def _texts(rules: str) -> tuple[RuleTexts, ...]:
    try:
        return msgspec.json.decode(rules, type=tuple[RuleTexts, ...])
    except msgspec.DecodeError:
        return ()


async def insert_operation(connection: AsyncConnection, operation: Operation) -> None:
    """Add an operation, and forget the account's oldest."""
    await connection.execute(sa.insert(LIST_OPERATIONS).values(msgspec.structs.asdict(operation)))
    table = LIST_OPERATIONS.c
    of_account = sa.select(table.created_on).where(table.account_id == operation.account_id)
    oldest = of_account.order_by(table.created_on.desc()).offset(MAX_OPERATIONS - 1).limit(1).scalar_subquery()
    is_older = sa.and_(table.account_id == operation.account_id, table.created_on < oldest)
    await connection.execute(sa.delete(LIST_OPERATIONS).where(is_older))


async def find_operation(connection: AsyncConnection, account_id: str, operation_id: str) -> Operation | None:
    """The account's operation with this id."""
    condition = sa.and_(LIST_OPERATIONS.c.account_id == account_id, LIST_OPERATIONS.c.id == operation_id)
    row = (await connection.execute(sa.select(LIST_OPERATIONS).where(condition))).mappings().one_or_none()
    return None if row is None else Operation(**row)


def _is(account_id: str, list_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(LISTS.c.account_id == account_id, LISTS.c.id == list_id)
