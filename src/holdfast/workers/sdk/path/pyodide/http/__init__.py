"""Requests to other servers, by the names that Pyodide gives them."""

from holdfast.workers.sdk.pyfetch import AbortError, BodyUsedError, FetchResponse, HttpStatusError, pyfetch

__all__ = ["AbortError", "BodyUsedError", "FetchResponse", "HttpStatusError", "pyfetch"]
