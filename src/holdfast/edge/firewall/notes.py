"""What is found out about one request while its phases run: the one part of a view that changes.

Law 1: notes are made with their view, for one request and one thread, and end with it.
Law 2: a request that no rule matches leaves them as they were made: what costs something is made when it is needed.
Law 3: a rule leaves out only what comes after it (`Skips`): nothing here is looked at twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from holdfast.edge.firewall.values import PHASE_NAMES, CompiledRule, CompiledRuleset, Skip

if TYPE_CHECKING:
    from holdfast.rules.context import EvaluationContext


# Findings that one request keeps; of more, the first and the one that decided. A zone may have a thousand `log` rules, and a
# client may send what all of them match. As many as the queue of events takes of one request (`event_queue.MAX_OF_ONE`).
MAX_FINDINGS = 32


class Skips(msgspec.Struct, gc=False):
    """What later rules are left out, each by the id of the rule that said so."""

    phases: dict[str, str] = {}
    rulesets: dict[str, str] = {}
    rules: dict[str, dict[str, str]] = {}

    def add(self, skip: Skip, *, by: str, phase: str) -> None:
        """Leave out what `skip`, of the rule `by` in `phase`, says. That the rest of its own ruleset is left out is not
        kept: whoever asks its rules stops."""
        if skip.phase:
            self.phases.setdefault(phase, by)
        for name in skip.phases:
            self.phases.setdefault(name, by)
        for ruleset_id in skip.rulesets:
            self.rulesets.setdefault(ruleset_id, by)
        for ruleset_id, rule_ids in skip.rules.items():
            left_out = self.rules.setdefault(ruleset_id, {})
            for rule_id in rule_ids:
                left_out.setdefault(rule_id, by)

    def add_all_phases(self, *, by: str) -> None:
        """Leave out all phases of rules: an access rule lets the client pass."""
        for name in PHASE_NAMES:
            self.phases.setdefault(name, by)

    def of_ruleset(self, ruleset: CompiledRuleset) -> str | None:
        """The rule by which `ruleset` is left out as a whole."""
        return self.phases.get(ruleset.phase) or self.rulesets.get(ruleset.id)


class Finding(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One rule that had a say: what an event is made of, with the names of events. `status` is that of the answer."""

    action: str
    source: str
    rule_id: str
    ruleset_id: str = ""
    ref: str = ""
    description: str = ""
    status: int = 0
    fields: tuple[tuple[str, str], ...] = ()
    components: tuple[str, ...] = ()
    score: int = 0


class Seen(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One step of a trace. Made only where somebody traces.

    `what` is one of: `ruleset_skipped` (`by` the rule that said so), `ruleset_begun`, `ruleset_ended` (`by` the rule after
    which its rest was not asked, "" at its end); and of the ruleset that began last: `rule_matched` (`fields`; `reason` if it is
    in doubt and acts), `rule_undecided` (`reason`: it is in doubt and does not act),
    `rule_skipped` (`by`), `rule_inert` (`reason`), `rule_within_limit` (`reason`), `managed_matched` (`finding`).
    """

    what: str
    ruleset: CompiledRuleset | None = None
    rule: CompiledRule | None = None
    by: str = ""
    reason: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    finding: Finding | None = None


class Notes(msgspec.Struct, gc=False):
    """`context` is what expressions are evaluated against, made when the first asks; `findings` become events; `skips` is
    what later rules are left out; `trace` is a list where somebody traces. `doubt` says while a rule acts why nobody knows
    whether it matches, "" where it does."""

    context: EvaluationContext | None = None
    findings: list[Finding] | None = None
    skips: Skips | None = None
    trace: list[Seen] | None = None
    doubt: str = ""

    @property
    def is_full(self) -> bool:
        """Whether only a finding that decides would be kept."""
        return self.findings is not None and len(self.findings) >= MAX_FINDINGS - 1

    def add(self, finding: Finding) -> None:
        """Keep `finding` for the events of the request, if there is room or it decides (`status`)."""
        if self.findings is None:
            self.findings = []
        if finding.status or not self.is_full:
            self.findings.append(finding)

    def skips_from_here(self) -> Skips:
        """What is left out, to be added to."""
        if self.skips is None:
            self.skips = Skips()
        return self.skips
