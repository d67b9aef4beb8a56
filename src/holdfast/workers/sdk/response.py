"""`workers.Response`: the SDK's Python face of an answer, over the fetch standard's (`js_object`).

What it takes as a body is what the original takes (and Python's async iterators of bytes); what it refuses, it refuses
with the original's words.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterable, Callable, Coroutine
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeAlias, cast, overload

from holdfast.workers.sdk.buffers import ArrayBuffer
from holdfast.workers.sdk.errors import BodyUsedError, NetworkError
from holdfast.workers.sdk.web.blobs import Blob
from holdfast.workers.sdk.web.forms import FormData
from holdfast.workers.sdk.web.headers import Headers, HeadersInit, HeadersMessage
from holdfast.workers.sdk.web.response import Response as WebResponse
from holdfast.workers.sdk.web.response import reason_phrase
from holdfast.workers.sdk.web.search_params import URLSearchParams
from holdfast.workers.sdk.web.streams import ReadableStream

if TYPE_CHECKING:
    from holdfast.workers.runtime.sockets import WebSocket

Body: TypeAlias = (
    str
    | bytes
    | bytearray
    | memoryview
    | Blob
    | FormData
    | URLSearchParams
    | ReadableStream
    | AsyncIterable[bytes]
    | None
)


class _Json:
    """One name for two: `Response.json(data)` is `Response.from_json(data)`, `await response.json()` parses the body."""

    @overload
    def __get__(self, instance: None, owner: type[FetchResponse]) -> Callable[..., Response]: ...

    @overload
    def __get__(
        self, instance: FetchResponse, owner: type[FetchResponse]
    ) -> Callable[..., Coroutine[Any, Any, Any]]: ...

    def __get__(self, instance: FetchResponse | None, owner: type[FetchResponse]) -> Callable[..., Any]:
        return owner.from_json if instance is None else instance.parsed


class FetchResponse:
    """What `fetch()` gives: an answer to be read."""

    def __init__(self, url: str, js_response: WebResponse) -> None:
        self._url = url
        self.js_response = js_response

    @property
    def js_object(self) -> WebResponse:
        """The same answer as `js.Response`."""
        return self.js_response

    @property
    def status(self) -> int:
        """The status code."""
        return self.js_response.status

    @property
    def status_text(self) -> str:
        """The reason phrase, as given or received."""
        return self.js_response.statusText

    @property
    def ok(self) -> bool:
        """Whether the status is one of success, 200 to 299."""
        return self.js_response.ok

    @property
    def url(self) -> str:
        """The URL that answered, after redirects."""
        return self.js_response.url or self._url

    @property
    def redirected(self) -> bool:
        """Whether redirects were followed."""
        return self.js_response.redirected

    @property
    def type(self) -> str:
        """ "default"; "error" for a network error."""
        return self.js_response.type

    @property
    def headers(self) -> HeadersMessage:
        """The header fields, as `http.client.HTTPMessage`; what is set here goes out."""
        return self.js_response.headers.message()

    @property
    def body(self) -> ReadableStream | None:
        """The body as a stream; None if there is none."""
        return self.js_response.body

    @property
    def body_used(self) -> bool:
        """Whether it has been read."""
        return self.js_response.bodyUsed

    @property
    def web_socket(self) -> WebSocket | None:
        """The WebSocket of a 101: call `.accept()` on it, or return it in a Response."""
        return self.js_response.webSocket

    webSocket = web_socket  # noqa: N815 - JavaScript's name
    bodyUsed = body_used  # noqa: N815 - JavaScript's name
    statusText = status_text  # noqa: N815 - JavaScript's name

    def raise_for_status(self) -> None:
        """OSError if the status is 400 or more."""
        if 400 <= self.status < 600:
            blame = "Client" if self.status < 500 else "Server"
            reason = self.status_text or reason_phrase(self.status)
            raise NetworkError(f"{self.status} {blame} Error: {reason} for url: {self.url}")

    async def buffer(self) -> ArrayBuffer:
        """The whole body. OSError and TypeError (BodyUsedError) if it has been read, as with all of these."""
        self._raise_if_failed()
        return await self.js_response.arrayBuffer()

    arrayBuffer = buffer  # noqa: N815 - JavaScript's name

    async def bytes(self) -> bytes:
        """The whole body."""
        self._raise_if_failed()
        return bytes(await self.js_response.arrayBuffer())

    async def memoryview(self) -> memoryview:
        """The whole body."""
        return memoryview(await self.bytes())

    async def text(self) -> str:
        """The whole body, decoded as UTF-8."""
        self._raise_if_failed()
        return await self.js_response.text()

    string = text

    async def form_data(self) -> FormData:
        """The whole body, parsed as a form. TypeError if it is none."""
        self._raise_if_failed()
        return await self.js_response.formData()

    formData = form_data  # noqa: N815 - JavaScript's name

    async def blob(self) -> Blob:
        """The whole body, with its content type."""
        self._raise_if_failed()
        return await self.js_response.blob()

    def clone(self) -> Response:
        """The same answer again; both bodies can be read."""
        return Response.wrapping(self.js_response.clone())

    def replace_body(self, body: Body) -> Response:
        """The same status and header fields with another body."""
        mine = self.js_response
        made = WebResponse(body, status=mine.status, statusText=mine.statusText, headers=mine.headers)
        return Response.wrapping(made)

    @staticmethod
    def redirect(url: str, status: HTTPStatus | int = HTTPStatus.FOUND) -> Response:
        """An answer that sends the client elsewhere. ValueError for another status than 301, 302, 303, 307, 308."""
        return Response.wrapping(WebResponse.redirect(url, int(status)))

    @staticmethod
    def from_json(
        data: Any,  # noqa: ANN401 - whatever json.dumps takes
        status: HTTPStatus | int = HTTPStatus.OK,
        status_text: str = "",
        headers: HeadersInit = None,
    ) -> Response:
        """An answer with the JSON of `data`, `application/json` unless `headers` say otherwise."""
        fields = Headers(headers)
        if not fields.has("content-type"):
            fields.set("content-type", "application/json")
        return Response(json.dumps(data), status, status_text, fields)

    json = _Json()

    async def parsed(self, **kwargs: Any) -> Any:  # noqa: ANN401 - what the body says
        """The whole body as JSON, parsed: `json()` of an instance; keywords are `json.loads`'s."""
        return json.loads(await self.text(), **kwargs)

    def _raise_if_failed(self) -> None:
        if self.body_used:
            raise BodyUsedError

    def __repr__(self) -> str:
        shown = [f"status={self.status}"]
        if self.status_text:
            shown.append(f"status_text={self.status_text!r}")
        if (content_type := self.js_response.headers.get("content-type")) is not None:
            shown.append(f"content_type={content_type!r}")
        if self.url:
            shown.append(f"url={self.url!r}")
        if self.type != "default":
            shown.append(f"type={self.type!r}")
        return f"Response({', '.join(shown)})"


class Response(FetchResponse):
    """An answer to a request. `web_socket` with status 101 makes it the answer to a WebSocket's handshake."""

    def __init__(
        self,
        body: Body | WebResponse = None,
        status: HTTPStatus | int | None = None,
        status_text: str = "",
        headers: HeadersInit = None,
        web_socket: WebSocket | None = None,
    ) -> None:
        if isinstance(body, WebResponse):
            if status is not None or status_text or headers is not None:
                raise ValueError("Expected no options when constructing Response from a js.Response")
            super().__init__(body.url, body)
            return
        options = {
            "status": None if status is None else int(status),
            "statusText": status_text,
            "headers": headers,
            "webSocket": web_socket,
        }
        super().__init__("", WebResponse(body, options))

    @classmethod
    def new(cls, body: object = None, init: object = None, **given: object) -> Response:
        """As `js.Response.new`, for code that mixes the two."""
        return cls.wrapping(WebResponse(body, init, **given))

    @staticmethod
    def wrapping(js_response: WebResponse) -> Response:
        """The SDK's face of an answer."""
        return Response(cast("Body", js_response))
