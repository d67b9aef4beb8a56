"""ASGI applications as Workers; `env` is a dependency of FastAPI that gives the bindings."""

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


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a dependency of FastAPI
    if name == "env":
        from fastapi import Depends, Request  # noqa: PLC0415 - where the script has it

        async def env(request: Request) -> object:
            return request.scope["env"]

        return Depends(env)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
