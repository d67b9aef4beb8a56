"""Applications of Flask, Django and others that speak PEP 3333."""

from holdfast.workers.sdk.wsgi import Options, build_environ, entrypoint, fetch

__all__ = ["Options", "build_environ", "entrypoint", "fetch"]
