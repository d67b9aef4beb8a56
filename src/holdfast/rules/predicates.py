"""What a comparison asks of one value, as a function of that value.

Law 1: a predicate gets a value of the type the parser checked, never a missing one, and never raises.
Law 2: sets become something to look up in, once: a frozen set, or sorted ranges.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, assert_never

from holdfast.rules.errors import ParseError
from holdfast.rules.lists import AddressRanges, Ranges, RuleList
from holdfast.rules.syntax_tree import (
    Contains,
    HasBits,
    InAddresses,
    Indexed,
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


def predicate_of(relation: Relation, type_: ValueType, lists: Mapping[str, RuleList], text: str) -> Predicate:
    """What `relation`, which compares with something constant, asks of a value of `type_`.

    Raises ParseError, pointing into `text`, for a list that is not in `lists` or holds something else.
    """
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
        case InText() | InIntegers() | InAddresses() | InList():
            members = _members(relation, type_, lists, text)
            return lambda left: left in members
        case Ordered(operand=Indexed()) | HasBits(operand=Indexed()):
            raise AssertionError("a comparison of two values of a request is not about one of them")
        case Ordered() | HasBits():
            raise AssertionError("an operand is a literal or a value of the request")
        case _:
            assert_never(relation)


def _members(
    relation: InText | InIntegers | InAddresses | InList,
    type_: ValueType,
    lists: Mapping[str, RuleList],
    text: str,
) -> Any:  # noqa: ANN401
    if isinstance(relation, InText):
        return relation.members
    if isinstance(relation, InIntegers):
        return Ranges(relation.ranges)
    if isinstance(relation, InAddresses):
        return AddressRanges(relation.ranges)
    found = lists.get(relation.name)
    if found is None:
        raise ParseError.at(text, relation.start, relation.end, f'unknown list "{relation.name}"')
    if found.type != type_:
        reason = f'the list "{relation.name}" has items of type {found.type}, the value is of type {type_}'
        raise ParseError.at(text, relation.start, relation.end, reason)
    return found.members
