"""The body of a request, before any handler sees it: it is JSON that every database can keep, or the request is refused.

Law: what passes is UTF-8 without NUL and lone surrogates, with numbers of 64 bits, at most MAX_DEPTH deep. So no handler
has to ask, and no statement fails for it in its middle (PostgreSQL keeps neither NUL nor NaN).
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from holdfast.api.faults import ApiFault, fault

# Code and text are Cloudflare's.
MALFORMED_JSON = 6007
MALFORMED_TEXT = "Malformed JSON in request body"
# Beyond it no honest body goes; the deepest is a ruleset's, of about ten.
MAX_DEPTH = 64
# What makes a second, slower look necessary.
_SUSPICIOUS = re.compile(rb"\\u0000|[0-9]{19}")
_SMALLEST, _LARGEST = -(2**63), 2**63 - 1


def check_json(body: bytes) -> None:
    """Raise ApiFault unless `body` is JSON as above."""
    try:
        value = msgspec.json.decode(body)
    except RecursionError:
        raise _malformed(f"nested more than {MAX_DEPTH} deep") from None
    except (msgspec.DecodeError, ValueError) as error:
        reason = str(error).removeprefix("JSON is malformed: ")
        raise _malformed(reason) from None
    if _SUSPICIOUS.search(body) or body.count(b"[") + body.count(b"{") > MAX_DEPTH:
        _check_values(value)


def _check_values(value: Any) -> None:  # noqa: ANN401  JSON
    waiting: list[tuple[str, int, Any]] = [("", 0, value)]
    while waiting:
        pointer, depth, one = waiting.pop()
        if depth > MAX_DEPTH:
            raise _malformed(f"nested more than {MAX_DEPTH} deep")
        if isinstance(one, str):
            _check_text(pointer, one)
        elif isinstance(one, int) and not _SMALLEST <= one <= _LARGEST:
            raise _malformed("a number has more than 64 bits", pointer)
        elif isinstance(one, dict):
            for name, member in one.items():
                _check_text(pointer, name)
                waiting.append((f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}", depth + 1, member))
        elif isinstance(one, list):
            waiting += [(f"{pointer}/{place}", depth + 1, member) for place, member in enumerate(one)]


def _check_text(pointer: str, text: str) -> None:
    if "\0" in text:
        raise _malformed("a text contains NUL", pointer)


def _malformed(reason: str, pointer: str | None = None) -> ApiFault:
    return fault(400, MALFORMED_JSON, f"{MALFORMED_TEXT}: {reason}", pointer=pointer or None)
