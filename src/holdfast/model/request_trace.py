"""What every rule would do with a request: the answer of a trace, as plain values that all sides share.

Law 1: a trace names every rule of every ruleset that a request could meet, in the order in which they are asked, and says of
each what became of it (`Outcome`) and why.
Law 2: of what there may be thousands of (access rules, rules of a managed ruleset) only those that matched are here.
"""

from __future__ import annotations

from typing import Literal

import msgspec

# `matched`: it acted. `within_limit`: it matched, and its rate limit is not reached. `not_matched`. `undecided`: it would have
# cost too much to find out, so it left out nothing (one that refuses or records has `matched`, and this is its reason). `skipped`: another rule
# left it out. `disabled`. `inert`: it matched, and what it executes is not here. `not_reached`: something decided before it.
Outcome = Literal["matched", "within_limit", "not_matched", "undecided", "skipped", "disabled", "inert", "not_reached"]


class TracedMatch(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A rule of a managed ruleset that matched. `action` is after overrides, `components` are ids of what made up `score`."""

    id: str
    action: str
    ref: str = ""
    description: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    components: tuple[str, ...] = ()
    score: int = 0


class TracedRule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One rule. `fields` are the values that its expression looked at, where it was asked; `reason` why it was not, as a
    sentence; `by` the rule that is the cause of it; `matches` what matched of the managed ruleset that it executes."""

    id: str
    action: str
    outcome: Outcome
    expression: str = ""
    ref: str = ""
    description: str = ""
    reason: str = ""
    by: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    matches: tuple[TracedMatch, ...] = ()


class TracedRuleset(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One ruleset. `kind` is the API's, or "access" for the access rules of all owners. `by` is the rule that left it out;
    `executed_by` the rule that executes it, where it is no entrypoint."""

    kind: str
    outcome: Literal["asked", "skipped", "not_reached"]
    id: str = ""
    name: str = ""
    by: str = ""
    executed_by: str = ""
    rules: tuple[TracedRule, ...] = ()


class TracedPhase(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One phase of the edge, by the edge's name; `phase` is the API's, where it has one."""

    name: str
    outcome: Literal["passed", "decided", "not_reached"]
    phase: str = ""
    rulesets: tuple[TracedRuleset, ...] = ()


class Trace(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What becomes of a request, and how that came about.

    `decision` is "forward" or "respond"; `status` that of the answer; `origin` where it goes, as "host:port" or "worker:name". `decided_by` is
    the phase that decided, `rule_id` the rule, where one did. `zone` is the zone's name, `zone_id` its id; "" where there is none.
    """

    decision: Literal["forward", "respond"]
    decided_by: str
    phases: tuple[TracedPhase, ...]
    status: int = 0
    origin: str = ""
    host_header: str = ""
    server_name: str = ""
    rule_id: str = ""
    zone: str = ""
    zone_id: str = ""
