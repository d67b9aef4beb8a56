"""How JavaScript calls back: with all that there is to say, of which a function hears what it has names for."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any


def as_many(function: Callable[..., Any], *offered: object) -> Any:  # noqa: ANN401 - user code's
    """`function` with as many of these as it takes; with the first alone where that cannot be told."""
    code = getattr(function, "__code__", None)
    if code is None:
        return function(*offered[: _told(function)])
    if code.co_flags & inspect.CO_VARARGS:
        return function(*offered)
    return function(*offered[: code.co_argcount - hasattr(function, "__self__")])


def _told(function: Callable[..., Any]) -> int | None:
    """How many a function without code of Python's takes; None for any number."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return 1
    if any(one.kind is one.VAR_POSITIONAL for one in parameters):
        return None
    return sum(one.kind in {one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD} for one in parameters)
