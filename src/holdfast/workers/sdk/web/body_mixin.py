"""What requests and answers have in common: a body, read once, in the form that is asked for.

Source: Fetch §5.3 "Body mixin".
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from holdfast.workers.sdk.buffers import ArrayBuffer
from holdfast.workers.sdk.errors import JsSyntaxError
from holdfast.workers.sdk.proxied import Proxied
from holdfast.workers.sdk.values import as_js
from holdfast.workers.sdk.web.blobs import Blob
from holdfast.workers.sdk.web.bodies import Payload, form_of

if TYPE_CHECKING:
    from holdfast.workers.sdk.web.forms import FormData
    from holdfast.workers.sdk.web.headers import Headers
    from holdfast.workers.sdk.web.streams import ReadableStream


class BodyMixin(Proxied):
    """See above. `payload` is for the runtime."""

    headers: Headers
    payload: Payload

    @property
    def body(self) -> ReadableStream | None:
        """The body as a stream."""
        return self.payload.readable

    @property
    def bodyUsed(self) -> bool:  # noqa: N802 - JavaScript's name
        """Whether it has been read."""
        return self.payload.is_used

    async def arrayBuffer(self) -> ArrayBuffer:  # noqa: N802 - JavaScript's name
        """The whole body. TypeError (BodyUsedError) if it has been read, as with all of these."""
        return ArrayBuffer(await self.payload.read())

    async def bytes(self) -> ArrayBuffer:
        """The whole body."""
        return ArrayBuffer(await self.payload.read())

    async def text(self) -> str:
        """The whole body, decoded as UTF-8."""
        return decoded(await self.payload.read())

    async def parsed(self) -> Any:  # noqa: ANN401 - what the body says
        """The whole body as JSON: `json()`. SyntaxError (ValueError) if it is none."""
        text = await self.text()
        try:
            return as_js(json.loads(text))
        except (ValueError, RecursionError) as error:
            raise JsSyntaxError(str(error) or "JSON is nested too deep") from None

    async def blob(self) -> Blob:
        """The whole body, with its content type."""
        return Blob(await self.payload.read(), self.headers.get("content-type"))

    async def formData(self) -> FormData:  # noqa: N802 - JavaScript's name
        """The whole body, parsed as a form. TypeError if it is none."""
        return await form_of(self.payload, self.headers.get("content-type"))


def decoded(data: bytes) -> str:
    """UTF-8 as the platform decodes it: a byte order mark left out, what is invalid replaced."""
    return data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
