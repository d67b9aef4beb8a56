"""What happens to the WebSockets of a zone, as it happens, over a WebSocket of our own.

`GET /zones/{id}/websocket_connections/stream` as a handshake (RFC 6455 §4.1). Messages are JSON texts: {"type": "opened" |
"closed", "connection": {…}}, and {"type": "lost", "count": n} where so many are not known of. Ours alone.

Law 1: who is let in is asked again every RECHECK_S: a stream outlives neither its token nor its zone, nor a database that
cannot say whether they are still there.
Law 2: a client that takes messages too slowly is closed with 1013; what waits for it is bounded (`control.connection_watch`).
Law 3: there are MAX_STREAMS at once, MAX_STREAMS_OF_OWNER of one owner's tokens; beyond that a handshake gets 429.
Law 4: the stream is one way. A client that sends a message is closed with 1008; control frames are no messages.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import msgspec
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from pydantic import ConfigDict, ValidationError
from starlette.responses import Response

from holdfast.api.access import BEARER_SUBPROTOCOL, Principal, context_of, zone_permitted
from holdfast.api.complaints import complaints_of
from holdfast.api.connection_shapes import FilterMembers, connection_view, filter_of, matches
from holdfast.api.connections import READ, READ_TOO
from holdfast.api.context import Watch
from holdfast.api.envelope import failure
from holdfast.api.faults import ApiFault, Complaint, internal, invalid, unavailable
from holdfast.model.connection import ClosedConnection, ConnectionEvent, ConnectionFilter
from holdfast.store.database import StoreUnavailable

router = APIRouter()

PATH = "/zones/{zone_id}/websocket_connections/stream"
# How often it is asked whether a stream may go on.
RECHECK_S = 5.0
MAX_STREAMS, MAX_STREAMS_OF_OWNER = 64, 16
TOO_MANY_STREAMS = 10429
# How long the client may take to take one message.
SEND_LIMIT_S = 20.0
# RFC 6455 §7.4.1, and the registry of close codes.
GOING_AWAY, POLICY_VIOLATION, INTERNAL_ERROR, TRY_AGAIN_LATER = 1001, 1008, 1011, 1013
TOO_SLOW = "you take messages more slowly than they happen"
_RETRY_AFTER_S = 30


class _Members(FilterMembers):
    """The parameters of a stream. One that is none is ignored, as everywhere in this API."""

    model_config = ConfigDict(extra="ignore")


class Streams:
    """How many streams there are, and whose."""

    def __init__(self) -> None:
        self._of_owner: Counter[str] = Counter()

    def statistics(self) -> dict[str, int]:
        """How many there are, and how many have one."""
        return {"streams": self._of_owner.total(), "owners": len(self._of_owner)}

    @contextmanager
    def place(self, owner: str) -> Iterator[None]:
        """A place for one more of an owner's, until the block ends. Raises ApiFault."""
        if self._of_owner.total() >= MAX_STREAMS or self._of_owner[owner] >= MAX_STREAMS_OF_OWNER:
            message = f"There are {MAX_STREAMS} streams already, or {MAX_STREAMS_OF_OWNER} of yours"
            raise ApiFault(429, (Complaint(TOO_MANY_STREAMS, message),), {"Retry-After": str(_RETRY_AFTER_S)})
        self._of_owner[owner] += 1
        try:
            yield
        finally:
            self._of_owner[owner] -= 1
            self._of_owner += Counter()


class _Ended(Exception):
    """The stream is over: what its Close frame says."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


@router.websocket(PATH)
async def stream(websocket: WebSocket, zone_id: str) -> None:
    """Let in, and tell until either side ends it."""
    try:
        principal = await _permitted(websocket, zone_id)
        meant = _filter(websocket, zone_id)
        with _streams(websocket).place(f"{principal.token.owner_kind}/{principal.token.owner_id}"):
            await _serve(websocket, zone_id, meant)
    except ApiFault as refused:
        await _refuse(websocket, failure(refused))
    except (WebSocketDisconnect, OSError):
        # The client is gone.
        return
    except Exception as error:  # noqa: BLE001  whatever it is, the log gets the reason and the client a Close
        fields = {
            "request_id": websocket.scope.get("holdfast.request_id", ""),
            "error": f"{type(error).__name__}: {error}"[:500],
        }
        websocket.app.state.log("api_failed", fields)
        await _fail(websocket)


async def _serve(websocket: WebSocket, zone_id: str, meant: ConnectionFilter) -> None:
    context = context_of(websocket)
    with context.connections.watching(zone_id, matches(meant)) as watch:
        is_offered = BEARER_SUBPROTOCOL in websocket.scope.get("subprotocols", [])
        await websocket.accept(BEARER_SUBPROTOCOL if is_offered else None, headers=_headers(websocket))
        tasks = [
            asyncio.create_task(work)
            for work in (
                _tell(websocket, watch),
                _give_up(watch),
                _check_again(websocket, zone_id),
                _hear(websocket),
            )
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except _Ended as end:
            await websocket.close(end.code, end.reason)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _tell(websocket: WebSocket, watch: Watch) -> None:
    """Pass on what happens, for good. Raises _Ended."""
    while True:
        lost, events = await watch.next()
        if lost:
            await _send(websocket, {"type": "lost", "count": lost})
        for event in events:
            await _send(websocket, _told(event))


async def _send(websocket: WebSocket, message: dict[str, Any]) -> None:
    try:
        async with asyncio.timeout(SEND_LIMIT_S):
            await websocket.send_text(msgspec.json.encode(message).decode())
    except TimeoutError:
        raise _Ended(TRY_AGAIN_LATER, TOO_SLOW) from None


async def _give_up(watch: Watch) -> None:
    """Raise _Ended when too much waits for the client, which may be in the middle of a message."""
    await watch.overflow()
    raise _Ended(TRY_AGAIN_LATER, TOO_SLOW)


async def _check_again(websocket: WebSocket, zone_id: str) -> None:
    """Return never while the stream may go on. Raises _Ended."""
    while True:
        await asyncio.sleep(RECHECK_S)
        try:
            await _permitted(websocket, zone_id)
        except ApiFault as refused:
            if refused.status == 503:
                raise _Ended(TRY_AGAIN_LATER, "the database is not available") from None
            raise _Ended(POLICY_VIOLATION, "the token may not do this any more, or the zone is gone") from None


async def _hear(websocket: WebSocket) -> None:
    """Return when the client has left. Raises _Ended for whatever else it sends."""
    message = await websocket.receive()
    if message["type"] == "websocket.receive":
        raise _Ended(POLICY_VIOLATION, "this stream takes no messages")


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


def _streams(websocket: WebSocket) -> Streams:
    state = websocket.app.state
    if not hasattr(state, "streams"):
        state.streams = Streams()
    streams: Streams = state.streams
    return streams


def _headers(websocket: WebSocket) -> list[tuple[bytes, bytes]]:
    extra: list[tuple[bytes, bytes]] = websocket.scope.get("holdfast.headers", [])
    return [(b"cf-ray", websocket.scope.get("holdfast.request_id", "").encode()), *extra]


async def _refuse(websocket: WebSocket, answer: Response) -> None:
    """Answer in the place of the 101."""
    for name, value in _headers(websocket):
        answer.headers[name.decode()] = value.decode()
    await websocket.send_denial_response(answer)


async def _fail(websocket: WebSocket) -> None:
    with suppress(RuntimeError, OSError):
        if websocket.application_state.name == "CONNECTING":
            await _refuse(websocket, failure(internal()))
        else:
            await websocket.close(INTERNAL_ERROR, "internal error: the reason is in the log of control")
