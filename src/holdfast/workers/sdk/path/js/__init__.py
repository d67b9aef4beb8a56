"""JavaScript's globals, each as plain Python: classes are made with `.new(...)`, as code written for Pyodide does, or called.

What few scripts use is imported when it is asked for.
"""

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
from holdfast.workers.sdk.web.dates import Date
from holdfast.workers.sdk.web.forms import FormData
from holdfast.workers.sdk.web.globals import JSON, Array, Map, Math, Object, structuredClone
from holdfast.workers.sdk.web.headers import Headers
from holdfast.workers.sdk.web.pipes import TransformStream, WritableStream
from holdfast.workers.sdk.web.promises import Promise
from holdfast.workers.sdk.web.request import Request
from holdfast.workers.sdk.web.response import Response
from holdfast.workers.sdk.web.search_params import URLSearchParams
from holdfast.workers.sdk.web.streams import ReadableStream
from holdfast.workers.sdk.web.texts import TextDecoder, TextEncoder, atob, btoa, decodeURIComponent, encodeURIComponent
from holdfast.workers.sdk.web.timing import (
    clearInterval,
    clearTimeout,
    performance,
    queueMicrotask,
    scheduler,
    setInterval,
    setTimeout,
)
from holdfast.workers.sdk.web.urls import URL

if TYPE_CHECKING:
    from holdfast.workers.sdk.web.html_rewriter import HTMLRewriter

_LATER = {"HTMLRewriter": "html_rewriter"}

# JavaScript's undefined and null.
undefined = null = None

__all__ = [
    "JSON",
    "URL",
    "AbortController",
    "AbortSignal",
    "Array",
    "ArrayBuffer",
    "Blob",
    "DOMException",
    "Date",
    "DurableObjectNamespace",
    "DurableObjectState",
    "Env",
    "Error",
    "ExecutionContext",
    "File",
    "FormData",
    "HTMLRewriter",
    "Headers",
    "Map",
    "Math",
    "Object",
    "Promise",
    "RangeError",
    "ReadableStream",
    "Request",
    "Response",
    "SyntaxError",
    "TextDecoder",
    "TextEncoder",
    "TransformStream",
    "TypeError",
    "URLSearchParams",
    "Uint8Array",
    "WebSocket",
    "WebSocketPair",
    "WebSocketRequestResponsePair",
    "WritableStream",
    "atob",
    "btoa",
    "clearInterval",
    "clearTimeout",
    "console",
    "crypto",
    "decodeURIComponent",
    "encodeURIComponent",
    "fetch",
    "null",
    "performance",
    "queueMicrotask",
    "scheduler",
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
