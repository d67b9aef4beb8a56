"""The first start: an account, its owner, and a token that may do everything in it.

Law 1: the token's secret exists in the returned value only. It cannot be had again, only replaced.
Law 2: a token that is made later is in the audit log, and counted as any other.
Law 3: there is no first start where zones have been served: there, an empty database is a lost one, and publishing it would
take every zone off the edge.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.api.secret import new_secret
from holdfast.api.token_shapes import token_view
from holdfast.errors import SetupError, UnavailableError
from holdfast.model.moment import Moment
from holdfast.model.permission import GROUPS, Policy, Scope
from holdfast.store import audit, identities, tokens
from holdfast.store.audit import Entry, by_installation
from holdfast.store.database import Database
from holdfast.store.identities import Account, User
from holdfast.store.schema import INSTALLATION
from holdfast.store.tokens import Token

ACCOUNT_NAME = "Holdfast"
OWNER_EMAIL = "owner@localhost"
TOKEN_NAME = "first token"  # noqa: S105  a name, not a secret
RECOVERY_NAME = "made by holdfast init"


@dataclass(frozen=True, slots=True)
class FirstStart:
    """What was made. `token` is the secret."""

    account_id: str
    token: str

    def __repr__(self) -> str:
        return f"FirstStart(account_id={self.account_id!r}, token='***')"


def refuse_to_begin_anew(journal: Path | None) -> None:
    """Raise UnavailableError where `journal`, what the edge served last, says that this is no first start."""
    if journal is not None and journal.exists():
        raise UnavailableError(
            f"database_url: the database is empty, and zones have been served from this data directory ({journal}): "
            "put the database back, or remove that file to begin anew"
        )


async def ensure_owner(database: Database, *, now: Moment, journal: Path | None = None) -> FirstStart | None:
    """Make account, owner and token if there is no account yet; else None. Two at once make one.

    `journal` is the file of what the edge served last. Raises UnavailableError, where it is there and no account is.
    """
    async with database.write() as connection:
        # On PostgreSQL this row is the lock; SQLite has one writer anyway.
        await connection.execute(sa.update(INSTALLATION).values(revision=INSTALLATION.c.revision))
        if await identities.first_account(connection) is not None:
            return None
        refuse_to_begin_anew(journal)
        account = Account(id=secrets.token_hex(16), name=ACCOUNT_NAME, created_on=now)
        user_id = secrets.token_hex(16)
        owner = User(id=user_id, email=OWNER_EMAIL, first_name=None, last_name=None, created_on=now, modified_on=now)
        await identities.insert_account(connection, account)
        await identities.insert_user(connection, owner)
        await identities.insert_member(connection, account.id, user_id)
        _, secret = await _insert_token(connection, user_id, TOKEN_NAME, now=now)
    return FirstStart(account.id, secret)


async def another_token(database: Database, *, now: Moment) -> FirstStart | None:
    """Make the owner of the first account another token that may do everything; None where there is no account.

    Where they have as many tokens as a user can have, the oldest that was made here makes room. Raises SetupError where
    there is none of those either.
    """
    async with database.write() as connection:
        account = await identities.first_account(connection)
        owners, _ = await identities.members(connection, account.id, offset=0, limit=1) if account else ([], 0)
        if account is None or not owners:
            return None
        await _make_room(connection, owners[0].id, now=now)
        token, secret = await _insert_token(connection, owners[0].id, RECOVERY_NAME, now=now)
        await audit.insert(connection, [_entry(token, "create", now=now)])
    return FirstStart(account.id, secret)


async def _make_room(connection: AsyncConnection, user_id: str, *, now: Moment) -> None:
    limit = tokens.MAX_TOKENS["user"]
    if await tokens.lock_owner(connection, "user", user_id) < limit:
        return
    previous = await tokens.oldest_named(connection, "user", user_id, RECOVERY_NAME)
    if previous is None:
        raise SetupError(
            f"--new-token: the owner has {limit} tokens, as many as a user can have, and none of them was made by it: "
            "delete one that is not needed (DELETE /client/v4/user/tokens/<id>)"
        )
    await tokens.delete(connection, "user", user_id, previous.id)
    await audit.insert(connection, [_entry(previous, "delete", now=now)])


def _entry(token: Token, action: str, *, now: Moment) -> Entry:
    """What the installation itself did with a token."""
    view = token_view(token, now=now)
    return by_installation(
        now,
        command="holdfast init --new-token",
        user_id=token.owner_id,
        resource=("token", token.id),
        old=view if action == "delete" else None,
        new=view if action == "create" else None,
    )


async def _insert_token(connection: AsyncConnection, user_id: str, name: str, *, now: Moment) -> tuple[Token, str]:
    """Give a user a token that may do all they may; it and its secret."""
    secret = new_secret("user")
    token = Token(
        id=secrets.token_hex(16),
        owner_kind="user",
        owner_id=user_id,
        name=name,
        status="active",
        policies=everything(user_id),
        condition={},
        issued_on=now,
        modified_on=now,
        last_used_on=None,
        not_before=None,
        expires_on=None,
    )
    await tokens.insert(connection, token, tokens.secret_hash(secret))
    return token, secret


def everything(user_id: str) -> tuple[Policy, ...]:
    """Policies that allow all a user has: every account they belong to, now or later, and themselves."""
    resources = {
        Scope.ACCOUNT: f"{Scope.ACCOUNT.value}.*",
        Scope.ZONE: f"{Scope.ZONE.value}.*",
        Scope.USER: f"{Scope.USER.value}.{user_id}",
    }
    return tuple(
        Policy(
            id=secrets.token_hex(16),
            effect="allow",
            permission_groups=tuple(group.id for group in GROUPS if group.scope is scope),
            resources={urn: "*"},
        )
        for scope, urn in resources.items()
    )
