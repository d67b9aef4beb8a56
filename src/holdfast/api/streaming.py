"""Streams of our own over the API: a WebSocket on which a client is told what happens, and says nothing.

Messages are JSON texts. A handshake that is not let in is answered in the place of its 101 (RFC 6455 §4.1).

Law 1: who is let in is asked again every RECHECK_S: a stream outlives neither its token nor what it is about, nor a database that
cannot say whether they are still there.
Law 2: a client that takes messages too slowly is closed with 1013; what waits for it is bounded by who tells.
Law 3: there are MAX_STREAMS at once, MAX_STREAMS_OF_OWNER of one owner's tokens; beyond that a handshake gets 429.
Law 4: a stream is one way. A client that sends a message is closed with 1008; control frames are no messages.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import msgspec
from fastapi import WebSocket, WebSocketDisconnect
from starlette.responses import Response

from holdfast.api.access import BEARER_SUBPROTOCOL, Principal
from holdfast.api.envelope import failure
from holdfast.api.faults import ApiFault, Complaint, internal

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

# Who asks, where they may still. Raises ApiFault.
Permitted = Callable[[], Awaitable[Principal]]


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


class Ended(Exception):
    """The stream is over: what its Close frame says."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


async def guarded(websocket: WebSocket, work: Coroutine[Any, Any, None]) -> None:
    """Do `work`, which lets in and serves; whatever it raises becomes an answer or a Close."""
    try:
        await work
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


@contextmanager
def place_for(websocket: WebSocket, principal: Principal) -> Iterator[None]:
    """A place for a stream of the owner of the token, until the block ends. Raises ApiFault."""
    state = websocket.app.state
    if not hasattr(state, "streams"):
        state.streams = Streams()
    streams: Streams = state.streams
    with streams.place(f"{principal.token.owner_kind}/{principal.token.owner_id}"):
        yield


async def serve(
    websocket: WebSocket,
    permitted: Permitted,
    *works: Coroutine[Any, Any, None],
    gone: str = "is gone",
    subprotocol: str = BEARER_SUBPROTOCOL,
) -> None:
    """Accept, and do `works` until one of them ends, the client leaves, or it may not go on. `gone` says what may be gone.

    A `subprotocol` of somebody else's has messages of the client's, which are read and mean nothing here.
    """
    is_offered = subprotocol in websocket.scope.get("subprotocols", [])
    may_speak = subprotocol != BEARER_SUBPROTOCOL
    tasks = []
    try:
        await websocket.accept(subprotocol if is_offered else None, headers=_headers(websocket))
        tasks = [
            asyncio.create_task(work)
            for work in (*works, _check_again(permitted, gone), _hear(websocket, may_speak=may_speak))
        ]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    except Ended as end:
        await websocket.close(end.code, end.reason)
    finally:
        if not tasks:
            for work in works:
                work.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def send(websocket: WebSocket, message: dict[str, Any]) -> None:
    """Tell the client. Raises Ended."""
    try:
        async with asyncio.timeout(SEND_LIMIT_S):
            await websocket.send_text(msgspec.json.encode(message).decode())
    except TimeoutError:
        raise Ended(TRY_AGAIN_LATER, TOO_SLOW) from None


async def _check_again(permitted: Permitted, gone: str) -> None:
    """Return never while the stream may go on. Raises Ended."""
    while True:
        await asyncio.sleep(RECHECK_S)
        try:
            await permitted()
        except ApiFault as refused:
            if refused.status == 503:
                raise Ended(TRY_AGAIN_LATER, "the database is not available") from None
            raise Ended(POLICY_VIOLATION, f"the token may not do this any more, or {gone}") from None


async def _hear(websocket: WebSocket, *, may_speak: bool) -> None:
    """Return when the client has left. Raises Ended for whatever else it sends, where it may not."""
    while (await websocket.receive())["type"] == "websocket.receive":
        if not may_speak:
            raise Ended(POLICY_VIOLATION, "this stream takes no messages")


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
