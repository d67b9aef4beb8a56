"""The fetch standard's Response, as `js.Response`, with Cloudflare's `webSocket`.

Law 1: a Response with a WebSocket has status 101, and no other has.
Law 2: statuses 101, 204, 205 and 304 have no body.
The texts of errors are the original's (workerd).
"""

from __future__ import annotations

import http
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, overload

from holdfast.workers.sdk.errors import BodyUsedError, JsRangeError, JsTypeError
from holdfast.workers.sdk.values import as_js, options_of
from holdfast.workers.sdk.web import url_parsing
from holdfast.workers.sdk.web.bodies import Payload, payload_of
from holdfast.workers.sdk.web.body_mixin import BodyMixin
from holdfast.workers.sdk.web.globals import JSON
from holdfast.workers.sdk.web.headers import Headers

if TYPE_CHECKING:
    from holdfast.workers.runtime.sockets import WebSocket

NULL_BODY_STATUSES = frozenset({101, 204, 205, 304})
REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})


class _Json:
    """One name for two, as in JavaScript: `Response.json(data)` makes an answer, `await response.json()` reads one."""

    @overload
    def __get__(self, instance: None, owner: type[Response]) -> Callable[..., Response]: ...

    @overload
    def __get__(self, instance: Response, owner: type[Response]) -> Callable[[], Coroutine[Any, Any, Any]]: ...

    def __get__(self, instance: Response | None, owner: type[Response]) -> Callable[..., Any]:
        return owner.of_json if instance is None else instance.parsed


class Response(BodyMixin):
    """`js.Response`. `payload` is for the runtime; the rest is the standard's."""

    def __init__(self, body: object = None, init: object = None, **given: object) -> None:
        options = options_of(init, given)
        self.webSocket: WebSocket | None = options.get("webSocket")
        self.status = _checked_status(options.get("status"), self.webSocket)
        self.statusText = _checked_text(str(options.get("statusText") or reason_phrase(self.status)))
        self.headers = Headers(options.get("headers"))
        self.encodeBody = str(options.get("encodeBody") or "automatic")
        self.cf: Any = as_js(options.get("cf"))
        self.url, self.redirected, self.type = "", False, "default"
        self.payload, content_type = payload_of(body, what="Response")
        if self.status in NULL_BODY_STATUSES:
            if not self.payload.is_null and self.payload.length != 0:
                raise JsTypeError("Response with null body status (101, 204, 205, or 304) cannot have a body.")
            self.payload = Payload(None)
        if content_type is not None and not self.headers.has("content-type"):
            self.headers.set("content-type", content_type)

    json = _Json()

    @classmethod
    def new(cls, body: object = None, init: object = None, **given: object) -> Response:
        """As `js.Response.new("text", {"status": 404})`, or with keywords."""
        return cls(body, init, **given)

    @classmethod
    def received(cls, status: int, status_text: str, headers: Headers, payload: Payload, url: str) -> Response:
        """An answer that came over the wire; nothing is checked."""
        made = cls.__new__(cls)
        made.status, made.statusText, made.headers, made.payload = status, status_text, headers, payload
        made.webSocket, made.encodeBody, made.cf = None, "automatic", None
        made.url, made.redirected, made.type = url, False, "default"
        return made

    @classmethod
    def redirect(cls, url: object, status: int = 302) -> Response:
        """An answer that sends the client elsewhere. RangeError for another status than 301, 302, 303, 307, 308."""
        code = int(status)
        if code not in REDIRECT_STATUSES:
            raise JsRangeError(f"{code} is not a redirect status code.")
        return cls(None, status=code, headers={"location": str(url_parsing.parse(str(url)))})

    @classmethod
    def of_json(cls, data: object, init: object = None, **given: object) -> Response:
        """JSON of a value: `Response.json(data)`."""
        options = options_of(init, given)
        headers = Headers(options.pop("headers", None))
        if not headers.has("content-type"):
            headers.set("content-type", "application/json")
        text = JSON.stringify(data)
        return cls(text, headers=headers, **options)

    @classmethod
    def error(cls) -> Response:
        """A network error, as the standard has it."""
        made = cls.received(0, "", Headers(), Payload(None), "")
        made.type = "error"
        return made

    @property
    def js_object(self) -> Response:
        """This: there is no other side."""
        return self

    @property
    def ok(self) -> bool:
        """Whether the status is one of success."""
        return 200 <= self.status <= 299

    def clone(self) -> Response:
        """The same answer again; both bodies can be read. TypeError for one with a WebSocket."""
        if self.payload.is_used:
            raise BodyUsedError
        if self.webSocket is not None:
            raise JsTypeError("Cannot clone a response to a WebSocket handshake.")
        headers = Headers(self.headers)
        made = Response.received(self.status, self.statusText, headers, self.payload.split(), self.url)
        made.redirected, made.cf, made.encodeBody = self.redirected, self.cf, self.encodeBody
        return made

    def __repr__(self) -> str:
        return f"Response(status={self.status}, url={self.url!r})"


def reason_phrase(status: int) -> str:
    """What HTTP says of a status; "" of one it does not know."""
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return ""


def _checked_text(text: str) -> str:
    # RFC 9112 §4: a reason phrase has no controls; a line break in it would begin another head.
    if any(ord(char) < 0x20 and char != "\t" for char in text) or "\x7f" in text:
        raise JsTypeError(f"Invalid statusText: {text!r}")
    return text


def _checked_status(status: Any, web_socket: object) -> int:  # noqa: ANN401 - a number or HTTPStatus
    code = 200 if status is None else int(getattr(status, "value", status))
    if web_socket is not None:
        if code != 101:
            raise JsRangeError("Responses with a WebSocket must have status code 101.")
        return code
    if not 200 <= code <= 599:
        error = JsRangeError(
            f"Responses may only be constructed with status codes in the range 200 to 599, inclusive. Got {code}."
        )
        if code == 101:
            error.add_note("101 goes with a WebSocket: `web_socket=`")
        raise error
    return code
