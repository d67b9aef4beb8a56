"""Custom domains: host names of the account's zones whose origin is a script, on every path.

Law: a host name has one script at a time, and needs no DNS record here. A change is in force when it is answered.

Source: Cloudflare API v4, "Workers: domains".
"""

from __future__ import annotations

import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.api.access import Access, account_access
from holdfast.api.envelope import Envelope, View, success
from holdfast.api.faults import ApiFault, fault, invalid, not_found
from holdfast.api.identifiers import path_id
from holdfast.api.text import Text
from holdfast.api.undoing import Undone, writing
from holdfast.api.worker_deploying import NO_SCRIPT
from holdfast.model.hostname import MAX_CHARS, parse_hostname
from holdfast.model.worker_script import MAX_NAME_CHARS
from holdfast.store import worker_routes as store
from holdfast.store import worker_scripts, zones
from holdfast.store.worker_routes import Domain
from holdfast.store.zones import Zone

router = APIRouter(prefix="/accounts/{account_id}/workers/domains", tags=["Workers domains"])

ReadAccess = Annotated[Access, Depends(account_access("Workers Scripts Read"))]
WriteAccess = Annotated[Access, Depends(account_access("Workers Scripts Write"))]
DomainId = path_id("domain_id")
RESOURCE = "worker_domain"
# Ours: the original has a message for each of these, and one code.
NO_ZONE = 10071
TOO_MANY = 10072
# All of an account's; each is published with its zone.
MAX_DOMAINS = 1_000


class DomainGiven(BaseModel):
    """A host name, and the script that is to be its origin. The zone may be left out."""

    model_config = ConfigDict(extra="ignore")
    hostname: Text = Field(max_length=MAX_CHARS)
    service: Text = Field(max_length=MAX_NAME_CHARS)
    zone_id: Text | None = Field(default=None, max_length=32)
    zone_name: Text | None = Field(default=None, max_length=MAX_CHARS)


class DomainView(View):
    """One host name whose origin is a script."""

    id: str
    hostname: str
    service: str
    environment: str
    zone_id: str
    zone_name: str
    cert_id: str


@router.get("", response_model=Envelope[list[DomainView]])
async def list_domains(
    access: ReadAccess,
    hostname: Annotated[str | None, Query(max_length=MAX_CHARS)] = None,
    service: Annotated[str | None, Query(max_length=MAX_NAME_CHARS)] = None,
) -> Response:
    """The account's domains, by host name."""
    async with access.context.database.read() as connection:
        found = await store.domains_of(connection, access.account_id)
    return success([_view(one) for one in found if hostname in {None, one.host} and service in {None, one.script}])


@router.put("", response_model=Envelope[DomainView])
async def put_domain(access: WriteAccess, body: DomainGiven) -> Response:
    """Make a script the origin of a host name."""
    host, is_news = _host(body.hostname), False
    async with writing(access.context.database) as connection:
        zone = await _zone(access, connection, body, host)
        await zones.touch(connection, zone.id)
        script = await worker_scripts.hold(connection, access.account_id, body.service)
        if script is None:
            raise fault(400, NO_SCRIPT, f"service: the account has no Worker {body.service[:80]!r}", pointer="/service")
        before = await store.find_domain(connection, access.account_id, host=host)
        domain = Domain(
            id=before.id if before else secrets.token_hex(16),
            zone_id=zone.id,
            zone_name=zone.name,
            host=host,
            script_id=script.id,
            script=script.name,
            created_on=before.created_on if before else access.context.clock(),
        )
        if domain == before:
            raise Undone
        await _write(access, connection, before, domain)
        is_news = True
    if is_news:
        await access.context.on_change([zone.id])
    return success(_view(domain))


@router.get("/{domain_id}", response_model=Envelope[DomainView])
async def show_domain(
    access: ReadAccess,
    domain_id: DomainId,  # type: ignore[valid-type]  # made by a function
) -> Response:
    """One domain."""
    async with access.context.database.read() as connection:
        return success(_view(await _find(access, connection, domain_id)))


@router.delete("/{domain_id}", response_model=Envelope[None])
async def delete_domain(
    access: WriteAccess,
    domain_id: DomainId,  # type: ignore[valid-type]  # made by a function
) -> Response:
    """Remove a domain."""
    async with access.context.database.write() as connection:
        before = await _find(access, connection, domain_id)
        await zones.touch(connection, before.zone_id)
        await store.delete_domain(connection, before.id)
        await access.record(connection, "delete", RESOURCE, before.id, old=_view(before))
    await access.context.on_change([before.zone_id])
    return success(None)


async def _write(access: Access, connection: AsyncConnection, before: Domain | None, domain: Domain) -> None:
    if before is not None:
        await store.change_domain(connection, domain.id, domain.script_id)
        await access.record(connection, "update", RESOURCE, domain.id, old=_view(before), new=_view(domain))
        return
    if len(await store.domains_of(connection, access.account_id)) >= MAX_DOMAINS:
        raise fault(400, TOO_MANY, f"There are at most {MAX_DOMAINS} domains of one account")
    await store.insert_domain(connection, domain)
    await access.record(connection, "create", RESOURCE, domain.id, new=_view(domain))


async def _find(access: Access, connection: AsyncConnection, domain_id: str) -> Domain:
    found = await store.find_domain(connection, access.account_id, id=domain_id)
    if found is None:
        raise not_found("domain")
    return found


async def _zone(access: Access, connection: AsyncConnection, body: DomainGiven, host: str) -> Zone:
    """The account's zone that the host name is of. Raises ApiFault."""
    labels = host.split(".")
    for at in range(len(labels)):
        zone = await zones.find_by_name(connection, ".".join(labels[at:]))
        if zone is not None and zone.account_id == access.account_id:
            if body.zone_id not in {None, zone.id} or body.zone_name not in {None, zone.name}:
                raise _no_zone(f"expected the zone {zone.name} ({zone.id}) for {host}")
            return zone
    raise _no_zone(f"the account has no zone that {host} is of")


def _no_zone(reason: str) -> ApiFault:
    return fault(400, NO_ZONE, f"hostname: {reason}", pointer="/hostname")


def _host(text: str) -> str:
    try:
        return parse_hostname(text, single_label=True)
    except ValueError as error:
        raise invalid("/hostname", f"hostname: {error}") from None


def _view(domain: Domain) -> dict[str, Any]:
    return {
        "id": domain.id,
        "hostname": domain.host,
        "service": domain.script,
        "environment": "production",
        "zone_id": domain.zone_id,
        "zone_name": domain.zone_name,
        "cert_id": "",
    }
