"""What pydantic finds wrong with a request, as the API says it.

Law 1: a pointer leads to a member that the request has, or lacks: names of pydantic's own for the cases of a union are in none.
Law 2: what came is said back where it is short and plain. A text that could be a secret is told by its length, and what is in
an array or an object not at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from holdfast.api.faults import MAX_COMPLAINTS, Complaint, pointer_to
from holdfast.api.json_body import MALFORMED_JSON, MALFORMED_TEXT

INVALID_REQUEST = 1004
# Longer than any word there is to choose from, shorter than any token or key.
_MAX_SHOWN_CHARS = 32
_MAX_NAME_CHARS = 200
_SECRETS = frozenset({"private_key", "certificate"})


def complaints_of(details: Sequence[Mapping[str, Any]], body: Any) -> list[Complaint]:  # noqa: ANN401  JSON
    """The first findings of pydantic's (`errors()`) about a request with `body`, each once."""
    return list(dict.fromkeys(_complaint(detail, body) for detail in details[:MAX_COMPLAINTS]))


def _complaint(detail: Mapping[str, Any], body: Any) -> Complaint:  # noqa: ANN401  JSON
    where, *place = detail["loc"]
    if detail["type"] == "json_invalid":
        return Complaint(MALFORMED_JSON, MALFORMED_TEXT)
    is_missing = detail["type"] == "missing"
    path = _path(place, body, is_missing=is_missing) if where == "body" else place
    name = ".".join(str(part) for part in path)[:_MAX_NAME_CHARS] or where
    given = "" if is_missing or _SECRETS.intersection(path) else f", got {_shown(detail.get('input'))}"
    return Complaint(INVALID_REQUEST, f"{name}: {_reason(detail)}{given}", pointer_to(path))


def _reason(detail: Mapping[str, Any]) -> str:
    if detail["type"] == "too_long" and isinstance(detail["input"], str):
        # Where a text is looked at before it is measured, pydantic speaks of its items.
        return f"string should have at most {detail['ctx']['max_length']} characters"
    message: str = detail["msg"]
    return f"{message[:1].lower()}{message[1:]}"


def _path(place: Sequence[str | int], body: Any, *, is_missing: bool) -> list[str | int]:  # noqa: ANN401  JSON
    """`place` without what is in no request."""
    path: list[str | int] = []
    for part in place[:-1] if is_missing else place:
        is_there = part in body if isinstance(body, dict) else isinstance(body, list) and isinstance(part, int)
        if is_there:
            path.append(part)
            body = body[part]
    return [*path, *place[-1:]] if is_missing else path


def _shown(value: Any) -> str:  # noqa: ANN401  JSON
    if isinstance(value, list):
        return f"an array of {len(value)}"
    if isinstance(value, dict):
        return "an object"
    text = repr(value)
    return text if len(text) <= _MAX_SHOWN_CHARS else f"a text of {len(value)} characters"
