"""`fetch()`: a request sent by the edge's way out, redirects followed, the answer as user code reads it.

Law 1: what the fetch standard (§4.4) says of redirects: at most 20; 303, and POST with 301 or 302, go on as GET without a body; a body
       that was a stream cannot be sent again; credentials do not follow to another origin.
Law 2: a body keeps its content coding until somebody reads it: what is only passed on is passed on as it came.
Law 3: an answer 101 has a WebSocket, unaccepted; returned so, the edge joins both connections and nobody is in between.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Unpack

from holdfast.workers.runtime import egress, handshake
from holdfast.workers.runtime.egress_answer import Incoming
from holdfast.workers.runtime.egress_request import Outgoing
from holdfast.workers.runtime.sockets import WebSocket
from holdfast.workers.sdk.errors import JsTypeError, NetworkError
from holdfast.workers.sdk.request import FetchKwargs, Request, RequestInit
from holdfast.workers.sdk.response import FetchResponse, Response
from holdfast.workers.sdk.threads import wherever
from holdfast.workers.sdk.web import encodings, url_parsing
from holdfast.workers.sdk.web.aborting import unless_aborted
from holdfast.workers.sdk.web.bodies import Payload
from holdfast.workers.sdk.web.headers import Headers
from holdfast.workers.sdk.web.promises import Promise
from holdfast.workers.sdk.web.request import Request as WebRequest
from holdfast.workers.sdk.web.response import REDIRECT_STATUSES
from holdfast.workers.sdk.web.response import Response as WebResponse
from holdfast.workers.sdk.web.streams import ReadableStream
from holdfast.workers.sdk.web.url_parsing import UrlError, UrlRecord
from holdfast.workers.sdk.web.urls import URL

MAX_REDIRECTS = 20

# Of one connection only (RFC 9110 §7.6.1), or the edge's and ours to say.
_NOT_FORWARDED = ("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade")
_OURS = ("host", "content-length", "expect")
_OF_A_BODY = ("content-encoding", "content-language", "content-location", "content-type")
# Fetch §4.5 names the first; the others say who somebody is just as well.
_CREDENTIALS = ("authorization", "proxy-authorization", "cookie")


async def fetch(
    resource: Request | str | URL | WebRequest, init: RequestInit = None, **other_options: Unpack[FetchKwargs]
) -> Response:
    """`workers.fetch`: send a request, get its answer. OSError (NetworkError) where there is none.

    Options are keywords, or a mapping as JavaScript's second argument (`init`), which the original's SDK has not. With the header
    `Upgrade: websocket`, and where the other side agrees, the answer has status 101 and a `web_socket`.
    """
    fetcher = other_options.pop("fetcher", None)
    request = WebRequest(resource, init, **_plain(other_options))
    if fetcher is not None:
        answer = fetcher(Request(request))
        return _wrapped(await answer if inspect.isawaitable(answer) else answer)
    return Response.wrapping(await _answer(request))


@wherever
def js_fetch(resource: object, init: object = None, **given: object) -> Promise[WebResponse]:
    """`js.fetch`: the same, with JavaScript's Response, and begun when it is called, awaited or not."""
    return Promise.of(_js_fetched(resource, init, given))


async def _js_fetched(resource: object, init: object, given: dict[str, object]) -> WebResponse:
    return await _answer(WebRequest(resource, init, **given))


@wherever
async def _answer(request: WebRequest) -> WebResponse:
    return await unless_aborted(_fetched(request), request.heeded)


@dataclass(slots=True)
class _Hop:
    """One request of a chain of redirects."""

    method: str
    url: UrlRecord
    headers: Headers
    body: bytes | AsyncIterator[bytes] | None
    length: int | None
    is_upgrade: bool
    count: int = field(default=0)

    def outgoing(self) -> Outgoing:
        fields = self.headers.wire()
        fields = handshake.upgrade_fields(fields) if self.is_upgrade else fields
        return Outgoing(self.method, self.url, fields, self.body, self.length, self.is_upgrade)

    def follow(self, status: int, location: str) -> None:
        """Be the next request. NetworkError where that may not be sent."""
        target = _web_url(location, self.url)
        if self.count >= MAX_REDIRECTS:
            raise NetworkError(f"Too many redirects: {MAX_REDIRECTS} were followed, the last to {target}.")
        if status != 303 and self.body is not None and not isinstance(self.body, bytes):
            raise NetworkError(
                "A request with a one-time-use body (it was initialized from a stream, not a buffer) encountered a redirect requiring the body to be retransmitted."
            )
        if (status == 303 and self.method not in {"GET", "HEAD"}) or (status in {301, 302} and self.method == "POST"):
            self.method, self.body, self.length = "GET", None, None
            _without(self.headers, _OF_A_BODY)
        if (target.scheme, target.authority()) != (self.url.scheme, self.url.authority()):
            _without(self.headers, _CREDENTIALS)
        self.url, self.count = target, self.count + 1


