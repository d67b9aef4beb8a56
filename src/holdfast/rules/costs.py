"""What a rule may cost: what its text says at most, and what is counted while it is evaluated.

Theory. The core counts the steps of what this thread does for one rule (`meter`). What
can be dear for one value (patterns, digests, decoding, JSON) always counts. What is cheap (comparing, searching a text) is
dear only where a rule does it very often, or to thousands of values; how often, its text says. So a rule is cheap for
whatever request, by `worst_steps`, or all that it does is counted.

Law: no request makes a rule cost more than `MAX_UNCOUNTED_STEPS` and what may be counted, together less than 5 ms: beyond
that it is Undecided.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from holdfast.rules.context import EvaluationContext
from holdfast.rules.meter import spend
from holdfast.rules.syntax_tree import (
    Call,
    Comparison,
    Condition,
    Contains,
    Matches,
    MatchesWildcard,
    Quantified,
    Relation,
    nodes_of,
)

# Beyond it a rule is counted step by step. About 2.4 ms.
MAX_UNCOUNTED_STEPS: Final = 600_000
# As many arguments as the longest target has room for; many values are no longer together than one may be.
_MOST_VALUES: Final = 8_192
# Of these so many can differ. What is dear for a value is done once for those that are the same.
_MOST_DISTINCT: Final = 5_500
_MOST_CHARS: Final = 16 * 1024

# Steps of a comparison, of a wildcard and of each of its pieces after the first, and of a call of something quick.
_COMPARISON: Final = 12
_WILDCARD: Final = 100
_PIECE: Final = 25
_CALL: Final = 40
# What makes a new text of each value, but for its case, takes longer: two to four calls of functions.
_MAKE: Final = 70
_DEARER_CALLS: Final[Mapping[str, int]] = MappingProxyType(
    {"concat": 160, "join": 160, "remove_bytes": 110, "split": 110}
)
_QUICK_CALLS: Final = frozenset(
    {"ends_with", "has_key", "has_value", "len", "lower", "starts_with", "to_string", "upper"}
)
# For 16 characters, where all of the text is gone through, or searched.
_GO_THROUGH_16: Final = 4
_SEARCH_16: Final = 32

_Read = Callable[[EvaluationContext], Any]


@dataclass(frozen=True, slots=True)
class Price:
    """Steps for each value, for 16 characters of it, and for as many pieces of it as are found, of which it has no more
    than characters."""

    each: int
    sixteenths: int
    pieces: int = 0

    def steps(self, values: int, chars: int) -> int:
        """What so many values cost that have so many characters together."""
        return self.each * values + (self.sixteenths * chars >> 4) + _PIECE * min(self.pieces * values, chars)

    def worst(self, *, is_many: bool) -> int:
        """The most that a value costs, or many of them."""
        most = _MOST_VALUES if self.each <= _COMPARISON else _MOST_DISTINCT
        return self.steps(most if is_many else 1, _MOST_CHARS)


def worst_steps(root: Condition) -> int:
    """The most that a condition costs for any request, but for what always counts."""
    total = 0
    for node in nodes_of(root):
        if isinstance(node, Comparison):
            total += price_of(node.relation).worst(is_many=bool(node.left.each_count))
        elif isinstance(node, Call):
            total += _price_of_call(node.name).worst(is_many=node.each)
        elif isinstance(node, Quantified):
            total += _MOST_VALUES
    return total


def price_of(relation: Relation) -> Price:
    """What it costs to compare values as `relation` says."""
    if isinstance(relation, Contains):
        return Price(_COMPARISON, _search_16(relation.substring))
    if isinstance(relation, MatchesWildcard):
        pieces = relation.wildcard.pieces
        return Price(_WILDCARD, max(map(_search_16, pieces)), max(0, len(pieces) - 3))
    return Price(_COMPARISON, 0 if isinstance(relation, Matches) else 1)


def _search_16(sought: str) -> int:
    """Steps for 16 characters of a text in which another one is sought.

    The interpreter compares anew at each place where the last character fits, and goes on by as little as one: a text that
    repeats itself is compared as often as it does so, wherever it is sought in more of the same.
    """
    return max(_SEARCH_16, 3 * _repetitions(sought) // 2)


def _repetitions(text: str) -> int:
    """How often a beginning of a text repeats what it begins with: 5 for "abababababx", 1 for what never does so."""
    # The failure function of Knuth, Morris and Pratt: the shortest period of each beginning.
    most, border, borders = 1, 0, [0]
    for place in range(1, len(text)):
        while border and text[place] != text[border]:
            border = borders[border - 1]
        border += text[place] == text[border]
        borders.append(border)
        most = max(most, (place + 1) // (place + 1 - border))
    return most


def _price_of_call(name: str) -> Price:
    return Price(_CALL if name in _QUICK_CALLS else _DEARER_CALLS.get(name, _MAKE), _GO_THROUGH_16)


def counted_comparison(read: _Read, relation: Relation) -> _Read:
    """`read`, which counts what it costs to compare its value, or its values, as `relation` says."""
    return _counted(read, price_of(relation))


def counted_call(read: _Read, name: str) -> _Read:
    """`read`, which counts what it costs to call the function of this name of its value, or of its values."""
    return _counted(read, _price_of_call(name))


def call_counter(name: str) -> Callable[[Any], Any]:
    """What gives back a value, having counted what it costs to call the function of this name of it, or of its elements.
    Raises Undecided."""
    price = _price_of_call(name)

    def count_call(value: Any) -> Any:  # noqa: ANN401  any value of the language
        _count(value, price)
        return value

    return count_call


def _counted(read: _Read, price: Price) -> _Read:
    def counted(context: EvaluationContext) -> Any:  # noqa: ANN401
        value = read(context)
        _count(value, price)
        return value

    return counted


def _count(value: object, price: Price) -> None:
    if isinstance(value, str):
        spend(price.steps(1, len(value)))
    elif isinstance(value, list):
        spend(price.steps(len(value), sum(map(len, value)) if value and isinstance(value[0], str) else 0))
