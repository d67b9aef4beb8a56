"""Between the wire and user code: requests made of heads and bodies, answers taken apart again.

Law 1: a body is a stream both ways; nothing is read that nobody asked for.
Law 2: what is no valid answer is refused here with the original's words, before anything has gone out.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING

from holdfast.workers.sdk.errors import BodyUsedError, JsTypeError
from holdfast.workers.sdk.request import Request
from holdfast.workers.sdk.response import FetchResponse
from holdfast.workers.sdk.web import encodings
from holdfast.workers.sdk.web.bodies import Payload
from holdfast.workers.sdk.web.headers import Headers
from holdfast.workers.sdk.web.request import Request as WebRequest
from holdfast.workers.sdk.web.response import Response as WebResponse
from holdfast.workers.sdk.web.streams import ReadableStream

if TYPE_CHECKING:
    from holdfast.workers.runtime.sockets import WebSocket

_NOT_MODIFIED = 304
# Fields that say how a body is framed on one connection: the server of the script's process writes them itself.
_FRAMING = frozenset(
    {
        b"connection",
        b"content-length",
        b"keep-alive",
        b"sec-websocket-accept",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)


@dataclass(frozen=True, slots=True)
class Parts:
    """An answer as it goes out. `length`: the body's size where known (of an answer to HEAD, and of a 304: what
    the body would have); `pass_token`: of a parked upstream to join."""

    status: int
    status_text: str
    headers: list[tuple[bytes, bytes]]
    body: bytes | AsyncIterator[bytes] | None
    length: int | None
    web_socket: WebSocket | None
    pass_token: str | None


def request_from(
    method: str,
    url: str,
    headers: Iterable[tuple[bytes, bytes]],
    body: AsyncIterable[bytes] | bytes | None,
    *,
    cf: Mapping[str, object] | None = None,
) -> Request:
    """The request that a head and its body are. `url` is absolute; `body` None where the head announced none."""
    fields = Headers.from_wire(headers)
    source = ReadableStream(body) if body is not None and not isinstance(body, bytes) else body
    announced = fields.get("content-length") or ""
    payload = Payload(source, length=int(announced) if announced.isdigit() else None)
    if (upgrade := fields.get("upgrade")) is not None and upgrade.lower() == "websocket":
        # As the original: `WebSocket` in any case is seen as `websocket`.
        fields.set("upgrade", "websocket")
    return Request(WebRequest.received(method, url, fields, payload, cf))


def parts_of(result: object, request: Request | None = None, *, by: object = None) -> Parts:
    """The answer that a handler returned, its body taken out of it. `by` is the handler, for errors.

    TypeError where it is none, where its body has been read, or where it has a WebSocket and `request` asked for none.
    """
    answer = result.js_object if isinstance(result, FetchResponse) else result
    if not isinstance(answer, WebResponse):
        raise no_response(result, by)
    if answer.bodyUsed:
        raise BodyUsedError(f": it was read before the Response was returned{_place(by)}")
    if answer.webSocket is not None and request is not None and not _is_upgrade(request):
        raise JsTypeError(
            "Worker tried to return a WebSocket in a response to a request which did not contain the header "
            '"Upgrade: websocket".'
        )
    if answer.type == "error":
        raise JsTypeError("Handler returned Response.error(), which is no answer to a client")
    headers = Headers(answer.headers)
    body, length = _body_of(answer, headers)
    if body is None and request is not None and (request.method == "HEAD" or answer.status == _NOT_MODIFIED):
        announced = headers.get("content-length") or ""
        length = int(announced) if announced.isdigit() else None
    parked = None if answer.webSocket is None else answer.webSocket.parked
    return Parts(
        answer.status,
        answer.statusText,
        [(name, value) for name, value in headers.wire() if _is_users(name.lower())],
        body,
        length,
        answer.webSocket,
        None if parked is None else parked.token,
    )


def no_response(result: object, by: object = None) -> JsTypeError:
    """The error of a handler that returned something else, with where the handler is and what is likely missing."""
    if inspect.isawaitable(result):
        hint = "; an `await` is missing"
    elif result is None:
        hint = "; one of its ways has no `return`"
    elif isinstance(result, (str, bytes)):
        hint = "; `Response(text)` makes one"
    else:
        hint = "; `Response.json(value)` makes one" if isinstance(result, (dict, list)) else ""
    if inspect.iscoroutine(result):
        result.close()
    return JsTypeError(f"Handler did not return a Response object: got {type(result).__name__}{_place(by)}{hint}")


def _place(handler: object) -> str:
    code = getattr(inspect.unwrap(handler), "__code__", None) if callable(handler) else None
    if not isinstance(code, CodeType):
        return ""
    return f" (by {getattr(handler, '__qualname__', code.co_name)}, {Path(code.co_filename).name}, line {code.co_firstlineno})"


def _body_of(answer: WebResponse, headers: Headers) -> tuple[bytes | AsyncIterator[bytes] | None, int | None]:
    """The body in the coding that the header fields name, and its size where known."""
    payload, coding = answer.payload, (headers.get("content-encoding") or "").strip().lower()
    length = payload.length
    if (as_it_came := payload.take_coded(coding)) is not None:
        return as_it_came, length
    body = payload.take()
    if payload.coding:
        length = None
    if body is None or coding in {"", "identity"} or answer.encodeBody == "manual":
        return body, length
    if encodings.is_known(coding):
        return encodings.encoded(_one(body) if isinstance(body, bytes) else body, coding), None
    # Nobody here can write it: the body goes out as it is, and says so.
    headers.delete("content-encoding")
    return body, length


async def _one(body: bytes) -> AsyncIterator[bytes]:
    yield body


def _is_users(name: bytes) -> bool:
    # What begins with our own prefix is between edges and processes (session, pass, fault): user code says none of it.
    return name not in _FRAMING and not name.startswith(b"holdfast-")


def _is_upgrade(request: Request) -> bool:
    return (request.js_object.headers.get("upgrade") or "").lower() == "websocket"
