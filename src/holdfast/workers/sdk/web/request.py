"""The fetch standard's Request, as `js.Request`: a method, a URL, header fields and a body that is read once.

Law 1: a Request made of another takes over its body; the other's is used from then on (fetch §5.4).
Law 2: GET and HEAD have no body.
"""

from __future__ import annotations

from typing import Any

from holdfast.workers.sdk.errors import BodyUsedError, DOMException, JsTypeError
from holdfast.workers.sdk.values import JsDict, as_js, options_of
from holdfast.workers.sdk.web import url_parsing
from holdfast.workers.sdk.web.aborting import AbortSignal
from holdfast.workers.sdk.web.bodies import Payload, payload_of
from holdfast.workers.sdk.web.body_mixin import BodyMixin
from holdfast.workers.sdk.web.client_facts import ClientFacts
from holdfast.workers.sdk.web.headers import Headers

# Fetch §2.2.1: these are written in capitals however they are given; others are not.
_NORMALIZED = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH"})
_REDIRECTS = frozenset({"follow", "manual", "error"})


class Request(BodyMixin):
    """`js.Request`. `payload`, `heeded` and `leave` are for the runtime; the rest is the standard's."""

    method: str
    url: str
    headers: Headers
    payload: Payload
    redirect: str
    cf: JsDict | None
    # What aborts it; None where nobody gave or asked for one.
    heeded: AbortSignal | None

    def __init__(self, input: object, init: object = None, **given: object) -> None:  # noqa: A002 - the standard's name
        source, base = _request_of(input), _request_of(init)
        options = options_of(None if base is not None else init, given)
        if base is not None:
            # `new Request(url, request)`: the other's method, fields and body, for another URL.
            self._copy(base, takes_body=options.get("body") is None)
            self.url = str(url_parsing.parse(str(input))) if source is None else source.url
        elif source is not None:
            self._copy(source, takes_body=options.get("body") is None)
        else:
            self._fresh(str(input))
        if (method := options.get("method")) is not None:
            self.method = _checked_method(method)
        if (redirect := options.get("redirect")) is not None:
            self.redirect = _checked_redirect(redirect)
        if (cf := options.get("cf")) is not None:
            self.cf = as_js(cf)
        if options.get("headers") is not None:
            self.headers = Headers(options["headers"])
        self.heeded = options.get("signal") or self.heeded
        self._set_body(options.get("body"))

    @classmethod
    def new(cls, input: object, init: object = None, **given: object) -> Request:  # noqa: A002 - the standard's name
        """As `js.Request.new(url, {"method": "POST"})` or `js.Request.new(url, method="POST")`."""
        return cls(input, init, **given)

    @classmethod
    def received(cls, method: str, url: str, headers: Headers, payload: Payload, cf: object = None) -> Request:
        """A request that came over the wire; nothing is checked or rewritten."""
        made = cls.__new__(cls)
        made.method, made.url, made.headers, made.payload = method, url, headers, payload
        made.redirect, made.heeded = "manual", None
        made.cf = ClientFacts(as_js(cf)) if isinstance(cf, dict) else None
        return made

    @property
    def signal(self) -> AbortSignal:
        """What aborts it: of a request that came in, its client's leaving before it has the answer."""
        if self.heeded is None:
            self.heeded = AbortSignal()
        return self.heeded

    def leave(self) -> None:
        """Its client has gone: tell whoever asked for the signal."""
        if self.heeded is not None:
            self.heeded.fire(DOMException("The client has gone.", "AbortError"))

    @property
    def js_object(self) -> Request:
        """This: there is no other side."""
        return self

    async def json(self) -> Any:  # noqa: ANN401 - what the body says
        """The whole body, parsed. SyntaxError (ValueError) if it is no JSON."""
        return await self.parsed()

    def clone(self) -> Request:
        """The same request again; both bodies can be read."""
        if self.payload.is_used:
            raise BodyUsedError
        made = Request.received(self.method, self.url, Headers(self.headers), self.payload.split())
        made.redirect, made.cf, made.heeded = self.redirect, self.cf, self.heeded
        return made

    def __repr__(self) -> str:
        return f"Request(method={self.method!r}, url={self.url!r})"

    def _fresh(self, url: str) -> None:
        self.method, self.redirect, self.url = "GET", "follow", str(url_parsing.parse(url))
        self.headers, self.payload = Headers(), Payload(None)
        self.cf, self.heeded = None, None

    def _copy(self, source: Request, *, takes_body: bool) -> None:
        self.method, self.redirect, self.url = source.method, source.redirect, source.url
        self.headers, self.cf, self.heeded = Headers(source.headers), source.cf, source.heeded
        self.payload = source.payload.move() if takes_body else Payload(None)

    def _set_body(self, body: object) -> None:
        if body is not None:
            self.payload, content_type = payload_of(body, what="Request")
            if content_type is not None and not self.headers.has("content-type"):
                self.headers.set("content-type", content_type)
        if not self.payload.is_null and self.method in {"GET", "HEAD"}:
            if body is not None:
                raise JsTypeError("Request with a GET or HEAD method cannot have a body.")
            self.payload = Payload(None)


def _request_of(value: object) -> Request | None:
    """The request that `value` is, in either of its forms."""
    found = value if isinstance(value, Request) else getattr(value, "js_object", None)
    return found if isinstance(found, Request) else None


def _checked_method(method: object) -> str:
    text = str(getattr(method, "value", method))
    if not text.isascii() or not text.replace("-", "").replace("_", "").isalpha():
        raise JsTypeError(f"Invalid HTTP method string: {text}")
    return text.upper() if text.upper() in _NORMALIZED else text


def _checked_redirect(redirect: object) -> str:
    if redirect not in _REDIRECTS:
        raise JsTypeError(f'Invalid redirect value, must be one of "follow", "manual" or "error": {redirect!r}')
    return str(redirect)
