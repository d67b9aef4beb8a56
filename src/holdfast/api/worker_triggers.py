"""All routes of a script at once, and all its domains, as wrangler sets them after it deployed.

Law 1: what is given is what there is then: the script's other routes (or domains) are removed, in the same transaction.
Law 2: a route that another script has is refused, and nothing is changed. A domain of another script changes hands only where that
is asked for (`override_existing_origin`).

Source: wrangler, `triggers deploy`: what it asks of Cloudflare's API v4 beside what is documented.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Body, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.api.access import Access, account_access, permitted
from holdfast.api.envelope import Envelope, View, success
from holdfast.api.faults import fault
from holdfast.api.identifiers import path_id
from holdfast.api.text import Text
from holdfast.api.worker_domains import (
    MAX_DOMAINS,
    NO_DOMAIN,
    DomainView,
    domain_host,
    domain_view,
    place_domain,
    remove_domain,
)
from holdfast.api.worker_found import no_such_script
from holdfast.api.worker_routes import INVALID_PATTERN, add_route, remove_route, route_pattern, taken_by
from holdfast.api.worker_shapes import ScriptName
from holdfast.api.worker_targets import zone_of
from holdfast.model.hostname import MAX_CHARS as MAX_HOST_CHARS
from holdfast.model.worker_route import MAX_CHARS, MAX_ROUTES, parse_pattern
from holdfast.store import worker_routes as store
from holdfast.store import worker_scripts, zones
from holdfast.store.worker_routes import Domain, Route
from holdfast.store.worker_scripts import Script
from holdfast.store.zones import Zone

router = APIRouter(prefix="/accounts/{account_id}/workers", tags=["Workers triggers"])

ReadAccess = Annotated[Access, Depends(account_access("Workers Scripts Read"))]
WriteAccess = Annotated[Access, Depends(account_access("Workers Scripts Write"))]
DomainId = path_id("domain_id")
# Cloudflare's code.
HOST_IN_USE = 100116


class RouteWanted(BaseModel):
    """A route of a script. The zone may be left out: it is that of the pattern's host."""

    model_config = ConfigDict(extra="ignore")
    pattern: Text = Field(max_length=MAX_CHARS)
    zone_id: Text | None = Field(default=None, max_length=32)
    zone_name: Text | None = Field(default=None, max_length=MAX_HOST_CHARS)


class DomainWanted(BaseModel):
    """A host name whose origin a script is to be."""

    model_config = ConfigDict(extra="ignore")
    hostname: Text = Field(max_length=MAX_HOST_CHARS)
    zone_id: Text | None = Field(default=None, max_length=32)
    zone_name: Text | None = Field(default=None, max_length=MAX_HOST_CHARS)


class DomainsWanted(BaseModel):
    """All domains of a script."""

    model_config = ConfigDict(extra="ignore")
    origins: list[DomainWanted] = Field(max_length=MAX_DOMAINS)
    override_existing_origin: bool = False


class ChangedDomainView(DomainView):
    """A domain that stays; whether it is another script's now."""

    modified: bool


class DomainChangesView(View):
    """What a change of a script's domains would do."""

    added: list[dict[str, str]]
    updated: list[ChangedDomainView]
    removed: list[DomainView]
    conflicting: list[DomainView]


@router.put("/scripts/{script_name}/routes", response_model=Envelope[list[str]])
async def replace_routes(
    access: WriteAccess, script_name: ScriptName, body: Annotated[list[RouteWanted], Body(max_length=MAX_ROUTES)]
) -> Response:
    """Give a script these routes, and no others. Needs "Workers Routes Write" on each zone that is touched."""
    async with access.context.database.write() as connection:
        script = await _held(connection, access, script_name)
        wanted = [await _wanted_route(connection, access, one) for one in body]
        there = await store.of_script(connection, script.id)
        keep = {(zone.id, pattern) for zone, pattern in wanted}
        for route in there:
            if (route.zone_id, route.pattern) not in keep:
                zone = await _writable(connection, access, route.zone_id)
                await remove_route(access, connection, route, zone)
        for zone, pattern in dict.fromkeys(wanted):
            await _place_route(connection, access, zone, pattern, script)
        touched = sorted({route.zone_id for route in there} | {zone.id for zone, _ in wanted})
        for zone_id in touched:
            await zones.touch(connection, zone_id)
    await access.context.on_change(touched)
    return success([pattern for _, pattern in wanted])


