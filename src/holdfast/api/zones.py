"""Zones: list, create, show, edit, delete.

Law 1: a zone's name is one domain, and belongs to one zone only, over all accounts. So do the names below it: those of one
account may lie within each other (the longest answers for a host name), those of two may not.
Law 2: a removed zone's audit entry says how much went with it.
"""

from __future__ import annotations

import secrets
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field, StrictBool
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.api.access import Access, any_access, zone_access
from holdfast.api.connections import GOING_AWAY
from holdfast.api.custom_certificates import MAX_CERTIFICATES
from holdfast.api.envelope import Envelope, Identifier, PageEnvelope, View, page_of, success
from holdfast.api.faults import fault, invalid, not_found, not_permitted
from holdfast.api.paging import Page, paged
from holdfast.api.undoing import Undone, writing
from holdfast.model.granting import zones_named
from holdfast.model.hostname import parse_hostname
from holdfast.model.moment import written
from holdfast.model.permission import GROUPS, Resource, Scope, may
from holdfast.model.plan import PLANS, Plan, find_plan
from holdfast.store import identities, rulesets, zones
from holdfast.store.zones import Visible, Zone, ZoneQuery

router = APIRouter(prefix="/zones", tags=["Zones"])

ReadAccess = Annotated[Access, Depends(zone_access("Zone Read"))]
WriteAccess = Annotated[Access, Depends(zone_access("Zone Write"))]
ZonePage = paged(largest=50, default=20)

NAME_TAKEN = 1061
INVALID_NAME = 1049
# What the Close of a removed zone's WebSockets says.
ZONE_REMOVED = "closed_by_operator: the zone was removed"
_NAME_OPERATORS = (
    "equal",
    "not_equal",
    "starts_with",
    "ends_with",
    "contains",
    "starts_with_case_sensitive",
    "ends_with_case_sensitive",
    "contains_case_sensitive",
)


class AccountReference(View):
    """An account, by id and name."""

    id: str
    name: str


class OwnerView(View):
    """Who owns a zone: its account."""

    id: str
    name: str
    type: str


class PlanView(View):
    """The plan a zone is on."""

    id: str
    name: str
    price: int
    currency: str
    frequency: str
    is_subscribed: bool
    can_subscribe: bool
    legacy_id: str
    legacy_discount: bool
    externally_managed: bool


class MetaView(View):
    """Facts about a zone that never change here."""

    cdn_only: bool
    custom_certificate_quota: int
    dns_only: bool
    foundation_dns: bool
    page_rule_quota: int
    phishing_detected: bool
    step: int


class TenantView(View):
    """The tenant of an account; there are none here."""

    id: str | None
    name: str | None


class TenantUnitView(View):
    """The tenant unit; there are none here."""

    id: str | None


class ZoneView(View):
    """One zone."""

    id: str
    account: AccountReference
    activated_on: str
    created_on: str
    modified_on: str
    development_mode: int
    meta: MetaView
    name: str
    name_servers: list[str]
    original_dnshost: str | None
    original_name_servers: list[str] | None
    original_registrar: str | None
    owner: OwnerView
    paused: bool
    permissions: list[str]
    plan: PlanView
    cname_suffix: str | None
    status: Literal["active"]
    tenant: TenantView
    tenant_unit: TenantUnitView
    type: str
    vanity_name_servers: list[str]
    verification_key: str | None


class AccountChoice(BaseModel):
    """The account a new zone belongs to."""

    model_config = ConfigDict(extra="ignore")
    id: str | None = None


class ZoneCreate(BaseModel):
    """A new zone."""

    model_config = ConfigDict(extra="ignore")
    name: str = Field(max_length=253)
    account: AccountChoice | None = Field(default=None, description="By default the account of the token's owner.")
    type: Literal["full", "partial", "secondary", "internal"] = "full"


class PlanChoice(BaseModel):
    """A plan, by its id or legacy id."""

    model_config = ConfigDict(extra="ignore")
    id: str


