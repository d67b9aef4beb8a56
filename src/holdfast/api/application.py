"""The ASGI application: every router, and what is done for each request before and after its handler.

Law 1: every answer is in the envelope, whatever went wrong; nothing that was raised tells a client more than its class.
Law 2: a body has a bound, and one that is no JSON is a 400.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from holdfast.api import connections, dns_batch, dns_records, zone_settings, zones
from holdfast.api.context import ApiContext
from holdfast.api.envelope import FailureEnvelope, failure
from holdfast.api.faults import ApiFault, Complaint, fault, internal, method_not_allowed, no_route, unavailable
from holdfast.api.rate_limit import RateLimit
from holdfast.store.database import StoreUnavailable

PREFIX = "/client/v4"
# The largest honest body is a certificate chain or a batch of a few thousand records.
MAX_BODY_BYTES = 4 * 1024 * 1024
MALFORMED_JSON = 6007
INVALID_REQUEST = 1004
TOO_LARGE = 10413

ROUTERS = (
    zones.router,
    zone_settings.router,
    connections.router,
    dns_batch.router,
    dns_records.router,
)
_FAILURES: dict[int | str, dict[str, Any]] = {
    status: {"model": FailureEnvelope} for status in (400, 401, 403, 404, 405, 409, 413, 429, 500, 503)
}
Log = Callable[[str, Mapping[str, str | int]], None]


def create_application(context: ApiContext, *, version: str, log: Log) -> FastAPI:
    """The API over `context`. `log` gets an event and its fields."""
    application = FastAPI(
        title="Holdfast API",
        version=version,
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses=_FAILURES,
    )
    application.state.context = context
    application.state.token_uses = {}
    application.state.rate_limit = RateLimit(context.limits, context.clock)
    application.state.log = log
    for router in ROUTERS:
        application.include_router(router, prefix=PREFIX)
    _add_handlers(application)
    application.add_middleware(_Frame)
    return application


def _add_handlers(application: FastAPI) -> None:
    application.add_exception_handler(ApiFault, _on_fault)
    application.add_exception_handler(HTTPException, _on_http)
    application.add_exception_handler(RequestValidationError, _on_invalid)
    application.add_exception_handler(StoreUnavailable, _on_unavailable)
    application.add_exception_handler(RecursionError, _on_recursion)
    application.add_exception_handler(Exception, _on_anything)


async def _on_fault(_: Request, error: Exception) -> Response:
    return failure(error if isinstance(error, ApiFault) else internal())


async def _on_http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = (error.headers or {}) if isinstance(error, HTTPException) else {}
    if status == 404:
        return failure(no_route(request.url.path.removeprefix(PREFIX)))
    if status == 405:
        return failure(method_not_allowed(headers.get("Allow", "")))
    return failure(
        fault(status, MALFORMED_JSON if status == 400 else 10000 + status, str(getattr(error, "detail", error)))
    )


async def _on_invalid(_: Request, error: Exception) -> Response:
    details = error.errors() if isinstance(error, RequestValidationError) else []
    return failure(
        ApiFault(400, [_complaint(detail) for detail in details[:20]] or [Complaint(INVALID_REQUEST, "invalid")])
    )


def _complaint(detail: Mapping[str, Any]) -> Complaint:
    """One finding of pydantic's as a complaint: which member, what is wrong, what came."""
    where, *path = detail["loc"]
    if detail["type"] == "json_invalid":
        return Complaint(MALFORMED_JSON, "Malformed JSON in request body")
    name = ".".join(str(part) for part in path) or where
    given = "" if detail["type"] == "missing" else f", got {_shown(detail.get('input'))}"
    message = f"{name}: {detail['msg'][:1].lower()}{detail['msg'][1:]}{given}"
    pointer = "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)
    return Complaint(INVALID_REQUEST, message, pointer or "/")


def _shown(value: Any) -> str:  # noqa: ANN401  JSON
    text = repr(value)
    return f"{text[:80]}…" if len(text) > 80 else text


async def _on_unavailable(_: Request, error: Exception) -> Response:
    return failure(unavailable(str(error)))


async def _on_recursion(_: Request, __: Exception) -> Response:
    return failure(fault(400, MALFORMED_JSON, "Malformed JSON in request body: it is nested too deeply"))


async def _on_anything(request: Request, error: Exception) -> Response:
    request.app.state.log(
        "api_failed",
        {"request_id": request.scope.get("holdfast.request_id", ""), "error": f"{type(error).__name__}: {error}"[:500]},
    )
    return failure(internal())


class _Frame:
    """Around every request: an id, a bounded body that is taken for JSON, and headers for the answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["holdfast.request_id"] = request_id = secrets.token_hex(8)
        scope["headers"] = _as_json(scope["headers"])

        async def send_framed(message: Message) -> None:
            if message["type"] == "http.response.start":
                extra = _extra_headers(scope, request_id)
                message = {**message, "headers": [*message["headers"], *extra]}
            await send(message)

        await self._app(scope, _bounded(receive), send_framed)


def _extra_headers(scope: MutableMapping[str, Any], request_id: str) -> list[tuple[bytes, bytes]]:
    extra = [(b"cf-ray", request_id.encode()), (b"cache-control", b"no-store")]
    return [*extra, *scope.get("holdfast.headers", ())]


def _as_json(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """`headers` with the body taken for JSON, as the original does, unless it is a form with files."""
    kept = [(name, value) for name, value in headers if name != b"content-type"]
    given = next((value for name, value in headers if name == b"content-type"), b"")
    return headers if given.startswith(b"multipart/") else [*kept, (b"content-type", b"application/json")]


def _bounded(receive: Receive) -> Receive:
    received = 0

    async def receive_bounded() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > MAX_BODY_BYTES:
            raise fault(413, TOO_LARGE, f"The request body is longer than {MAX_BODY_BYTES} bytes")
        return message

    return receive_bounded
