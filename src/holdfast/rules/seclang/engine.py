"""Rules over one request: what holds, in the order of the rules, each found when it is asked for.

Law 1: nothing here awaits, reads a clock or raises for what a client sent.
Law 2: a rule that the screen rules out is not run; what is run is decided by its compiled links alone.
Law 3: `block` lets the request go on: what becomes of it is decided by the sum of the scores, in the rule that compares it.

Source: ModSecurity Reference Manual, "Processing Phases"; only the head is judged, phases 1 and 2.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from holdfast.rules.meter import begin_rule
from holdfast.rules.seclang.macros import parse_text
from holdfast.rules.seclang.patterns import PatternCache
from holdfast.rules.seclang.preparation import Prepared, Step, prepare
from holdfast.rules.seclang.request_variables import Pairs, RequestVariables
from holdfast.rules.seclang.screening import Screening
from holdfast.rules.seclang.syntax_tree import Marker, Rule
from holdfast.rules.seclang.transaction import Transaction

_DENYING: Final = frozenset({"deny", "drop", "proxy", "redirect"})
_NONE: Final[frozenset[int]] = frozenset()


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that holds. `is_denial`: it refuses the request itself, and is the last. `pairs` are what its last link matched."""

    rule: Rule
    pairs: Pairs
    is_denial: bool


class Engine:
    """The rules of one set of variables, ready for requests. `pinned` and `given` as for `prepare`. Raises SecLangError."""

    def __init__(
        self,
        items: Sequence[Rule | Marker],
        patterns: PatternCache,
        *,
        pinned: Mapping[bytes, bytes],
        given: Collection[bytes] = (),
    ) -> None:
        self._prepared: Prepared = prepare(items, pinned, given, patterns)
        self._screening = Screening(self._prepared.steps, patterns)

    def findings(
        self,
        transaction: Transaction,
        *,
        without: Collection[int] = _NONE,
        uncounted: Collection[int] = _NONE,
    ) -> Iterator[Finding]:
        """What holds and is logged, and what denies. Rules in `without` do not run; those in `uncounted` change nothing."""
        steps = self._prepared.steps
        resume = 0
        for place in self._order(transaction.variables):
            if place < resume:
                continue
            step = steps[place]
            rule = step.rule
            if rule.id in without or rule.id in transaction.removed_rules:
                continue
            begin_rule()
            if not (_tried(step, transaction) if rule.id in uncounted else step.evaluate(transaction)):
                continue
            if (finding := _finding(rule, transaction)) is not None:
                yield finding
                if finding.is_denial:
                    return
            if transaction.is_off:
                return
            resume = self._resume(step, place)

    @property
    def steps(self) -> Sequence[Step]:
        """The rules that requests decide, in order."""
        return self._prepared.steps

    def candidates(self, variables: RequestVariables) -> list[Step]:
        """The rules that would be run, if none skipped or removed another."""
        return [self._prepared.steps[place] for place in self._order(variables)]

    def begin(self, variables: RequestVariables, changed: Mapping[bytes, bytes]) -> Transaction:
        """A transaction as every request begins, with variables of the deployment."""
        return Transaction(variables, {**self._prepared.tx, **changed})

    def statistics(self) -> dict[str, int]:
        """How many rules are left for requests, and what the screen holds."""
        return {"steps": len(self._prepared.steps), **self._screening.statistics()}

    def _order(self, variables: RequestVariables) -> Sequence[int]:
        candidates = self._screening.candidates(variables)
        return sorted(candidates.union(self._screening.always)) if candidates else self._screening.always

    def _resume(self, step: Step, place: int) -> int:
        disruption = step.rule.disruption
        if disruption.name != "allow":
            return 0 if step.skip_to is None else step.skip_to
        if disruption.argument == "phase" and place < self._prepared.second_phase:
            return self._prepared.second_phase
        return len(self._prepared.steps)


def text_of(template: str, transaction: Transaction) -> str:
    """A message or its data as the rule that was found last would write it."""
    return parse_text(template).expand(transaction).decode("utf-8", "replace")


def _tried(step: Step, transaction: Transaction) -> bool:
    before = dict(transaction.tx)
    holds = step.evaluate(transaction)
    transaction.tx.clear()
    transaction.tx.update(before)
    return holds


def _finding(rule: Rule, transaction: Transaction) -> Finding | None:
    is_denial = rule.disruption.name in _DENYING
    if not (rule.is_logged or is_denial):
        return None
    if rule.severity is not None:
        transaction.highest_severity = min(transaction.highest_severity, rule.severity)
    return Finding(rule, transaction.matched_vars, is_denial)
