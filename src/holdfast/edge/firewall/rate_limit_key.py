"""The key of a rate limit as one function: code that spells what the request has of each characteristic.

Law 1: the key is `prefix` and then, for each characteristic, what `encoded` says of its value.
Law 2: no value and no beginning of one is spelled as another: each says how long it is.
Law 3: an IPv6 client is its network of 64 bits, the least that a customer is given (RFC 6177): one who has 2^64 addresses
has one counter.
Law 4: the code is names and brackets of ours (`rules.program_names`). What has a function in it is read by its closure, which
counts what it costs; the fields are read by code, as in programs of rules.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from holdfast.rules.compile import CompiledValue
from holdfast.rules.context import EvaluationContext
from holdfast.rules.program_names import Names
from holdfast.rules.program_values import value_code
from holdfast.rules.scheme import FIELDS
from holdfast.rules.syntax_tree import Each, FieldAccess, Indexed
from holdfast.rules.value_types import BYTES, BYTES_ARRAY

CLIENT = "ip.src"
_IPV6_NETWORK_BITS = 64

Key: TypeAlias = Callable[[EvaluationContext], bytes]


def compile_key(prefix: str, characteristics: Sequence[CompiledValue]) -> Key:
    """What gives the key of a request."""
    names = Names()
    names.has_one_header = True
    parts = [names.moment() for _ in characteristics]
    lines = [line for part, value in zip(parts, characteristics, strict=True) for line in _lines(names, part, value)]
    key = "".join(f"{{{part}}}" for part in (names.constant(prefix), *parts))
    body = ["request = context.request", *names.setup, *lines, f'return f"{key}".encode("latin-1", "backslashreplace")']
    source = "".join(names.functions) + "\n ".join(["def key(context):", *body])
    exec(compile(source, "<rate limit>", "exec"), names.namespace)  # noqa: S102  (law 4)
    found: Key = names.namespace["key"]
    return found


def _lines(names: Names, part: str, value: CompiledValue) -> list[str]:
    """Code that sets the local `part` to how the value is spelled."""
    root = value.expression.root
    is_field = isinstance(root, Indexed) and isinstance(root.target, FieldAccess) and Each.EACH not in root.indexes
    if value.expression.text.strip() == CLIENT:
        other = names.constant(_network, what=_network)
        return [f"{part} = request.client_ip", f'{part} = f"4{{{part}}};" if ":" not in {part} else {other}(context)']
    spelled = names.constant(_spelled, what=_spelled)
    if not is_field or value.type not in {BYTES, BYTES_ARRAY}:
        return [f"{part} = {spelled}({names.constant(value.evaluate)}(context))"]
    assert isinstance(root, Indexed), "it is a field"  # noqa: S101
    coded = value_code(names, root)
    if value.type == BYTES:
        there = "" if coded.is_sure else f' if {part} is not None else "-"'
        return [f"{part} = {coded.code}", f'{part} = f"s{{len({part})}}:{{{part}}}"{there}']
    only = names.moment()
    return [
        f"{part} = {coded.code}",
        f"if {part} is not None and len({part}) == 1:",
        f" ({only},) = {part}",
        f' {part} = f"l1:s{{len({only})}}:{{{only}}}"',
        f"else: {part} = {spelled}({part})",
    ]


def _network(context: EvaluationContext) -> str:
    """The network of a client that has no IPv4 address."""
    address = FIELDS[CLIENT].read(context)
    return _spelled(context.request.client_ip if address is None else address[1] >> _IPV6_NETWORK_BITS)


def _spelled(value: Any) -> str:  # noqa: ANN401  any value of the language
    return encoded(value).decode("latin-1")


def encoded(value: Any) -> bytes:  # noqa: ANN401  any value of the language
    """`value` as a part of a key: no other value, and no beginning of one, is spelled so."""
    if isinstance(value, str):
        data = value.encode("latin-1", "backslashreplace")
        return b"s%d:%b" % (len(data), data)
    if value is None:
        return b"-"
    if isinstance(value, dict):
        return b"m%d:%b" % (len(value), b"".join(encoded(name) + encoded(one) for name, one in value.items()))
    if isinstance(value, list | tuple):
        return b"l%d:%b" % (len(value), b"".join(map(encoded, value)))
    return b"i%d:" % value
