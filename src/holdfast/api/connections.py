"""Open WebSockets of a zone: listed, looked at, closed. This is ours; the original has nothing like it.

Law 1: nothing is closed that the audit log does not know of. It is written down before that this was asked for, and after it
what came of that.
Law 2: who closes many says which: by a filter that says something, by ids, or plainly that all are meant.
Law 3: "nobody answered" is not "nothing was there": edges that did not answer are counted, and named where a list lacks them.
Law 4: a page costs bounded work. While several edges hold connections (a release), there is a deepest page, and a 400 says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from holdfast.api.access import Access, zone_access
from holdfast.api.connection_shapes import (
    ClosedConnectionView,
    ConnectionFilterMembers,
    ConnectionView,
    FilterMembers,
    check_close,
    checked_ids,
    connection_view,
    filter_of,
    is_connection_id,
)
from holdfast.api.context import Closing, TooDeep
from holdfast.api.envelope import Envelope, Identifier, PageEnvelope, View, page_of, success
from holdfast.api.faults import ApiFault, Complaint, fault, invalid, no_route, not_found
from holdfast.api.paging import Page, paged
from holdfast.api.text import Text
from holdfast.model.connection import MAX_PAGE, ClosedConnection, ConnectionFilter, ConnectionQuery, ConnectionSort

router = APIRouter(prefix="/zones/{zone_id}/websocket_connections", tags=["WebSocket connections"])

# As security events: both tell who connects to what. A permission to write the one includes it to read it.
READ, READ_TOO, WRITE = "Zone Settings Read", "Analytics Read", "Zone Settings Write"
# RFC 6455 §7.4.1: the endpoint is going away.
GOING_AWAY = 1001
RESOURCE, ONE_RESOURCE = "websocket_connections", "websocket_connection"
REASON = "closed_by_operator: the operator of this zone closed it"
# Ours: an edge did not say that it closed what it has; and what is to be closed is closing already.
EDGE_SILENT, CLOSING_ALREADY = 10504, 10409
# Ids that one entry of the audit log names: of more, its value would be longer than is kept.
_AUDITED_IDS = 250
_RETRY_AFTER_S = 2

ConnectionPage = paged(largest=MAX_PAGE, default=100)


def _connection_id(request: Request, value: str = Path(alias="connection_id")) -> str:
    if not is_connection_id(value):
        raise no_route(request.url.path)
    return value


ConnectionId = Annotated[str, Depends(_connection_id)]


class ClosedView(View):
    """How many connections were told to close."""

    closed: int


class ClosingView(View):
    """How many were told to close (or would be), by how many edges; `silent` edges live and did not answer."""

    closed: int
    edges: int
    silent: int


class ListFilter(ConnectionFilterMembers):
    """Which WebSockets, in which order."""

    model_config = ConfigDict(extra="ignore")
    order: ConnectionSort = "opened_at"
    direction: Literal["asc", "desc"] = "desc"


class CloseOne(BaseModel):
    """How to close."""

    model_config = ConfigDict(extra="ignore")
    code: int = Field(default=GOING_AWAY, description="Of the Close frame (RFC 6455 §7.4).")
    reason: Text = Field(default=REASON, description="Of the Close frame, at most 123 bytes.")


class CloseFilter(ConnectionFilterMembers):
    """Which WebSockets, in a body, where a number is a number."""

    model_config = ConfigDict(extra="forbid", strict=True)


class CloseMany(BaseModel):
    """Which to close, by one of `filter`, `ids` and `all`, and how. `dry_run`: only say how many are meant."""

    model_config = ConfigDict(extra="forbid", strict=True)
    filter: CloseFilter | None = None
    ids: list[str] | None = None
    all: bool = False
    code: int = GOING_AWAY
    reason: Text = REASON
    dry_run: bool = False


@router.get("", response_model=PageEnvelope[list[ConnectionView]])
async def list_connections(
    access: Annotated[Access, Depends(zone_access(READ, READ_TOO))],
    page: ConnectionPage,  # type: ignore[valid-type]  # made by a function
    asked: Annotated[ListFilter, Query()],
) -> Response:
    """The WebSockets that are open on all edges. They come and go while one turns pages."""
    _each_once(access.request, *type(asked).model_fields, "page", "per_page")
    return await _listed(access, page, asked)


@router.delete("", response_model=Envelope[ClosedView])
async def close_connections(access: Annotated[Access, Depends(zone_access(WRITE))]) -> Response:
    """Close every WebSocket of the zone, on both legs, with 1001. 503 where an edge did not say that it did."""
    await _nothing_said(access.request)
    zone = access.known_zone
    async with access.context.database.write() as connection:
        await access.record(connection, "delete", RESOURCE, zone.id, new={"asked": "close"})
    closing = await access.context.connections.close_zone(zone.id, code=GOING_AWAY, reason=REASON)
    await _note_closing(access, closing)
    if closing.silent:
        raise edge_silent(closing)
    return success({"closed": closing.closed})


@router.post("/close", response_model=Envelope[ClosingView])
async def close_selected(access: Annotated[Access, Depends(zone_access(WRITE))], body: CloseMany) -> Response:
    """Close those that a filter or ids mean, or all of the zone, on both legs with this code and reason."""
    check_close(body.code, body.reason)
    meant = _meant(access.known_zone.id, body)
    connections = access.context.connections
    if body.dry_run:
        listing = await connections.page(ConnectionQuery(filter=meant, limit=1))
        result = {"closed": listing.total, "edges": listing.edges, "silent": len(listing.silent)}
        return success(result, messages=_silence(listing.silent))
    await _note_asked(access, body, meant)
    closing = await connections.close(meant, code=body.code, reason=body.reason)
    await _note_closing(access, closing)
    result = {"closed": closing.closed, "edges": closing.edges, "silent": closing.silent}
    return success(result, messages=_silence(closing.names))


@router.get("/stream", response_model=None)
async def refuse_stream(_: Annotated[Access, Depends(zone_access(READ, READ_TOO))]) -> Response:
    """What opens and closes, over a WebSocket: this path takes handshakes only (RFC 6455 §4.1)."""
    fault = invalid("/upgrade", "expected a WebSocket handshake: the stream is a WebSocket")
    raise ApiFault(400, fault.complaints, {"Upgrade": "websocket", "Connection": "Upgrade"})


@router.get("/{connection_id}", response_model=Envelope[ConnectionView | ClosedConnectionView])
async def show_connection(
    access: Annotated[Access, Depends(zone_access(READ, READ_TOO))], connection_id: ConnectionId
) -> Response:
    """One WebSocket with its counters as they are now; of one that closed a short while ago, its whole record."""
    found = await _found(access, connection_id)
    return success(connection_view(found, access.context.clock()))


@router.delete("/{connection_id}", response_model=Envelope[Identifier])
async def close_connection(
    access: Annotated[Access, Depends(zone_access(WRITE))],
    connection_id: ConnectionId,
    asked: Annotated[CloseOne, Query()],
) -> Response:
    """Close one WebSocket, on both legs with this code and reason."""
    _each_once(access.request, *type(asked).model_fields)
    check_close(asked.code, asked.reason)
    found = await _found(access, connection_id)
    if isinstance(found, ClosedConnection):
        raise not_found("open WebSocket connection")
    if found.state == "closing":
        raise _closing_already()
    was = {name: value for name, value in connection_view(found, access.context.clock()).items() if name in _AUDITED}
    async with access.context.database.write() as connection:
        new = {"asked": "close", "code": asked.code, "reason": asked.reason}
        await access.record(connection, "delete", ONE_RESOURCE, connection_id, old=was, new=new)
    meant = ConnectionFilter(zone_id=access.known_zone.id, ids=(connection_id,))
    closing = await access.context.connections.close(meant, code=asked.code, reason=asked.reason)
    await _note_closing(access, closing, connection_id)
    if not closing.closed:
        # It was open a moment ago; who lost sight of it is an edge that is silent, or else its end came first.
        raise edge_silent(closing) if closing.silent else _closing_already()
    return success({"id": connection_id})


# What the audit log keeps of one that was closed.
_AUDITED = frozenset({"id", "client_ip", "client_port", "host", "path", "origin", "opened_at", "subprotocol"})


def edge_silent(closing: Closing) -> ApiFault:
    """Not all edges that live have been heard. To ask again closes what was left."""
    silent, told = _counted(closing.silent, "edge"), _counted(closing.edges, "edge")
    message = (
        f"{silent} did not answer, so WebSockets may still be open there; "
        f"{told} answered, with {_counted(closing.closed, 'WebSocket')} closed"
    )
    return ApiFault(503, (Complaint(EDGE_SILENT, message),), {"Retry-After": str(_RETRY_AFTER_S)})


def _closing_already() -> ApiFault:
    return fault(409, CLOSING_ALREADY, "This WebSocket is closing already")


async def _listed(access: Access, page: Page, asked: ListFilter) -> Response:
    query = ConnectionQuery(
        filter=filter_of(access.known_zone.id, asked),
        sort=asked.order,
        descending=asked.direction == "desc",
        offset=page.offset,
        limit=page.size,
    )
    try:
        listing = await access.context.connections.page(query)
    except TooDeep as error:
        message = f"page: expected one within the first {error.deepest} while several edges have connections"
        raise invalid("/page", f"{message}; narrow it with a filter, or turn the direction round") from None
    now = access.context.clock()
    views = [connection_view(one, now) for one in listing.connections]
    return page_of(views, page, listing.total, messages=_silence(listing.silent))


async def _found(access: Access, connection_id: str) -> Any:  # noqa: ANN401  a Connection or a ClosedConnection
    """The WebSocket of the zone with this id. Raises ApiFault."""
    finding = await access.context.connections.find(connection_id)
    found = finding.connection
    if found is not None and found.zone_id == access.known_zone.id:
        return found
    if found is None and finding.silent:
        message = f"{_named(finding.silent)} did not answer, and may have it"
        raise ApiFault(503, (Complaint(EDGE_SILENT, message),), {"Retry-After": str(_RETRY_AFTER_S)})
    raise not_found("WebSocket connection")


def _meant(zone_id: str, body: CloseMany) -> ConnectionFilter:
    """Which of a zone's are to be closed. Raises ApiFault."""
    if (body.filter is not None) + (body.ids is not None) + body.all != 1:
        raise invalid("", 'expected one of "filter", "ids" and "all": true')
    if body.ids is not None:
        return filter_of(zone_id, FilterMembers(), ids=checked_ids(body.ids))
    every = filter_of(zone_id, FilterMembers())
    if body.filter is None:
        return every
    meant = filter_of(zone_id, body.filter, at="/filter")
    # An empty path, or an age of 0, leaves out nothing either; nor does "/", with which all paths begin (RFC 9112 §3.2.1).
    if meant in {every, filter_of(zone_id, FilterMembers(path="/"))}:
        message = (
            'filter: expected a member that leaves some out; to close every WebSocket of the zone, say "all": true'
        )
        raise invalid("/filter", message)
    return meant


