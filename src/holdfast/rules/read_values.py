"""What an expression reads of a request, one by one and as text: for whoever explains why a rule matched, or did not.

Law 1: a value is named as the expression names it, with its indexes: `http.request.headers["origin"][0]`. Where it is only asked
whether a map has a key, the values are that key's.
Law 2: what is missing is None, which is not the same as empty.
Law 3: `text` is for who gave the request, `shown` for everybody else: of what a client proves itself with (cookies,
`Authorization`) it says only how long it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from holdfast.rules.compile import CompiledValue, compile_value
from holdfast.rules.context import EvaluationContext
from holdfast.rules.function_bodies import to_string
from holdfast.rules.syntax_tree import Call, Each, Expression, FieldAccess, Index, Indexed, Literal, Node, nodes_of
from holdfast.rules.value_types import BYTES_ARRAY

_SECRET_FIELDS = ("http.cookie", "http.request.cookies", "raw.http.request.cookies")
_SECRET_HEADERS = ("authorization", "cookie", "proxy-authorization")
_HEADERS = "http.request.headers"


@dataclass(frozen=True, slots=True)
class ReadValue:
    """One value that an expression reads. `is_secret`: it may hold what lets somebody in, and is not for a log."""

    name: str
    is_secret: bool
    value: CompiledValue

    def text(self, context: EvaluationContext) -> str | None:
        """The value as it is written: the elements of an array with ", " between them, of a map `name: elements`."""
        return _text(self.value.evaluate(context))

    def shown(self, context: EvaluationContext) -> str | None:
        """The same, without what is secret."""
        text = self.text(context)
        return f"*** ({len(text)} characters)" if text and self.is_secret else text


def values_read_by(expression: Expression) -> tuple[ReadValue, ...]:
    """Every value of a field that `expression` reads, each once, in the order of the text."""
    found: dict[str, ReadValue] = {}
    for node in reversed(list(_reads(expression.root))):
        assert isinstance(node.target, FieldAccess), "what is read is a field"  # noqa: S101
        name = _spelled(node.target.name, node.indexes)
        if name not in found:
            found[name] = ReadValue(name, _is_secret(node.target.name, node.indexes), _whole(name, node))
    return tuple(found.values())


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


def _whole(name: str, node: Indexed) -> CompiledValue:
    return compile_value(Expression(name, node))


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
    if field.startswith(_SECRET_FIELDS):
        return True
    if not field.startswith(_HEADERS) or field == f"{_HEADERS}.names":
        return False
    # All headers, and those of which it is not known here which one is read.
    return not indexes or not isinstance(indexes[0], str) or indexes[0] in _SECRET_HEADERS


def readable(value: str) -> str:
    """A string of the rules language (one character a byte) as text; bytes that are no UTF-8 as `\\xNN`."""
    return value.encode("latin-1").decode("utf-8", "backslashreplace")


def _text(value: Any) -> str | None:  # noqa: ANN401  a value of any type of the language
    if value is None:
        return None
    if isinstance(value, str):
        return readable(value)
    if isinstance(value, Mapping):
        return "; ".join(f"{readable(name)}: {_text(held)}" for name, held in value.items())
    if isinstance(value, list):
        return ", ".join(_text(item) or "" for item in value)
    return to_string(value)
