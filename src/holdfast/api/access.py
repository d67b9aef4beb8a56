"""Who asks, and what they may do: the one way into every handler.

Law 1: fail closed. A request without a valid token gets in nowhere, and a handler without a permission does not exist
(a test looks at every route).
Law 2: who may not see a thing is told the same whether it exists or not.
Law 3: time, address and state of a token are looked at for each request: disabling one is in force at once.
Law 4: a token that lets nobody in takes nothing of its owner's rate limit.
"""

from __future__ import annotations

import ipaddress
import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Path, Request
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import HTTPConnection
from starlette.types import Scope as AsgiScope

from holdfast.api.context import ApiContext
from holdfast.api.faults import (
    ApiFault,
    authentication_failed,
    invalid_token,
    malformed_authorization,
    missing_credentials,
    no_route,
    not_found,
    not_permitted,
    not_yours,
    unavailable,
    unknown_key,
)
from holdfast.api.frame import REFUSED
from holdfast.model.granting import Owner
from holdfast.model.permission import GROUPS, Policy, Resource, Scope, may, may_somewhere
from holdfast.model.token_terms import network_of
from holdfast.store import audit, tokens, zones
from holdfast.store.database import StoreUnavailable
from holdfast.store.tokens import Token
from holdfast.store.zones import Zone

