"""The border to JavaScript, where there is none: conversions leave values as they are."""

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
    can_run_sync,
    create_once_callable,
    create_proxy,
    destroy_proxies,
    run_sync,
    to_js,
)
from holdfast.workers.sdk.web.promises import Promise as JsPromise

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
