"""The right side of a comparison: which operators a type has, and what each of them takes.

Law: an operator that the type does not have is pointed at, not what follows it. The order of checks is the original's.
"""

from __future__ import annotations

from holdfast.rules import lexer, literals
from holdfast.rules.errors import ParseError
from holdfast.rules.patterns import Pattern, PatternError, Wildcard
from holdfast.rules.syntax_tree import (
    Contains,
    InAddresses,
    InIntegers,
    InList,
    InText,
    Matches,
    MatchesWildcard,
    Ordering,
    Relation,
)
from holdfast.rules.value_types import BYTES, INT, IP, ValueType


def takes_operand(op: str | Ordering, type_: ValueType) -> bool:
    """Whether `op` on a value of `type_` compares it with a constant or another value of the request."""
    return (isinstance(op, Ordering) and type_ in {IP, INT, BYTES}) or (op == "&" and type_ == INT)


def relation_of(text: str, start: int, end: int, *, op: str | Ordering, type_: ValueType) -> tuple[Relation, int]:
    """What any other operator, which stands at `text[start:end]`, asks about a value of `type_`; and where that ends."""
    at = lexer.skip_space(text, end)
    if op == "in" and type_ in {IP, INT, BYTES}:
        return _membership(text, at, type_)
    if type_ == BYTES and isinstance(op, str) and op != "&":
        return _text_relation(text, at, op)
    raise ParseError.at(text, start, end, f"cannot perform this operation on type {type_.debug}")


def _membership(text: str, at: int, type_: ValueType) -> tuple[Relation, int]:
    if text.startswith("$", at):
        name, end = lexer.list_name(text, at)
        return InList(name, at, end), end
    if type_ == IP:
        addresses, at = literals.set_of(text, at, literals.address_range)
        return InAddresses(tuple(addresses)), at
    if type_ == INT:
        integers, at = literals.set_of(text, at, literals.integer_range)
        return InIntegers(tuple(integers)), at
    members, at = literals.set_of(text, at, literals.byte_string)
    return InText(frozenset(members)), at


def _text_relation(text: str, at: int, op: str) -> tuple[Relation, int]:
    if op == "contains":
        substring, at = literals.byte_string(text, at)
        return Contains(substring), at
    if op == "matches":
        return _matches(text, at)
    source, end = literals.text_string(text, at)
    try:
        return MatchesWildcard(Wildcard(source, strict=op == "strict wildcard")), end
    except PatternError as error:
        raise ParseError.at(text, at, len(text), str(error)) from None


def _matches(text: str, at: int) -> tuple[Matches, int]:
    source, end, fault_start, fault_end = literals.regex_source(text, at)
    try:
        return Matches(Pattern(source)), end
    except PatternError as error:
        raise ParseError.at(text, fault_start, fault_end, str(error)) from None