@router.post("/scripts/{script_name}/domains/changeset", response_model=Envelope[DomainChangesView])
async def plan_domains(
    access: ReadAccess,
    script_name: ScriptName,
    body: Annotated[list[DomainWanted], Body(max_length=MAX_DOMAINS)],
    replace_state: Annotated[bool, Query()] = False,
) -> Response:
    """What it would do to give a script these domains; nothing is changed."""
    hosts = [domain_host(one.hostname) for one in body]
    async with access.context.database.read() as connection:
        found = {one.host: one for one in await store.domains_of(connection, access.account_id)}
    own = [one for one in found.values() if one.script == script_name and one.host not in hosts]
    changed = [found[host] for host in hosts if host in found]
    return success(
        {
            "added": [{"hostname": host} for host in hosts if host not in found],
            "updated": [{**domain_view(one), "modified": one.script != script_name} for one in changed],
            "removed": [domain_view(one) for one in own] if replace_state else [],
            "conflicting": [],
        }
    )


@router.put("/scripts/{script_name}/domains/records", response_model=Envelope[list[DomainView]])
async def replace_domains(access: WriteAccess, script_name: ScriptName, body: DomainsWanted) -> Response:
    """Make a script the origin of these host names, and of no others."""
    async with access.context.database.write() as connection:
        script = await _held(connection, access, script_name)
        there = {one.host: one for one in await store.domains_of(connection, access.account_id)}
        placed: list[Domain] = []
        for one in body.origins:
            host = domain_host(one.hostname)
            if (before := there.get(host)) and before.script_id != script.id and not body.override_existing_origin:
                raise fault(409, HOST_IN_USE, f"hostname: {host} is the Worker {before.script}'s", pointer="/origins")
            zone = await zone_of(connection, access.account_id, host, zone_id=one.zone_id, zone_name=one.zone_name)
            placed.append((await place_domain(access, connection, zone, host, script))[0])
        hosts = {one.host for one in placed}
        gone = [one for one in there.values() if one.script_id == script.id and one.host not in hosts]
        for domain in gone:
            await remove_domain(access, connection, domain)
        touched = sorted({one.zone_id for one in (*placed, *gone)})
        for zone_id in touched:
            await zones.touch(connection, zone_id)
    await access.context.on_change(touched)
    return success([domain_view(one) for one in placed])


@router.get("/domains/records", response_model=Envelope[list[DomainView]])
async def list_domain_records(
    access: ReadAccess,
    service: Annotated[str | None, Query(max_length=64)] = None,
    hostname: Annotated[str | None, Query(max_length=MAX_HOST_CHARS)] = None,
) -> Response:
    """The account's domains, by host name."""
    return success([domain_view(one) for one in await _domains(access) if _is(one, service, hostname)])


@router.get("/domains/records/{domain_id}", response_model=Envelope[DomainView])
async def show_domain_record(
    access: ReadAccess,
    domain_id: DomainId,  # type: ignore[valid-type]  # made by a function
) -> Response:
    """One domain."""
    for one in await _domains(access):
        if one.id == domain_id:
            return success(domain_view(one))
    raise fault(404, NO_DOMAIN, "domain not found")


def _is(domain: Domain, service: str | None, hostname: str | None) -> bool:
    return service in {None, domain.script} and hostname in {None, domain.host}


async def _domains(access: Access) -> Sequence[Domain]:
    async with access.context.database.read() as connection:
        return await store.domains_of(connection, access.account_id)


async def _held(connection: AsyncConnection, access: Access, name: str) -> Script:
    script = await worker_scripts.hold(connection, access.account_id, name)
    if script is None:
        raise no_such_script()
    return script


async def _wanted_route(connection: AsyncConnection, access: Access, route: RouteWanted) -> tuple[Zone, str]:
    """The zone of a route, which the token may change, and the spelling of its pattern. Raises ApiFault."""
    try:
        # One for every host is of the zone that is named beside it.
        host = parse_pattern(route.pattern).host.lstrip(".") or route.zone_name or ""
    except ValueError as error:
        raise fault(400, INVALID_PATTERN, f"pattern: {error}", pointer="/pattern") from None
    zone = await zone_of(connection, access.account_id, host, zone_id=route.zone_id, zone_name=route.zone_name)
    permitted(access.principal, "Workers Routes Write", zone)
    return zone, route_pattern(zone, route.pattern)


async def _writable(connection: AsyncConnection, access: Access, zone_id: str) -> Zone:
    return permitted(access.principal, "Workers Routes Write", await zones.find(connection, zone_id))


async def _place_route(connection: AsyncConnection, access: Access, zone: Zone, pattern: str, script: Script) -> None:
    there: Route | None = await store.find_like(connection, zone.id, pattern)
    if there is None:
        await add_route(access, connection, zone, pattern, script)
    elif there.script_id != script.id:
        raise taken_by(there)
