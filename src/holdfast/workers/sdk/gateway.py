"""What the adapters for ASGI and WSGI applications share: their options, and a request as both describe it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args
from urllib.parse import unquote

from holdfast.workers.sdk.context import running
from holdfast.workers.sdk.errors import JsTypeError
from holdfast.workers.sdk.request import Request
from holdfast.workers.sdk.web import url_parsing
from holdfast.workers.sdk.web.request import Request as WebRequest

EncodeBody = Literal["automatic", "manual"]


@dataclass(frozen=True, kw_only=True)
class BaseOptions:
    """Options of both. Bodies of applications go out as they are, whatever `encode_body` says: they encode them themselves."""

    encode_body: EncodeBody = "automatic"

    def __post_init__(self) -> None:
        if self.encode_body not in get_args(EncodeBody):
            raise ValueError(f"encode_body must be one of {get_args(EncodeBody)}, got {self.encode_body!r}")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes, and who asks. `raw_path` is as it came, `path` decoded; `client` is the address or ""."""

    scheme: str
    host: str
    port: int
    path: str
    raw_path: str
    query: str
    client: str

    @classmethod
    def of(cls, request: WebRequest) -> Target:
        """Of a request that came in."""
        url = url_parsing.parse(request.url)
        invocation = running.get()
        context = None if invocation is None else invocation.request
        return cls(
            url.scheme,
            url.host or "",
            url.port or url_parsing.DEFAULT_PORTS.get(url.scheme) or 80,
            unquote(url.path),
            url.path,
            url.query or "",
            "" if context is None else context.client_ip,
        )


def web_request(request: object) -> WebRequest:
    """The request in JavaScript's form, whichever it is given in."""
    found = request.js_object if isinstance(request, Request) else request
    if not isinstance(found, WebRequest):
        raise JsTypeError(f"expected a Request, got {type(request).__name__}")
    return found
