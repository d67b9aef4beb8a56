"""What comparisons ask of one value."""

import operator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.rules.context import EvaluationContext, Facts
from holdfast.rules.lists import RuleList
from holdfast.rules.patterns import Pattern, Wildcard
from holdfast.rules.predicates import comparison_of, has_common_bits, list_predicate_of, predicate_of
from holdfast.rules.syntax_tree import (
    Contains,
    HasBits,
    InAddresses,
    InIntegers,
    InList,
    InText,
    IsTrue,
    Literal,
    Matches,
    MatchesWildcard,
    Ordered,
    Ordering,
    Relation,
)
from holdfast.rules.value_types import BOOL, BYTES, INT, IP, ValueType
from tests.unit.requests import a_request

LISTS = {"sites": RuleList.of_hostnames(["example.com"])}
COMPARE = {
    Ordering.EQUAL: operator.eq,
    Ordering.NOT_EQUAL: operator.ne,
    Ordering.LESS: operator.lt,
    Ordering.LESS_EQUAL: operator.le,
    Ordering.GREATER: operator.gt,
    Ordering.GREATER_EQUAL: operator.ge,
}


@pytest.mark.parametrize(
    ("relation", "type_", "value", "truth"),
    [
        (IsTrue(), BOOL, True, True),
        (Ordered(Ordering.LESS, Literal("b", BYTES)), BYTES, "a", True),
        (Ordered(Ordering.GREATER_EQUAL, Literal(5, INT)), INT, 4, False),
        (HasBits(Literal(6, INT)), INT, 2, True),
        (HasBits(Literal(6, INT)), INT, 1, False),
        (Contains("ell"), BYTES, "hello", True),
        (Matches(Pattern("^h")), BYTES, "hello", True),
        (MatchesWildcard(Wildcard("H*", strict=False)), BYTES, "hello", True),
        (InText(frozenset({"a"})), BYTES, "b", False),
        (InIntegers(((1, 5), (9, 9))), INT, 9, True),
        (InAddresses((((4, 1), (4, 5)),)), IP, (4, 6), False),
    ],
)
def test_a_relation_is_asked_of_a_value(relation: Relation, type_: ValueType, value: object, truth: bool) -> None:
    assert predicate_of(relation, type_)(value) is truth


@given(st.sampled_from(Ordering), st.integers(), st.integers())
def test_integers_compare_as_integers(op: Ordering, left: int, right: int) -> None:
    assert comparison_of(op, INT)(left, right) is COMPARE[op](left, right)
    assert comparison_of(op, IP)((4, left), (4, right)) is COMPARE[op](left, right)
    assert comparison_of(op, IP)((4, left), (6, right)) is (op is Ordering.NOT_EQUAL)


def test_bits_are_common_or_not() -> None:
    assert has_common_bits(6, 2)
    assert not has_common_bits(6, 1)


@pytest.mark.parametrize(
    ("name", "type_", "value", "truth"),
    [
        ("sites", BYTES, "example.com", True),
        ("sites", BYTES, "example.org", False),
        ("other", BYTES, "example.com", False),
        ("sites", IP, (4, 1), False),
    ],
)
def test_a_list_is_asked_if_it_is_there_and_fits(name: str, type_: ValueType, value: object, truth: bool) -> None:
    context = EvaluationContext(a_request(), Facts(lists=LISTS))
    assert list_predicate_of(InList(name, 0, 0), type_)(context)(value) is truth
