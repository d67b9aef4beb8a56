"""The base classes that a script derives its own from."""

from holdfast.workers.sdk.entrypoints import (
    DurableObject,
    DurableObjectAbort,
    WorkerEntrypoint,
    WorkflowEntrypoint,
    handler,
)

__all__ = ["DurableObject", "DurableObjectAbort", "WorkerEntrypoint", "WorkflowEntrypoint", "handler"]
