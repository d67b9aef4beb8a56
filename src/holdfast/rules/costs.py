"""What a rule may cost: what its text says at most, and what is counted while it is evaluated.

Theory. The core counts the steps of what this thread does for one rule (`meter`). What
can be dear for one value (patterns, digests, decoding, JSON) always counts. What is cheap (comparing, searching a text) is
dear only where a rule does it very often, or to thousands of values; how often, its text says. So a rule is cheap for
whatever request, by `worst_steps`, or all that it does is counted.

Law: no request makes a rule cost more than `MAX_UNCOUNTED_STEPS` and what may be counted, together less than 5 ms: beyond
that it is Undecided.
"""

from __future__ import annotations

from collections.abc import Callable
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
# As many arguments as the longest target has room for.
_MOST_VALUES: Final = 8_192
_MOST_CHARS: Final = 16 * 1024

# Steps of a comparison, and of a call of something quick; and for 16 characters, where all of the text is gone through.
_COMPARISON: Final = 12
_CALL: Final = 40
_SEARCH_16: Final = 32
_GO_THROUGH_16: Final = 4

_Read = Callable[[EvaluationContext], Any]


def worst_steps(root: Condition) -> int:
    """The most that a condition costs for any request, but for what always counts."""
    total = 0
    for node in nodes_of(root):
        if isinstance(node, Comparison):
            times = _MOST_VALUES if node.left.each_count else 1
            total += times * _COMPARISON + (_MOST_CHARS * sixteenths_of(node.relation) >> 4)
        elif isinstance(node, Call):
            times = _MOST_VALUES if node.each else 1
            total += times * _CALL + (_MOST_CHARS * _GO_THROUGH_16 >> 4)
        elif isinstance(node, Quantified):
            total += _MOST_VALUES
    return total


def sixteenths_of(relation: Relation) -> int:
    """Steps for 16 characters of the value on the left."""
    if isinstance(relation, Contains | MatchesWildcard):
        return _SEARCH_16
    return 0 if isinstance(relation, Matches) else 1


def counted_comparison(read: _Read, relation: Relation) -> _Read:
    """`read`, which counts what it costs to compare its value, or its values, as `relation` says."""
    return _counted(read, _COMPARISON, sixteenths_of(relation))


def counted_call(read: _Read) -> _Read:
    """`read`, which counts what it costs to call a quick function of its value, or of its values."""
    return lambda context: count_call(read(context))


def count_call(value: Any) -> Any:  # noqa: ANN401  any value of the language
    """`value`, of which is counted what it costs to call a quick function of it, or of its elements. Raises Undecided."""
    _count(value, _CALL, _GO_THROUGH_16)
    return value


def _counted(read: _Read, each: int, sixteenths: int) -> _Read:
    def counted(context: EvaluationContext) -> Any:  # noqa: ANN401
        value = read(context)
        _count(value, each, sixteenths)
        return value

    return counted


def _count(value: object, each: int, sixteenths: int) -> None:
    if isinstance(value, str):
        spend(each + (len(value) * sixteenths >> 4))
    elif isinstance(value, list):
        # Many values are no longer together than one may be.
        spend(each * len(value) + min(_MOST_CHARS * sixteenths >> 4, sixteenths * len(value)))
