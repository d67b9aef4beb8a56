"""A message from a client, or to another server."""

from holdfast.workers.sdk.request import Request

__all__ = ["Request"]
