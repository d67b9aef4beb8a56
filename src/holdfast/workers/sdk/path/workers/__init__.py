"""The SDK of Python Workers. `env` and `waitUntil` are those of the code that reads them."""

from collections.abc import Awaitable
from typing import Any

from holdfast.workers.sdk.context import CurrentEnv, Env, patch_env
from holdfast.workers.sdk.context import wait_until as _wait_until
from holdfast.workers.sdk.entrypoints import DurableObject, WorkerEntrypoint, WorkflowEntrypoint, handler
from holdfast.workers.sdk.fetching import fetch
from holdfast.workers.sdk.modules import import_from_javascript
from holdfast.workers.sdk.request import Request
from holdfast.workers.sdk.response import FetchResponse, Response
from holdfast.workers.sdk.rpc import python_from_rpc, python_to_rpc
from holdfast.workers.sdk.type_names import Body, Context, FetchKwargs, Headers, JSBody, RequestInitCfProperties
from holdfast.workers.sdk.web.blobs import Blob, BlobEnding, BlobValue, File
from holdfast.workers.sdk.web.forms import FormData, FormDataValue

env = CurrentEnv()


def waitUntil(work: Awaitable[Any]) -> None:  # noqa: N802 - the platform's name
    """Keep what runs now alive until `work` has ended."""
    _wait_until(work)


wait_until = waitUntil

__all__ = [
    "Blob",
    "BlobEnding",
    "BlobValue",
    "Body",
    "Context",
    "DurableObject",
    "Env",
    "FetchKwargs",
    "FetchResponse",
    "File",
    "FormData",
    "FormDataValue",
    "Headers",
    "JSBody",
    "Request",
    "RequestInitCfProperties",
    "Response",
    "WorkerEntrypoint",
    "WorkflowEntrypoint",
    "env",
    "fetch",
    "handler",
    "import_from_javascript",
    "patch_env",
    "python_from_rpc",
    "python_to_rpc",
    "waitUntil",
    "wait_until",
]
