"""The guards of a program: of the patterns that rules try on one value, one that says no for all of them at once.

Law 1: a guard that says no is right; one that says yes says nothing. So a program means the same with guards and without.
Law 2: a guard is asked once a request, however many chunks of the program want to know.
Law 3: how many patterns are together is bounded, and so is what is known of guards that were made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

from holdfast.rules.compile import value_of
from holdfast.rules.context import EvaluationContext
from holdfast.rules.patterns import Guard, Pattern
from holdfast.rules.program_values import key_of
from holdfast.rules.syntax_tree import Comparison, Condition, Indexed, Matches, nodes_of

# Which patterns are tried on which values.
Tried: TypeAlias = Mapping[Indexed, Sequence[Pattern]]
# By the key of a value: whether one of the patterns may match it.
Guards: TypeAlias = Mapping[str, Callable[[EvaluationContext], bool]]

# From this many patterns on, it is worth asking all of them at once; and so many are asked at once at most.
MIN_TOGETHER = 3
MAX_TOGETHER = 32
_KNOWN_GUARDS = 64


def tried_by(roots: Iterable[Condition]) -> dict[Indexed, tuple[Pattern, ...]]:
    """The patterns that these conditions try, by the values they try them on."""
    found: dict[Indexed, dict[Pattern, None]] = {}
    for root in roots:
        for node in nodes_of(root):
            if isinstance(node, Comparison) and isinstance(node.relation, Matches):
                found.setdefault(node.left, {})[node.relation.pattern] = None
    return {left: tuple(patterns) for left, patterns in found.items()}


def guards_of(chunks: Sequence[Tried], pause: Callable[[], None] = lambda: None) -> list[Guards]:
    """The guards of each chunk of a program; those that try patterns on the same value share them. `pause` is called after
    each that is made."""
    made: list[dict[str, Callable[[EvaluationContext], bool]]] = [{} for _ in chunks]
    values = dict.fromkeys(left for tried in chunks for left in tried)
    for left in values:
        for places in _together(chunks, left):
            patterns = tuple(dict.fromkeys(pattern for place in places for pattern in chunks[place][left]))
            guard = _guard(patterns) if len(patterns) >= MIN_TOGETHER else None
            pause()
            if guard is not None:
                asked = _asked(left, guard)
                for place in places:
                    made[place][key_of(left)] = asked
    return list(made)


def _together(chunks: Sequence[Tried], left: Indexed) -> list[list[int]]:
    """The places of chunks whose patterns on `left` are asked together."""
    groups: list[list[int]] = []
    count = 0
    for place, tried in enumerate(chunks):
        more = len(tried.get(left, ()))
        if not more:
            continue
        if groups and count + more <= MAX_TOGETHER:
            groups[-1].append(place)
        else:
            groups.append([place])
            count = 0
        count += more
    return groups


@lru_cache(maxsize=_KNOWN_GUARDS)
def _guard(patterns: tuple[Pattern, ...]) -> Guard | None:
    return Guard.of(patterns)


def _asked(left: Indexed, guard: Guard) -> Callable[[EvaluationContext], bool]:
    read, may_match = value_of(left), guard.may_match
    may_be_in: Callable[[Any], bool] = (lambda values: any(map(may_match, values))) if left.each_count else may_match

    def asked(context: EvaluationContext) -> bool:
        # By this very function: a guard of the same patterns may be known for another value.
        computed: dict[Any, Any] = context.computed
        answer: bool | None = computed.get(asked)
        if answer is None:
            value = read(context)
            answer = computed[asked] = value is not None and may_be_in(value)
        return answer

    return asked
