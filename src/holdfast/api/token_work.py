"""What can be done with tokens, whoever owns them: a user or an account.

Law 1: nobody makes, changes, rolls or removes a token that may do more than the token they ask with, or may be used for longer
or from elsewhere. So no token leads to more than itself, in however many steps, nor outlives itself, nor stops a stronger one.
Law 2: a secret is in the one answer that made it, and nowhere else: not in the audit log, not in another answer.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence

import msgspec
from fastapi import Response
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.api.access import Access
from holdfast.api.envelope import page_of, success
from holdfast.api.faults import ApiFault, fault, not_found
from holdfast.api.paging import Page
from holdfast.api.secret import new_secret
from holdfast.api.token_shapes import TokenCreate, TokenUpdate, condition_of, policies_of, times_of, token_view
from holdfast.model.granting import Overreach, Owner, overreach, zones_named
from holdfast.model.moment import written
from holdfast.model.permission import GROUPS, Policy, Scope, may_somewhere
from holdfast.model.token_terms import Terms, looser_term
from holdfast.store import tokens, zones
from holdfast.store.tokens import Token, TokenQuery

TOO_MANY_TOKENS = 1010
MORE_THAN_OWN = 9109
VALID = (10000, "This API Token is valid and active")


async def list_tokens(access: Access, owner: Owner, page: Page, *, ascending: bool, include_expired: bool) -> Response:
    """One page of the owner's tokens."""
    now = access.context.clock()
    query = TokenQuery(
        owner_kind=owner.kind,
        owner_id=owner.id,
        valid_at=None if include_expired else now,
        ascending=ascending,
        offset=page.offset,
        limit=page.size,
    )
    async with access.context.database.read() as connection:
        found, total = await tokens.select(connection, query)
    return page_of([token_view(token, now=now) for token in found], page, total)


async def show_token(access: Access, owner: Owner, token_id: str) -> Response:
    """One token."""
    async with access.context.database.read() as connection:
        token = await _found(connection, owner, token_id)
    return success(token_view(token, now=access.context.clock()))


async def create_token(access: Access, owner: Owner, body: TokenCreate) -> Response:
    """Make a token. Its secret is in the answer."""
    now, secret = access.context.clock(), new_secret(owner.kind)
    not_before, expires_on = times_of(body, now=now)
    condition = condition_of(body.condition)
    async with access.context.database.write() as connection:
        policies = await _granted(connection, access, owner, body)
        _check_terms(access, Terms(expires_on=expires_on, condition=condition))
        if await tokens.lock_owner(connection, owner.kind, owner.id) >= tokens.MAX_TOKENS[owner.kind]:
            message = f"A {owner.kind} has at most {tokens.MAX_TOKENS[owner.kind]} tokens: delete one you do not need"
            raise fault(400, TOO_MANY_TOKENS, message)
        token = Token(
            id=secrets.token_hex(16),
            owner_kind=owner.kind,
            owner_id=owner.id,
            name=body.name,
            status="active",
            policies=policies,
            condition=condition,
            issued_on=now,
            modified_on=now,
            last_used_on=None,
            not_before=not_before,
            expires_on=expires_on,
        )
        await tokens.insert(connection, token, tokens.secret_hash(secret))
        view = token_view(token, now=now)
        await access.record(connection, "create", "token", token.id, new=view)
    return success({**view, "value": secret})


async def update_token(access: Access, owner: Owner, token_id: str, body: TokenUpdate) -> Response:
    """Write all of a token but its secret. In force with the next request that uses it."""
    now = access.context.clock()
    condition = condition_of(body.condition)
    async with access.context.database.write() as connection:
        await tokens.lock_owner(connection, owner.kind, owner.id)
        old = await _own_to_change(connection, access, owner, token_id)
        # What has expired may be written back as it is.
        is_kept = (
            body.expires_on is not None and old.expires_on is not None and body.expires_on == written(old.expires_on)
        )
        not_before, expires_on = times_of(body, now=0 if is_kept else now)
        _check_terms(access, Terms(expires_on=expires_on, condition=condition))
        token = msgspec.structs.replace(
            old,
            name=body.name,
            status=body.status if body.status in ("active", "disabled") else old.status,
            policies=await _granted(connection, access, owner, body),
            condition=condition,
            modified_on=now,
            not_before=not_before,
            expires_on=expires_on,
        )
        if not await tokens.update(connection, token):
            raise not_found("token")
        before, after = token_view(old, now=now), token_view(token, now=now)
        await access.record(connection, "update", "token", token.id, old=before, new=after)
    return success(after)


