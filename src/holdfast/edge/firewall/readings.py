"""What an expression looks at, as a person would write it, and what it found there: for events and traces.

Law 1: names are the expression's own (`http.request.headers["origin"][0]`); only the first MAX_READINGS are kept.
Law 2: values are read when a rule has matched, from what the expression itself has computed, and cut where they are shown.
Law 3: what a client proves itself with (cookies, `Authorization`) is not shown, only how long it is: an event is kept, and
read by more people than may act as that client.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from holdfast.edge.firewall.values import Reading
from holdfast.rules.context import EvaluationContext
from holdfast.rules.scheme import FIELDS
from holdfast.rules.syntax_tree import Each, Expression, FieldAccess, Index, Indexed, nodes_of

# As many as an event shows (`security_event.MAX_FIELDS`).
MAX_READINGS = 16
# Longest value that is made of a container before it is cut.
MAX_VALUE_CHARS = 256

_SECRET_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})
_SECRET_FIELDS = ("http.cookie", "http.request.cookies", "http.request.headers.values")


def readings_of(expression: Expression) -> tuple[Reading, ...]:
    """What `expression` looks at, in the order in which it says so, each once."""
    found: dict[str, Reading] = {}
    # Nodes come parents first, and of several children the last one first.
    for node in nodes_of(expression.root):
        if isinstance(node, Indexed) and isinstance(node.target, FieldAccess):
            name = node.target.name + "".join(map(_spelled, node.indexes))
            found.setdefault(name, _reading(name, node))
    return tuple(found.values())[::-1][:MAX_READINGS]


def values_of(readings: Sequence[Reading], context: EvaluationContext) -> tuple[tuple[str, str], ...]:
    """The names and values that are there for a request."""
    return tuple(
        (reading.name, _hidden(value) if reading.is_secret else shown(value))
        for reading in readings
        if (value := reading.read(context)) is not None
    )


def shown(value: Any) -> str:  # noqa: ANN401  any value of the language
    """A value as text of a bounded length: a string as it is, an address dotted, containers by their elements."""
    if isinstance(value, str):
        return _as_text(value[: MAX_VALUE_CHARS + 1])
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        family, number = value
        return str(IPv4Address(number) if family == 4 else IPv6Address(number))
    parts = []
    chars = 0
    for part in _parts(value):
        parts.append(part)
        chars += len(part)
        if chars > MAX_VALUE_CHARS:
            break
    return ", ".join(parts)[: MAX_VALUE_CHARS + 1]


def _parts(value: Any) -> Iterator[str]:  # noqa: ANN401
    if isinstance(value, dict):
        for name, inner in value.items():
            yield f"{shown(name)}: {_hidden(inner) if name in _SECRET_HEADERS else shown(inner)}"
    elif isinstance(value, list):
        yield from map(shown, value)
    else:
        yield str(value)


def _hidden(value: Any) -> str:  # noqa: ANN401
    """That there is something, and how much of it."""
    return f"*** ({len(value)} {'characters' if isinstance(value, str) else 'values'})"


def _is_secret(name: str, indexes: Sequence[Index]) -> bool:
    if name.startswith(_SECRET_FIELDS):
        return True
    return name.endswith("http.request.headers") and bool(indexes) and indexes[0] in _SECRET_HEADERS


def _as_text(value: str) -> str:
    """Bytes, one character each, as the text that they are; what is no UTF-8 is escaped."""
    return value if value.isascii() else value.encode("latin-1", "replace").decode("utf-8", "backslashreplace")


def _spelled(index: Index) -> str:
    if isinstance(index, Each):
        return "[*]"
    return f'["{index}"]' if isinstance(index, str) else f"[{index}]"


def _reading(name: str, node: Indexed) -> Reading:
    read = FIELDS[node.target.name].read
    # What is mapped over is shown as a whole.
    indexes = node.indexes[: node.indexes.index(Each.EACH)] if Each.EACH in node.indexes else node.indexes

    def found(context: EvaluationContext) -> Any:  # noqa: ANN401
        value = read(context)
        for index in indexes:
            if value is None:
                return None
            value = _element(value, index)
        return value

    return Reading(name, found, is_secret=_is_secret(node.target.name, node.indexes))


def _element(container: Any, index: Index) -> Any:  # noqa: ANN401
    if isinstance(container, dict):
        return container.get(index)
    return container[index] if isinstance(index, int) and index < len(container) else None
