"""Around every request: an id, limits on what may come, and headers for the answer.

Law 1: what an address may not ask any more costs nothing but a look into a table, whatever it asks for.
Law 2: who has no valid token is not read to: what they send stays where it is, and their route says what they are told.
Law 3: a body is read within its bounds, and is known to be JSON, before any handler runs.
Law 4: whatever a handler raises becomes an answer in the envelope. The reason goes to the log, not to the client.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any

from fastapi import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from holdfast.api.envelope import failure
from holdfast.api.faults import ApiFault, fault, internal, no_route
from holdfast.api.json_body import check_json
from holdfast.api.rate_limit import RateLimit
from holdfast.api.request_body import MAX_BODY_BYTES, MAX_UPLOAD_BYTES, BodyBudget, Share, read_body

UNREADABLE = 1004
# Where a request that is not to be read says why: whoever lets requests in raises it.
REFUSED = "holdfast.refused"
# Where the modules of a Worker come.
_UPLOADS = re.compile(r"/accounts/[0-9a-f]{32}/workers/scripts/[^/]+(/content|/versions)?\Z")
_BODILESS = frozenset({"GET", "HEAD", "OPTIONS"})

_Headers = Iterable[tuple[bytes, bytes]]
Log = Callable[[str, Mapping[str, str | int]], None]
# Raises ApiFault unless a valid token asks, of which nothing but the head is known yet.
Admit = Callable[[Scope], Awaitable[None]]


class Frame:
    """Middleware. `scope["holdfast.headers"]` is what handlers add to the answer's headers, `scope[REFUSED]` the fault of a
    request whose body was not read."""

    def __init__(self, app: ASGIApp, *, rate_limit: RateLimit, admit: Admit, bodies: BodyBudget, log: Log) -> None:
        self._app = app
        self._rate_limit = rate_limit
        self._admit = admit
        self._bodies = bodies
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "websocket":
            await self._handshake(scope, receive, send)
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["holdfast.request_id"] = secrets.token_hex(8)
        scope["headers"] = _as_json(scope["headers"])
        if is_head := scope["method"] == "HEAD":
            # RFC 9110 §9.3.2: the answer to a GET, without its content.
            scope = {**scope, "method": "GET"}
        answer = _Answer(scope, send, is_head=is_head)
        try:
            self._rate_limit.count_address(scope["client"][0] if scope.get("client") else "")
            _check_target(scope)
            with self._bodies.share(_limit_of(scope)) as share:
                body = await self._body(scope, receive, share)
                if body is not None:
                    await self._app(scope, _replayed(body, receive), answer.send)
        except ApiFault as refused:
            await answer.give(failure(refused))
        except Exception as error:  # noqa: BLE001  whatever it is, the client gets an answer and the log the reason
            fields = {"request_id": scope["holdfast.request_id"], "error": f"{type(error).__name__}: {error}"[:500]}
            self._log("api_failed", fields)
            await answer.give(failure(internal()))

    async def _handshake(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One WebSocket. What is refused here is answered in the place of the 101."""
        scope["holdfast.request_id"] = secrets.token_hex(8)
        try:
            self._rate_limit.count_address(scope["client"][0] if scope.get("client") else "")
            _check_target(scope)
        except ApiFault as refused:
            await failure(refused)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _body(self, scope: Scope, receive: Receive, share: Share) -> bytes | None:
        """The body, b"" of a request that is not to be read, None if the client went away. Raises ApiFault."""
        if scope["method"] in _BODILESS:
            return b""
        try:
            await self._admit(scope)
        except ApiFault as refused:
            scope[REFUSED] = refused
            return b""
        body = await read_body(scope, receive, share)
        if body and not _is_form(scope["headers"]):
            check_json(body)
        return body


class _Answer:
    """What goes back. Headers of ours go along with it; of an answer to HEAD the head alone."""

    def __init__(self, scope: Scope, send: Send, *, is_head: bool) -> None:
        self._scope = scope
        self._send = send
        self._is_head = is_head
        self._has_begun = False

    async def send(self, message: Message) -> None:
        """Pass a message of the application on."""
        if message["type"] == "http.response.start":
            self._has_begun = True
            message = {**message, "headers": [*message["headers"], *_extra_headers(self._scope)]}
        elif self._is_head:
            message = {**message, "body": b""}
        await self._send(message)

    async def give(self, response: Response) -> None:
        """Answer with `response`, unless an answer has begun."""
        if not self._has_begun:
            await response(self._scope, _nothing, self.send)


async def _nothing() -> Message:
    return {"type": "http.disconnect"}


def _extra_headers(scope: MutableMapping[str, Any]) -> list[tuple[bytes, bytes]]:
    extra = [(b"cf-ray", scope["holdfast.request_id"].encode()), (b"cache-control", b"no-store")]
    return [*extra, *scope.get("holdfast.headers", ())]


def _as_json(headers: _Headers) -> list[tuple[bytes, bytes]]:
    """`headers` with the body taken for JSON, as the original does, unless it is a form with files."""
    kept = [(name, value) for name, value in headers if name != b"content-type"]
    return list(headers) if _is_form(headers) else [*kept, (b"content-type", b"application/json")]


def _is_form(headers: _Headers) -> bool:
    return any(name == b"content-type" and value.lower().startswith(b"multipart/") for name, value in headers)


def _limit_of(scope: Scope) -> int:
    """How long the body may be."""
    is_upload = scope["method"] in {"PUT", "POST"} and _is_form(scope["headers"]) and _UPLOADS.search(scope["path"])
    return MAX_UPLOAD_BYTES if is_upload else MAX_BODY_BYTES


def _check_target(scope: Scope) -> None:
    """Raise ApiFault for what no database could look up."""
    if "\0" in scope["path"]:
        raise no_route(scope["path"].replace("\0", "%00"))
    if b"%00" in scope["query_string"] or b"\0" in scope["query_string"]:
        raise fault(400, UNREADABLE, "query: expected parameters without NUL")


def _replayed(body: bytes, receive: Receive) -> Receive:
    is_given = False

    async def replay() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
