"""Rules to decide by: documents with ids that say which they are, and what a zone of them makes of a request."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from holdfast.edge.decide import decide
from holdfast.edge.decision import Decision
from holdfast.edge.firewall.account import compile_account
from holdfast.edge.firewall.values import CUSTOM, MANAGED
from holdfast.edge.snapshot import Snapshot
from holdfast.limits.counters import RateCounters
from holdfast.model.request import Request
from holdfast.model.rule_documents import (
    AccessRuleDocument,
    AccountDocument,
    RateLimitDocument,
    RuleDocument,
    RulesetDocument,
)
from holdfast.model.security_event import SecurityEvent
from holdfast.model.zone_document import RecordDocument
from holdfast.rules.context import EvaluationContext
from holdfast.rules.managed_ruleset import ManagedRule, Match, Overrides
from tests.unit.edge.origins import a_zone, snapshot_of
from tests.unit.requests import a_request

ACCOUNT = "acc0"
NOW = 1_772_366_400.0


def a_rule(
    ident: str, action: str = "block", expression: str = "true", *, executes: str = "", **fields: Any
) -> RuleDocument:
    """A rule; `fields` that are none of the document's are its action parameters, `executes` is the id among them."""
    if executes:
        fields["id"] = executes
        action = "execute"
    own = {name: fields.pop(name) for name in list(fields) if name in RuleDocument.__struct_fields__ and name != "id"}
    return RuleDocument(
        id=ident, version=1, action=action, expression=expression, **{"action_parameters": fields, **own}
    )


def a_limit(ident: str, limit: int, expression: str = "true", *, action: str = "block", **fields: Any) -> RuleDocument:
    """A rate limit of `limit` requests in 10 seconds for each client; `fields` are those of what it counts, or the rule's."""
    counted: dict[str, Any] = {"characteristics": ("cf.colo.id", "ip.src"), "period": 10}
    counted |= {name: fields.pop(name) for name in list(fields) if name in RateLimitDocument.__struct_fields__}
    return a_rule(
        ident, action, expression, ratelimit=RateLimitDocument(requests_per_period=limit, **counted), **fields
    )


def a_ruleset(*rules: RuleDocument, phase: str = CUSTOM, kind: Any = "zone", ident: str = "") -> RulesetDocument:
    """Rules of one phase. `ident` is by default the kind and the phase."""
    return RulesetDocument(id=ident or f"{kind}-{phase}", kind=kind, phase=phase, version=1, rules=rules)


def an_access_rule(ident: str, mode: Any, target: Any, value: str) -> AccessRuleDocument:
    return AccessRuleDocument(id=ident, mode=mode, target=target, value=value)


def a_ruled_snapshot(
    *rulesets: RulesetDocument,
    account: Sequence[RulesetDocument] = (),
    access: Sequence[AccessRuleDocument] = (),
    account_access: Sequence[AccessRuleDocument] = (),
    managed: Sequence[Any] = (),
    records: Sequence[RecordDocument] = (),
    **zone: Any,
) -> Snapshot:
    """A snapshot with example.com, whose rules these are, in an account that has those."""
    document = AccountDocument(id=ACCOUNT, version=1, rulesets=tuple(account), access_rules=tuple(account_access))
    snapshot = snapshot_of(
        a_zone("example.com", *records, account_id=ACCOUNT, rulesets=rulesets, access_rules=tuple(access), **zone)
    )
    return snapshot.with_sources(
        accounts={ACCOUNT: compile_account(document)}, lists=(), managed={one.id: one for one in managed}
    )


@dataclass
class Decided:
    """What became of requests, in their order."""

    decisions: list[Decision] = field(default_factory=list)
    events: list[SecurityEvent] = field(default_factory=list)

    @property
    def statuses(self) -> list[int]:
        """Of each request: 0 where it was forwarded."""
        return [getattr(decision, "status", 0) for decision in self.decisions]

    @property
    def said(self) -> list[tuple[str, str]]:
        """(rule, action) of each event."""
        return [(event.rule_id, event.action) for event in self.events]


def decided(
    snapshot: Snapshot,
    *requests: Request,
    counters: RateCounters | None = None,
    now: float = NOW,
    place_of: Any = None,
) -> Decided:
    """What becomes of `requests`, by default of one upgrade."""
    found = Decided()
    for request in requests or (a_request(),):
        found.decisions.append(
            decide(
                request,
                snapshot,
                now=now,
                place_of=place_of,
                counters=counters,
                record=lambda _, events: found.events.extend(events),
            )
        )
    return found


def counters() -> RateCounters:
    """Some counters in memory."""
    return RateCounters(bytearray(64 * 1024), secret=b"0123456789abcdef")


@dataclass
class FakeManaged:
    """A managed ruleset whose rules match the requests whose path contains their ref."""

    id: str = "managed-ruleset"
    name: str = "A managed ruleset"
    description: str = ""
    version: str = "1"
    phase: str = MANAGED
    rules: tuple[ManagedRule, ...] = (
        ManagedRule("managed-1", "/one", "finds one", ("letters",)),
        ManagedRule("managed-2", "/two", "finds two", ("letters",)),
    )
    deployments: int = 0

    def deploy(self, overrides: Overrides) -> "FakeDeployment":
        self.deployments += 1
        return FakeDeployment(self, overrides)


@dataclass
class FakeDeployment:
    managed: FakeManaged
    overrides: Overrides

    def matches(self, context: EvaluationContext, skipped: Collection[str]) -> Iterator[Match]:
        for rule in self.managed.rules:
            override = self.overrides.of(rule)
            if rule.id not in skipped and override.enabled and rule.ref in context.request.path:
                yield Match(rule, str(override.action), fields=(("http.request.uri.path", context.request.path),))
