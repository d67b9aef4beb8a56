"""The body of a request, before any handler sees it: it is JSON that every database can keep, or the request is refused.

Law 1: what passes is UTF-8 without NUL and lone surrogates, with numbers of 64 bits, at most MAX_DEPTH deep. So no handler
has to ask, and no statement fails for it in its middle (PostgreSQL keeps neither NUL nor NaN).
Law 2: looking takes time in proportion to the body, and memory in proportion to its depth. Where something is is worked out
once something is wrong there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from holdfast.api.faults import ApiFault, fault, pointer_to

# Code and text are Cloudflare's.
MALFORMED_JSON = 6007
MALFORMED_TEXT = "Malformed JSON in request body"
# Beyond it no honest body goes; the deepest is a ruleset's, of about ten.
MAX_DEPTH = 64
# Most brackets that open in one body: each is a value that takes its time and memory before a handler says that it is none
# of its own. The largest honest body, 100,000 host names for a list, has two for each.
MAX_BRACKETS = 210_000
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
# What makes a second, slower look necessary.
_SUSPICIOUS = re.compile(rb"\\u0000|[0-9]{19}")
_SMALLEST, _LARGEST = -(2**63), 2**63 - 1


def check_json(body: bytes) -> None:
    """Raise ApiFault unless `body` is JSON as above."""
    brackets = body.count(b"[") + body.count(b"{")
    if brackets > MAX_BRACKETS:
        raise _malformed(f"it has {brackets} arrays and objects, more than {MAX_BRACKETS}")
    try:
        value = msgspec.json.decode(body)
    except RecursionError:
        raise _malformed(f"nested more than {MAX_DEPTH} deep") from None
    except (msgspec.DecodeError, ValueError) as error:
        reason = str(error).removeprefix("JSON is malformed: ")
        raise _malformed(reason) from None
    if brackets > MAX_DEPTH and _is_too_deep(body):
        raise _malformed(f"nested more than {MAX_DEPTH} deep")
    if _SUSPICIOUS.search(body):
        _check_values(value, [])


def _is_too_deep(body: bytes) -> bool:
    """Whether JSON is nested more than MAX_DEPTH deep: each turn takes away what nothing is in any more."""
    brackets = _STRING.sub(b"", body).translate(_ONE_KIND, _NO_BRACKETS)
    for _ in range(MAX_DEPTH):
        brackets = brackets.replace(b"[]", b"")
    return bool(brackets)


def _check_values(value: Any, path: list[str | int]) -> None:  # noqa: ANN401  JSON
    """Raise ApiFault for a text or number in `value` that no database keeps. `path` leads to it, and is as it was after."""
    if isinstance(value, str):
        _check_text(value, path)
    elif isinstance(value, int) and not _SMALLEST <= value <= _LARGEST:
        raise _malformed("a number has more than 64 bits", path)
    elif isinstance(value, dict | list):
        path.append(0)
        for key, member in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(key, str):
                _check_text(key, path[:-1])
            path[-1] = key
            _check_values(member, path)
        path.pop()


def _check_text(text: str, path: Sequence[str | int]) -> None:
    if "\0" in text:
        raise _malformed("a text contains NUL", path)


def _malformed(reason: str, path: Sequence[str | int] = ()) -> ApiFault:
    return fault(400, MALFORMED_JSON, f"{MALFORMED_TEXT}: {reason}", pointer=pointer_to(path) if path else None)