class ZoneEdit(BaseModel):
    """What can be changed of a zone."""

    model_config = ConfigDict(extra="ignore")
    paused: StrictBool | None = None
    type: Literal["full", "partial", "secondary", "internal"] | None = None
    plan: PlanChoice | None = None
    vanity_name_servers: list[str] | None = Field(
        default=None, description="Refused unless empty: this edge serves no DNS."
    )


class ZoneFilter(BaseModel):
    """Which zones, in which order."""

    model_config = ConfigDict(extra="ignore")
    name: str | None = Field(default=None, max_length=300, description="A name, or `contains:text` and the like.")
    account_id: str | None = Field(default=None, alias="account.id", max_length=64)
    account_name: str | None = Field(default=None, alias="account.name", max_length=300)
    status: Literal["initializing", "pending", "active", "moved"] | None = None
    type: list[Literal["full", "partial", "secondary", "internal"]] = []
    match: Literal["any", "all"] = "all"
    order: Literal["name", "status", "account.id", "account.name", "plan.id"] | None = None
    direction: Literal["asc", "desc"] = "asc"


@router.get("", response_model=PageEnvelope[list[ZoneView]])
async def list_zones(
    access: Annotated[Access, Depends(any_access("Zone Read"))],
    page: ZonePage,  # type: ignore[valid-type]  # made by a function
    query: Annotated[ZoneFilter, Query()],
) -> Response:
    """The zones the token may read, one page of them."""
    asked = _query(page, query)
    async with access.context.database.read() as connection:
        seen = msgspec.structs.replace(asked, visible=await _visible(connection, access))
        found, total = await zones.select(connection, seen)
    permissions = _Permissions(access)
    return page_of([_view(zone, permissions) for zone in found], page, total)


def _query(page: Page, asked: ZoneFilter) -> ZoneQuery:
    return ZoneQuery(
        name=None if asked.name is None else _operation(asked.name, "name"),
        account_id=asked.account_id,
        account_name=None if asked.account_name is None else _operation(asked.account_name, "account.name"),
        type=tuple(asked.type),
        status=asked.status,
        is_all=asked.match == "all",
        order=asked.order,
        descending=asked.direction == "desc",
        offset=page.offset,
        limit=page.size,
    )


def _operation(text: str, field: str) -> tuple[str, str]:
    """`contains:foo` as (operator, text); a bare name must be equal."""
    operator, colon, rest = text.partition(":")
    if not colon:
        return "equal", text
    if operator not in _NAME_OPERATORS:
        raise invalid(
            f"/{field}", f"{field}: expected one of {', '.join(_NAME_OPERATORS)} before ':', got {operator[:40]!r}"
        )
    return operator, rest


async def _visible(connection: AsyncConnection, access: Access) -> Visible:
    """The zones the token may read: of some accounts all but those it is denied, and those it names."""
    principal = access.principal
    policies, accounts = principal.policies, principal.accounts

    def is_readable(zone_id: str, account_id: str | None) -> bool:
        return account_id in accounts and may(policies, "Zone Read", Resource(Scope.ZONE, zone_id, account_id or ""))

    named = await zones.accounts_of(connection, zones_named(policy.resources for policy in policies))
    readable = frozenset(zone_id for zone_id, account_id in named.items() if is_readable(zone_id, account_id))
    return Visible(
        accounts=frozenset(account_id for account_id in accounts if is_readable("*", account_id)),
        zones=readable,
        hidden=frozenset(named.keys() - readable),
    )


