"""Routes of a zone: which requests go to which script, and which past all scripts to the origin.

Law: a route is kept in the one spelling of what it means, so that two that mean the same are the same (`model.worker_route`). A change
is in force when it is answered.

Source: Cloudflare API v4, "Workers: routes"; codes and sentences as its clients know them.
"""

from __future__ import annotations

import secrets
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.api.access import Access, zone_access
from holdfast.api.envelope import Envelope, Identifier, View, success
from holdfast.api.faults import ApiFault, fault, not_found
from holdfast.api.identifiers import path_id
from holdfast.api.text import Text
from holdfast.api.undoing import Undone, writing
from holdfast.api.worker_targets import held_script
from holdfast.model.worker_route import MAX_CHARS, MAX_ROUTES, parse_pattern
from holdfast.model.worker_script import MAX_NAME_CHARS
from holdfast.store import worker_routes as store
from holdfast.store import zones
from holdfast.store.worker_routes import Route
from holdfast.store.worker_scripts import Script
from holdfast.store.zones import Zone

router = APIRouter(prefix="/zones/{zone_id}/workers/routes", tags=["Workers routes"])

ReadAccess = Annotated[Access, Depends(zone_access("Workers Routes Read"))]
WriteAccess = Annotated[Access, Depends(zone_access("Workers Routes Write"))]
RouteId = path_id("route_id")
RESOURCE = "worker_route"
# Cloudflare's codes.
NO_ROUTE, NO_SCRIPT = 10009, 10019
DUPLICATE = 10020
INVALID_PATTERN = 10022
# Ours.
TOO_MANY = 10029


class RouteGiven(BaseModel):
    """A route. Without a script its requests go to the origin, past less specific routes."""

    model_config = ConfigDict(extra="ignore")
    pattern: Text = Field(max_length=MAX_CHARS)
    script: Text | None = Field(default=None, max_length=MAX_NAME_CHARS)


class RouteView(View):
    """One route."""

    id: str
    pattern: str
    script: str | None = None


@router.get("", response_model=Envelope[list[RouteView]])
async def list_routes(access: ReadAccess) -> Response:
    """The zone's routes, the oldest first."""
    async with access.context.database.read() as connection:
        return success([route_view(one) for one in await store.of_zone(connection, access.known_zone.id)])


@router.post("", response_model=Envelope[RouteView])
async def create_route(body: RouteGiven, access: WriteAccess) -> Response:
    """Add a route."""
    zone = access.known_zone
    pattern = route_pattern(zone, body.pattern)
    async with access.context.database.write() as connection:
        await _lock(access, connection)
        await _check_free(connection, zone.id, pattern)
        script = await _script(connection, zone, body.script)
        route = await add_route(access, connection, zone, pattern, script)
    await access.context.on_change([zone.id])
    return success(route_view(route))


@router.get("/{route_id}", response_model=Envelope[RouteView])
async def show_route(
    access: ReadAccess,
    route_id: RouteId,  # type: ignore[valid-type]  # made by a function
) -> Response:
    """One route."""
    async with access.context.database.read() as connection:
        return success(route_view(await _find(access, connection, route_id)))


@router.put("/{route_id}", response_model=Envelope[RouteView])
async def replace_route(
    access: WriteAccess,
    route_id: RouteId,  # type: ignore[valid-type]  # made by a function
    body: RouteGiven,
) -> Response:
    """Give a route another pattern, another script, or both."""
    zone = access.known_zone
    pattern = route_pattern(zone, body.pattern)
    is_news = False
    async with writing(access.context.database) as connection:
        await _lock(access, connection)
        before = await _find(access, connection, route_id)
        if pattern != before.pattern:
            await _check_free(connection, zone.id, pattern)
        script = await _script(connection, zone, body.script)
        script_id = script.id if script else None
        after = msgspec.structs.replace(before, pattern=pattern, script_id=script_id, script=body.script or None)
        view = route_view(after)
        if after == before:
            raise Undone
        await store.change(connection, before.id, pattern=pattern, script_id=script_id)
        await access.record(connection, "update", RESOURCE, before.id, old=route_view(before), new=view)
        is_news = True
    if is_news:
        await access.context.on_change([zone.id])
    return success(view)


@router.delete("/{route_id}", response_model=Envelope[Identifier])
async def delete_route(
    access: WriteAccess,
    route_id: RouteId,  # type: ignore[valid-type]  # made by a function
) -> Response:
    """Remove a route."""
    zone = access.known_zone
    async with access.context.database.write() as connection:
        await _lock(access, connection)
        before = await _find(access, connection, route_id)
        await remove_route(access, connection, before, zone)
    await access.context.on_change([zone.id])
    return success({"id": before.id})


async def add_route(
    access: Access, connection: AsyncConnection, zone: Zone, pattern: str, script: Script | None
) -> Route:
    """Have requests like `pattern`, which no route of the zone has, go to a script, or to the origin. Raises ApiFault."""
    if await store.count(connection, zone.id) >= MAX_ROUTES:
        raise fault(400, TOO_MANY, f"There are at most {MAX_ROUTES} routes of one zone")
    route = Route(
        id=secrets.token_hex(16),
        zone_id=zone.id,
        pattern=pattern,
        script_id=script.id if script else None,
        script=script.name if script else None,
        created_on=access.context.clock(),
    )
    await store.insert(connection, route)
    await access.record(connection, "create", RESOURCE, route.id, new=route_view(route), zone=zone)
    return route


async def remove_route(access: Access, connection: AsyncConnection, route: Route, zone: Zone) -> None:
    """Remove a route of a zone."""
    await store.delete(connection, route.id)
    await access.record(connection, "delete", RESOURCE, route.id, old=route_view(route), zone=zone)


def route_pattern(zone: Zone, text: str) -> str:
    """The one spelling of a pattern of the zone. Raises ApiFault."""
    try:
        pattern = parse_pattern(text)
    except ValueError as error:
        raise fault(400, INVALID_PATTERN, f"pattern: {error}", pointer="/pattern") from None
    if not pattern.is_of_zone(zone.name):
        message = f"pattern: expected a host of the zone {zone.name}, got {text[:80]!r}"
        raise fault(400, INVALID_PATTERN, message, pointer="/pattern")
    return str(pattern)


def taken_by(route: Route) -> ApiFault:
    """A route that there is has the pattern."""
    message = f"A route with the same pattern already exists: {route.pattern} (of {route.script or 'no script'})"
    return fault(409, DUPLICATE, message, pointer="/pattern")


def route_view(route: Route) -> dict[str, Any]:
    """A route."""
    return {"id": route.id, "pattern": route.pattern, **({"script": route.script} if route.script else {})}


async def _lock(access: Access, connection: AsyncConnection) -> None:
    if not await zones.touch(connection, access.known_zone.id):
        raise not_found("zone")


async def _find(access: Access, connection: AsyncConnection, route_id: str) -> Route:
    found = await store.find(connection, access.known_zone.id, route_id)
    if found is None:
        raise not_found("route", code=NO_ROUTE)
    return found


async def _check_free(connection: AsyncConnection, zone_id: str, pattern: str) -> None:
    if (there := await store.find_like(connection, zone_id, pattern)) is not None:
        raise taken_by(there)


async def _script(connection: AsyncConnection, zone: Zone, name: str | None) -> Script | None:
    """The script of the zone's account; None for none. Raises ApiFault."""
    return await held_script(connection, zone.account_id, name, member="script", code=NO_SCRIPT) if name else None