async def _note_asked(access: Access, body: CloseMany, meant: ConnectionFilter) -> None:
    """Write down what is to be closed: several entries where so many ids are named that one would be cut."""
    asked = {"asked": "close", **body.model_dump(exclude_unset=True, exclude={"dry_run", "ids"})}
    parts = [meant.ids[at : at + _AUDITED_IDS] for at in range(0, len(meant.ids), _AUDITED_IDS)]
    said = [{**asked, "ids": list(ids)} for ids in parts] or [asked]
    if len(said) > 1:
        said = [{**one, "part": number, "parts": len(said)} for number, one in enumerate(said, 1)]
    async with access.context.database.write() as connection:
        for one in said:
            await access.record(connection, "delete", RESOURCE, access.known_zone.id, new=one)


async def _note_closing(access: Access, closing: Closing, connection_id: str = "") -> None:
    edges = {"edges": closing.edges, "silent_edges": closing.silent} if closing.silent else {}
    resource = (ONE_RESOURCE, connection_id) if connection_id else (RESOURCE, access.known_zone.id)
    async with access.context.database.write() as connection:
        await access.record(connection, "delete", *resource, old={"open": closing.closed, **edges})


def _silence(names: Sequence[str]) -> list[tuple[int, str]]:
    """What to say beside a result that lacks what these edges have."""
    return [(EDGE_SILENT, f"{_named(names)} did not answer: what is open there is left out")] if names else []


def _named(names: Sequence[str]) -> str:
    return f"{_counted(len(names), 'edge')}, {', '.join(names[:5])},"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


async def _nothing_said(request: Request) -> None:
    """Raise ApiFault for anything that is said beside "close them all": who says which ones, or how, does not mean all."""
    closes_all = "this closes every WebSocket of the zone with 1001"
    instead = "POST /zones/{zone_id}/websocket_connections/close takes a filter, a code and a reason"
    for name in request.query_params:
        shown = name[:60]
        raise invalid(f"/{shown}", f"{shown}: expected no parameter, as {closes_all}; {instead}")
    if (await request.body()).strip() not in {b"", b"{}"}:
        raise invalid("", f"expected no body, as {closes_all}; {instead}")


def _each_once(request: Request, *names: str) -> None:
    """Raise ApiFault for a parameter that is given twice: of two, one would be ignored."""
    for name in names:
        if len(request.query_params.getlist(name)) > 1:
            raise invalid(f"/{name}", f"{name}: expected one value, got several")
