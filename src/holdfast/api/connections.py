"""Open WebSockets of a zone. This is ours; the original has nothing like it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from holdfast.api.access import Access, zone_access
from holdfast.api.envelope import Envelope, View, success

router = APIRouter(prefix="/zones/{zone_id}/websocket_connections", tags=["WebSocket connections"])

# RFC 6455 §7.4.1: the endpoint is going away.
GOING_AWAY = 1001
REASON = "closed by the operator of this zone"


class ClosedView(View):
    """How many connections were told to close."""

    closed: int


@router.delete("", response_model=Envelope[ClosedView])
async def close_connections(access: Annotated[Access, Depends(zone_access("Zone Settings Write"))]) -> Response:
    """Close every WebSocket of the zone, on both legs, with 1001."""
    zone = access.known_zone
    count = await access.context.connections.close_zone(zone.id, code=GOING_AWAY, reason=REASON)
    async with access.context.database.write() as connection:
        await access.record(connection, "delete", "websocket_connections", zone.id, old={"open": count})
    return success({"closed": count})
