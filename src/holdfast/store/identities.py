"""Accounts, users and their tokens.

Law: of a token's secret only the hash is here, and whoever asks for a token by its secret asks by that hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.model.moment import Moment
from holdfast.model.permission import Policy
from holdfast.store.schema import ACCOUNTS, MEMBERS, TOKENS, USERS


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


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """One token. `owner_kind` is "user" or "account"; `status` "active" or "disabled"; `condition` the API's shape."""

    id: str
    owner_kind: str
    owner_id: str
    name: str
    status: str
    policies: tuple[Policy, ...]
    condition: dict[str, Any]
    issued_on: Moment
    modified_on: Moment
    last_used_on: Moment | None
    not_before: Moment | None
    expires_on: Moment | None


def secret_hash(secret: str) -> str:
    """What is kept of a token's secret: SHA-256 in hexadecimal."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


async def find_account(connection: AsyncConnection, account_id: str) -> Account | None:
    """The account with this id."""
    row = (await connection.execute(sa.select(ACCOUNTS).where(ACCOUNTS.c.id == account_id))).mappings().one_or_none()
    return None if row is None else Account(**row)


async def first_account(connection: AsyncConnection) -> Account | None:
    """The oldest account: that of the first start."""
    statement = sa.select(ACCOUNTS).order_by(ACCOUNTS.c.created_on, ACCOUNTS.c.id).limit(1)
    row = (await connection.execute(statement)).mappings().one_or_none()
    return None if row is None else Account(**row)


async def insert_account(connection: AsyncConnection, account: Account) -> None:
    """Add an account."""
    await connection.execute(sa.insert(ACCOUNTS).values(msgspec.structs.asdict(account)))


async def accounts_of_user(connection: AsyncConnection, user_id: str) -> list[str]:
    """Ids of the accounts a user belongs to."""
    statement = sa.select(MEMBERS.c.account_id).where(MEMBERS.c.user_id == user_id)
    return list((await connection.scalars(statement)).all())


async def find_user(connection: AsyncConnection, user_id: str) -> User | None:
    """The user with this id."""
    row = (await connection.execute(sa.select(USERS).where(USERS.c.id == user_id))).mappings().one_or_none()
    return None if row is None else User(**row)


async def insert_user(connection: AsyncConnection, user: User) -> None:
    """Add a user. Raises sqlalchemy.exc.IntegrityError when the address is taken."""
    await connection.execute(sa.insert(USERS).values(msgspec.structs.asdict(user)))


async def insert_member(connection: AsyncConnection, account_id: str, user_id: str) -> None:
    """Make a user belong to an account."""
    await connection.execute(sa.insert(MEMBERS).values(account_id=account_id, user_id=user_id))


async def find_token_by_hash(connection: AsyncConnection, hash_: str) -> Token | None:
    """The token whose secret has this hash."""
    row = (await connection.execute(sa.select(TOKENS).where(TOKENS.c.secret_hash == hash_))).mappings().one_or_none()
    return None if row is None else _token(row)


async def insert_token(connection: AsyncConnection, token: Token, hash_: str) -> None:
    """Add a token with the hash of its secret."""
    await connection.execute(sa.insert(TOKENS).values(**_columns(token), secret_hash=hash_))


async def note_token_use(connection: AsyncConnection, used: Mapping[str, Moment]) -> None:
    """Say of each token (by id) when it was last used."""
    statement = sa.update(TOKENS).where(TOKENS.c.id == sa.bindparam("token")).values(last_used_on=sa.bindparam("at"))
    await connection.execute(statement, [{"token": token_id, "at": at} for token_id, at in used.items()])


def _columns(token: Token) -> dict[str, Any]:
    values = msgspec.structs.asdict(token)
    return {**values, "policies": [msgspec.structs.asdict(policy) for policy in token.policies]}


def _token(row: Mapping[Any, Any]) -> Token:
    values = {name: row[name] for name in Token.__struct_fields__ if name != "policies"}
    policies: Sequence[Policy] = msgspec.convert(row["policies"], tuple[Policy, ...])
    return Token(policies=tuple(policies), **values)
