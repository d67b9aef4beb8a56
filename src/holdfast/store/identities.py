"""Accounts, users, and who belongs to which account."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.model.moment import Moment
from holdfast.store.schema import ACCOUNTS, MEMBERS, USERS


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """One account."""

    id: str
    name: str
    created_on: Moment


class User(msgspec.Struct, frozen=True, kw_only=True):
    """One person."""

    id: str
    email: str
    first_name: str | None
    last_name: str | None
    created_on: Moment
    modified_on: Moment


class AccountQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which of the accounts `ids`: those whose name contains `name`, in order of it."""

    ids: frozenset[str]
    name: str | None = None
    descending: bool = False
    offset: int = 0
    limit: int = 50


_ACCOUNT = tuple(ACCOUNTS.c[name] for name in Account.__struct_fields__)


async def find_account(connection: AsyncConnection, account_id: str, *, lock: bool = False) -> Account | None:
    """The account with this id. `lock` keeps it as it is for others until the transaction ends."""
    statement = sa.select(*_ACCOUNT).where(ACCOUNTS.c.id == account_id)
    row = (await connection.execute(_maybe_locked(statement, lock=lock))).mappings().one_or_none()
    return None if row is None else Account(**row)


async def first_account(connection: AsyncConnection) -> Account | None:
    """The oldest account: that of the first start."""
    statement = sa.select(*_ACCOUNT).order_by(ACCOUNTS.c.created_on, ACCOUNTS.c.id).limit(1)
    row = (await connection.execute(statement)).mappings().one_or_none()
    return None if row is None else Account(**row)


async def insert_account(connection: AsyncConnection, account: Account) -> None:
    """Add an account."""
    await connection.execute(sa.insert(ACCOUNTS).values(msgspec.structs.asdict(account)))


async def find_user(connection: AsyncConnection, user_id: str, *, lock: bool = False) -> User | None:
    """The user with this id. `lock` keeps them as they are for others until the transaction ends."""
    statement = sa.select(USERS).where(USERS.c.id == user_id)
    row = (await connection.execute(_maybe_locked(statement, lock=lock))).mappings().one_or_none()
    return None if row is None else User(**row)


async def insert_user(connection: AsyncConnection, user: User) -> None:
    """Add a user. Raises sqlalchemy.exc.IntegrityError when the address is taken."""
    await connection.execute(sa.insert(USERS).values(msgspec.structs.asdict(user)))


async def insert_member(connection: AsyncConnection, account_id: str, user_id: str) -> None:
    """Make a user belong to an account."""
    await connection.execute(sa.insert(MEMBERS).values(account_id=account_id, user_id=user_id))


async def select_accounts(connection: AsyncConnection, query: AccountQuery) -> tuple[list[Account], int]:
    """The accounts of one page, by name, and how many there are on all pages."""
    condition: sa.ColumnElement[bool] = ACCOUNTS.c.id.in_(query.ids)
    if query.name is not None:
        # Contains, without regard to case: LIKE would read "%" and "_" in it as wildcards.
        lowered = sa.func.lower(ACCOUNTS.c.name)
        condition &= sa.func.replace(lowered, query.name.lower(), "") != lowered
    order = ACCOUNTS.c.name.desc() if query.descending else ACCOUNTS.c.name
    statement = sa.select(*_ACCOUNT).where(condition).order_by(order, ACCOUNTS.c.id)
    rows = (await connection.execute(statement.offset(query.offset).limit(query.limit))).mappings().all()
    total = await connection.scalar(sa.select(sa.func.count()).select_from(ACCOUNTS).where(condition))
    return [Account(**row) for row in rows], total or 0


async def rename_account(connection: AsyncConnection, account_id: str, name: str) -> bool:
    """Give an account another name; False where there is none."""
    statement = sa.update(ACCOUNTS).where(ACCOUNTS.c.id == account_id).values(name=name)
    return (await connection.execute(statement)).rowcount == 1


async def touch_account(connection: AsyncConnection, account_id: str) -> bool:
    """Raise the account's version, because its rules change; False where there is no such account (any more)."""
    statement = sa.update(ACCOUNTS).where(ACCOUNTS.c.id == account_id).values(version=ACCOUNTS.c.version + 1)
    return (await connection.execute(statement)).rowcount == 1


async def accounts_named(connection: AsyncConnection, ids: Collection[str]) -> list[Account]:
    """These accounts, by name."""
    rows = await connection.execute(sa.select(*_ACCOUNT).where(ACCOUNTS.c.id.in_(ids)).order_by(ACCOUNTS.c.name))
    return [Account(**row) for row in rows.mappings().all()]


async def edit_user(connection: AsyncConnection, user_id: str, values: Mapping[str, Any], *, now: Moment) -> bool:
    """Set columns of a user; False where there is none."""
    statement = sa.update(USERS).where(USERS.c.id == user_id).values(**values, modified_on=now)
    return (await connection.execute(statement)).rowcount == 1


async def members(connection: AsyncConnection, account_id: str, *, offset: int, limit: int) -> tuple[list[User], int]:
    """The users that belong to an account, by address, and how many there are in all."""
    of_account = USERS.join(MEMBERS, MEMBERS.c.user_id == USERS.c.id)
    condition = MEMBERS.c.account_id == account_id
    statement = sa.select(*USERS.c).select_from(of_account).where(condition).order_by(USERS.c.email)
    rows = (await connection.execute(statement.offset(offset).limit(limit))).mappings().all()
    total = await connection.scalar(sa.select(sa.func.count()).select_from(of_account).where(condition))
    return [User(**row) for row in rows], total or 0


async def member(connection: AsyncConnection, account_id: str, user_id: str) -> User | None:
    """The user with this id, if they belong to the account."""
    of_account = USERS.join(MEMBERS, MEMBERS.c.user_id == USERS.c.id)
    condition = sa.and_(MEMBERS.c.account_id == account_id, USERS.c.id == user_id)
    row = (await connection.execute(sa.select(*USERS.c).select_from(of_account).where(condition))).mappings()
    found = row.one_or_none()
    return None if found is None else User(**found)


def _maybe_locked(statement: sa.Select[Any], *, lock: bool) -> sa.Select[Any]:
    # SQLite has no such clause and one writer: there it says nothing.
    return statement.with_for_update() if lock else statement
