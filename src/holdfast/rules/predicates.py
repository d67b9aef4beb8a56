"""What a comparison asks of one value, as a function of that value.

Law 1: a predicate gets a value of the type the parser checked, never a missing one, and never raises.
Law 2: sets become something to look up in, once: a frozen set, or sorted ranges.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, assert_never

from holdfast.rules.context import EvaluationContext
from holdfast.rules.lists import AddressRanges, Ranges
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
from holdfast.rules.value_types import IP, Address, ValueType

Predicate: TypeAlias = Callable[[Any], bool]
Compare: TypeAlias = Callable[[Any, Any], bool]

_COMPARE: Mapping[Ordering, Compare] = {
    Ordering.EQUAL: operator.eq,
    Ordering.NOT_EQUAL: operator.ne,
    Ordering.LESS: operator.lt,
    Ordering.LESS_EQUAL: operator.le,
    Ordering.GREATER: operator.gt,
    Ordering.GREATER_EQUAL: operator.ge,
}


def has_common_bits(left: int, right: int) -> bool:
    """Whether a bit is set in both."""
    return left & right != 0


def comparison_of(op: Ordering, type_: ValueType) -> Compare:
    """How `op` compares two values of `type_`. Addresses of two families are unequal and in no order."""
    compare = _COMPARE[op]
    if type_ != IP or op in {Ordering.EQUAL, Ordering.NOT_EQUAL}:
        return compare

    def compare_addresses(left: Address, right: Address) -> bool:
        return left[0] == right[0] and compare(left[1], right[1])

    return compare_addresses


def predicate_of(relation: Relation, type_: ValueType) -> Predicate:
    """What `relation`, which compares with something constant, asks of a value of `type_`."""
    match relation:
        case IsTrue():
            return bool
        case Ordered(op=op, operand=Literal(value=value)):
            compare = comparison_of(op, type_)
            return lambda left: compare(left, value)
        case HasBits(operand=Literal(value=value)):
            return lambda left: left & value != 0
        case Contains(substring=substring):
            return lambda left: substring in left
        case Matches(pattern=pattern):
            return pattern.is_in
        case MatchesWildcard(wildcard=wildcard):
            return wildcard.covers
        case InText() | InIntegers() | InAddresses():
            members = members_of(relation)
            return lambda left: left in members
        case InList() | Ordered() | HasBits():
            raise AssertionError("what depends on more of the request than one value is not asked of one")
        case _:
            assert_never(relation)


def members_of(relation: InText | InIntegers | InAddresses) -> Any:  # noqa: ANN401
    """What is in the braces, as something to look in."""
    if isinstance(relation, InText):
        return relation.members
    return Ranges(relation.ranges) if isinstance(relation, InIntegers) else AddressRanges(relation.ranges)


def list_predicate_of(relation: InList, type_: ValueType) -> Callable[[EvaluationContext], Predicate]:
    """For a request, what `relation` asks of a value of `type_`: nothing is in a list that is gone, or of another kind."""
    name = relation.name

    def predicate_for(context: EvaluationContext) -> Predicate:
        found = context.facts.lists.get(name)
        return _is_in_nothing if found is None or found.type != type_ else found.members.__contains__

    return predicate_for


def _is_in_nothing(_: object) -> bool:
    return False
