"""The base classes that a script derives its own from."""

from holdfast.workers.sdk.context import Env, ExecutionContext
from holdfast.workers.sdk.contexts import DurableObjectContext
from holdfast.workers.sdk.entrypoints import (
    DurableObject,
    DurableObjectAbort,
    WorkerEntrypoint,
    WorkflowEntrypoint,
    handler,
)

__all__ = [
    "DurableObject",
    "DurableObjectAbort",
    "DurableObjectContext",
    "Env",
    "ExecutionContext",
    "WorkerEntrypoint",
    "WorkflowEntrypoint",
    "handler",
]
