"""Rules before any request: what can be decided is decided, what can be skipped is gone, the rest is compiled.

Most rules of the Core Rule Set set variables to constants, or skip what is above the paranoia level. Run here once, they
cost a request nothing.

Law 1: a rule is run here only where every request would run it so: not where an undecided rule may skip or remove it, and
not where it is logged, for then it is a finding of every request.
Law 2: what is decided here is decided by the code that decides requests: a link is compiled, and asked.
Law 3: an undecided rule keeps its place; what it may write is open from there on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from holdfast.model.request import Request
from holdfast.rules.context import EvaluationContext
from holdfast.rules.meter import begin_rule
from holdfast.rules.seclang.drafts import BoundLink, Draft, without_idle
from holdfast.rules.seclang.effects import Change, Removal, SwitchOff, compile_change, parse_change
from holdfast.rules.seclang.errors import SecLangError
from holdfast.rules.seclang.knowledge import Knowledge
from holdfast.rules.seclang.links import Evaluate, LinkParts, compile_chain, compile_link
from holdfast.rules.seclang.macros import parse_text
from holdfast.rules.seclang.operators import compile_operator
from holdfast.rules.seclang.patterns import PatternCache
from holdfast.rules.seclang.readers import compile_targets, is_empty
from holdfast.rules.seclang.request_variables import RequestVariables
from holdfast.rules.seclang.syntax_tree import Link, Marker, Rule, Target
from holdfast.rules.seclang.transaction import CAPTURE_KEYS, Transaction

_REFUSING = frozenset({"deny", "drop", "proxy", "redirect"})
_NEVER = frozenset({"noMatch", "rbl"})
_NO_REQUEST = Request("", "GET", "http", "", "/", "", "HTTP/1.1", (), "", 0, 0, None, is_upgrade=False)


@dataclass(frozen=True, slots=True)
class Step:
    """One rule that requests decide. `skip_to` is the step that comes next where it holds, if not the next."""

    rule: Rule
    links: tuple[BoundLink, ...]
    evaluate: Evaluate
    skip_to: int | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """All steps of both phases, where the second begins, and the variables that each request begins with."""

    steps: tuple[Step, ...]
    second_phase: int
    tx: Mapping[bytes, bytes]


def prepare(
    items: Sequence[Rule | Marker], pinned: Mapping[bytes, bytes], given: Iterable[bytes], patterns: PatternCache
) -> Prepared:
    """Decide what can be decided. `pinned` are members of TX that rules cannot set; those of them in `given` may have another
    value for each deployment. Raises SecLangError, also where the rules refuse every request."""
    preparation = _Preparation(items, pinned, given, patterns)
    first = preparation.run(1)
    drafts = without_idle([*first, *preparation.run(2, begin=len(first))], patterns)
    return Prepared(
        tuple(Step(draft.rule, draft.links, preparation.compile(draft), draft.skip_to) for draft in drafts),
        sum(draft.rule.phase == 1 for draft in drafts),
        preparation.knowledge.values,
    )


class _Preparation:
    def __init__(
        self,
        items: Sequence[Rule | Marker],
        pinned: Mapping[bytes, bytes],
        given: Iterable[bytes],
        patterns: PatternCache,
    ) -> None:
        self.knowledge = Knowledge(dict(pinned), given)
        self._items = items
        self._rules = [item for item in items if isinstance(item, Rule)]
        self._pinned = frozenset(pinned)
        self._patterns = patterns
        self._removed: frozenset[int] = frozenset()
        # What undecided rules may remove, each set as a whole or not at all.
        self._removable: list[frozenset[int]] = []

    def run(self, phase: int, *, begin: int = 0) -> list[Draft]:
        """The rules of one phase that requests decide; `begin` is the place of the first."""
        walk = _Walk([item for item in self._items if isinstance(item, Marker) or item.phase == phase], begin)
        for item in walk:
            if item.id not in self._removed:
                self._take(item, walk)
        return walk.finished()

    def _take(self, rule: Rule, walk: _Walk) -> None:
        changes = [self._changes(rule, link) for link in rule.links]
        decided = self._decide(rule, changes)
        if decided is False:
            return
        if decided and not walk.is_uncertain and self._may_run(rule, changes, walk):
            self._run(rule, changes)
            walk.skip()
        else:
            links = tuple(self._bind(link, own) for link, own in zip(rule.links, changes, strict=True))
            self.knowledge.read((), (parse_text(rule.message), parse_text(rule.log_data)))
            walk.add(rule, links)

    def _changes(self, rule: Rule, link: Link) -> tuple[Change, ...]:
        found = (parse_change(link.position, action, self._rules, self._patterns) for action in link.actions)
        return tuple(change for change in found if change is not None)

    def _decide(self, rule: Rule, changes: Sequence[tuple[Change, ...]]) -> bool | None:
        """Whether a rule holds for every request (True) or for none, without an effect (False)."""
        trial = self.knowledge.copy()
        is_decided, has_effects = True, False
        for link, own in zip(rule.links, changes, strict=True):
            holds = self._decide_link(rule, link, trial)
            if holds is False:
                return None if has_effects else False
            is_decided = is_decided and holds is True
            has_effects = has_effects or bool(own)
            _open(trial, link, own)
        return True if is_decided else None

    def _decide_link(self, rule: Rule, link: Link, trial: Knowledge) -> bool | None:
        if link.operator is None:
            return True
        if (link.operator.name in _NEVER and not link.operator.is_negated) or not any(map(_has_values, link.targets)):
            return False
        argument = parse_text(link.operator.argument).bound(trial.value_of)
        if not all(trial.is_known(target) for target in link.targets):
            return None
        if argument.constant is None and compile_targets(link.targets, self._patterns):
            return None
        evaluate = compile_link(self._parts(rule, BoundLink(link, argument, (), captures=0)))
        begin_rule()
        return evaluate(Transaction(_variables(), dict(trial.values)))

    def _may_run(self, rule: Rule, changes: Sequence[tuple[Change, ...]], walk: _Walk) -> bool:
        flat = [change for own in changes for change in own]
        if rule.disruption.name in _REFUSING:
            return True
        if rule.is_logged or rule.disruption.name == "allow" or any(link.is_capturing for link in rule.links):
            return False
        # Where the rule is removed, what it skips must be removed with it, and what it writes would be missed.
        removing = [removed for removed in self._removable if rule.id in removed]
        if removing and (flat or not all(walk.skipped() <= removed for removed in removing)):
            return False
        trial = self.knowledge.copy()
        for change in flat:
            if isinstance(change, SwitchOff) or (isinstance(change, Removal) and change.collection):
                return False
            if not isinstance(change, Removal) and not trial.may_apply(change.bound(trial.value_of)):
                return False
        return True

    def _run(self, rule: Rule, changes: Sequence[tuple[Change, ...]]) -> None:
        if rule.disruption.name in _REFUSING:
            raise SecLangError(rule.position, f"id:{rule.id}", f"rules that let a request through ({rule.message})")
        transaction = Transaction(_variables(), self.knowledge.values)
        for change in (change for own in changes for change in own):
            if (effect := compile_change(change, self._pinned)) is not None:
                effect(transaction)
        self._removed |= transaction.removed_rules

    def _bind(self, link: Link, changes: tuple[Change, ...]) -> BoundLink:
        """`link` as a request will meet it, and what it may write opened."""
        _open(self.knowledge, link, changes)
        removals = (change for change in changes if isinstance(change, Removal) and not change.collection)
        self._removable += [change.rules for change in removals]
        known = self.knowledge.value_of
        argument = parse_text(link.operator.argument if link.operator else "").bound(known)
        bound = (change if isinstance(change, Removal | SwitchOff) else change.bound(known) for change in changes)
        self.knowledge.read(link.targets)
        return BoundLink(link, argument, tuple(bound), len(CAPTURE_KEYS) if link.is_capturing else 0)

    def compile(self, draft: Draft) -> Evaluate:
        """What decides whether a rule holds, and does what it does."""
        rule = draft.rule
        chain = compile_chain([compile_link(self._parts(rule, link)) for link in draft.links])
        fields = {
            b"id": str(rule.id).encode(),
            b"logdata": rule.log_data.encode(),
            b"msg": rule.message.encode(),
            b"severity": b"" if rule.severity is None else b"%d" % rule.severity,
        }
        if not any("rule" in action.argument.lower() for link in rule.links for action in link.actions):
            return chain

        def evaluate(transaction: Transaction) -> bool:
            transaction.rule = fields
            return chain(transaction)

        return evaluate

    def _parts(self, rule: Rule, bound: BoundLink) -> LinkParts:
        link = bound.link
        test = None
        if link.operator is not None:
            test = compile_operator(link.position, link.operator, bound.argument, self._patterns)
        effects = (compile_change(change, self._pinned) for change in bound.changes)
        return LinkParts(
            rule.id,
            compile_targets(link.targets, self._patterns),
            test,
            link.transformations,
            tuple(effect for effect in effects if effect is not None),
            bound.captures,
            link.is_multi_match,
        )


def _open(knowledge: Knowledge, link: Link, changes: Iterable[Change]) -> None:
    for change in changes:
        knowledge.open(change)
    if link.is_capturing:
        knowledge.open_captures()


def _has_values(target: Target) -> bool:
    return not target.is_excluded and not is_empty(target)


def _variables() -> RequestVariables:
    return RequestVariables(EvaluationContext(_NO_REQUEST))


class _Walk:
    """One phase, rule by rule: what is skipped for certain, what may be skipped, and where skips lead."""

    def __init__(self, items: Sequence[Rule | Marker], begin: int) -> None:
        self._items = items
        self._begin = begin
        self._drafts: list[tuple[Draft, int]] = []
        # For each item, how many drafts there were when it was reached.
        self._places: list[int] = []
        self._next = 0
        # Items before this one may be skipped by rules that requests decide.
        self._certain_from = 0

    def __iter__(self) -> Iterator[Rule]:
        while self._next < len(self._items):
            item = self._items[self._next]
            self._reach(self._next + 1)
            if isinstance(item, Rule):
                yield item

    @property
    def is_uncertain(self) -> bool:
        """Whether some requests skip the rule that was given last."""
        return self._next <= self._certain_from

    def skipped(self) -> frozenset[int]:
        """The rules that the one given last skips."""
        skipped = self._items[self._next : self._after(self._next - 1)]
        return frozenset(item.id for item in skipped if isinstance(item, Rule))

    def skip(self) -> None:
        """The rule given last holds for every request: go where it leads."""
        self._reach(self._after(self._next - 1))

    def add(self, rule: Rule, links: tuple[BoundLink, ...]) -> None:
        """The rule given last is for requests to decide."""
        number = self._next - 1
        self._drafts.append((Draft(rule, links), number))
        end = len(self._items) if rule.disruption.name == "allow" else self._after(number)
        self._certain_from = max(self._certain_from, end)

    def finished(self) -> list[Draft]:
        """The rules that requests decide, each with where it leads."""
        places = [*self._places, len(self._drafts)]
        return [
            Draft(draft.rule, draft.links, self._begin + places[after] if after > number + 1 else None)
            for draft, number in self._drafts
            for after in (self._after(number),)
        ]

    def _reach(self, end: int) -> None:
        self._places += [len(self._drafts)] * (end - self._next)
        self._next = end

    def _after(self, number: int) -> int:
        """The item that comes after the rule with this number, where it holds."""
        rule = self._items[number]
        if not isinstance(rule, Rule):
            return number + 1
        if rule.skip_after:
            later = range(number + 1, len(self._items))
            return next((at + 1 for at in later if _is_called(self._items[at], rule.skip_after)), len(self._items))
        left, at = rule.skip, number + 1
        while left and at < len(self._items):
            left -= isinstance(self._items[at], Rule)
            at += 1
        return at


def _is_called(item: Rule | Marker, name: str) -> bool:
    return item.name == name if isinstance(item, Marker) else str(item.id) == name