@router.post("", response_model=Envelope[ZoneView])
async def create_zone(body: ZoneCreate, access: Annotated[Access, Depends(any_access("Zone Write"))]) -> Response:
    """Add a zone. It is active at once."""
    try:
        name = parse_hostname(body.name)
    except ValueError as error:
        raise invalid("/name", f"name: {error}", code=INVALID_NAME) from None
    now = access.context.clock()
    async with access.context.database.write() as connection:
        account_id = _account_for(access, body.account)
        account = await identities.find_account(connection, account_id)
        if account is None:
            raise not_found("account")
        zone = Zone(
            id=secrets.token_hex(16),
            account_id=account.id,
            account_name=account.name,
            name=name,
            type=body.type,
            plan=PLANS[0].legacy_id,
            paused=False,
            version=1,
            created_on=now,
            modified_on=now,
        )
        try:
            await zones.insert(connection, zone)
        except IntegrityError:
            raise fault(400, NAME_TAKEN, f"{name} already exists", pointer="/name") from None
        if await zones.is_within_or_above_others(connection, zone):
            message = f"{name} is within or above a zone of another account, whose host names it would share"
            raise fault(400, NAME_TAKEN, message, pointer="/name")
        view = zone_view(zone, access)
        await access.record(connection, "create", "zone", zone.id, new=view, zone=zone)
    await access.context.on_change([zone.id])
    return success(view)


def _account_for(access: Access, choice: AccountChoice | None) -> str:
    principal = access.principal
    account_id = choice.id if choice and choice.id else ""
    if not account_id:
        if len(principal.accounts) != 1:
            raise invalid("/account/id", "account.id: expected the id of an account, since you have several")
        account_id = min(principal.accounts)
    if account_id not in principal.accounts:
        raise invalid("/account/id", f"account.id: no account of yours has the id {account_id[:40]!r}")
    # A zone that does not exist yet: what is asked for is the right to any zone of the account.
    if not may(principal.policies, "Zone Write", Resource(Scope.ZONE, "*", account_id)):
        raise not_permitted("Zone Write")
    return account_id


@router.get("/{zone_id}", response_model=Envelope[ZoneView])
async def show_zone(access: ReadAccess) -> Response:
    """One zone."""
    return success(zone_view(access.known_zone, access))


@router.patch("/{zone_id}", response_model=Envelope[ZoneView])
async def edit_zone(body: ZoneEdit, access: WriteAccess) -> Response:
    """Pause a zone, let it go on, or change its plan or type."""
    zone, now = access.known_zone, access.context.clock()
    if body.vanity_name_servers:
        raise invalid("/vanity_name_servers", "vanity_name_servers: expected none, since this edge serves no DNS")
    asked = _changes(body)
    if not asked:
        return success(zone_view(zone, access))
    async with writing(access.context.database) as connection:
        zone = await _held(connection, zone.id)
        changes = {name: value for name, value in asked.items() if value != getattr(zone, name)}
        if not changes:
            raise Undone
        old = {name: getattr(zone, name) for name in changes}
        await zones.change(connection, zone.id, changes, now=now)
        await access.record(connection, "update", "zone", zone.id, old=old, new=changes)
    if not changes:
        return success(zone_view(zone, access))
    # Its rules come into force as well, whatever they are.
    await access.context.on_change([zone.id], takes_long="paused" in changes)
    return success(zone_view(msgspec.structs.replace(zone, **changes, modified_on=now), access))


async def _held(connection: AsyncConnection, zone_id: str) -> Zone:
    """The zone as it is, touched: its row is nobody else's until the transaction ends. Raises ApiFault."""
    zone = await zones.find(connection, zone_id) if await zones.touch(connection, zone_id) else None
    if zone is None:
        raise not_found("zone")
    return zone


def _changes(body: ZoneEdit) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if body.paused is not None:
        changes["paused"] = body.paused
    if body.type is not None:
        changes["type"] = body.type
    if body.plan is not None:
        changes["plan"] = plan_of(body.plan.id, "/plan/id").legacy_id
    return changes


def plan_of(name: str, pointer: str) -> Plan:
    """The plan with this id or legacy id. Raises ApiFault."""
    plan = find_plan(name)
    if plan is None:
        known = ", ".join(one.legacy_id for one in PLANS)
        raise invalid(pointer, f"plan: expected one of {known} or a plan's id, got {name[:40]!r}")
    return plan


