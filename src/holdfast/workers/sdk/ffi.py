"""`pyodide.ffi` where there is no border between two languages: conversions are the identity, proxies are what they stand for.

Law: code written for the border runs unchanged; code that leaves all of this out runs the same.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable, Generator, Iterable, Iterator
from typing import Any, Generic, TypeVar, cast

from holdfast.workers.sdk.errors import JsException
from holdfast.workers.sdk.threads import Home, is_elsewhere
from holdfast.workers.sdk.values import as_js

Result = TypeVar("Result")
Target = TypeVar("Target")

__all__ = [
    "ConversionError",
    "JsArray",
    "JsAsyncGenerator",
    "JsAsyncIterable",
    "JsAsyncIterator",
    "JsBuffer",
    "JsCallable",
    "JsDoubleProxy",
    "JsException",
    "JsGenerator",
    "JsIterable",
    "JsIterator",
    "JsMap",
    "JsMutableMap",
    "JsOnceCallable",
    "JsProxy",
    "JsTypedArray",
    "Proxy",
    "can_run_sync",
    "create_once_callable",
    "create_proxy",
    "destroy_proxies",
    "run_sync",
    "to_js",
]


class JsProxy:
    """The type of proxies on the original. Nothing here is one, so `isinstance(value, JsProxy)` is False: values are plain."""


class JsArray(JsProxy):
    """As JsProxy."""


class JsBuffer(JsProxy):
    """As JsProxy."""


# The other kinds of proxies, for annotations: nothing is one, either.
JsAsyncGenerator = JsAsyncIterable = JsAsyncIterator = JsCallable = JsDoubleProxy = JsGenerator = JsProxy
JsIterable = JsIterator = JsMap = JsMutableMap = JsOnceCallable = JsTypedArray = JsProxy


class ConversionError(Exception):
    """A value that cannot cross the border on the original. Nothing raises it here."""


class Proxy(Generic[Target]):
    """What `create_proxy` gives: used like what it stands for; `destroy()` does nothing."""

    def __init__(self, target: Target) -> None:
        self._target = target

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the target's own
        return self._target(*args, **kwargs)  # type: ignore[operator]  # TypeError where it is no function, as it should

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - the target's own
        return getattr(self._target, name)

    def __getitem__(self, key: Any) -> Any:  # noqa: ANN401 - the target's own
        return self._target[key]  # type: ignore[index]  # TypeError where it has no items, as it should

    def __setitem__(self, key: Any, value: Any) -> None:  # noqa: ANN401 - as above
        self._target[key] = value  # type: ignore[index]  # as above

    def __iter__(self) -> Iterator[Any]:
        return iter(self._target)  # type: ignore[call-overload, no-any-return]  # as above

    def __len__(self) -> int:
        return len(self._target)  # type: ignore[arg-type]  # as above

    def __bool__(self) -> bool:
        return bool(self._target)

    def __contains__(self, item: object) -> bool:
        return item in self._target  # type: ignore[operator]  # as above

    def __eq__(self, other: object) -> bool:
        return self._target == (other._target if isinstance(other, Proxy) else other)

    def __hash__(self) -> int:
        return hash(self._target)

    def __repr__(self) -> str:
        return repr(self._target)

    def destroy(self) -> None:
        """Nothing: Python's own collector sees everything."""

    def copy(self) -> Proxy[Target]:
        """This."""
        return self

    def unwrap(self) -> Target:
        """What it stands for."""
        return self._target


class AwaitableProxy(Proxy[Target]):
    """The same of what can be awaited."""

    def __await__(self) -> Generator[Any, Any, Any]:
        target: Any = self.unwrap()
        return cast("Generator[Any, Any, Any]", target.__await__())


def to_js(
    obj: object,
    /,
    *,
    depth: int = -1,
    pyproxies: object = None,
    create_pyproxies: bool = True,
    dict_converter: Callable[..., object] | None = None,
    default_converter: Callable[..., object] | None = None,
    eager_converter: Callable[..., object] | None = None,
) -> Any:  # noqa: ANN401 - the same value, only richer
    """The value; dictionaries and lists also answer to JavaScript's names. All options are heard and not needed."""
    del depth, pyproxies, create_pyproxies, dict_converter, default_converter, eager_converter
    return as_js(obj)


def create_proxy(obj: Target, /, *, capture_this: bool = False, roundtrip: bool = True) -> Proxy[Target]:
    """Something to be used like `obj`, with `.destroy()`."""
    del capture_this, roundtrip
    return AwaitableProxy(obj) if inspect.isawaitable(obj) else Proxy(obj)


def create_once_callable(obj: Callable[..., Any], /, *, _may_syncify: bool = False) -> Callable[..., Any]:
    """A function that may be called once. JsException the second time."""
    was_called = False

    def once(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the function's own
        nonlocal was_called
        if was_called:
            raise JsException("OnceProxy can only be called once")
        was_called = True
        return obj(*args, **kwargs)

    return once


def destroy_proxies(_proxies: Iterable[object], /) -> None:
    """Nothing: Python's own collector sees everything."""


def at_home(loop: asyncio.AbstractEventLoop) -> None:
    """Name the loop that `run_sync` of other threads asks."""
    Home.loop = loop


def run_sync(work: Awaitable[Result], /) -> Result:
    """Wait for `work` without `await`: in a handler, whose stack is put aside meanwhile, in threads of WSGI and ASGI applications, and
    where no loop runs. RuntimeError where none of that can be, as in a listener of events or in `transactionSync`.
    """
    if is_elsewhere():
        home = Home.loop
        if home is None or threading.current_thread() is threading.main_thread():
            return asyncio.run(_awaited(work))
        return asyncio.run_coroutine_threadsafe(_awaited(work), home).result()
    from holdfast.workers.sdk import stacks  # noqa: PLC0415 - see in_place.py

    try:
        return cast("Result", stacks.wait(work))
    except stacks.CannotWait:
        if asyncio.iscoroutine(work):
            work.close()
        raise


def can_run_sync() -> bool:
    """Whether `run_sync` can wait here."""
    from holdfast.workers.sdk import stacks  # noqa: PLC0415 - see in_place.py

    return is_elsewhere() or stacks.can_wait()


async def _awaited(work: Awaitable[Result]) -> Result:
    return await work
