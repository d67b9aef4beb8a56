"""`import_from_javascript`: the one module of the platform that can be asked for by its JavaScript name."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, NoReturn

from holdfast.workers.sdk.context import CurrentEnv, wait_until
from holdfast.workers.sdk.entrypoints import DurableObject, WorkerEntrypoint, WorkflowEntrypoint


def import_from_javascript(module_name: str) -> Any:  # noqa: ANN401 - a module
    """`cloudflare:workers`. ImportError for every other: there is no JavaScript here."""
    if module_name == "cloudflare:workers":
        return SimpleNamespace(
            env=CurrentEnv(),
            waitUntil=wait_until,
            DurableObject=DurableObject,
            WorkerEntrypoint=WorkerEntrypoint,
            WorkflowEntrypoint=WorkflowEntrypoint,
        )
    raise ImportError(
        f"Failed to import '{module_name}': there is no JavaScript here; only 'cloudflare:workers' is known"
    )


def run_js(_code: str, /) -> NoReturn:
    """NotImplementedError: there is no JavaScript here. What is in `js` is Python."""
    raise NotImplementedError("run_js(): there is no JavaScript here; what the module `js` has is there as Python")
