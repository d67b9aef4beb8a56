"""WSGI applications as Workers."""

from holdfast.workers.sdk.wsgi import Options, entrypoint, fetch

__all__ = ["Options", "entrypoint", "fetch"]
