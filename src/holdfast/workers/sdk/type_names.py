"""`workers.types`: the names of types as the original's SDK has them, for annotations of user code."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Protocol, TypeAlias, TypedDict

from holdfast.workers.sdk.request import FetchKwargs
from holdfast.workers.sdk.response import Body
from holdfast.workers.sdk.web.blobs import Blob
from holdfast.workers.sdk.web.forms import FormData
from holdfast.workers.sdk.web.headers import HeadersInit
from holdfast.workers.sdk.web.search_params import URLSearchParams
from holdfast.workers.sdk.web.streams import ReadableStream

__all__ = ["Body", "Context", "FetchKwargs", "Headers", "JSBody", "RequestInitCfProperties"]

Headers: TypeAlias = HeadersInit
JSBody: TypeAlias = Blob | bytes | FormData | ReadableStream | URLSearchParams


class Context(Protocol):
    """The context of an invocation: whoever waits for background work."""

    def waitUntil(self, other: Awaitable[Any]) -> None:  # noqa: N802 - the platform's name
        """Keep the invocation alive until it has ended."""


class RequestInitCfProperties(TypedDict, total=False):
    """What `cf=` of a request asks of Cloudflare's cache and images. Heard, and without effect."""

    apps: bool | None
    cacheEverything: bool | None
    cacheKey: str | None
    cacheTags: list[str] | None
    cacheTtl: int
    cacheTtlByStatus: dict[str, int]
    image: Any | None
    mirage: bool | None
    polish: str | None
    resolveOverride: str | None
    scrapeShield: bool | None
    webp: bool | None
