"""What the code that runs now belongs to: its bindings, who waits for its background work, and its gates.

Law 1: it is a context variable, so tasks that user code starts inherit it, and two requests never see each other's.
Law 2: `env` outside any request is what the script was loaded with; `patch_env` changes it for the code inside alone.
Law 3: work that is waited for outside a request belongs to the object whose code started it, and keeps that in memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from holdfast.model.worker_egress import RequestContext
from holdfast.workers.durable.current import CURRENT
from holdfast.workers.sdk.threads import soon
from holdfast.workers.sdk.values import JsDict

# Simultaneous outgoing connections of one request; more wait for one of them.
# Precedent: Cloudflare's documented limit of Workers.
MAX_SUBREQUESTS = 6


class Env:
    """The bindings of a script, each an attribute: `env.ROOM`, `env.API_KEY`. Also by key, as a mapping is read."""

    stays_as = "Env"

    def __init__(self, bindings: Mapping[str, object] | None = None) -> None:
        self.__dict__.update(bindings or {})

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - bindings are of any type; editors read the user's own stub
        raise AttributeError(f"env has no binding '{name}': it has {', '.join(sorted(self.__dict__)) or 'none'}")

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - as above
        return self.__dict__[name]

    def __contains__(self, name: object) -> bool:
        return name in self.__dict__

    def __iter__(self) -> Iterator[str]:
        return iter(self.__dict__)

    def __repr__(self) -> str:
        # Names alone: values may be secrets.
        return f"Env({', '.join(sorted(self.__dict__))})"

    def object_keys(self) -> list[str]:
        """The names of the bindings."""
        return list(self.__dict__)

    def object_values(self) -> list[Any]:
        """The bindings."""
        return list(self.__dict__.values())

    def object_entries(self) -> list[tuple[str, Any]]:
        """(name, binding) pairs."""
        return list(self.__dict__.items())

    def to_py(self) -> dict[str, Any]:
        """Them as a dictionary."""
        return dict(self.__dict__)


class Environment:
    """The `env` that user code sees now: what the script was loaded with, or what `patch_env` laid over it."""

    def __init__(self) -> None:
        self._default: Any = Env()
        # `ctx.exports` of all code of the script; None outside of a script's process.
        self.exports: Any = None
        self._patched: ContextVar[Any] = ContextVar("patched_env")

    def set_default(self, env: object) -> None:
        """At loading, before any user code runs."""
        self._default = env

    @property
    def current(self) -> Any:  # noqa: ANN401 - user code may bring an env of its own
        """The env of the code that asks."""
        return self._patched.get(self._default)

    @contextmanager
    def patched(self, changes: Mapping[str, object]) -> Iterator[None]:
        """With `changes` over it, for the code inside."""
        token = self._patched.set(Env({**{name: self.current[name] for name in self.current}, **changes}))
        try:
            yield
        finally:
            self._patched.reset(token)


environment = Environment()


class CurrentEnv:
    """`workers.env`: each attribute is looked up when it is read, so that it may be imported once and for all."""

    stays_as = "Env"

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - bindings are of any type
        return getattr(environment.current, name)

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - as above
        return environment.current[name]

    def __contains__(self, name: object) -> bool:
        return name in environment.current

    def __iter__(self) -> Iterator[str]:
        return iter(environment.current)

    def __repr__(self) -> str:
        return repr(environment.current)

    def object_keys(self) -> list[str]:
        """The names of the bindings."""
        return list(environment.current)

    def object_values(self) -> list[Any]:
        """The bindings."""
        return [self[name] for name in self]

    def object_entries(self) -> list[tuple[str, Any]]:
        """(name, binding) pairs."""
        return [(name, self[name]) for name in self]

    def to_py(self) -> dict[str, Any]:
        """Them as a dictionary."""
        return dict(self.object_entries())


@contextmanager
def patch_env(
    d: Mapping[str, Any] | Sequence[tuple[str, Any]] | None = None,
    **kwds: Any,  # noqa: ANN401 - as the original's
) -> Iterator[None]:
    """`env` with these bindings over it, for the code inside the block (and tasks it starts)."""
    with environment.patched({**dict(d or {}), **kwds}):
        yield


@dataclass(slots=True)
class Invocation:
    """One run of a handler: the request that it answers (None: an event of another kind), and what it may do."""

    env: Any
    wait_until: Callable[[Awaitable[Any]], None]
    request: RequestContext | None = None
    subrequests: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_SUBREQUESTS))


running: ContextVar[Invocation | None] = ContextVar("running_invocation", default=None)


def wait_until(work: Awaitable[Any]) -> None:
    """Keep the invocation (or the object) alive until `work` has ended. RuntimeError outside any handler."""
    if (invocation := running.get(None)) is not None:
        soon(invocation.wait_until, work)
    elif CURRENT.get() is not None:
        soon(_kept, work)
    else:
        raise RuntimeError("waitUntil() can only be called while a request or an event is handled")


_under_way: set[asyncio.Future[Any]] = set()


def _kept(work: Awaitable[Any]) -> None:
    # A task made here belongs to the object, which stays in memory until it ends (`durable/current.py`).
    future = asyncio.ensure_future(work)
    _under_way.add(future)
    future.add_done_callback(_under_way.discard)


class ExecutionContext:
    """`self.ctx` of a WorkerEntrypoint."""

    stays_as = "ExecutionContext"

    def __init__(self, wait_until: Callable[[Awaitable[Any]], None], props: Mapping[str, object] | None = None) -> None:
        self._wait_until = wait_until
        self.props = JsDict(props or {})

    def waitUntil(self, work: Awaitable[Any]) -> None:  # noqa: N802 - the platform's name
        """Keep this invocation alive until `work` (a coroutine, a task, a future) has ended."""
        soon(self._wait_until, work)

    wait_until = waitUntil

    @property
    def exports(self) -> Any:  # noqa: ANN401 - the script's own classes
        """What the script exports, by class: namespaces of its objects, and its entrypoints."""
        return environment.exports

    def passThroughOnException(self) -> None:  # noqa: N802 - the platform's name
        """Accepted and without effect: an exception is answered with 500 here, never by asking the origin again."""

    pass_through_on_exception = passThroughOnException
