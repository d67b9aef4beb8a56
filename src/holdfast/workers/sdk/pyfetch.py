"""`pyodide.http`: `pyfetch` over `fetch()`, and the errors that its answers raise."""

from __future__ import annotations

from typing import Any

from holdfast.workers.sdk.errors import BodyUsedError, DOMException, NetworkError
from holdfast.workers.sdk.fetching import fetch
from holdfast.workers.sdk.response import FetchResponse

__all__ = ["AbortError", "BodyUsedError", "FetchResponse", "HttpStatusError", "pyfetch"]

AbortError = DOMException
HttpStatusError = NetworkError


async def pyfetch(request: Any, /, *, signal: Any = None, fetcher: Any = None, **fetch_kwargs: Any) -> FetchResponse:  # noqa: ANN401 - Pyodide's own signature
    """Send a request, as Pyodide's `pyfetch` does. OSError (NetworkError) where there is no answer."""
    return await fetch(request, signal=signal, fetcher=fetcher, **fetch_kwargs)
