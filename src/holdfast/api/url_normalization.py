"""How a zone's URLs are normalised before its rules see them.

Law: what is set already is not written, and what is deleted is as if it had never been set.

Source: Cloudflare, "URL normalization" (rules), and its API's `url_normalization`. The scope `both` is refused: this edge sends an
origin the very target that the client sent.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.api.access import Access, zone_access
from holdfast.api.envelope import Envelope, View, success
from holdfast.api.faults import invalid, not_found
from holdfast.api.undoing import Undone, writing
from holdfast.model.setting import URL_NORMALIZATION, zone_settings
from holdfast.model.zone_document import UrlNormalization
from holdfast.store import settings, zones
from holdfast.store.settings import StoredSetting

router = APIRouter(prefix="/zones/{zone_id}/url_normalization", tags=["URL normalization"])

# The original takes whatever lets one write rules of some kind.
ReadAccess = Annotated[Access, Depends(zone_access("Zone Settings Read", "Zone WAF Read"))]
WriteAccess = Annotated[Access, Depends(zone_access("Zone Settings Write", "Zone WAF Write"))]

Type = Literal["cloudflare", "rfc3986"]
_NOT_TO_ORIGINS = (
    "scope: this edge sends origins the URL as the client sent it, so 'both' cannot be had: expected 'incoming' (rules see"
    " the normalised URL) or 'none'"
)


class UrlNormalizationView(View):
    """The zone's normalisation."""

    scope: Literal["incoming", "none"]
    type: Type


class UrlNormalizationWrite(BaseModel):
    """What it should be. `both` is the original's and refused here."""

    model_config = ConfigDict(extra="ignore")
    scope: Literal["incoming", "both", "none"]
    type: Type


@router.get("", response_model=Envelope[UrlNormalizationView])
async def show_url_normalization(access: ReadAccess) -> Response:
    """How URLs are normalised."""
    async with access.context.database.look() as connection:
        stored = await settings.of_zone(connection, access.known_zone.id)
    return success(_view(_of(stored)))


@router.put("", response_model=Envelope[UrlNormalizationView])
async def set_url_normalization(body: UrlNormalizationWrite, access: WriteAccess) -> Response:
    """Set how URLs are normalised. It holds for the next request."""
    if body.scope == "both":
        raise invalid("/scope", _NOT_TO_ORIGINS)
    new = UrlNormalization(scope=body.scope, type=body.type)
    zone, now = access.known_zone, access.context.clock()
    is_changed = False
    async with writing(access.context.database) as connection:
        old = await _touched(connection, access)
        if old == new:
            raise Undone
        await settings.put(connection, zone.id, {URL_NORMALIZATION: _view(new)}, now=now)
        await access.record(connection, "update", URL_NORMALIZATION, zone.id, old=_view(old), new=_view(new))
        is_changed = True
    if is_changed:
        await access.context.on_change([zone.id])
    return success(_view(new))


@router.delete("", status_code=204, response_class=Response)
async def reset_url_normalization(access: WriteAccess) -> Response:
    """Have URLs normalised as for a zone that never said anything."""
    zone = access.known_zone
    is_changed = False
    async with writing(access.context.database) as connection:
        old = await _touched(connection, access)
        if not await settings.remove(connection, zone.id, URL_NORMALIZATION) or old == UrlNormalization():
            raise Undone
        await access.record(connection, "delete", URL_NORMALIZATION, zone.id, old=_view(old))
        is_changed = True
    if is_changed:
        await access.context.on_change([zone.id])
    return Response(status_code=204)


async def _touched(connection: AsyncConnection, access: Access) -> UrlNormalization:
    """What the zone has, which nobody else writes until the end of the transaction."""
    zone = access.known_zone
    if not await zones.touch(connection, zone.id):
        raise not_found("zone")
    return _of(await settings.of_zone(connection, zone.id))


def _of(stored: dict[str, StoredSetting]) -> UrlNormalization:
    return zone_settings(
        {name: one.value for name, one in stored.items() if name == URL_NORMALIZATION}
    ).url_normalization


def _view(value: UrlNormalization) -> dict[str, Any]:
    # The defaults too, which a document leaves out.
    return msgspec.structs.asdict(value)
