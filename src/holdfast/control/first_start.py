"""The first start: an account, its owner, and a token that may do everything in it.

Law: the token's secret exists in the returned value only. It cannot be had again, only replaced.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

import sqlalchemy as sa

from holdfast.api.secret import new_secret
from holdfast.model.moment import Moment
from holdfast.model.permission import GROUPS, Policy, Scope
from holdfast.store import identities, tokens
from holdfast.store.database import Database
from holdfast.store.identities import Account, User
from holdfast.store.schema import INSTALLATION
from holdfast.store.tokens import Token

ACCOUNT_NAME = "Holdfast"
OWNER_EMAIL = "owner@localhost"
TOKEN_NAME = "first token"  # noqa: S105  a name, not a secret


@dataclass(frozen=True, slots=True)
class FirstStart:
    """What was made. `token` is the secret."""

    account_id: str
    token: str

    def __repr__(self) -> str:
        return f"FirstStart(account_id={self.account_id!r}, token='***')"


async def ensure_owner(database: Database, *, now: Moment) -> FirstStart | None:
    """Make account, owner and token if there is no account yet; else None. Two at once make one."""
    async with database.write() as connection:
        # On PostgreSQL this row is the lock; SQLite has one writer anyway.
        await connection.execute(sa.update(INSTALLATION).values(revision=INSTALLATION.c.revision))
        if await identities.first_account(connection) is not None:
            return None
        account = Account(id=secrets.token_hex(16), name=ACCOUNT_NAME, created_on=now)
        user_id, secret = secrets.token_hex(16), new_secret("user")
        owner = User(id=user_id, email=OWNER_EMAIL, first_name=None, last_name=None, created_on=now, modified_on=now)
        token = Token(
            id=secrets.token_hex(16),
            owner_kind="user",
            owner_id=user_id,
            name=TOKEN_NAME,
            status="active",
            policies=everything(user_id),
            condition={},
            issued_on=now,
            modified_on=now,
            last_used_on=None,
            not_before=None,
            expires_on=None,
        )
        await identities.insert_account(connection, account)
        await identities.insert_user(connection, owner)
        await identities.insert_member(connection, account.id, user_id)
        await tokens.insert(connection, token, tokens.secret_hash(secret))
    return FirstStart(account.id, secret)


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
