"""Tokens, and who is behind each.

Law 1: of a token's secret only the hash is here, and whoever asks for a token by its secret asks by that hash.
Law 2: a token, its owner and the owner's accounts are read in one statement: every request begins with it.
Law 3: a token is found, changed and removed by its owner's name and its own, so that nobody touches another's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.model.moment import Moment
from holdfast.model.permission import Policy
from holdfast.store.schema import ACCOUNTS, MEMBERS, TOKENS, USERS

# Tokens of one owner. Precedent: Cloudflare, "Account limits".
MAX_TOKENS = {"user": 50, "account": 500}


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


class Bearer(msgspec.Struct, frozen=True, kw_only=True):
    """A token and who is behind it. `email` is "" for an account's; `accounts` are those the owner belongs to."""

    token: Token
    email: str
    accounts: frozenset[str]


class TokenQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which tokens of an owner, the newest first unless `ascending`. With `valid_at`, none that is expired then."""

    owner_kind: str
    owner_id: str
    valid_at: Moment | None = None
    ascending: bool = False
    offset: int = 0
    limit: int = 50


def secret_hash(secret: str) -> str:
    """What is kept of a token's secret: SHA-256 in hexadecimal."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


async def find_bearer(connection: AsyncConnection, hash_: str) -> Bearer | None:
    """The token whose secret has this hash, with its owner; None where either is gone."""
    rows = (await connection.execute(_BEARER, {"hash": hash_})).mappings().all()
    if not rows:
        return None
    first = rows[0]
    if first["owner_kind"] == "account":
        if first["account_name"] is None:
            return None
        return Bearer(token=_token(first), email="", accounts=frozenset({first["owner_id"]}))
    if first["email"] is None:
        return None
    accounts = frozenset(row["member_of"] for row in rows if row["member_of"] is not None)
    return Bearer(token=_token(first), email=first["email"], accounts=accounts)


async def find(connection: AsyncConnection, owner_kind: str, owner_id: str, token_id: str) -> Token | None:
    """The owner's token with this id."""
    statement = sa.select(*_COLUMNS).where(_is(owner_kind, owner_id, token_id))
    row = (await connection.execute(statement)).mappings().one_or_none()
    return None if row is None else _token(row)


async def select(connection: AsyncConnection, query: TokenQuery) -> tuple[list[Token], int]:
    """The tokens of one page, and how many there are on all pages."""
    condition = _owned(query.owner_kind, query.owner_id)
    if query.valid_at is not None:
        condition &= sa.or_(TOKENS.c.expires_on.is_(None), TOKENS.c.expires_on > query.valid_at)
    order = (TOKENS.c.issued_on, TOKENS.c.id) if query.ascending else (TOKENS.c.issued_on.desc(), TOKENS.c.id.desc())
    statement = sa.select(*_COLUMNS).where(condition).order_by(*order).offset(query.offset).limit(query.limit)
    rows = (await connection.execute(statement)).mappings().all()
    total = await connection.scalar(sa.select(sa.func.count()).select_from(TOKENS).where(condition))
    return [_token(row) for row in rows], total or 0


async def oldest_named(connection: AsyncConnection, owner_kind: str, owner_id: str, name: str) -> Token | None:
    """The owner's token with this name that was made first."""
    condition = sa.and_(_owned(owner_kind, owner_id), TOKENS.c.name == name)
    statement = sa.select(*_COLUMNS).where(condition).order_by(TOKENS.c.issued_on, TOKENS.c.id).limit(1)
    row = (await connection.execute(statement)).mappings().one_or_none()
    return None if row is None else _token(row)


async def lock_owner(connection: AsyncConnection, owner_kind: str, owner_id: str) -> int:
    """Hold the owner's row until the transaction ends, and count the owner's tokens: nobody adds one meanwhile."""
    table = ACCOUNTS if owner_kind == "account" else USERS
    # Nothing on SQLite, which has one writer anyway.
    await connection.execute(sa.select(table.c.id).where(table.c.id == owner_id).with_for_update())
    counted = sa.select(sa.func.count()).select_from(TOKENS).where(_owned(owner_kind, owner_id))
    return await connection.scalar(counted) or 0


async def insert(connection: AsyncConnection, token: Token, hash_: str) -> None:
    """Add a token with the hash of its secret."""
    await connection.execute(sa.insert(TOKENS).values(**_values(token), secret_hash=hash_))


async def update(connection: AsyncConnection, token: Token) -> bool:
    """Write all of a token but its secret and its last use; False where there is none (any more)."""
    values = _values(token)
    values.pop("last_used_on")
    statement = sa.update(TOKENS).where(_is(token.owner_kind, token.owner_id, token.id)).values(**values)
    return (await connection.execute(statement)).rowcount == 1


async def change_secret(connection: AsyncConnection, token: Token, hash_: str, *, now: Moment) -> bool:
    """Let a token have another secret; False where there is none (any more)."""
    statement = sa.update(TOKENS).where(_is(token.owner_kind, token.owner_id, token.id))
    return (await connection.execute(statement.values(secret_hash=hash_, modified_on=now))).rowcount == 1


async def delete(connection: AsyncConnection, owner_kind: str, owner_id: str, token_id: str) -> bool:
    """Remove a token; False where there is none."""
    statement = sa.delete(TOKENS).where(_is(owner_kind, owner_id, token_id))
    return (await connection.execute(statement)).rowcount == 1


async def note_use(connection: AsyncConnection, used: Mapping[str, Moment]) -> None:
    """Say of each token (by id) when it was last used."""
    statement = sa.update(TOKENS).where(TOKENS.c.id == sa.bindparam("token")).values(last_used_on=sa.bindparam("at"))
    await connection.execute(statement, [{"token": token_id, "at": at} for token_id, at in used.items()])


_COLUMNS = tuple(column for column in TOKENS.c if column.name != "secret_hash")
_BEARER = (
    sa.select(*_COLUMNS, USERS.c.email, ACCOUNTS.c.name.label("account_name"), MEMBERS.c.account_id.label("member_of"))
    .select_from(
        TOKENS.outerjoin(USERS, sa.and_(TOKENS.c.owner_kind == "user", USERS.c.id == TOKENS.c.owner_id))
        .outerjoin(ACCOUNTS, sa.and_(TOKENS.c.owner_kind == "account", ACCOUNTS.c.id == TOKENS.c.owner_id))
        .outerjoin(MEMBERS, MEMBERS.c.user_id == USERS.c.id)
    )
    .where(TOKENS.c.secret_hash == sa.bindparam("hash"))
)


def _owned(owner_kind: str, owner_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(TOKENS.c.owner_kind == owner_kind, TOKENS.c.owner_id == owner_id)


def _is(owner_kind: str, owner_id: str, token_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(TOKENS.c.id == token_id, _owned(owner_kind, owner_id))


def _values(token: Token) -> dict[str, Any]:
    values = msgspec.structs.asdict(token)
    return {**values, "policies": [msgspec.structs.asdict(policy) for policy in token.policies]}


def _token(row: Mapping[Any, Any]) -> Token:
    values = {name: row[name] for name in Token.__struct_fields__ if name != "policies"}
    return Token(policies=msgspec.convert(row["policies"], tuple[Policy, ...]), **values)
