"""Around every request: an id, limits on what may come, and headers for the answer.

Law 1: what an address may not ask any more costs nothing but a look into a table, whatever it asks for.
Law 2: a body has a bound in bytes and in time, and is read before any handler runs.
Law 3: whatever a handler raises becomes an answer in the envelope. The reason goes to the log, not to the client.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from typing import Any

from fastapi import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from holdfast.api.envelope import failure
from holdfast.api.faults import ApiFault, fault, internal, no_route
from holdfast.api.json_body import check_json
from holdfast.api.rate_limit import RateLimit

# The largest honest body is a certificate chain or a batch of a few thousand records.
MAX_BODY_BYTES = 4 * 1024 * 1024
# How long a body may take to arrive.
BODY_LIMIT_S = 30.0
TOO_LARGE = 10413
TOO_SLOW = 10408
UNREADABLE = 1004

_Headers = Iterable[tuple[bytes, bytes]]
Log = Callable[[str, Mapping[str, str | int]], None]


class Frame:
    """Middleware. `scope["holdfast.headers"]` is what handlers add to the answer's headers."""

    def __init__(self, app: ASGIApp, *, rate_limit: RateLimit, log: Log) -> None:
        self._app = app
        self._rate_limit = rate_limit
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["holdfast.request_id"] = secrets.token_hex(8)
        scope["headers"] = _as_json(scope["headers"])
        answer = _Answer(scope, send)
        try:
            self._rate_limit.count_address(scope["client"][0] if scope.get("client") else "")
            _check_target(scope)
            body = await _body(scope, receive)
            if body is None:
                return
            await self._app(scope, _replayed(body, receive), answer.send)
        except ApiFault as refused:
            await answer.give(failure(refused))
        except Exception as error:  # noqa: BLE001  whatever it is, the client gets an answer and the log the reason
            fields = {"request_id": scope["holdfast.request_id"], "error": f"{type(error).__name__}: {error}"[:500]}
            self._log("api_failed", fields)
            await answer.give(failure(internal()))


class _Answer:
    """What goes back. Headers of ours go along with it."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self._has_begun = False

    async def send(self, message: Message) -> None:
        """Pass a message of the application on."""
        if message["type"] == "http.response.start":
            self._has_begun = True
            message = {**message, "headers": [*message["headers"], *_extra_headers(self._scope)]}
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


def _check_target(scope: Scope) -> None:
    """Raise ApiFault for what no database could look up."""
    if "\0" in scope["path"]:
        raise no_route(scope["path"].replace("\0", "%00"))
    if b"%00" in scope["query_string"] or b"\0" in scope["query_string"]:
        raise fault(400, UNREADABLE, "query: expected parameters without NUL")


async def _body(scope: Scope, receive: Receive) -> bytes | None:
    """The whole body, None if the client went away. Raises ApiFault."""
    if scope["method"] in {"GET", "HEAD", "OPTIONS"}:
        return b""
    try:
        async with asyncio.timeout(BODY_LIMIT_S):
            body = await _all(scope, receive)
    except TimeoutError:
        raise fault(408, TOO_SLOW, f"The request body did not arrive within {BODY_LIMIT_S:.0f} s") from None
    if body and not _is_form(scope["headers"]):
        check_json(body)
    return body


async def _all(scope: Scope, receive: Receive) -> bytes | None:
    announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    if announced.isdigit() and int(announced[:20]) > MAX_BODY_BYTES:
        raise _too_large()
    parts: list[bytes] = []
    received = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        received += len(parts[-1])
        if received > MAX_BODY_BYTES:
            raise _too_large()
        if not message.get("more_body", False):
            return b"".join(parts)


def _too_large() -> ApiFault:
    return fault(413, TOO_LARGE, f"The request body is longer than {MAX_BODY_BYTES} bytes")


def _replayed(body: bytes, receive: Receive) -> Receive:
    is_given = False

    async def replay() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
