"""An answer to a client, or from another server."""

from holdfast.workers.sdk.response import FetchResponse, Response

__all__ = ["FetchResponse", "Response"]
