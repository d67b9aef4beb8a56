"""Tails as the original has them: made by a POST, heard at an address of their own over a WebSocket (`trace-v1`).

Law 1: who knows the address may hear, and nobody else: it holds 128 random bits. It lasts LIFETIME_S, until it is removed, or until the
token that made it, or the script, is gone; this control's end is the end of all its tails.
Law 2: a script has MAX_TAILS at most, and each is heard by one client at a time.
Law 3: what cannot be told apart here (headers, client addresses) is refused as a filter, not passed over.

Source: Cloudflare API v4, "Workers scripts: tail"; wrangler, `tail/createTail.ts`.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Request, Response, WebSocket

from holdfast.api.access import Access, Principal, account_access, context_of
from holdfast.api.context import Tailing, WorkersUnavailable
from holdfast.api.envelope import Envelope, View, success
from holdfast.api.faults import ApiFault, Complaint, fault, invalid, no_route, not_found, unavailable
from holdfast.api.json_body import check_json
from holdfast.api.streaming import GOING_AWAY, TRY_AGAIN_LATER, Ended, guarded, place_for, send, serve
from holdfast.api.worker_found import NOT_REACHED, find_script
from holdfast.api.worker_shapes import ScriptName
from holdfast.api.worker_tail import READ, READ_TOO
from holdfast.api.worker_traces import HOLD_S, Filters, Traces, missed
from holdfast.model.moment import Moment, written
from holdfast.store import tokens
from holdfast.store.database import StoreUnavailable

router = APIRouter(prefix="/accounts/{account_id}/workers/scripts/{script_name}/tails", tags=["Workers tails"])
# What lets in is the address itself.
socket_router = APIRouter()
SOCKET_PATH = "/workers/tails/{tail_id}"
SUBPROTOCOL = "trace-v1"
# Precedents: the original's tails last six hours, and ten clients may hear one script.
LIFETIME_S = 6 * 3600
MAX_TAILS = 10
# Of all scripts.
MAX_ALL = 1_000
TOO_MANY = 10429
_ID = re.compile(r"[0-9a-f]{32}")

TailAccess = Annotated[Access, Depends(account_access(READ, READ_TOO))]


class TailView(View):
    """A tail, and where it is heard."""

    id: str
    url: str
    expires_at: str


class _Filter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sampling_rate: float | None = None
    outcome: tuple[str, ...] | str | None = None
    method: tuple[str, ...] | str | None = None
    query: str | None = None
    scriptVersion: str | None = None  # noqa: N815  the name in the protocol


class _Filters(msgspec.Struct, frozen=True):
    filters: tuple[_Filter, ...] = ()


class _Tail(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    account_id: str
    script: str
    # Another script may have the same name later.
    script_id: str
    key: str
    filters: Filters
    principal: Principal
    url: str
    expires_on: Moment

    def view(self) -> dict[str, str]:
        """As the API shows it."""
        return {"id": self.id, "url": self.url, "expires_at": written(self.expires_on)}


class Tails:
    """The tails of a control."""

    def __init__(self) -> None:
        self._tails: dict[str, _Tail] = {}

    def of_script(self, script_id: str, now: Moment) -> list[_Tail]:
        """Those of a script, the oldest first."""
        for one in [one for one in self._tails.values() if one.expires_on <= now]:
            del self._tails[one.id]
        return [one for one in self._tails.values() if one.script_id == script_id]

    def add(self, tail: _Tail) -> None:
        """One more."""
        self._tails[tail.id] = tail

    def find(self, ident: str, now: Moment) -> _Tail | None:
        """The one with this id, while it lasts."""
        found = self._tails.get(ident)
        return found if found is not None and found.expires_on > now else None

    def remove(self, ident: str) -> None:
        """Have it no more."""
        self._tails.pop(ident, None)

    def __len__(self) -> int:
        return len(self._tails)


@router.post("", response_model=Envelope[TailView])
async def create_tail(request: Request, access: TailAccess, script_name: ScriptName) -> Response:
    """Make a tail. The body may say which events are to be told: `{"filters": [{"outcome": ["exception"]}]}`."""
    filters = _filters(await request.body())
    async with access.context.database.read() as connection:
        script = (await find_script(connection, access.account_id, script_name)).script
    tails, now = _tails(request), access.context.clock()
    if len(tails.of_script(script.id, now)) >= MAX_TAILS or len(tails) >= MAX_ALL:
        raise fault(429, TOO_MANY, f"There are {MAX_TAILS} tails of this Worker already")
    ident = secrets.token_hex(16)
    scheme = "wss" if request.url.scheme == "https" else "ws"
    address = f"{scheme}://{request.headers.get('host', request.url.netloc)}{_prefix(request)}/workers/tails/{ident}"
    tail = _Tail(
        id=ident,
        account_id=access.account_id,
        script=script_name,
        script_id=script.id,
        key=script.key,
        filters=filters,
        principal=access.principal,
        url=address,
        expires_on=now + LIFETIME_S * 1_000_000,
    )
    tails.add(tail)
    return success(tail.view())


@router.get("", response_model=Envelope[list[TailView]])
async def list_tails(request: Request, access: TailAccess, script_name: ScriptName) -> Response:
    """The tails of a script that this token made."""
    async with access.context.database.read() as connection:
        script = (await find_script(connection, access.account_id, script_name)).script
    return success([one.view() for one in _own(request, access, script.id)])


@router.delete("/{tail_id}", response_model=Envelope[None])
async def delete_tail(request: Request, access: TailAccess, script_name: ScriptName, tail_id: str) -> Response:
    """Remove a tail that this token made; whoever hears it is told."""
    async with access.context.database.read() as connection:
        script = (await find_script(connection, access.account_id, script_name)).script
    if not any(one.id == tail_id for one in _own(request, access, script.id)):
        raise not_found("tail")
    _tails(request).remove(tail_id)
    return success(None)


@socket_router.websocket(SOCKET_PATH)
async def hear(websocket: WebSocket, tail_id: str) -> None:
    """Let in who knows the address, and tell until either side ends it."""
    await guarded(websocket, _hear(websocket, tail_id))


async def _hear(websocket: WebSocket, ident: str) -> None:
    tail = await _known(websocket, ident)

    async def permitted() -> Principal:
        return (await _known(websocket, ident)).principal

    with place_for(websocket, tail.principal):
        try:
            async with context_of(websocket).workers.tailing(tail.key, 0) as tailing:
                work = _tell(websocket, tailing, tail)
                await serve(websocket, permitted, work, gone="the tail is over", subprotocol=SUBPROTOCOL)
        except WorkersUnavailable as error:
            if websocket.application_state.name == "CONNECTING":
                raise ApiFault(503, (Complaint(NOT_REACHED, f"The Worker cannot be heard: {error}"),)) from error
            await websocket.close(TRY_AGAIN_LATER, "the Worker cannot be heard any more")


async def _tell(websocket: WebSocket, tailing: Tailing, tail: _Tail) -> None:
    """Pass on what happens. Raises Ended, WorkersUnavailable."""
    traces = Traces(tail.script)
    coming = asyncio.ensure_future(tailing.next())
    try:
        while True:
            await asyncio.wait((coming,), timeout=HOLD_S)
            events = list(traces.late(time.monotonic()))
            if coming.done():
                if (line := coming.result()) is None:
                    raise Ended(GOING_AWAY, "the Worker is gone, or its host goes: connect again")
                if isinstance(line, int):
                    events.append(missed(tail.script, line, time.time_ns() // 1_000_000))
                else:
                    events += traces.feed(line, time.monotonic())
                coming = asyncio.ensure_future(tailing.next())
            for event in events:
                if tail.filters.lets_through(event):
                    await send(websocket, event)
    finally:
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)


async def _known(websocket: WebSocket, ident: str) -> _Tail:
    """The tail, while it lasts and its script and its token do. Raises ApiFault."""
    context = context_of(websocket)
    now = context.clock()
    tail = _tails(websocket).find(ident, now) if _ID.fullmatch(ident) else None
    if tail is None:
        raise no_route(websocket.url.path)
    of = tail.principal.token
    try:
        async with context.database.look() as connection:
            token = await tokens.find(connection, of.owner_kind, of.owner_id, of.id)
            if token is None or token.status != "active" or (token.expires_on is not None and token.expires_on <= now):
                raise no_route(websocket.url.path)
            if (await find_script(connection, tail.account_id, tail.script)).script.id != tail.script_id:
                raise no_route(websocket.url.path)
    except StoreUnavailable as error:
        raise unavailable(str(error)) from error
    return tail


def _own(request: Request, access: Access, script_id: str) -> list[_Tail]:
    found = _tails(request).of_script(script_id, access.context.clock())
    return [one for one in found if one.principal.token.id == access.principal.token.id]


def _tails(connection: Request | WebSocket) -> Tails:
    state = connection.app.state
    if not hasattr(state, "tails"):
        state.tails = Tails()
    found: Tails = state.tails
    return found


def _prefix(request: Request) -> str:
    return request.url.path.partition("/accounts/")[0]


def _filters(body: bytes) -> Filters:
    """What a tail is to be told. Raises ApiFault."""
    if not body.strip():
        return Filters()
    check_json(body)
    try:
        given = msgspec.json.decode(body, type=_Filters).filters
    except msgspec.ValidationError as error:
        raise invalid("/filters", f"filters: {error} (there are sampling_rate, outcome, method, query)") from None
    found: dict[str, Any] = {}
    for one in given:
        if one.sampling_rate is not None:
            if not 0 < one.sampling_rate <= 1:
                raise invalid("/filters", "filters: sampling_rate: expected a number above 0, at most 1")
            found["sampling_rate"] = one.sampling_rate
        if one.outcome is not None:
            found["outcomes"] = _texts(one.outcome)
        if one.method is not None:
            found["methods"] = frozenset(method.upper() for method in _texts(one.method))
        if one.query is not None:
            found["query"] = one.query
        if one.scriptVersion is not None:
            found["version"] = one.scriptVersion
    return Filters(**found)


def _texts(value: tuple[str, ...] | str) -> frozenset[str]:
    return frozenset((value,) if isinstance(value, str) else value)
