"""Exceptions on their way between two scripts: a record of one, and an exception made of that.

A class is looked for in what the other side has loaded, by module and name: what is Python's, or the SDK's, or of a module that both scripts
have, is caught there as it was raised here. Of any other class one of its name is made, which derives from what is known of its bases.

Law 1: a record is made of any exception, and holds nothing but values; of a traceback it holds nothing.
Law 2: whatever a record holds, there is an exception for it: what it names is never run, but for `__new__` of exceptions.
"""

from __future__ import annotations

import builtins
import sys
from typing import Any, cast

from holdfast.workers import values
from holdfast.workers.durable.errors import marked
from holdfast.workers.durable.transfer import text_of

# Longest text of an exception, and how much all that goes with it may take: it is read by people.
MAX_TEXT_CHARS = 64 * 1024
MAX_DETAIL_BYTES = 1024 * 1024

Record = dict[str, Any]


def record_of(error: BaseException) -> Record:
    """What there is to say of an exception."""
    try:
        return _record(error)
    except BaseException:  # noqa: BLE001  its class is user code, which may refuse whatever is asked of it
        return {
            "type": type(error).__name__,
            "module": "",
            "bases": [],
            "text": _text(error),
            "args": [],
            "properties": {},
        }


def _record(error: BaseException) -> Record:
    kind = type(error)
    record: Record = {
        "type": kind.__qualname__,
        "module": kind.__module__,
        "bases": [[base.__module__, base.__qualname__] for base in kind.__mro__[1:-1]],
        "text": _text(error),
        "args": [_plain(one) for one in error.args],
        "properties": {name: _plain(one) for name, one in vars(error).items() if not name.startswith("__")},
    }
    if len(values.encode(record, limit_bytes=sys.maxsize)) > MAX_DETAIL_BYTES:
        record |= {"args": [record["text"]], "properties": {}}
    return record


def error_of(record: object) -> Exception:
    """The exception that a record is of."""
    if not isinstance(record, dict):
        return Exception("an exception that cannot be read")
    text = str(record.get("text", ""))
    args = record.get("args")
    args = args if isinstance(args, list) else [text]
    found = _known(record.get("module"), record.get("type"))
    made = _made(found or _like(record, text), args, text)
    properties = record.get("properties")
    for name, value in properties.items() if isinstance(properties, dict) else ():
        if isinstance(name, str) and not name.startswith("__"):
            marked(made, **{name: value})
    return made


def _text(error: BaseException) -> str:
    try:
        return str(error)[:MAX_TEXT_CHARS]
    except BaseException:  # noqa: BLE001  `__str__` is user code's
        return ""


def _plain(value: object) -> object:
    try:
        return values.decode(values.encode(value, limit_bytes=MAX_DETAIL_BYTES))
    except BaseException:  # noqa: BLE001  DataCloneError, or what user code raises when it is looked at
        return text_of(value, repr)[:MAX_TEXT_CHARS]


def _known(module: object, name: object) -> type[Exception] | None:
    """The class of this name, where it is loaded, and is one of exceptions."""
    if not isinstance(module, str) or not isinstance(name, str):
        return None
    found = vars(builtins if module == "builtins" else sys.modules.get(module, builtins)).get(name)
    is_it = isinstance(found, type) and issubclass(found, Exception) and found.__module__ == module
    return cast("type[Exception]", found) if is_it else None


def _like(record: Record, text: str) -> type[Exception]:
    """A class of that name, deriving from the nearest of its bases that is known."""
    bases = record.get("bases")
    pairs = [one for one in bases if isinstance(one, list) and len(one) == 2] if isinstance(bases, list) else []
    base = next((found for module, name in pairs if (found := _known(module, name)) is not None), Exception)
    name = str(record.get("type") or "Exception").rpartition(".")[2][:256]
    # Its own `__str__` is not here; what that said is.
    members = {"__str__": lambda _: text, "__module__": str(record.get("module") or base.__module__)[:256]}
    try:
        return cast("type[Exception]", type(name, (base,), members))
    except (TypeError, ValueError):
        return base


def _made(kind: type[Exception], args: list[Any], text: str) -> Exception:
    try:
        # Of other classes than Python's the constructor is not called: it may want something else than `args`, and has done its work.
        made: object = kind(*args) if kind.__module__ == "builtins" else kind.__new__(kind, *args)
    except BaseException:  # noqa: BLE001  whatever a class does
        return Exception(text)
    return made if isinstance(made, Exception) else Exception(text)
