"""Applications of Flask, Django and others that speak PEP 3333."""

from holdfast.workers.sdk.wsgi import Options, entrypoint, fetch

__all__ = ["Options", "entrypoint", "fetch"]