@router.delete("/{zone_id}", response_model=Envelope[Identifier])
async def delete_zone(access: WriteAccess) -> Response:
    """Remove a zone and all that belongs to it, and close its open WebSockets, on both legs, with 1001."""
    zone = access.known_zone
    async with access.context.database.write() as connection:
        zone = await _held(connection, zone.id)
        belongings = await _belongings(connection, zone.id)
        await access.record(connection, "delete", "zone", zone.id, old={**zone_view(zone, access), **belongings})
        await zones.delete(connection, zone.id)
    await access.context.on_change([zone.id])
    # Of a zone that is gone, nobody could ask for it later. An edge that says nothing is told all the same.
    await access.context.connections.close_zone(zone.id, code=GOING_AWAY, reason=ZONE_REMOVED)
    return success({"id": zone.id})


async def _belongings(connection: AsyncConnection, zone_id: str) -> dict[str, Any]:
    """How much is removed with a zone, by what the audit log calls it."""
    records, certificates = await zones.belongings(connection, zone_id)
    rules = sum(len(one.rules) for one in await rulesets.of_zone(connection, zone_id))
    return {"removed": {"dns_records": records, "custom_certificates": certificates, "rules": rules}}


@router.put("/{zone_id}/activation_check", response_model=Envelope[Identifier])
async def check_activation(access: WriteAccess) -> Response:
    """Nothing is to be checked: a zone is active from its first moment."""
    return success({"id": access.known_zone.id})


def plan_view(plan: Plan, *, is_current: bool) -> dict[str, Any]:
    """A plan as the API shows it."""
    return {
        "id": plan.id,
        "name": plan.name,
        "price": 0,
        "currency": "USD",
        "frequency": "monthly",
        "is_subscribed": is_current,
        "can_subscribe": True,
        "legacy_id": plan.legacy_id,
        "legacy_discount": False,
        "externally_managed": False,
    }


def zone_view(zone: Zone, access: Access) -> dict[str, Any]:
    """A zone as the API shows it to whoever asks."""
    return _view(zone, _Permissions(access))


def _view(zone: Zone, permissions: _Permissions) -> dict[str, Any]:
    plan = find_plan(zone.plan) or PLANS[0]
    return {
        "id": zone.id,
        "account": {"id": zone.account_id, "name": zone.account_name},
        "activated_on": written(zone.created_on),
        "created_on": written(zone.created_on),
        "modified_on": written(zone.modified_on),
        "development_mode": 0,
        "meta": _META,
        "name": zone.name,
        "name_servers": [],
        "original_dnshost": None,
        "original_name_servers": None,
        "original_registrar": None,
        "owner": {"id": zone.account_id, "name": zone.account_name, "type": "organization"},
        "paused": zone.paused,
        "permissions": permissions.on(zone),
        "plan": plan_view(plan, is_current=True),
        "cname_suffix": None,
        "status": "active",
        "tenant": {"id": None, "name": None},
        "tenant_unit": {"id": None},
        "type": zone.type,
        "vanity_name_servers": [],
        "verification_key": None,
    }


_META = {
    "cdn_only": False,
    "custom_certificate_quota": MAX_CERTIFICATES,
    "dns_only": False,
    "foundation_dns": False,
    "page_rule_quota": 0,
    "phishing_detected": False,
    "step": 4,
}
# What `permissions` calls the groups: "Zone Settings Write" is "#zone_settings:edit".
_PERMISSION_NAMES = {
    group.name: f"#{name.lower().replace(' ', '_')}:{'edit' if kind == 'Write' else 'read'}"
    for group in GROUPS
    if group.scope is Scope.ZONE
    for name, _, kind in [group.name.rpartition(" ")]
}


class _Permissions:
    """What whoever asks may do with zones: the same with all of an account that no policy names."""

    def __init__(self, access: Access) -> None:
        self._policies = access.principal.policies
        self._named = zones_named(policy.resources for policy in self._policies)
        self._found: dict[tuple[str, str], list[str]] = {}

    def on(self, zone: Zone) -> list[str]:
        """The permissions on `zone`, in short."""
        key = (zone.account_id, zone.id if zone.id in self._named else "")
        if key not in self._found:
            resource = Resource(Scope.ZONE, zone.id, zone.account_id)
            self._found[key] = [
                short for name, short in _PERMISSION_NAMES.items() if may(self._policies, name, resource)
            ]
        return self._found[key]
