"""Which rules may hold for a request: all searches of all rules over all values, in one call of the native module.

Law 1: a rule is screened by one of its links, if that link searches what only the request decides. A link that comes before
it must have no effect: it would take place without the chain.
Law 2: the screen never misses a rule; what it finds is evaluated exactly.
Law 3: exclusions of cookies are left to the exact evaluation: they differ from rule to rule, and would make each of them a
search of its own. Those of headers are not: a client's usual headers would be found in every request.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from holdfast._native import Screen
from holdfast.rules.seclang.drafts import BoundLink
from holdfast.rules.seclang.patterns import PatternCache
from holdfast.rules.seclang.preparation import Step
from holdfast.rules.seclang.readers import Read, compile_targets, is_empty, is_static
from holdfast.rules.seclang.request_variables import RequestVariables
from holdfast.rules.seclang.syntax_tree import Target
from holdfast.rules.seclang.transaction import Transaction

_SEARCHES: Final = frozenset({"detectSQLi", "detectXSS", "pm", "pmFromFile", "rx"})

_Source = tuple[Target, ...]
_Test = tuple[str, "str | Sequence[bytes]"]


@dataclass(frozen=True, slots=True)
class _Group:
    source: int
    transformations: tuple[str, ...]


class Screening:
    """The screen of some steps: `always` are the places of those that cannot be screened."""

    def __init__(self, steps: Sequence[Step], patterns: PatternCache) -> None:
        self._sources: dict[_Source, int] = {}
        self._tests: dict[_Group, dict[_Test, list[int]]] = {}
        always = []
        for place, step in enumerate(steps):
            link = _screened_link(step)
            if link is None:
                always.append(place)
            else:
                self._add(link, place)
        self.always = tuple(always)
        self._readers = tuple(_reader(source, patterns) for source in self._sources)
        groups = [(group.source, group.transformations, list(tests)) for group, tests in self._tests.items()]
        self._screen = Screen(groups)
        self._places = tuple(tuple(places) for tests in self._tests.values() for places in tests.values())

    def candidates(self, variables: RequestVariables) -> set[int]:
        """The places of the screened steps that may hold."""
        transaction = Transaction(variables, {})
        sources = [[value for _, value in read(transaction)] for read in self._readers]
        places = self._places
        return {place for test in self._screen.scan(sources) for place in places[test]}

    def statistics(self) -> dict[str, int]:
        """What the screen holds."""
        return {"sources": len(self._readers), "always": len(self.always), **self._screen.statistics()}

    def _add(self, link: BoundLink, place: int) -> None:
        names = link.link.transformations
        # multiMatch: what is searched is the value after each of the transformations, and before them.
        stages = [names[:end] for end in range(len(names) + 1)] if link.link.is_multi_match else [names]
        for source in _sources_of(link.link.targets):
            number = self._sources.setdefault(source, len(self._sources))
            for stage in stages:
                tests = self._tests.setdefault(_Group(number, stage), {})
                tests.setdefault(_test_of(link), []).append(place)


def _screened_link(step: Step) -> BoundLink | None:
    for bound in step.links:
        if _is_search(bound):
            return bound
        if bound.changes or bound.captures:
            return None
    return None


def _is_search(bound: BoundLink) -> bool:
    operator = bound.link.operator
    if operator is None or operator.is_negated or operator.name not in _SEARCHES:
        return False
    if operator.name == "rx" and _holds_for_nothing(bound.argument.constant):
        # Every value matches: to screen it would only cost.
        return False
    return all(is_static(target) and not target.is_count for target in bound.link.targets)


def _holds_for_nothing(pattern: bytes | None) -> bool:
    return pattern in (None, b"", b".*", b"^.*$", b".")


def _sources_of(targets: Sequence[Target]) -> list[_Source]:
    sources = []
    for target in targets:
        if target.is_excluded or is_empty(target):
            continue
        excluded = [
            one
            for one in targets
            if one.is_excluded and one.collection == target.collection == "REQUEST_HEADERS" and target.selector is None
        ]
        sources.append((target, *sorted(excluded, key=str)))
    return sources


def _reader(source: _Source, patterns: PatternCache) -> Read:
    readers = compile_targets(source, patterns)
    return readers[0].read if readers else lambda _: ()


def _test_of(bound: BoundLink) -> _Test:
    operator = bound.link.operator
    match operator.name if operator else "":
        case "rx":
            return "rx", (bound.argument.constant or b"").decode()
        case "detectSQLi":
            return "sqli", ""
        case "detectXSS":
            return "xss", ""
        case _:
            return "pm", operator.phrases if operator else ()
