"""Addresses below workers.dev, where the account has a zone for them.

Law: the account's subdomain is its zone `<label>.workers.dev`, if it has one; a script that is enabled there is the origin of
`<script>.<label>.workers.dev`, a domain like any other. Nothing is made up: without the zone there is no such address. There are no
previews of versions.

Source: Cloudflare API v4, "Workers: subdomains", "Workers scripts: subdomain"; codes as its clients know them.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.api.access import Access, account_access
from holdfast.api.envelope import Envelope, View, success
from holdfast.api.faults import ApiFault, fault
from holdfast.api.text import Text
from holdfast.api.worker_domains import place_domain, remove_domain
from holdfast.api.worker_found import find_script
from holdfast.api.worker_shapes import ScriptName
from holdfast.store import worker_routes as store
from holdfast.store import zones
from holdfast.store.zones import Zone

router = APIRouter(prefix="/accounts/{account_id}/workers", tags=["Workers subdomains"])

ReadAccess = Annotated[Access, Depends(account_access("Workers Scripts Read"))]
WriteAccess = Annotated[Access, Depends(account_access("Workers Scripts Write"))]
PARENT = "workers.dev"
# Cloudflare's codes: for an account without a subdomain, for a script that needs one, and for a name that is not to be had.
NO_SUBDOMAIN, SUBDOMAIN_NEEDED, UNAVAILABLE = 10007, 10063, 10031


class SubdomainGiven(BaseModel):
    """The account's subdomain."""

    model_config = ConfigDict(extra="ignore")
    subdomain: Text = Field(max_length=63)


class SubdomainView(View):
    """The account's subdomain: a label below workers.dev."""

    subdomain: str


class EnabledGiven(BaseModel):
    """Whether a script is to have an address below workers.dev."""

    model_config = ConfigDict(extra="ignore")
    enabled: bool
    previews_enabled: bool | None = None


class EnabledView(View):
    """Whether a script has an address below workers.dev; its versions never have."""

    enabled: bool
    previews_enabled: bool


class SubdomainOfWorkerView(EnabledView):
    """The same, with the address that it has, or would have; none where the account has no zone for them."""

    url: str | None = None
    preview_url_suffix: str | None = None


@router.get("/subdomain", response_model=Envelope[SubdomainView])
async def show_subdomain(access: ReadAccess) -> Response:
    """The account's subdomain."""
    async with access.context.database.read() as connection:
        zone = await _zone(connection, access)
    if zone is None:
        raise fault(404, NO_SUBDOMAIN, f"The account has no zone <label>.{PARENT}, so no subdomain")
    return success({"subdomain": _label(zone)})


@router.put("/subdomain", response_model=Envelope[SubdomainView])
async def put_subdomain(access: WriteAccess, body: SubdomainGiven) -> Response:
    """Say what the account's subdomain is: that of its zone, and no other."""
    async with access.context.database.read() as connection:
        zone = await _zone(connection, access)
    if zone is None or _label(zone) != body.subdomain.lower():
        message = (
            f"Subdomain is unavailable: make the zone {body.subdomain[:63]}.{PARENT} first, and no other below {PARENT}"
        )
        raise fault(409, UNAVAILABLE, message, pointer="/subdomain")
    return success({"subdomain": _label(zone)})


@router.get("/scripts/{script_name}/subdomain", response_model=Envelope[EnabledView])
async def show_enabled(access: ReadAccess, script_name: ScriptName) -> Response:
    """Whether a script has an address below workers.dev."""
    async with access.context.database.read() as connection:
        await find_script(connection, access.account_id, script_name)
        found = await subdomain_of(access, connection, script_name)
    return success(_view(is_enabled=bool(found["enabled"])))


@router.post("/scripts/{script_name}/subdomain", response_model=Envelope[EnabledView])
async def set_enabled(access: WriteAccess, script_name: ScriptName, body: EnabledGiven) -> Response:
    """Give a script its address below workers.dev, or take it away."""
    return success(await _set(access, script_name, is_enabled=body.enabled))


@router.delete("/scripts/{script_name}/subdomain", response_model=Envelope[EnabledView])
async def disable(access: WriteAccess, script_name: ScriptName) -> Response:
    """Take away a script's address below workers.dev."""
    return success(await _set(access, script_name, is_enabled=False))


async def subdomain_of(access: Access, connection: AsyncConnection, name: str) -> dict[str, Any]:
    """Whether a script has an address below workers.dev, and which."""
    zone = await _zone(connection, access)
    if zone is None:
        return _view(is_enabled=False)
    host = f"{name}.{zone.name}"
    domain = await store.find_domain(connection, access.account_id, host=host)
    shown = _view(is_enabled=domain is not None and domain.script == name)
    return {**shown, "url": f"https://{host}", "preview_url_suffix": f"-{host}"}


async def _set(access: Access, name: str, *, is_enabled: bool) -> dict[str, bool]:
    async with access.context.database.read() as connection:
        await find_script(connection, access.account_id, name)
        zone = await _zone(connection, access)
    if zone is None:
        if is_enabled:
            raise _needed()
        return _view(is_enabled=False)
    async with access.context.database.write() as connection:
        script = (await find_script(connection, access.account_id, name)).script
        await zones.touch(connection, zone.id)
        if is_enabled:
            await place_domain(access, connection, zone, f"{name}.{zone.name}", script)
        elif domain := await store.find_domain(connection, access.account_id, host=f"{name}.{zone.name}"):
            await remove_domain(access, connection, domain)
    await access.context.on_change([zone.id])
    return _view(is_enabled=is_enabled)


def _needed() -> ApiFault:
    message = f"You need a {PARENT} subdomain: make a zone <label>.{PARENT}, or have routes or domains of zones that there are"
    return fault(409, SUBDOMAIN_NEEDED, message, pointer="/enabled")


async def _zone(connection: AsyncConnection, access: Access) -> Zone | None:
    """The account's zone below workers.dev, the first by name."""
    found = await zones.below(connection, access.account_id, PARENT)
    return next((zone for zone in found if "." not in _label(zone)), None)


def _label(zone: Zone) -> str:
    return zone.name.removesuffix(f".{PARENT}")


def _view(*, is_enabled: bool) -> dict[str, bool]:
    return {"enabled": is_enabled, "previews_enabled": False}
