"""`ctx.exports`: what a script exports, to be called by itself without a binding: its objects' namespaces, and its entrypoints.

Law 1: a call of one is what a call by a binding is: arguments and result are copied, the entrypoint is made anew, and it is no code of who calls.
Law 2: what it is called with first, `ctx.exports.Admin(props={…})`, is its `ctx.props`.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextvars import Context
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

from holdfast.workers.durable.calls import Promise, RemoteFunction, method_of
from holdfast.workers.durable.namespace import Exports, Namespace
from holdfast.workers.sdk.bridge import no_response
from holdfast.workers.sdk.context import ExecutionContext, Invocation, running
from holdfast.workers.sdk.entrypoints import fetch_arguments, fetch_of
from holdfast.workers.sdk.errors import JsTypeError
from holdfast.workers.sdk.in_place import called
from holdfast.workers.sdk.request import Request
from holdfast.workers.sdk.response import FetchResponse
from holdfast.workers.sdk.web.response import Response as WebResponse


def exports_of(
    namespaces: Mapping[str, Namespace],
    entrypoints: Mapping[str, type],
    env: Any,  # noqa: ANN401 - the script's bindings
    wait_until: Callable[[Awaitable[Any]], None],
) -> Exports:
    """All that a script exports, by the names of its classes. `Default` is `default` too, as JavaScript has it."""
    own = {name: OwnEntrypoint(Made(kind, env, wait_until)) for name, kind in entrypoints.items()}
    aliases = {"default": own["Default"]} if "Default" in own else {}
    return Exports({**namespaces, **own, **aliases})


@dataclass(frozen=True, slots=True)
class Made:
    """How an entrypoint is made: its class, and what that is given."""

    kind: type
    env: Any
    wait_until: Callable[[Awaitable[Any]], None]
    props: Mapping[str, object] = field(default_factory=dict)

    def anew(self) -> tuple[Any, ExecutionContext]:
        """One of it, and its context."""
        context = ExecutionContext(self.wait_until, self.props)
        return self.kind(context, self.env), context

    def in_context(self) -> Context:
        """What its code runs in: nobody's, but for the request that it is part of."""
        asked = running.get(None)
        context = Context()
        request = None if asked is None else asked.request
        context.run(running.set, Invocation(env=self.env, wait_until=self.wait_until, request=request))
        return context

    def run(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Promise:  # noqa: ANN401 - whatever it takes
        """Have `work` done there, with copies of these."""
        return RemoteFunction(work, self.in_context())(*args, **kwargs)


class OwnEntrypoint:
    """An entrypoint of the script: `await it.method(…)`, `await it.property`, `await it.fetch(…)`."""

    __slots__ = ("_made",)

    def __init__(self, made: Made) -> None:
        self._made = made

    def __call__(
        self, options: Mapping[str, Any] | None = None, *, props: Mapping[str, object] | None = None
    ) -> OwnEntrypoint:
        """The same one, with these `props`."""
        made = self._made
        return OwnEntrypoint(
            Made(made.kind, made.env, made.wait_until, props or dict(options or {}).get("props") or {})
        )

    def fetch(self, input: Any, init: Any = None, **options: Any) -> Promise:  # noqa: A002, ANN401  as `workers.fetch` takes them
        """Have its `fetch` answer a request, or a URL with options. Raises as `Request()` does."""
        return self._made.run(self._fetched, Request(input, init, **options))

    def __getattr__(self, name: str) -> OwnMember:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return OwnMember(self._made, name)

    def __repr__(self) -> str:
        return f"<Fetcher {self._made.kind.__name__}>"

    async def _fetched(self, request: Request) -> FetchResponse:
        made, context = self._made.anew()
        if (handler := fetch_of(made)) is None:
            raise JsTypeError("Handler does not export a fetch() function.")
        result = await called(handler, *fetch_arguments(handler, request, self._made.env, context))
        if isinstance(result, FetchResponse):
            return result
        if isinstance(result, WebResponse):
            return FetchResponse(result.url, result)
        raise no_response(result, handler)


class OwnMember:
    """A name of it: called, it is a method; awaited, a property."""

    __slots__ = ("_made", "_name")

    def __init__(self, made: Made, name: str) -> None:
        self._made = made
        self._name = name

    def __call__(self, *args: Any, **kwargs: Any) -> Promise:  # noqa: ANN401 - whatever the method takes
        """Call it, now. DOMException "DataCloneError" for what cannot be sent."""
        return self._made.run(self._called, *args, **kwargs)

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._made.run(self._read).__await__()

    async def _called(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - user code's
        found = method_of(self._made.anew()[0], self._name)
        if not callable(found):
            raise JsTypeError(f'"{self._name}" is not a function.')
        return await called(partial(cast("Callable[..., Any]", found), *args, **kwargs))

    async def _read(self) -> Any:  # noqa: ANN401 - user code's
        found = method_of(self._made.anew()[0], self._name)
        return await found if inspect.isawaitable(found) else found
