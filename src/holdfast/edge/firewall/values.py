"""Rules as they are asked about a request: compiled, frozen, and knowing whose they are.

Law 1: nothing here changes once it is compiled but for one thing: a `Deploy` remembers the deployments that were made of the
managed rulesets it met, two at most.
Law 2: what is asked for each request is a program over all enabled rules of a ruleset together; a rule by itself is looked
at when it has matched.
Law 3: nothing here refers back to what holds it, so no cycle can come about and the collector need not look (`gc=False`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from holdfast.edge.firewall.access_rules import AccessRules
    from holdfast.edge.firewall.rate_limit import RateLimit
    from holdfast.rules.context import EvaluationContext
    from holdfast.rules.managed_ruleset import Deployment, ManagedRuleset, Overrides
    from holdfast.rules.read_values import ReadValue

# The phases that rules of zones and accounts are in, in the order in which they are asked.
CUSTOM = "http_request_firewall_custom"
RATE_LIMITS = "http_ratelimit"
MANAGED = "http_request_firewall_managed"
PHASE_NAMES = (CUSTOM, RATE_LIMITS, MANAGED)
# Access rules have no phase in the API; this is what it is called wherever phases are named.
IP_ACCESS = "ip_access"

# Managed rulesets of one id that are in use at once: what is being replaced, and what replaces it.
MAX_DEPLOYMENTS = 2

# The indexes of the expressions that hold for a request, in order, each found when it is asked for.
Matching = Callable[["EvaluationContext"], Iterator[int]]


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What a rule answers with instead of the edge's own words (`action_parameters.response`)."""

    status: int
    content_type: str
    body: bytes


class Refuse(msgspec.Struct, frozen=True, gc=False):
    """Refuse the request. `action` is what the rule says: "block", or a challenge, which a WebSocket cannot solve."""

    action: str
    answer: Answer | None = None


class Note(msgspec.Struct, frozen=True, gc=False):
    """Record that the rule matched, and go on (`log`)."""


class Skip(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Leave out what comes later. `ruleset` and `phase` are about where the rule stands; `rulesets` are ids; `rules` are ids
    by the id of their ruleset. `is_logged` says that it is recorded."""

    ruleset: bool = False
    phase: bool = False
    phases: tuple[str, ...] = ()
    rulesets: tuple[str, ...] = ()
    rules: Mapping[str, tuple[str, ...]] = {}
    is_logged: bool = True


class Execute(msgspec.Struct, frozen=True, gc=False):
    """Ask the rules of another ruleset of the same owner."""

    ruleset: CompiledRuleset


class Deploy(msgspec.Struct, frozen=True, gc=False):
    """Ask a managed ruleset, with what `overrides` change of it.

    `made` are the deployments by the managed ruleset (its identity) they were made of: each with that ruleset, so that it
    stays what it was, or with the reason why there is none.
    """

    ruleset_id: str
    overrides: Overrides
    made: dict[int, tuple[ManagedRuleset, Deployment | str]]


Action = Refuse | Note | Skip | Execute | Deploy


class CompiledRule(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One rule. `ruleset_id` and `phase` are those of the ruleset it stands in; `readings` what its expression looks at."""

    id: str
    ruleset_id: str
    phase: str
    action: Action
    action_name: str
    expression: str
    ref: str = ""
    description: str = ""
    enabled: bool = True
    readings: tuple[ReadValue, ...] = ()
    limit: RateLimit | None = None


class Step(msgspec.Struct, frozen=True, gc=False):
    """What one index of a ruleset's program stands for: a rule's expression, or what a rate limit counts."""

    rule: CompiledRule
    is_counting: bool = False


class CompiledRuleset(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Rules of one phase. `rules` are all of them; `steps` those that are enabled, as `matching` numbers them.

    `has_limits` says that there are rate limits among them.
    """

    id: str
    kind: Literal["zone", "root", "custom"]
    phase: str
    name: str
    rules: tuple[CompiledRule, ...]
    steps: tuple[Step, ...]
    matching: Matching
    has_limits: bool = False


class Firewall(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What one owner, a zone or an account, says: its entrypoints and its access rules; None where it says nothing.

    `asks` says which there are, in the order in which they are asked: 1 access rules, 2 custom rules, 4 rate limits, 8 managed.
    """

    custom: CompiledRuleset | None = None
    rate_limits: CompiledRuleset | None = None
    managed: CompiledRuleset | None = None
    access: AccessRules | None = None
    asks: int = 0

    def __post_init__(self) -> None:
        """Say what there is."""
        there = (self.access, self.custom, self.rate_limits, self.managed)
        asks = sum(1 << place for place, one in enumerate(there) if one is not None)
        msgspec.structs.force_setattr(self, "asks", asks)


class CompiledAccount(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What an account says for all of its zones. `firewall` is None where it says nothing (any more)."""

    id: str
    version: int = 0
    firewall: Firewall | None = None
