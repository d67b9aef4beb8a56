"""Open WebSockets of a zone. This is ours; the original has nothing like it.

Law: nothing is closed that the audit log does not know of. It is written down before that this was asked for, and after it
what came of that.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from holdfast.api.access import Access, zone_access
from holdfast.api.context import Closing
from holdfast.api.envelope import Envelope, View, success
from holdfast.api.faults import ApiFault, Complaint

router = APIRouter(prefix="/zones/{zone_id}/websocket_connections", tags=["WebSocket connections"])

# RFC 6455 §7.4.1: the endpoint is going away.
GOING_AWAY = 1001
RESOURCE = "websocket_connections"
REASON = "closed by the operator of this zone"
# Ours: an edge did not say that it closed what it has.
EDGE_SILENT = 10504
_RETRY_AFTER_S = 2


class ClosedView(View):
    """How many connections were told to close."""

    closed: int


@router.delete("", response_model=Envelope[ClosedView])
async def close_connections(access: Annotated[Access, Depends(zone_access("Zone Settings Write"))]) -> Response:
    """Close every WebSocket of the zone, on both legs, with 1001. 503 where an edge did not say that it did."""
    zone = access.known_zone
    async with access.context.database.write() as connection:
        await access.record(connection, "delete", RESOURCE, zone.id, new={"asked": "close"})
    closing = await access.context.connections.close_zone(zone.id, code=GOING_AWAY, reason=REASON)
    edges = {"edges": closing.edges, "silent_edges": closing.silent} if closing.silent else {}
    async with access.context.database.write() as connection:
        await access.record(connection, "delete", RESOURCE, zone.id, old={"open": closing.closed, **edges})
    if closing.silent:
        raise edge_silent(closing)
    return success({"closed": closing.closed})


def edge_silent(closing: Closing) -> ApiFault:
    """Not all edges that live have been heard. To ask again closes what was left."""
    silent, told = _counted(closing.silent, "edge"), _counted(closing.edges, "edge")
    message = (
        f"{silent} did not answer, so WebSockets may still be open there; "
        f"{told} answered, with {_counted(closing.closed, 'WebSocket')} closed"
    )
    return ApiFault(503, (Complaint(EDGE_SILENT, message),), {"Retry-After": str(_RETRY_AFTER_S)})


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
