"""Which operators a type has, and what they take."""

import pytest

from holdfast.rules.errors import ParseError
from holdfast.rules.patterns import Pattern, Wildcard
from holdfast.rules.relations import relation_of, takes_operand
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
from holdfast.rules.value_types import BOOL, BYTES, INT, IP, ValueType


@pytest.mark.parametrize(
    ("text", "op", "type_", "relation"),
    [
        ('in {"a" "b"}', "in", BYTES, InText(frozenset({"a", "b"}))),
        ("in {1 2..3}", "in", INT, InIntegers(((1, 1), (2, 3)))),
        ("in {::1}", "in", IP, InAddresses((((6, 1), (6, 1)),))),
        ("in $names", "in", IP, InList("names", 3, 9)),
        ('contains "x"', "contains", BYTES, Contains("x")),
        ('matches "x+"', "matches", BYTES, Matches(Pattern("x+"))),
        ('wildcard "x*"', "wildcard", BYTES, MatchesWildcard(Wildcard("x*", strict=False))),
        ('strict wildcard "x*"', "strict wildcard", BYTES, MatchesWildcard(Wildcard("x*", strict=True))),
    ],
)
def test_an_operator_takes_what_its_type_needs(text: str, op: str, type_: ValueType, relation: Relation) -> None:
    assert relation_of(text, 0, len(op), op=op, type_=type_) == (relation, len(text))


@pytest.mark.parametrize(
    ("op", "type_", "named"),
    [("contains", IP, "Ip"), ("&", BYTES, "Bytes"), ("in", BYTES.array, "Array(CompoundType"), ("matches", INT, "Int")],
)
def test_an_operator_that_the_type_does_not_have_is_pointed_at(op: str, type_: ValueType, named: str) -> None:
    with pytest.raises(ParseError) as caught:
        relation_of(f'{op} "x"', 0, len(op), op=op, type_=type_)
    assert caught.value.reason.startswith(f"cannot perform this operation on type {named}")
    assert caught.value.width == len(op)


@pytest.mark.parametrize(
    ("text", "op", "column", "reason"),
    [
        ('matches "a("', "matches", 10, "regex parse error"),
        ('wildcard "**"', "wildcard", 10, "wildcard contains a double star"),
    ],
)
def test_a_wrong_pattern_is_pointed_at(text: str, op: str, column: int, reason: str) -> None:
    with pytest.raises(ParseError, match=reason) as caught:
        relation_of(text, 0, len(op), op=op, type_=BYTES)
    assert caught.value.column == column


def test_only_comparisons_take_another_value() -> None:
    assert takes_operand(Ordering.LESS, IP)
    assert takes_operand("&", INT)
    assert not takes_operand("&", BYTES)
    assert not takes_operand(Ordering.EQUAL, BOOL)
    assert not takes_operand("in", INT)
