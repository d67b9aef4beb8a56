"""JavaScript's globals, each as plain Python: classes are made with `.new(...)`, as code written for Pyodide does, or called.

What few scripts use is imported when it is asked for.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING

from holdfast.workers.durable.namespace import Namespace as DurableObjectNamespace
from holdfast.workers.runtime.sockets import WebSocket, WebSocketPair, WebSocketRequestResponsePair
from holdfast.workers.sdk.buffers import ArrayBuffer, Uint8Array
from holdfast.workers.sdk.context import Env, ExecutionContext
from holdfast.workers.sdk.contexts import DurableObjectContext as DurableObjectState
from holdfast.workers.sdk.errors import DOMException
from holdfast.workers.sdk.errors import JsException as Error
from holdfast.workers.sdk.errors import JsRangeError as RangeError
from holdfast.workers.sdk.errors import JsSyntaxError as SyntaxError  # noqa: A004 - JavaScript's name
from holdfast.workers.sdk.errors import JsTypeError as TypeError  # noqa: A004 - JavaScript's name
from holdfast.workers.sdk.fetching import js_fetch as fetch
from holdfast.workers.sdk.web.aborting import AbortController, AbortSignal
from holdfast.workers.sdk.web.blobs import Blob, File
from holdfast.workers.sdk.web.console import console
from holdfast.workers.sdk.web.crypto import crypto
from holdfast.workers.sdk.web.crypto_keys import CryptoKey
from holdfast.workers.sdk.web.dates import Date
from holdfast.workers.sdk.web.forms import FormData
from holdfast.workers.sdk.web.globals import JSON, Array, Map, Object, Set, structuredClone
from holdfast.workers.sdk.web.headers import Headers
from holdfast.workers.sdk.web.mathematics import Math
from holdfast.workers.sdk.web.numbers import (
    BigInt,
    Boolean,
    Infinity,
    NaN,
    Number,
    String,
    isFinite,
    isNaN,
    parseFloat,
    parseInt,
)
from holdfast.workers.sdk.web.pipes import TransformStream, WritableStream
from holdfast.workers.sdk.web.promises import Promise
from holdfast.workers.sdk.web.request import Request
from holdfast.workers.sdk.web.response import Response
from holdfast.workers.sdk.web.search_params import URLSearchParams
from holdfast.workers.sdk.web.streams import ReadableStream
from holdfast.workers.sdk.web.texts import (
    TextDecoder,
    TextEncoder,
    atob,
    btoa,
    decodeURI,
    decodeURIComponent,
    encodeURI,
    encodeURIComponent,
)
from holdfast.workers.sdk.web.timing import (
    clearInterval,
    clearTimeout,
    navigator,
    performance,
    queueMicrotask,
    scheduler,
    setInterval,
    setTimeout,
)
from holdfast.workers.sdk.web.urls import URL

if TYPE_CHECKING:
    from holdfast.workers.sdk.web.caches import caches
    from holdfast.workers.sdk.web.event_target import (
        CloseEvent,
        CustomEvent,
        ErrorEvent,
        Event,
        EventTarget,
        MessageEvent,
    )
    from holdfast.workers.sdk.web.html_rewriter import HTMLRewriter
    from holdfast.workers.sdk.web.transforms import (
        CompressionStream,
        DecompressionStream,
        FixedLengthStream,
        IdentityTransformStream,
        TextDecoderStream,
        TextEncoderStream,
    )
    from holdfast.workers.sdk.web.typed_arrays import (
        BigInt64Array,
        BigUint64Array,
        DataView,
        Float32Array,
        Float64Array,
        Int8Array,
        Int16Array,
        Int32Array,
        Uint8ClampedArray,
        Uint16Array,
        Uint32Array,
    )

_LATER = {
    "HTMLRewriter": "html_rewriter",
    "caches": "caches",
    **dict.fromkeys(
        (
            "CompressionStream",
            "DecompressionStream",
            "FixedLengthStream",
            "IdentityTransformStream",
            "TextDecoderStream",
            "TextEncoderStream",
        ),
        "transforms",
    ),
    **dict.fromkeys(
        ("CloseEvent", "CustomEvent", "ErrorEvent", "Event", "EventTarget", "MessageEvent"), "event_target"
    ),
    **dict.fromkeys(
        (
            "BigInt64Array",
            "BigUint64Array",
            "DataView",
            "Float32Array",
            "Float64Array",
            "Int16Array",
            "Int32Array",
            "Int8Array",
            "Uint16Array",
            "Uint32Array",
            "Uint8ClampedArray",
        ),
        "typed_arrays",
    ),
}

# JavaScript's undefined and null.
undefined = null = None
# They hold what they are given; here nothing is the collector's business.
WeakMap, WeakSet = Map, Set
globalThis = self = sys.modules[__name__]  # noqa: N816 - JavaScript's name

__all__ = [
    "JSON",
    "URL",
    "AbortController",
    "AbortSignal",
    "Array",
    "ArrayBuffer",
    "BigInt",
    "BigInt64Array",
    "BigUint64Array",
    "Blob",
    "Boolean",
    "CloseEvent",
    "CompressionStream",
    "CryptoKey",
    "CustomEvent",
    "DOMException",
    "DataView",
    "Date",
    "DecompressionStream",
    "DurableObjectNamespace",
    "DurableObjectState",
    "Env",
    "Error",
    "ErrorEvent",
    "Event",
    "EventTarget",
    "ExecutionContext",
    "File",
    "FixedLengthStream",
    "Float32Array",
    "Float64Array",
    "FormData",
    "HTMLRewriter",
    "Headers",
    "IdentityTransformStream",
    "Infinity",
    "Int8Array",
    "Int16Array",
    "Int32Array",
    "Map",
    "Math",
    "MessageEvent",
    "NaN",
    "Number",
    "Object",
    "Promise",
    "RangeError",
    "ReadableStream",
    "Request",
    "Response",
    "Set",
    "String",
    "SyntaxError",
    "TextDecoder",
    "TextDecoderStream",
    "TextEncoder",
    "TextEncoderStream",
    "TransformStream",
    "TypeError",
    "URLSearchParams",
    "Uint8Array",
    "Uint8ClampedArray",
    "Uint16Array",
    "Uint32Array",
    "WeakMap",
    "WeakSet",
    "WebSocket",
    "WebSocketPair",
    "WebSocketRequestResponsePair",
    "WritableStream",
    "atob",
    "btoa",
    "caches",
    "clearInterval",
    "clearTimeout",
    "console",
    "crypto",
    "decodeURI",
    "decodeURIComponent",
    "encodeURI",
    "encodeURIComponent",
    "fetch",
    "globalThis",
    "isFinite",
    "isNaN",
    "navigator",
    "null",
    "parseFloat",
    "parseInt",
    "performance",
    "queueMicrotask",
    "scheduler",
    "self",
    "setInterval",
    "setTimeout",
    "structuredClone",
    "undefined",
]


def __getattr__(name: str) -> object:
    if name in _LATER:
        found = getattr(import_module(f"holdfast.workers.sdk.web.{_LATER[name]}"), name)
        globals()[name] = found
        return found
    message = f"js.{name} is not there: it is none of the globals of JavaScript that a Worker has here"
    raise AttributeError(message)
