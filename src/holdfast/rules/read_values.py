"""What an expression reads of a request, one by one and as text: for whoever explains why a rule matched, or did not.

Law 1: a value is named as the expression names it, with its indexes: `http.request.headers["origin"][0]`. Where it is only asked
whether a map has a key, the values are that key's. What is mapped over is read as a whole.
Law 2: what is missing is None, which is not the same as empty.
Law 3: `text` is for who gave the request, `shown` for everybody else: of what a client proves itself with (cookies,
`Authorization`) it says only how much there is, and of the rest about MAX_SHOWN_CHARS: it is kept, and read by more people than
may act as that client.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from holdfast.rules.context import EvaluationContext
from holdfast.rules.function_bodies import to_string
from holdfast.rules.scheme import FIELDS
from holdfast.rules.syntax_tree import Call, Each, Expression, FieldAccess, Index, Indexed, Literal, Node, nodes_of
from holdfast.rules.value_types import BYTES_ARRAY

# What is shown of a value to others, before it is said that it was cut (`security_event`, `managed_ruleset`).
MAX_SHOWN_CHARS = 256

_SECRET_FIELDS = ("http.cookie", "http.request.cookies", "http.request.headers.values")
_SECRET_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})
_HEADERS = "http.request.headers"


@dataclass(frozen=True, slots=True)
class ReadValue:
    """One value that an expression reads. `is_secret`: it may hold what lets somebody in, and is not for a log."""

    name: str
    is_secret: bool
    read: Callable[[EvaluationContext], Any]

    def text(self, context: EvaluationContext) -> str | None:
        """The value as it is written: the elements of an array with ", " between them, of a map `name: elements`."""
        value = self.read(context)
        return None if value is None else _text(value)

    def shown(self, context: EvaluationContext) -> str | None:
        """The same, without what is secret, and not much longer than MAX_SHOWN_CHARS."""
        value = self.read(context)
        if value is None:
            return None
        return _hidden(value) if self.is_secret else shown(value)


def values_read_by(expression: Expression) -> tuple[ReadValue, ...]:
    """Every value of a field that `expression` reads, each once, in the order of the text."""
    found: dict[str, ReadValue] = {}
    for node in reversed(list(_reads(expression.root))):
        assert isinstance(node.target, FieldAccess), "what is read is a field"  # noqa: S101
        name = _spelled(node.target.name, node.indexes)
        if name not in found:
            found[name] = ReadValue(
                name, _is_secret(node.target.name, node.indexes), _reader(node.target, node.indexes)
            )
    return tuple(found.values())


def shown(value: Any) -> str:  # noqa: ANN401  any value of the language
    """A value as text for others: what is beyond MAX_SHOWN_CHARS of it is not made, and secret headers are not in it."""
    return _text(value, room=MAX_SHOWN_CHARS + 1, hides=True)


def _reads(root: Node) -> Iterator[Indexed]:
    """Every read of a field, as `nodes_of` gives nodes; a map that is asked for a key alone is read at that key."""
    whole_maps = set()
    for node in nodes_of(root):
        if isinstance(node, Call) and node.name == "has_key":
            read, key = node.args
            if isinstance(read, Indexed) and isinstance(key, Literal) and not read.indexes:
                whole_maps.add(id(read))
                yield Indexed(read.target, (str(key.value),), BYTES_ARRAY)
        elif isinstance(node, Indexed) and isinstance(node.target, FieldAccess) and id(node) not in whole_maps:
            yield node


def _reader(target: FieldAccess, indexes: Sequence[Index]) -> Callable[[EvaluationContext], Any]:
    read = FIELDS[target.name].read
    # What is mapped over is read as a whole.
    indexes = indexes[: indexes.index(Each.EACH)] if Each.EACH in indexes else indexes
    if not indexes:
        return read

    def found(context: EvaluationContext) -> Any:  # noqa: ANN401
        value = read(context)
        for index in indexes:
            if value is None:
                return None
            value = _element(value, index)
        return value

    return found


def _element(container: Any, index: Index) -> Any:  # noqa: ANN401
    if isinstance(container, Mapping):
        return container.get(index)
    return container[index] if isinstance(index, int) and index < len(container) else None


def _spelled(field: str, indexes: Sequence[Index]) -> str:
    return field + "".join(f"[{_index_text(index)}]" for index in indexes)


def _index_text(index: Index) -> str:
    if isinstance(index, Each):
        return "*"
    if isinstance(index, int):
        return str(index)
    escaped = index.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{readable(escaped)}"'


def _is_secret(field: str, indexes: Sequence[Index]) -> bool:
    if field.removeprefix("raw.").startswith(_SECRET_FIELDS):
        return True
    return field.endswith(_HEADERS) and bool(indexes) and indexes[0] in _SECRET_HEADERS


def readable(value: str) -> str:
    """A string of the rules language (one character a byte) as text; bytes that are no UTF-8 as `\\xNN`."""
    return value if value.isascii() else value.encode("latin-1", "replace").decode("utf-8", "backslashreplace")


def _hidden(value: Any) -> str:  # noqa: ANN401
    """That there is something, and how much of it."""
    return f"*** ({len(value)} {'characters' if isinstance(value, str) else 'values'})" if value else ""


def _text(value: Any, *, room: float = math.inf, hides: bool = False) -> str:  # noqa: ANN401  any value of the language
    """A value as text, of which no more is made than `room` needs."""
    if isinstance(value, str):
        return readable(value if len(value) <= room else value[: int(room)])
    if isinstance(value, Mapping):
        return _joined("; ", (_entry(name, held, room, hides=hides) for name, held in value.items()), room)
    if isinstance(value, list):
        return _joined(", ", (_text(item, room=room, hides=hides) for item in value), room)
    return to_string(value)


def _entry(name: str, held: Any, room: float, *, hides: bool) -> str:  # noqa: ANN401
    is_hidden = hides and name.lower() in _SECRET_HEADERS
    return f"{readable(name)}: {_hidden(held) if is_hidden else _text(held, room=room, hides=hides)}"


def _joined(between: str, parts: Iterator[str], room: float) -> str:
    joined, chars = [], 0
    for part in parts:
        joined.append(part)
        chars += len(part)
        if chars > room:
            break
    text = between.join(joined)
    return text if len(text) <= room else text[: int(room)]
