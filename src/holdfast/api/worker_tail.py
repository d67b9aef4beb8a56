"""What a script logs, as it happens, over a WebSocket of our own (`api.streaming`).

`GET /accounts/{id}/workers/scripts/{name}/tail` as a handshake. Messages are JSON texts: {"type": "log", "level", "message", "ts_ms",
"ray", "entrypoint", "kind", "version", "fields"}, and {"type": "missed", "lines": n}. The parameter `lines` says how many of the
last ones come first. Ours alone: the original's tails are of its own protocol, at an address of their own.

Law: what waits for a client waits with the host, which counts what it leaves out; here nothing is kept.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from fastapi import APIRouter, WebSocket

from holdfast.api.access import ID_PATTERN, Principal, context_of, principal_of, require_account
from holdfast.api.context import Tailing, WorkersUnavailable
from holdfast.api.faults import ApiFault, Complaint, invalid, no_route, unavailable
from holdfast.api.streaming import GOING_AWAY, TRY_AGAIN_LATER, Ended, guarded, place_for, send, serve
from holdfast.api.worker_found import NOT_REACHED, find_script
from holdfast.model.worker_messages import Log
from holdfast.model.worker_script import is_script_name
from holdfast.store.database import StoreUnavailable

router = APIRouter()

PATH = "/accounts/{account_id}/workers/scripts/{script_name}/tail"
# Lines that may be asked for of what was logged before; the host keeps as many.
MAX_LINES = 200
_ID = re.compile(ID_PATTERN)
READ, READ_TOO = "Workers Tail Read", "Workers Scripts Read"


@router.websocket(PATH)
async def tail(websocket: WebSocket, account_id: str, script_name: str) -> None:
    """Let in, and tell until either side ends it."""
    await guarded(websocket, _tail(websocket, account_id, script_name))


async def _tail(websocket: WebSocket, account_id: str, name: str) -> None:
    async def permitted() -> Principal:
        return (await _permitted(websocket, account_id, name))[0]

    principal, key = await _permitted(websocket, account_id, name)
    lines = _lines(websocket)
    with place_for(websocket, principal):
        try:
            async with context_of(websocket).workers.tailing(key, lines) as tailing:
                await serve(websocket, permitted, _tell(websocket, tailing), gone="the Worker is gone")
        except WorkersUnavailable as error:
            if websocket.application_state.name == "CONNECTING":
                raise ApiFault(503, (Complaint(NOT_REACHED, f"The Worker cannot be heard: {error}"),)) from error
            await websocket.close(TRY_AGAIN_LATER, "the Worker cannot be heard any more")


async def _tell(websocket: WebSocket, tailing: Tailing) -> None:
    """Pass on what is logged. Raises Ended, WorkersUnavailable."""
    while (line := await tailing.next()) is not None:
        await send(websocket, _told(line))
    raise Ended(GOING_AWAY, "the Worker is gone, or its host goes: connect again")


def _told(line: Log | int) -> dict[str, Any]:
    if isinstance(line, int):
        return {"type": "missed", "lines": line}
    return {**msgspec.structs.asdict(line), "type": "log"}


async def _permitted(websocket: WebSocket, account_id: str, name: str) -> tuple[Principal, str]:
    """Who asks, and the key of the script. Raises ApiFault unless they may hear it."""
    context = context_of(websocket)
    try:
        async with context.database.look() as connection:
            principal = await principal_of(websocket, connection)
            if not (_ID.fullmatch(account_id) and is_script_name(name)):
                raise no_route(websocket.url.path)
            require_account(principal, READ, account_id, READ_TOO)
            return principal, (await find_script(connection, account_id, name)).script.key
    except StoreUnavailable as error:
        raise unavailable(str(error)) from error


def _lines(websocket: WebSocket) -> int:
    text = websocket.query_params.get("lines", "0")
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and int(text) <= MAX_LINES):
        raise invalid("/lines", f"lines: expected a number from 0 to {MAX_LINES}, got {text[:20]!r}")
    return int(text)
