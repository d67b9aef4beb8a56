"""What happens to the WebSockets of a zone, as it happens, over a WebSocket of our own (`api.streaming`).

`GET /zones/{id}/websocket_connections/stream` as a handshake (RFC 6455 §4.1). Messages are JSON texts: {"type": "opened" |
"closed", "connection": {…}}, and {"type": "lost", "count": n} where so many are not known of. Ours alone.

Law: what waits for a client is bounded (`control.connection_watch`); one that is too slow for it is closed with 1013.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, WebSocket
from pydantic import ConfigDict, ValidationError

from holdfast.api.access import Principal, context_of, zone_permitted
from holdfast.api.complaints import complaints_of
from holdfast.api.connection_shapes import FilterMembers, connection_view, filter_of, matches
from holdfast.api.connections import READ, READ_TOO
from holdfast.api.context import Watch
from holdfast.api.faults import ApiFault, invalid, unavailable
from holdfast.api.streaming import TOO_SLOW, TRY_AGAIN_LATER, Ended, guarded, place_for, send, serve
from holdfast.model.connection import ClosedConnection, ConnectionEvent, ConnectionFilter
from holdfast.store.database import StoreUnavailable

router = APIRouter()

PATH = "/zones/{zone_id}/websocket_connections/stream"


class _Members(FilterMembers):
    """The parameters of a stream. One that is none is ignored, as everywhere in this API."""

    model_config = ConfigDict(extra="ignore")


@router.websocket(PATH)
async def stream(websocket: WebSocket, zone_id: str) -> None:
    """Let in, and tell until either side ends it."""
    await guarded(websocket, _stream(websocket, zone_id))


async def _stream(websocket: WebSocket, zone_id: str) -> None:
    async def permitted() -> Principal:
        return await _permitted(websocket, zone_id)

    principal = await permitted()
    meant = _filter(websocket, zone_id)
    with (
        place_for(websocket, principal),
        context_of(websocket).connections.watching(zone_id, matches(meant)) as watch,
    ):
        await serve(websocket, permitted, _tell(websocket, watch), _give_up(watch), gone="the zone is gone")


async def _tell(websocket: WebSocket, watch: Watch) -> None:
    """Pass on what happens, for good. Raises Ended."""
    while True:
        lost, events = await watch.next()
        if lost:
            await send(websocket, {"type": "lost", "count": lost})
        for event in events:
            await send(websocket, _told(event))


async def _give_up(watch: Watch) -> None:
    """Raise Ended when too much waits for the client, which may be in the middle of a message."""
    await watch.overflow()
    raise Ended(TRY_AGAIN_LATER, TOO_SLOW)


def _told(event: ConnectionEvent) -> dict[str, Any]:
    is_closed = isinstance(event.connection, ClosedConnection)
    return {"type": "closed" if is_closed else "opened", "connection": connection_view(event.connection, event.at)}


async def _permitted(websocket: WebSocket, zone_id: str) -> Principal:
    """Who asks. Raises ApiFault unless they may watch the zone."""
    try:
        principal, _ = await zone_permitted(websocket, zone_id, READ, READ_TOO)
    except StoreUnavailable as error:
        raise unavailable(str(error)) from error
    return principal


def _filter(websocket: WebSocket, zone_id: str) -> ConnectionFilter:
    """What is asked for. Raises ApiFault."""
    given = websocket.query_params
    for name in _Members.model_fields:
        if len(given.getlist(name)) > 1:
            raise invalid(f"/{name}", f"{name}: expected one value, got several")
    try:
        asked = _Members.model_validate(dict(given))
    except ValidationError as error:
        details = [{**detail, "loc": ("query", *detail["loc"])} for detail in error.errors()]
        raise ApiFault(400, complaints_of(details, None)) from None
    return filter_of(zone_id, asked)
