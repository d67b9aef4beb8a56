"""The border to JavaScript, where there is none: conversions leave values as they are.

`run_sync` and `can_run_sync` are had by asking for them: from then on handlers run so that they can wait in place. Of a script that
names them this is known when it is loaded.
"""

from typing import TYPE_CHECKING

from holdfast.workers.sdk.errors import JsException
from holdfast.workers.sdk.ffi import (
    ConversionError,
    JsArray,
    JsAsyncGenerator,
    JsAsyncIterable,
    JsAsyncIterator,
    JsBuffer,
    JsCallable,
    JsDoubleProxy,
    JsGenerator,
    JsIterable,
    JsIterator,
    JsMap,
    JsMutableMap,
    JsOnceCallable,
    JsProxy,
    JsTypedArray,
    create_once_callable,
    create_proxy,
    destroy_proxies,
    to_js,
)
from holdfast.workers.sdk.web.promises import Promise as JsPromise

if TYPE_CHECKING:
    from holdfast.workers.sdk.ffi import can_run_sync, run_sync

# JavaScript's null and undefined are both None.
jsnull = None

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
    "JsPromise",
    "JsProxy",
    "JsTypedArray",
    "can_run_sync",
    "create_once_callable",
    "create_proxy",
    "destroy_proxies",
    "jsnull",
    "run_sync",
    "to_js",
]


def __getattr__(name: str) -> object:
    if name in {"run_sync", "can_run_sync"}:
        from holdfast.workers.sdk import ffi, in_place  # noqa: PLC0415 - rarely wanted

        in_place.want()
        globals().update(run_sync=ffi.run_sync, can_run_sync=ffi.can_run_sync)
        return globals()[name]
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