# A token of ours has 53 characters; older clients check for 40 and more of this alphabet.
_BEARER = re.compile(r"Bearer +([A-Za-z0-9_.~+/=-]{1,256})", re.IGNORECASE)
# How a browser, which can set no header of a handshake, gives a token: it offers the subprotocols "bearer" and the token. The
# first is agreed upon, so the token is never said back, and, unlike a query, it is in nobody's log of addresses.
BEARER_SUBPROTOCOL = "bearer"
ID_PATTERN = r"[0-9a-f]{32}"
_ID = re.compile(ID_PATTERN)
# What we keep of a client's header in the audit log.
_MAX_AUDIT_TEXT = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who asks: a valid token, its owner, and from where. `accounts` are the accounts the owner belongs to."""

    token: Token
    email: str
    accounts: frozenset[str]
    address: str

    @property
    def policies(self) -> tuple[Policy, ...]:
        """What the token allows."""
        return self.token.policies

    @property
    def owner(self) -> Owner:
        """Whom the token belongs to."""
        return Owner(kind=self.token.owner_kind, id=self.token.owner_id, accounts=self.accounts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """A request that was let in. `zone` and `account_id` are what it is about, where it is about one."""

    context: ApiContext
    principal: Principal
    request: Request
    zone: Zone | None = None
    account_id: str = ""

    @property
    def known_zone(self) -> Zone:
        """The zone, for handlers of a route that names one."""
        if self.zone is None:
            raise AssertionError("the route names no zone")
        return self.zone

    def has(self, permission: str) -> bool:
        """Whether the token has `permission` (a group's name) on the zone or account that this is about."""
        if self.zone is not None:
            resource = Resource(Scope.ZONE, self.zone.id, self.zone.account_id)
        else:
            resource = Resource(Scope.ACCOUNT, self.account_id, self.account_id)
        return may(self.principal.policies, permission, resource)

    async def record(
        self,
        connection: AsyncConnection,
        action: str,
        resource_type: str,
        resource_id: str,
        *,
        old: Any = None,  # noqa: ANN401  JSON
        new: Any = None,  # noqa: ANN401  JSON
        zone: Zone | None = None,
    ) -> None:
        """Write an audit entry, in the transaction of what it is about. `old` and `new` are the API's values.

        It is of the zone or account of the route, or of `zone`; without either it is of the user, and shows in all of
        their accounts.
        """
        zone = zone or self.zone
        token, request = self.principal.token, self.request
        entry = audit.Entry(
            id=secrets.token_hex(16),
            occurred_on=self.context.clock(),
            account_id=zone.account_id if zone else self.account_id,
            zone_id=zone.id if zone else None,
            zone_name=zone.name if zone else None,
            actor_id=token.owner_id,
            actor_email=self.principal.email,
            actor_kind=token.owner_kind,
            actor_ip=self.principal.address,
            token_id=token.id,
            token_name=token.name,
            action=action,
            resource_type=resource_type,
            resource_id=resource_id,
            old_value=old,
            new_value=new,
            method=request.method,
            uri=_storable(request.url.path),
            user_agent=_storable(request.headers.get("user-agent", "")),
            request_id=request.scope.get("holdfast.request_id", ""),
        )
        await audit.insert(connection, [entry])


def context_of(request: HTTPConnection) -> ApiContext:
    """The context the application was made with."""
    context: ApiContext = request.app.state.context
    return context


async def admit(scope: AsgiScope) -> None:
    """Raise ApiFault unless a valid token asks: of a request of which nothing but the head has been read."""
    request = Request(scope)
    bearer_secret(request)
    try:
        await _identified(request)
    except StoreUnavailable as error:
        raise unavailable(str(error)) from error


async def principal_of(
    request: HTTPConnection, connection: AsyncConnection, refused: Callable[[], ApiFault] = authentication_failed
) -> Principal:
    """Who asks. Raises ApiFault for anybody without a valid token: `refused` for one that is not (any more)."""
    if (earlier := request.scope.get(REFUSED)) is not None:
        raise earlier
    secret = bearer_secret(request)
    bearer = await tokens.find_bearer(connection, tokens.secret_hash(secret))
    if bearer is None:
        raise refused()
    context, token, address = context_of(request), bearer.token, client_address(request)
    now = context.clock()
    if state_of(token, now) != "active" or (token.not_before or 0) > now or not _is_from_allowed(token, address):
        raise refused()
    request.app.state.rate_limit.count(request, f"{token.owner_kind}/{token.owner_id}")
    note_use(request, token.id, now)
    return Principal(token=token, email=bearer.email, accounts=bearer.accounts, address=address)


def bearer_secret(request: HTTPConnection) -> str:
    """The token in the request's header. A handshake may have it in its offer of subprotocols, after BEARER_SUBPROTOCOL.
    Raises ApiFault."""
    given = request.headers.getlist("authorization")
    if not given and request.scope["type"] == "websocket":
        given = _offered(request.scope.get("subprotocols", []))
    if not given:
        is_key = "x-auth-key" in request.headers or "x-auth-email" in request.headers
        raise unknown_key() if is_key else missing_credentials()
    match = _BEARER.fullmatch(given[0].strip()) if len(given) == 1 else None
    if match is None:
        raise malformed_authorization()
    return match[1]


def _offered(subprotocols: list[str]) -> list[str]:
    """The value of an Authorization header that says the same."""
    places = [place for place, name in enumerate(subprotocols) if name == BEARER_SUBPROTOCOL]
    return [f"Bearer {' '.join(subprotocols[place + 1 : place + 2])}" for place in places]


def state_of(token: Token, now: int) -> str:
    """What the API shows as a token's status: active, disabled or expired."""
    if token.status != "active":
        return token.status
    return "expired" if token.expires_on is not None and token.expires_on <= now else "active"


def client_address(request: HTTPConnection) -> str:
    """Where the request came from, as an address; "" if it did not come over IP."""
    return request.client.host if request.client else ""


def note_use(request: HTTPConnection, token_id: str, now: int) -> None:
    """Remember that a token was used; written later, many at once."""
    request.app.state.token_uses[token_id] = now


def _is_from_allowed(token: Token, address: str) -> bool:
    """Whether the token's condition allows `address`: in one of `in` (if there are any), in none of `not_in`."""
    condition = token.condition.get("request_ip") or token.condition.get("request.ip") or {}
    wanted, unwanted = condition.get("in") or [], condition.get("not_in") or []
    if not wanted and not unwanted:
        return True
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(ip, "ipv4_mapped", None) or ip

    def is_in(networks: list[str]) -> bool:
        return any(mapped in network_of(network) for network in networks)

    return (not wanted or is_in(wanted)) and not is_in(unwanted)


Dependency = Callable[..., Awaitable[Access]]
# What cannot be an id is no route, and no invalid parameter: so this describes, and checks nothing.
_AN_ID = Path(json_schema_extra={"pattern": f"^{ID_PATTERN}$", "maxLength": 32})
ZoneId = Annotated[str, _AN_ID]
AccountId = Annotated[str, _AN_ID]
# The permission of a route that any valid token may ask.
ANY_TOKEN = ""


def _named(dependency: Dependency, permission: str, *others: str) -> Dependency:
    # Read by the tests that look at every route.
    dependency.permission = permission  # type: ignore[attr-defined]
    dependency.others = others  # type: ignore[attr-defined]
    return dependency


async def zone_permitted(
    request: HTTPConnection, zone_id: str, permission: str, *others: str
) -> tuple[Principal, Zone]:
    """Who asks, and the zone, where they have `permission` on it, or one of `others`. Raises ApiFault."""
    async with context_of(request).database.look() as connection:
        principal = await principal_of(request, connection)
        if not _ID.fullmatch(zone_id):
            raise no_route(request.url.path)
        return principal, permitted(principal, permission, await zones.find(connection, zone_id), *others)


def zone_access(permission: str, *others: str) -> Dependency:
    """Let in who has `permission`, or one of `others`, on the zone of the path. The handler looks which of them it is."""

    async def dependency(request: Request, zone_id: ZoneId) -> Access:
        principal, zone = await zone_permitted(request, zone_id, permission, *others)
        return Access(context=context_of(request), principal=principal, request=request, zone=zone)

    return _named(dependency, permission, *others)


def permitted(principal: Principal, permission: str, zone: Zone | None, *others: str) -> Zone:
    """`zone`, if there is one and `principal` has `permission`, or one of `others`, on it. Raises ApiFault."""
    # A policy reaches no further than its owner does.
    if zone is None or zone.account_id not in principal.accounts:
        raise _unseen(principal)
    resource = Resource(Scope.ZONE, zone.id, zone.account_id)
    if any(may(principal.policies, one, resource) for one in (permission, *others)):
        return zone
    raise not_permitted(permission) if _sees_zone(principal, resource) else _unseen(principal)


def _sees_zone(principal: Principal, resource: Resource) -> bool:
    return any(may(principal.policies, name, resource) for name in _ZONE_PERMISSIONS)


_ZONE_PERMISSIONS = tuple(group.name for group in GROUPS if group.scope is Scope.ZONE)


def _unseen(principal: Principal) -> ApiFault:
    """What to say of a zone that is not there, or not to be seen: both are told the same, whoever asks.

    Who sees every zone of an account hears that there is none; others hear what they would of any.
    """
    everywhere = (Resource(Scope.ZONE, "*", account) for account in sorted(principal.accounts))
    return not_found("zone") if any(_sees_zone(principal, one) for one in everywhere) else not_yours()


def account_access(permission: str, *others: str) -> Dependency:
    """Let in who has `permission`, or one of `others`, on the account of the path."""

    async def dependency(request: Request, account_id: AccountId) -> Access:
        principal = await _identified(request)
        if not _ID.fullmatch(account_id):
            raise no_route(request.url.path)
        require_account(principal, permission, account_id, *others)
        return Access(context=context_of(request), principal=principal, request=request, account_id=account_id)

    return _named(dependency, permission, *others)


def require_account(principal: Principal, permission: str, account_id: str, *others: str) -> None:
    """Raise ApiFault unless `principal` has `permission`, or one of `others`, on the account."""
    if account_id not in principal.accounts:
        raise not_yours()
    resource = Resource(Scope.ACCOUNT, account_id, account_id)
    if not any(may(principal.policies, one, resource) for one in (permission, *others)):
        raise not_permitted(permission)


def user_access(permission: str) -> Dependency:
    """Let in whose token is a user's and has `permission` on that user."""

    async def dependency(request: Request) -> Access:
        principal = await _identified(request)
        token = principal.token
        if token.owner_kind != "user":
            raise not_yours()
        if not may(principal.policies, permission, Resource(Scope.USER, token.owner_id)):
            raise not_permitted(permission)
        return Access(context=context_of(request), principal=principal, request=request)

    return _named(dependency, permission)


def any_access(permission: str) -> Dependency:
    """Let in whose token has `permission` on anything; the handler shows only what it has it on."""

    async def dependency(request: Request) -> Access:
        principal = await _identified(request)
        if not may_somewhere(principal.policies, permission):
            raise not_permitted(permission)
        return Access(context=context_of(request), principal=principal, request=request)

    return _named(dependency, permission)


def own_token_access(kind: str) -> Dependency:
    """Let in whose token is of a `kind` ("user" or "account"), to ask about it. Who else asks has no valid token."""

    async def dependency(request: Request) -> Access:
        context = context_of(request)
        async with context.database.look() as connection:
            principal = await principal_of(request, connection, refused=invalid_token)
        account_id = request.path_params.get("account_id", "")
        if principal.token.owner_kind != kind or (account_id and account_id not in principal.accounts):
            raise invalid_token()
        return Access(context=context, principal=principal, request=request, account_id=account_id)

    return _named(dependency, ANY_TOKEN)


async def _identified(request: Request) -> Principal:
    async with context_of(request).database.look() as connection:
        return await principal_of(request, connection)


def _storable(text: str) -> str:
    """`text` as a database takes it: without NUL, at most _MAX_AUDIT_TEXT characters."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:_MAX_AUDIT_TEXT]
