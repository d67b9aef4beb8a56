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
from holdfast.api.faults import fault, invalid, not_found
from holdfast.api.identifiers import path_id
from holdfast.api.text import Text
from holdfast.api.undoing import Undone, writing
from holdfast.api.worker_found import NO_SCRIPT
from holdfast.api.worker_targets import held_script, zone_of
from holdfast.model.hostname import MAX_CHARS, parse_hostname
from holdfast.model.worker_script import MAX_NAME_CHARS
from holdfast.store import worker_routes as store
from holdfast.store import zones
from holdfast.store.worker_routes import Domain
from holdfast.store.worker_scripts import Script
from holdfast.store.zones import Zone

router = APIRouter(prefix="/accounts/{account_id}/workers/domains", tags=["Workers domains"])

ReadAccess = Annotated[Access, Depends(account_access("Workers Scripts Read"))]
WriteAccess = Annotated[Access, Depends(account_access("Workers Scripts Write"))]
DomainId = path_id("domain_id")
RESOURCE = "worker_domain"
# Cloudflare's code.
NO_DOMAIN = 100114
# Ours.
TOO_MANY = 10472
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
    return success(
        [domain_view(one) for one in found if hostname in {None, one.host} and service in {None, one.script}]
    )


@router.put("", response_model=Envelope[DomainView])
async def put_domain(access: WriteAccess, body: DomainGiven) -> Response:
    """Make a script the origin of a host name."""
    host, is_news = domain_host(body.hostname), False
    async with writing(access.context.database) as connection:
        zone = await zone_of(connection, access.account_id, host, zone_id=body.zone_id, zone_name=body.zone_name)
        await zones.touch(connection, zone.id)
        script = await held_script(connection, access.account_id, body.service, member="service", code=NO_SCRIPT)
        domain, is_news = await place_domain(access, connection, zone, host, script)
        if not is_news:
            raise Undone
    if is_news:
        await access.context.on_change([zone.id])
    return success(domain_view(domain))


@router.get("/{domain_id}", response_model=Envelope[DomainView])
async def show_domain(
    access: ReadAccess,
    domain_id: DomainId,  # type: ignore[valid-type]  # made by a function
) -> Response:
    """One domain."""
    async with access.context.database.read() as connection:
        return success(domain_view(await _find(access, connection, domain_id)))


@router.delete("/{domain_id}", response_model=Envelope[None])
async def delete_domain(
    access: WriteAccess,
    domain_id: DomainId,  # type: ignore[valid-type]  # made by a function
) -> Response:
    """Remove a domain."""
    async with access.context.database.write() as connection:
        before = await _find(access, connection, domain_id)
        await zones.touch(connection, before.zone_id)
        await remove_domain(access, connection, before)
    await access.context.on_change([before.zone_id])
    return success(None)


async def place_domain(
    access: Access, connection: AsyncConnection, zone: Zone, host: str, script: Script
) -> tuple[Domain, bool]:
    """Make a script the origin of a host name of the zone; the domain, and whether that is news. Raises ApiFault."""
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
        return domain, False
    if before is not None:
        await store.change_domain(connection, domain.id, domain.script_id)
        await access.record(connection, "update", RESOURCE, domain.id, old=domain_view(before), new=domain_view(domain))
        return domain, True
    if len(await store.domains_of(connection, access.account_id)) >= MAX_DOMAINS:
        raise fault(400, TOO_MANY, f"There are at most {MAX_DOMAINS} domains of one account")
    await store.insert_domain(connection, domain)
    await access.record(connection, "create", RESOURCE, domain.id, new=domain_view(domain))
    return domain, True


async def remove_domain(access: Access, connection: AsyncConnection, domain: Domain) -> None:
    """Remove a domain."""
    await store.delete_domain(connection, domain.id)
    await access.record(connection, "delete", RESOURCE, domain.id, old=domain_view(domain))


def domain_host(text: str) -> str:
    """A host name that can be a domain. Raises ApiFault."""
    try:
        return parse_hostname(text, single_label=True)
    except ValueError as error:
        raise invalid("/hostname", f"hostname: {error}") from None


async def _find(access: Access, connection: AsyncConnection, domain_id: str) -> Domain:
    found = await store.find_domain(connection, access.account_id, id=domain_id)
    if found is None:
        raise not_found("domain", code=NO_DOMAIN)
    return found


def domain_view(domain: Domain) -> dict[str, Any]:
    """A domain."""
    return {
        "id": domain.id,
        "hostname": domain.host,
        "service": domain.script,
        "environment": "production",
        "zone_id": domain.zone_id,
        "zone_name": domain.zone_name,
        "cert_id": "",
    }
