"""`workers.Request`: the SDK's Python face of a request, over the fetch standard's (`js_object`)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPMethod
from typing import Any, TypeAlias, TypedDict, Unpack, cast

from holdfast.workers.sdk.buffers import ArrayBuffer
from holdfast.workers.sdk.errors import BodyUsedError
from holdfast.workers.sdk.values import JsDict
from holdfast.workers.sdk.web.aborting import AbortSignal
from holdfast.workers.sdk.web.blobs import Blob
from holdfast.workers.sdk.web.forms import FormData
from holdfast.workers.sdk.web.headers import HeadersInit, HeadersMessage
from holdfast.workers.sdk.web.request import Request as WebRequest
from holdfast.workers.sdk.web.streams import ReadableStream
from holdfast.workers.sdk.web.urls import URL


class FetchKwargs(TypedDict, total=False):
    """What `fetch()` and `Request()` take by keyword."""

    headers: HeadersInit
    body: Any
    method: HTTPMethod | str
    redirect: str
    cf: Mapping[str, Any] | None
    fetcher: Any
    signal: Any


# Options as a mapping, or another request whose method, fields and body they are.
RequestInit: TypeAlias = "FetchKwargs | Mapping[str, Any] | Request | WebRequest | None"


class Request:
    """A request, come in or to be sent. Made of a URL, of another Request (with changes), or of a `js.Request`.

    Options are keywords, or a mapping as JavaScript's second argument (`init`), which the original's SDK has not.
    """

    def __init__(
        self,
        input: Request | str | URL | WebRequest,  # noqa: A002
        init: RequestInit = None,
        **other_options: Unpack[FetchKwargs],
    ) -> None:
        if isinstance(input, WebRequest) and init is None:
            if other_options:
                raise ValueError("Expected no options when constructing Request from a js.Request")
            self._request = input
            return
        options = cast("dict[str, object]", {**other_options})
        options.pop("fetcher", None)
        self._request = WebRequest(input, init, **options)

    @property
    def js_object(self) -> WebRequest:
        """The same request as `js.Request`."""
        return self._request

    # Public code reaches for the original's private name.
    _js_request = js_object

    @property
    def url(self) -> str:
        """The whole URL."""
        return self._request.url

    @property
    def method(self) -> HTTPMethod:
        """The method; compares equal to its name. Methods that Python does not know are plain text."""
        return _known_method(self._request.method)

    @property
    def headers(self) -> HeadersMessage:
        """The header fields, as `http.client.HTTPMessage`; what is set here goes out."""
        return self._request.headers.message()

    @property
    def body(self) -> ReadableStream | None:
        """The body as a stream; None if there is none."""
        return self._request.body

    @property
    def body_used(self) -> bool:
        """Whether it has been read."""
        return self._request.bodyUsed

    bodyUsed = body_used  # noqa: N815 - JavaScript's name

    @property
    def cf(self) -> JsDict | None:
        """What the edge knows of the client: `request.cf.country`, `.colo`, …; None where it says nothing."""
        return self._request.cf

    @property
    def redirect(self) -> str:
        """ "follow", "manual" or "error"."""
        return self._request.redirect

    @property
    def signal(self) -> AbortSignal:
        """What aborts it: of a request that came in, its client's leaving before it has the answer."""
        return self._request.signal

    @property
    def cache(self) -> str:
        """As the standard has it where nothing was asked, like all below."""
        return "default"

    @property
    def credentials(self) -> str:
        """As the standard has it."""
        return "same-origin"

    @property
    def destination(self) -> str:
        """As the standard has it."""
        return ""

    @property
    def integrity(self) -> str:
        """As the standard has it."""
        return ""

    @property
    def is_history_navigation(self) -> bool:
        """As the standard has it."""
        return False

    @property
    def keepalive(self) -> bool:
        """As the standard has it."""
        return False

    @property
    def mode(self) -> str:
        """As the standard has it."""
        return "cors"

    @property
    def referrer(self) -> str:
        """As the standard has it."""
        return "about:client"

    @property
    def referrer_policy(self) -> str:
        """As the standard has it."""
        return ""

    async def buffer(self) -> ArrayBuffer:
        """The whole body. OSError and TypeError (BodyUsedError) if it has been read, as with all of these."""
        self._raise_if_failed()
        return await self._request.arrayBuffer()

    arrayBuffer = buffer  # noqa: N815 - JavaScript's name

    async def bytes(self) -> bytes:
        """The whole body."""
        self._raise_if_failed()
        return bytes(await self._request.arrayBuffer())

    async def text(self) -> str:
        """The whole body, decoded as UTF-8."""
        self._raise_if_failed()
        return await self._request.text()

    async def json(self, **kwargs: Any) -> Any:  # noqa: ANN401 - what the body says
        """The whole body, parsed; keywords are `json.loads`'s."""
        return json.loads(await self.text(), **kwargs)

    async def form_data(self) -> FormData:
        """The whole body, parsed as a form. TypeError if it is none."""
        self._raise_if_failed()
        return await self._request.formData()

    formData = form_data  # noqa: N815 - JavaScript's name

    async def blob(self) -> Blob:
        """The whole body, with its content type."""
        self._raise_if_failed()
        return await self._request.blob()

    def clone(self) -> Request:
        """The same request again; both bodies can be read."""
        return Request(self._request.clone())

    def __repr__(self) -> str:
        return repr(self._request)

    def _raise_if_failed(self) -> None:
        if self.body_used:
            raise BodyUsedError


def _known_method(method: str) -> HTTPMethod:
    try:
        return HTTPMethod(method)
    except ValueError:
        return cast("HTTPMethod", method)
