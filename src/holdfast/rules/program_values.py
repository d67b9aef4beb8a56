"""Code for the values that rules compare: fields, what stands at an index of them, functions of them.

Law 1: the code is an expression of Python over the locals `context` and `request`; its value is what `compile.value_of` reads,
None where that is missing. An array may be the very list that others see: no code changes what it reads.
Law 2: what is rare, or nested deeply, is read by the closure that `compile` makes; so this is about speed and adds no meaning.
Law 3: what takes time to compute is computed once a request (`scheme.once`), what does not, once in a piece of code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from holdfast.rules.arguments import defaults, prepared
from holdfast.rules.compile import value_of
from holdfast.rules.costs import call_counter
from holdfast.rules.function_bodies import concat, concat_of_there
from holdfast.rules.functions import FUNCTIONS, Function
from holdfast.rules.literals import bytes_of
from holdfast.rules.program_names import Names
from holdfast.rules.scheme import FIELDS, header_lines, once
from holdfast.rules.syntax_tree import Call, Each, FieldAccess, Index, Indexed, Literal
from holdfast.rules.value_types import BYTES

# Calls in calls beyond this are left to closures: Python reads only so many brackets within brackets.
MAX_CALLS_WITHIN = 4

_OF_REQUEST: Mapping[str, str] = MappingProxyType(
    {
        "cf.edge.server_port": "request.edge_port",
        "http.request.method": "request.method",
        "http.request.version": "request.version",
        "ssl": "request.scheme == 'https'",
    }
)
# Texts that may have letters beyond ASCII (see `scheme`).
_TARGETS: Mapping[str, str] = MappingProxyType(
    {
        "http.host": "request.host",
        "http.request.uri.query": "request.query",
        "raw.http.request.uri.path": "request.path",
        "raw.http.request.uri.query": "request.query",
    }
)
HEADERS = "http.request.headers"
# The path as rules see it, which the context has once somebody asked.
_PATH = "http.request.uri.path"
# Fields that are there for each request, beside those above.
_SURE_FIELDS = ("http.", "raw.http.", "cf.ray_id", "cf.tls_", "cf.edge.client_tcp", "cf.zone.", "cf.worker.")
_UNSURE_FIELDS = ("http.request.timestamp.",)
# Functions as quick as remembering what they gave. Each gives something for whatever there is.
_QUICK_FUNCTIONS = frozenset({"ends_with", "has_key", "len", "lower", "starts_with", "to_string", "upper"})
_CONCAT = "concat"
_METHODS: Mapping[str, str] = MappingProxyType({"starts_with": "startswith", "ends_with": "endswith"})


@dataclass(frozen=True, slots=True)
class Coded:
    """Code for a value, and whether it is there for every request."""

    code: str
    is_sure: bool


def is_sure_field(name: str) -> bool:
    """Whether the field has a value for every request."""
    if name in _OF_REQUEST or name in _TARGETS:
        return True
    return name.startswith(_SURE_FIELDS) and not name.startswith(_UNSURE_FIELDS)


def value_code(names: Names, node: Indexed, calls: int = 0) -> Coded:
    """Code for a value, which stands within `calls` calls; of what is mapped over, for the list of its elements."""
    if isinstance(node.target, FieldAccess):
        return _field(names, node, node.target.name)
    if calls < MAX_CALLS_WITHIN and (not node.indexes or node.indexes == (Each.EACH,)):
        coded = _call(names, node, node.target, calls)
        if coded is not None:
            return coded
    return _read(names, node)


def address_numbers(names: Names, coded: Coded) -> tuple[str, str]:
    """Locals for the number of an address if it is IPv4, and if it is IPv6; -1 where it is not. For names of `ready`."""
    code = coded.code
    four, six = (
        names.ready(
            ("number", family, code),
            lambda name, family=family: [  # type: ignore[misc]
                f"{name} = {code}[1] if {code} is not None and {code}[0] == {family} else -1"
            ],
        )
        for family in (4, 6)
    )
    return four, six


def _read(names: Names, node: Indexed) -> Coded:
    """What a closure reads, once a request."""
    return Coded(
        names.kept(node, lambda: f"{names.constant(once(key_of(node), value_of(node)))}(context)"), is_sure=False
    )


def _field(names: Names, node: Indexed, field: str) -> Coded:
    if not node.indexes:
        return _whole_field(names, field)
    if not is_sure_field(field):
        return _read(names, node)
    if names.has_one_header and field == HEADERS and isinstance(header := node.indexes[0], str):
        return _header(names, node, header)
    code = _indexed(names, _whole_field(names, field).code, node.indexes, is_map=FIELDS[field].type.is_map)
    if code is None:
        return _read(names, node)
    is_sure = node.indexes == (Each.EACH,)
    return Coded(code if is_sure else names.kept(node, lambda: code), is_sure=is_sure)


def _header(names: Names, node: Indexed, header: str) -> Coded:
    """Of one header its lines, or one of them."""
    search, name = names.constant(header_lines, what=header_lines), names.constant(header, what=("text", header))
    lines = names.kept(("header", header), lambda: f"{search}(context, {name})")
    rest = node.indexes[1:]
    if not rest or rest == (Each.EACH,):
        return Coded(lines, is_sure=False)
    code = _element(names, lines, rest)
    return _read(names, node) if code is None else Coded(names.kept(node, lambda: code), is_sure=False)


def _whole_field(names: Names, field: str) -> Coded:
    if (code := _OF_REQUEST.get(field)) is not None:
        return Coded(names.ready(field, lambda name: [f"{name} = {code}"]), is_sure=True)
    if (target := _TARGETS.get(field)) is not None:
        to_bytes = names.constant(bytes_of, what=bytes_of)
        lines = ["{0} = {1}", "if not {0}.isascii(): {0} = {2}({0})"]
        filled = lambda name: [line.format(name, target, to_bytes) for line in lines]  # noqa: E731
        return Coded(names.ready(target, filled), is_sure=True)
    read = names.constant(FIELDS[field].read, what=("read", field))
    if field == _PATH:
        lines = ["{0} = context.path", "if {0} is None: {0} = {1}(context)"]
        return Coded(names.ready(field, lambda name: [line.format(name, read) for line in lines]), is_sure=True)
    if field == "ip.src":
        return Coded(names.ready(field, lambda name: [f"{name} = {read}(context)"]), is_sure=False)
    return Coded(names.kept(("field", field), lambda: f"{read}(context)"), is_sure=is_sure_field(field))


def _indexed(names: Names, code: str, indexes: Sequence[Index], *, is_map: bool) -> str | None:
    """Code for what stands at these indexes of an array, or of a map of arrays; None for what is rare."""
    if not is_map:
        return code if list(indexes) == [Each.EACH] else _element(names, code, indexes)
    key, *rest = indexes
    if not isinstance(key, str):
        return None
    found = f"{code}.get({names.constant(key, what=('text', key))})"
    return found if not rest or rest == [Each.EACH] else _element(names, found, rest)


def _element(names: Names, code: str, indexes: Sequence[Index]) -> str | None:
    if len(indexes) != 1 or not isinstance(place := indexes[0], int):
        return None
    found = names.moment()
    if place == 0:
        return f"({found}[0] if ({found} := {code}) else None)"
    # A place may be a number larger than any array is long, and is no text: it may stand in the code.
    return f"({found}[{place:d}] if ({found} := {code}) is not None and len({found}) > {place:d} else None)"


def _call(names: Names, node: Indexed, call: Call, calls: int) -> Coded | None:
    """Code for a function of one value of the request, or of texts that are joined; None for any other."""
    function, first = FUNCTIONS[call.name], call.args[0]
    if call.name not in _QUICK_FUNCTIONS:
        return None if node.indexes or call.each else _worked_out(names, node, call, calls)
    if not isinstance(first, Indexed) or call.each is not bool(first.each_count):
        return None
    if (node.indexes and not call.each) or not all(isinstance(argument, Literal) for argument in call.args[1:]):
        return None
    inner = value_code(names, first, calls + 1)
    if call.name in _METHODS and inner.is_sure and not call.each:
        return Coded(_called(names, function, call, inner), is_sure=True)
    if call.each:
        return Coded(names.kept(node, lambda: _mapped(names, function, call, inner)), is_sure=inner.is_sure)
    return Coded(names.kept(node, lambda: _called(names, function, call, inner)), is_sure=inner.is_sure)


def _worked_out(names: Names, node: Indexed, call: Call, calls: int) -> Coded | None:
    """Code for what takes time: in a function of its own, unless this is one."""
    first, *others = call.args
    if call.name == _CONCAT:
        if call.type != BYTES or not any(isinstance(part, Indexed) for part in call.args):
            return None
    elif (
        FUNCTIONS[call.name].takes_missing
        or not isinstance(first, Indexed)
        or not all(isinstance(argument, Literal) for argument in others)
    ):
        return None
    if names.is_within:
        return Coded(names.kept(node, lambda: _composed(names, call, calls)), is_sure=False)
    remembered = names.remembered(node, key_of(node), lambda within: _composed(within, call, 0))
    return Coded(names.kept(("value", node), lambda: remembered), is_sure=False)


def _composed(names: Names, call: Call, calls: int) -> str:
    function, first = FUNCTIONS[call.name], call.args[0]
    if call.name != _CONCAT:
        assert isinstance(first, Indexed), "whoever asks has looked"  # noqa: S101
        return _called(names, function, call, _counted(names, call.name, value_code(names, first, calls + 1)))
    parts = []
    for place, part in enumerate(call.args):
        if isinstance(part, Literal):
            parts.append(Coded(names.constant(prepared(function, place, part)), is_sure=True))
        else:
            assert isinstance(part, Indexed), "a text is no condition"  # noqa: S101
            parts.append(value_code(names, part, calls + 1))
    parts[0] = _counted(names, call.name, parts[0])
    body = concat if all(part.is_sure for part in parts) else concat_of_there
    return f"{names.constant(body, what=body)}(({', '.join(part.code for part in parts)}))"


def _counted(names: Names, name: str, first: Coded) -> Coded:
    """The first argument, which counts for what it costs to call the function of it, as in the closure."""
    return Coded(f"{names.constant(call_counter(name), what=('count', name))}({first.code})", first.is_sure)


def _called(names: Names, function: Function, call: Call, inner: Coded) -> str:
    if inner.is_sure:
        return _applied(names, function, call, inner.code)
    value = names.moment()
    return f"(None if ({value} := {inner.code}) is None else {_applied(names, function, call, value)})"


def _mapped(names: Names, function: Function, call: Call, inner: Coded) -> str:
    values = names.moment()
    each = f"[{_applied(names, function, call, 'x')} for x in {values}]"
    return f"(None if ({values} := {inner.code}) is None else {each})"


def _applied(names: Names, function: Function, call: Call, value: str) -> str:
    constants = [
        prepared(function, place, one) for place, one in enumerate(call.args[1:], 1) if isinstance(one, Literal)
    ]
    constants += defaults(function, len(call.args))
    arguments = ", ".join(names.constant(constant) for constant in constants)
    if function.name in _METHODS:
        return f"{value}.{_METHODS[function.name]}({arguments})"
    if function.name == "has_key":
        return f"({arguments} in {value})"
    if function.name == "len":
        return f"len({value})"
    return f"{names.constant(function.body, what=function.body)}({', '.join(filter(None, (value, arguments)))})"


def key_of(node: Indexed) -> str:
    """A text that only this value has. (Names of fields have no brackets, so it is none of those.)"""
    if isinstance(node.target, FieldAccess):
        target = node.target.name
    else:
        target = f"{node.target.name}({', '.join(map(_key_of_argument, node.target.args))})"
    return target + "".join(f"[{'*' if isinstance(index, Each) else repr(index)}]" for index in node.indexes)


def _key_of_argument(argument: object) -> str:
    if isinstance(argument, Indexed):
        return key_of(argument)
    if isinstance(argument, Literal):
        return f"{argument.type}:{argument.value!r}"
    # A condition: its representation says all of it.
    return repr(argument)
