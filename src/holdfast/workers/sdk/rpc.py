"""`workers.rpc`: what may be sent to another object or Worker, and how it arrives.

Law: values stay what they are; what the original refuses to send (tuples, bytearrays, awaitables, patterns) is refused here too,
so that code which runs here runs there.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

from holdfast.workers.sdk.errors import JsTypeError
from holdfast.workers.sdk.values import JsDict, as_js

__all__ = ["JsDict", "python_from_rpc", "python_to_rpc"]


def python_to_rpc(value: object) -> Any:  # noqa: ANN401 - the same value
    """The value as it is sent. TypeError for what cannot be."""
    _refuse(value, set())
    return as_js(value)


def python_from_rpc(obj: object) -> Any:  # noqa: ANN401 - the same value
    """The value as it arrives: dictionaries have their keys as attributes too."""
    return as_js(obj)


def _refuse(value: object, seen: set[int]) -> None:
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, (tuple, bytearray, re.Pattern)):
        raise JsTypeError(f"{type(value)} cannot be sent over RPC.")
    if inspect.isawaitable(value):
        raise JsTypeError(f"Awaitable {type(value)} cannot be sent over RPC.")
    if isinstance(value, Mapping):
        for item in value.values():
            _refuse(item, seen)
    elif isinstance(value, (list, set, frozenset)):
        for item in value:
            _refuse(item, seen)
