"""From what rulesets tell while they are asked (`notes.Seen`) to what became of each of their rules.

Law 1: rules are asked in their order, so what lies between two that said something was asked and said no, unless it is not
enabled or was left out.
Law 2: what a rule leaves out is only what comes after it: this walks the steps in their order, as they happened.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from holdfast.edge.firewall.notes import Finding, Seen, Skips
from holdfast.edge.firewall.readings import values_of
from holdfast.edge.firewall.values import CompiledRule, CompiledRuleset, Skip
from holdfast.edge.view import View
from holdfast.model.request import Request
from holdfast.model.request_trace import Outcome, TracedMatch, TracedRule, TracedRuleset


def traced_rulesets(
    entrypoints: Sequence[CompiledRuleset], seen: Sequence[Seen], request: Request, view: View
) -> tuple[TracedRuleset, ...]:
    """What became of `entrypoints`, and of what they execute, in the order in which they were asked."""
    reader = _Reader(request, view)
    for step in seen:
        reader.read(step)
    known = {frame.ruleset.id for frame in reader.frames}
    later = (_not_reached(ruleset) for ruleset in entrypoints if ruleset.id not in known)
    return (*(frame.traced() for frame in reader.frames), *later)


class _Entry:
    """What is known of one rule so far."""

    def __init__(self, rule: CompiledRule, outcome: Outcome, *, by: str = "", reason: str = "") -> None:
        self.rule, self.outcome, self.by, self.reason = rule, outcome, by, reason
        self.fields: tuple[tuple[str, str], ...] = ()
        self.matches: list[TracedMatch] = []

    def traced(self) -> TracedRule:
        rule = self.rule
        return TracedRule(
            id=rule.id,
            action=rule.action_name,
            outcome=self.outcome,
            expression=rule.expression,
            ref=rule.ref,
            description=rule.description,
            reason=self.reason,
            by=self.by,
            fields=self.fields,
            matches=tuple(self.matches),
        )


class _Frame:
    """A ruleset that is being asked, or was."""

    def __init__(self, ruleset: CompiledRuleset, executed_by: str, *, skipped_by: str = "") -> None:
        self.ruleset, self.executed_by, self.skipped_by = ruleset, executed_by, skipped_by
        self.entries: list[_Entry] = []

    def next_rules(self, until: CompiledRule | None) -> Iterator[CompiledRule]:
        """The rules that have no entry yet, up to and without `until`."""
        for rule in self.ruleset.rules[len(self.entries) :]:
            if rule is until:
                return
            yield rule

    def traced(self) -> TracedRuleset:
        return TracedRuleset(
            kind=self.ruleset.kind,
            outcome="skipped" if self.skipped_by else "asked",
            id=self.ruleset.id,
            name=self.ruleset.name,
            by=self.skipped_by,
            executed_by=self.executed_by,
            rules=tuple(entry.traced() for entry in self.entries),
        )


class _Reader:
    """Reads steps in their order."""

    def __init__(self, request: Request, view: View) -> None:
        self.frames: list[_Frame] = []
        self._open: list[_Frame] = []
        self._skips = Skips()
        self._request, self._view = request, view

    def read(self, step: Seen) -> None:
        """Take one step up."""
        if step.ruleset is not None:
            self._begin(step.ruleset, step)
        elif step.what == "ruleset_ended":
            self._end(step)
        elif step.rule is not None:
            self._rule(step.rule, step)

    def _begin(self, ruleset: CompiledRuleset, step: Seen) -> None:
        executed_by = self._open[-1].entries[-1].rule.id if self._open else ""
        frame = _Frame(ruleset, executed_by, skipped_by=step.by)
        self.frames.append(frame)
        if step.by:
            reason = f"The rule {step.by} skips the ruleset or its phase."
            frame.entries = [_left(rule, "skipped", by=step.by, reason=reason) for rule in ruleset.rules]
        else:
            self._open.append(frame)

    def _end(self, step: Seen) -> None:
        frame = self._open.pop()
        if not step.by:
            self._fill(frame, None)
            return
        if step.reason:
            left = [_left(rule, "skipped", by=step.by, reason=step.reason) for rule in frame.next_rules(None)]
        else:
            reason = f"The rule {step.by} has decided."
            left = [_left(rule, "not_reached", by=step.by, reason=reason) for rule in frame.next_rules(None)]
        frame.entries += left

    def _rule(self, rule: CompiledRule, step: Seen) -> None:
        frame = self._open[-1]
        if not frame.entries or frame.entries[-1].rule is not rule:
            self._fill(frame, rule)
            frame.entries.append(self._asked(rule, "matched"))
        entry = frame.entries[-1]
        match step.what:
            case "rule_undecided":
                entry.outcome, entry.reason = "undecided", step.reason
            case "rule_matched":
                entry.reason = step.reason
                if isinstance(rule.action, Skip):
                    self._skips.add(rule.action, by=rule.id, phase=rule.phase)
            case "managed_matched":
                assert step.finding is not None, "a match has a finding"  # noqa: S101
                entry.matches.append(_match(step.finding))
            case "rule_skipped":
                entry.outcome, entry.by = "skipped", step.by
                entry.reason = f"The rule {step.by} skips it, or what it executes."
            case "rule_inert":
                entry.outcome, entry.reason = "inert", step.reason
            case "rule_within_limit":
                entry.outcome, entry.reason = "within_limit", step.reason
            case _:
                raise AssertionError(f"no step of a rule is called {step.what}")

    def _fill(self, frame: _Frame, until: CompiledRule | None) -> None:
        """What said nothing."""
        skipped = self._skips.rules.get(frame.ruleset.id, {})
        frame.entries += [
            _left(rule, "skipped", by=by, reason=f"The rule {by} skips it.")
            if rule.enabled and (by := skipped.get(rule.id))
            else self._asked(rule, "not_matched")
            for rule in list(frame.next_rules(until))
        ]

    def _asked(self, rule: CompiledRule, outcome: Outcome) -> _Entry:
        if not rule.enabled:
            return _Entry(rule, "disabled")
        entry = _Entry(rule, outcome)
        entry.fields = values_of(rule.readings, self._view.context(self._request))
        return entry


def _not_reached(ruleset: CompiledRuleset) -> TracedRuleset:
    rules = (_left(rule, "not_reached", reason="Something has decided before.").traced() for rule in ruleset.rules)
    return TracedRuleset(kind=ruleset.kind, outcome="not_reached", id=ruleset.id, name=ruleset.name, rules=tuple(rules))


def _left(rule: CompiledRule, outcome: Outcome, *, by: str = "", reason: str = "") -> _Entry:
    """A rule that was not asked."""
    return _Entry(rule, outcome, by=by, reason=reason) if rule.enabled else _Entry(rule, "disabled")


def _match(finding: Finding) -> TracedMatch:
    return TracedMatch(
        id=finding.rule_id,
        action=finding.action,
        ref=finding.ref,
        description=finding.description,
        fields=finding.fields,
        components=finding.components,
        score=finding.score,
    )
