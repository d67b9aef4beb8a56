"""The base classes of user code, and what of a module is exported.

Law: every class of the main module that derives from a base, and neither is one nor starts with `_`, is exported by its
name; `__all__` narrows it where the module has one. The class `Default` answers requests.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar, cast

from holdfast.workers.sdk.context import ExecutionContext
from holdfast.workers.sdk.request import Request
from holdfast.workers.sdk.web.request import Request as WebRequest

if TYPE_CHECKING:
    from holdfast.workers.sdk.contexts import DurableObjectContext

Handler = TypeVar("Handler", bound=Callable[..., Any])

# Module functions of the older style (compatibility flag `disable_python_no_global_handlers`).
GLOBAL_HANDLERS = (
    "on_fetch",
    "on_scheduled",
    "on_queue",
    "on_alarm",
    "on_webSocketMessage",
    "on_webSocketClose",
    "on_webSocketError",
)


class WorkerEntrypoint:
    """Answers requests and events: the class `Default` those of the Worker, others those of service bindings."""

    ctx: ExecutionContext
    env: Any

    def __init__(self, ctx: ExecutionContext, env: Any) -> None:  # noqa: ANN401 - the user's bindings
        self.ctx = ctx
        self.env = env


class DurableObject:
    """One object of its class for each id. `self.ctx` is its state: storage, sockets, alarms."""

    ctx: DurableObjectContext
    env: Any

    def __init__(self, ctx: DurableObjectContext, env: Any) -> None:  # noqa: ANN401 - the user's bindings
        self.ctx = ctx
        self.env = env


class WorkflowEntrypoint:
    """A workflow. Holdfast runs none: a script may define it, and starting one fails."""

    ctx: ExecutionContext
    env: Any

    def __init__(self, ctx: ExecutionContext, env: Any) -> None:  # noqa: ANN401 - as above
        self.ctx = ctx
        self.env = env


class DurableObjectAbort(BaseException):
    """Ends the handler that called `ctx.abort()`; no `except Exception` of user code stops it."""


BASES = (WorkerEntrypoint, DurableObject, WorkflowEntrypoint)


def exported_classes(module: ModuleType) -> dict[str, type]:
    """The classes that a script exports, by name."""
    names = getattr(module, "__all__", None) or list(vars(module))
    found = {name: getattr(module, name, None) for name in names if not name.startswith("_")}
    return {
        name: value
        for name, value in found.items()
        if inspect.isclass(value) and issubclass(value, BASES) and value not in BASES
    }


def global_handlers(module: ModuleType) -> dict[str, Callable[..., Any]]:
    """The module functions that answer requests and events. TypeError beside a class `Default`."""
    found: dict[str, Callable[..., Any]] = {
        name: value
        for name in GLOBAL_HANDLERS
        if name.startswith("on_") and inspect.isfunction(value := getattr(module, name, None))
    }
    if found and "Default" in exported_classes(module):
        raise TypeError("Cannot define multiple default entrypoints")
    return found


def handler_of(code: object, name: str) -> Callable[..., Any] | None:
    """A handler of a script's class, or of an instance of it: `scheduled`, or `on_scheduled`, which it was called before; None without."""
    found = getattr(code, name, None)
    return cast("Callable[..., Any] | None", getattr(code, f"on_{name}", None) if found is None else found)


def fetch_of(code: object) -> Callable[..., Any] | None:
    """What answers requests."""
    return handler_of(code, "fetch")


def fetch_arguments(fetch: Callable[..., Any], *offered: object) -> tuple[object, ...]:
    """What to call `fetch` with, of the request, `env` and `ctx`: the request, and of the others what it cannot be called without,
    as public code has it. What has a default keeps it, as on the original, which gives nothing there.
    """
    needed, most = _positional(getattr(fetch, "__func__", fetch))
    bound = getattr(fetch, "__self__", None) is not None
    return offered[: max(needed - bound, min(most - bound, 1))]


@functools.lru_cache(maxsize=256)
def _positional(function: Callable[..., Any]) -> tuple[int, int]:
    """How many positional arguments a function must have, and how many it may."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return 1, 1
    if any(one.kind is one.VAR_POSITIONAL for one in parameters):
        return 2, 2
    taken = [one for one in parameters if one.kind in {one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD}]
    return sum(one.default is one.empty for one in taken), len(taken)


def handler(func: Handler) -> Handler:
    """Decorator of `on_fetch(request, env, ctx)`: the request arrives as `workers.Request`."""

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the handler's own
        if args and isinstance(args[0], WebRequest):
            args = (Request(args[0]), *args[1:])
        return func(*args, **kwargs)

    return wrapper  # type: ignore[return-value]  # it has the handler's own signature
