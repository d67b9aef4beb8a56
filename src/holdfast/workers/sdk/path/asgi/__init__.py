"""The older name of `workers.asgi`, which some applications import."""

import importlib
from typing import Any

from holdfast.workers.sdk.asgi import (
    Options,
    entrypoint,
    fetch,
    process_request,
    request_to_scope,
    start_application,
    websocket,
)

__all__ = [
    "Options",
    "entrypoint",
    "env",
    "fetch",
    "process_request",
    "request_to_scope",
    "start_application",
    "websocket",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - as workers.asgi
    return getattr(importlib.import_module("workers.asgi"), name)