async def through(request: WebRequest, send: Callable[[Outgoing], Awaitable[Incoming]]) -> Response:
    """The answer to a request that goes out by `send`: what `fetch` is over the edge's way out. Raises what that raises."""
    return Response.wrapping(await unless_aborted(_fetched(request, send), request.heeded))


async def _fetched(request: WebRequest, send: Callable[[Outgoing], Awaitable[Incoming]] = egress.send) -> WebResponse:
    hop = _first(request)
    while True:
        answer = await send(hop.outgoing())
        headers = Headers.from_wire(answer.headers)
        location = headers.get("location") if answer.status in REDIRECT_STATUSES else None
        if location is None or request.redirect == "manual":
            return _response(answer, headers, hop)
        if answer.body is not None:
            answer.body.close()
        if request.redirect == "error":
            raise NetworkError(
                f"A redirect ({answer.status}) was answered, and the request's redirect mode is 'error'."
            )
        hop.follow(answer.status, location)


def _first(request: WebRequest) -> _Hop:
    headers = Headers(request.headers)
    is_upgrade = (headers.get("upgrade") or "").lower() == "websocket"
    if is_upgrade and request.method != "GET":
        raise JsTypeError("A WebSocket handshake must be a GET request.")
    _without(headers, _NOT_FORWARDED)
    _without(headers, _OURS)
    for name in [name for name in headers.keys() if name.startswith("holdfast-")]:  # noqa: SIM118 - its own keys()
        headers.delete(name)
    if not headers.has("accept-encoding"):
        headers.set("accept-encoding", encodings.ACCEPTED)
    length = request.payload.length
    return _Hop(request.method, _web_url(request.url, None), headers, request.payload.take(), length, is_upgrade)


def _web_url(text: str, base: UrlRecord | None) -> UrlRecord:
    try:
        record = handshake.as_http(url_parsing.parse(text, base))
    except UrlError as error:
        if base is None:
            raise
        raise NetworkError(f"The answer redirects to something that is no URL: {error}") from error
    if record.scheme not in {"http", "https"}:
        raise NetworkError(f"Fetch API cannot load: {record}")
    return record


def _response(answer: Incoming, headers: Headers, hop: _Hop) -> WebResponse:
    url = str(hop.url)
    if answer.parked is not None:
        _without(headers, ("sec-websocket-accept", "upgrade", "connection"))
        made = WebResponse.received(answer.status, answer.reason, headers, Payload(None), url)
        parked = answer.parked
        made.webSocket = WebSocket.parked_at(parked, url=url, protocol=parked.protocol, extensions=parked.extensions)
    else:
        made = WebResponse.received(answer.status, answer.reason, headers, _payload(answer, headers), url)
    made.redirected = hop.count > 0
    return made


def _payload(answer: Incoming, headers: Headers) -> Payload:
    if answer.body is None:
        return Payload(None)
    announced = headers.get("content-length") or ""
    length = int(announced) if announced.isdigit() else None
    coding = (headers.get("content-encoding") or "").strip().lower()
    if coding in {"", "identity"}:
        return Payload(ReadableStream(answer.body, _closer(answer)), length=length)
    return Payload.coded(ReadableStream(answer.body, _closer(answer)), coding, length=length)


def _closer(answer: Incoming) -> Any:  # noqa: ANN401 - a callback of streams
    def close(_reason: object) -> None:
        if answer.body is not None:
            answer.body.close()

    return close


def _without(headers: Headers, names: tuple[str, ...]) -> None:
    for name in names:
        headers.delete(name)


def _plain(options: FetchKwargs) -> dict[str, object]:
    return {name: value for name, value in options.items() if value is not None}


def _wrapped(answer: object) -> Response:
    if isinstance(answer, FetchResponse):
        return Response.wrapping(answer.js_object)
    if isinstance(answer, WebResponse):
        return Response.wrapping(answer)
    raise JsTypeError(f"fetcher: expected a Response, got {type(answer).__name__}")