async def roll_token(access: Access, owner: Owner, token_id: str) -> Response:
    """Give a token another secret, which is the answer. The one before is refused from now on."""
    now, secret = access.context.clock(), new_secret(owner.kind)
    async with access.context.database.write() as connection:
        token = await _own_to_change(connection, access, owner, token_id)
        if not await tokens.change_secret(connection, token, tokens.secret_hash(secret), now=now):
            raise not_found("token")
        before = {"modified_on": written(token.modified_on)}
        await access.record(
            connection, "update", "token_value", token.id, old=before, new={"modified_on": written(now)}
        )
    return success(secret)


async def delete_token(access: Access, owner: Owner, token_id: str) -> Response:
    """Remove a token: it is refused from now on."""
    async with access.context.database.write() as connection:
        token = await _own_to_change(connection, access, owner, token_id)
        if not await tokens.delete(connection, owner.kind, owner.id, token_id):
            raise not_found("token")
        view = token_view(token, now=access.context.clock())
        await access.record(connection, "delete", "token", token_id, old=view)
    return success({"id": token_id})


def verified(access: Access) -> Response:
    """The token that asks, which is valid, or it would not have come here."""
    token = access.principal.token
    times = {"not_before": token.not_before, "expires_on": token.expires_on}
    view = {name: written(moment) for name, moment in times.items() if moment is not None}
    return success({"id": token.id, "status": "active", **view}, messages=[VALID])


def permission_groups(access: Access, scopes: Collection[Scope], *, name: str | None, scope: str | None) -> Response:
    """The permission groups that policies can name."""
    policies = access.principal.policies
    return success(
        [
            {
                "id": group.id,
                "name": group.name,
                "scopes": [group.scope.value],
                "is_selectable": may_somewhere(policies, group.name),
            }
            for group in GROUPS
            if group.scope in scopes
            and (name is None or group.name.lower() == name.lower())
            and (scope is None or group.scope.value == scope)
        ]
    )


async def _found(connection: AsyncConnection, owner: Owner, token_id: str) -> Token:
    token = await tokens.find(connection, owner.kind, owner.id, token_id)
    if token is None:
        raise not_found("token")
    return token


async def _granted(connection: AsyncConnection, access: Access, owner: Owner, body: TokenCreate) -> tuple[Policy, ...]:
    """The policies in a request, if they are one's own to give. Raises ApiFault."""
    named = zones_named(choice.resources for choice in body.policies)
    policies = policies_of(body.policies, owner, await zones.accounts_of(connection, named))
    found = await _overreach(connection, access, owner, policies)
    if found is not None:
        raise _more_than_own(found)
    return policies


async def _own_to_change(connection: AsyncConnection, access: Access, owner: Owner, token_id: str) -> Token:
    """The owner's token, if all that it may do is one's own to give. Raises ApiFault."""
    token = await _found(connection, owner, token_id)
    found = await _overreach(connection, access, owner, token.policies)
    if found is not None:
        raise _stronger(f"does not have {found.permission!r} on all that this token has it on")
    term = looser_term(Terms(expires_on=token.expires_on, condition=token.condition), _own_terms(access))
    if term is not None:
        raise _stronger(f"has a stricter {term} than this token")
    return token


async def _overreach(
    connection: AsyncConnection, access: Access, owner: Owner, policies: Sequence[Policy]
) -> Overreach | None:
    own = access.principal.policies
    named = zones_named(policy.resources for policy in (*policies, *own))
    return overreach(policies, own, owner, await zones.accounts_of(connection, named))


def _check_terms(access: Access, terms: Terms) -> None:
    term = looser_term(terms, _own_terms(access))
    if term is not None:
        message = f"{term}: expected one at least as strict as that of the token you ask with"
        pointer = {"condition": "/condition/request_ip"}.get(term, f"/{term}")
        raise fault(403, MORE_THAN_OWN, f"{_UNAUTHORIZED}{message}", pointer=pointer)


def _own_terms(access: Access) -> Terms:
    token = access.principal.token
    return Terms(expires_on=token.expires_on, condition=token.condition)


_UNAUTHORIZED = "Unauthorized to access requested resource: "


def _stronger(how: str) -> ApiFault:
    return fault(403, MORE_THAN_OWN, f"{_UNAUTHORIZED}the token you ask with {how}")


def _more_than_own(found: Overreach) -> ApiFault:
    message = f"the token you ask with does not have {found.permission!r} on all that this policy names"
    pointer = f"/policies/{found.policy}/permission_groups/{found.group}"
    return fault(403, MORE_THAN_OWN, f"{_UNAUTHORIZED}{message}", pointer=pointer)


def any_scope(kind: str) -> Collection[Scope]:
    """What permissions of a token of `kind` can be about."""
    return (Scope.ACCOUNT, Scope.ZONE) if kind == "account" else tuple(Scope)
