"""Say of every rule what it would do with a request.

Law 1: it is the phases of `decide` that are run, in their order, over the same compiled rules: what is said is what would
happen. They tell what they do (`notes.Seen`); what they pass over is filled in here.
Law 2: nothing changes: rate limits are looked at and not counted, nothing is recorded, no origin is made or asked.
Law 3: any thread may trace, in any process that has a snapshot.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from holdfast.edge.decide import PHASES
from holdfast.edge.decision import Respond
from holdfast.edge.firewall.notes import Finding, Seen
from holdfast.edge.firewall.rate_limit import Counters
from holdfast.edge.firewall.traced import traced_rulesets
from holdfast.edge.firewall.values import CUSTOM, IP_ACCESS, MANAGED, RATE_LIMITS, CompiledRuleset
from holdfast.edge.phases.forward import forward
from holdfast.edge.phases.worker_route import script_of, worker_route
from holdfast.edge.route import Route, route_of
from holdfast.edge.snapshot import Snapshot
from holdfast.edge.view import PlaceOf, View, view_of
from holdfast.edge.worker_scripts import Script
from holdfast.limits.verdict import Verdict
from holdfast.model.request import Request
from holdfast.model.request_trace import Trace, TracedPhase, TracedRule, TracedRuleset
from holdfast.rules.meter import end_request

# The edge's phases that are phases of the API.
_API_PHASES: Mapping[str, str] = {"custom_rules": CUSTOM, "rate_limits": RATE_LIMITS, "managed_rules": MANAGED}


def trace_request(
    request: Request,
    snapshot: Snapshot,
    *,
    now: float,
    place_of: PlaceOf | None = None,
    counters: Counters | None = None,
) -> Trace:
    """What becomes of `request`, rule by rule. `now` is Unix time in seconds; `counters` are those of rate limits."""
    looking = None if counters is None else _Looking(counters)
    view = view_of(request, snapshot, now=now, place_of=place_of, counters=looking)
    view.notes.trace = []
    try:
        return _traced(request, view)
    finally:
        # What this thread does next is of no request, and not to be counted for this one.
        end_request()


def _traced(request: Request, view: View) -> Trace:
    seen_so_far = view.notes.trace
    assert seen_so_far is not None, "a trace has begun"  # noqa: S101
    phases: list[TracedPhase] = []
    decision: Respond | Route | Script | None = None
    for phase in PHASES:
        name = phase.__name__
        if decision is not None:
            phases.append(_phase(name, "not_reached", (), (), request, view=view))
            continue
        seen_before, found_before = len(seen_so_far), len(view.notes.findings or ())
        if phase is forward:
            decision = _forwarded(request, view)
        elif phase is worker_route:
            decision = script_of(request, view)
        else:
            decided = phase(request, view)
            decision = decided if isinstance(decided, Respond) else None
        seen, found = seen_so_far[seen_before:], (view.notes.findings or [])[found_before:]
        phases.append(_phase(name, "passed" if decision is None else "decided", seen, found, request, view=view))
    assert decision is not None, "the last phase always decides"  # noqa: S101
    return _trace(decision, phases, view)


class _Looking:
    """Counters that count nothing."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters

    def hit(
        self,
        key: bytes,
        *,
        now: float,
        period_s: int,
        limit: int,
        mitigation_s: int,
        is_counted: bool = True,
    ) -> Verdict:
        """Whether the key is limited now."""
        return self._counters.hit(
            key, now=now, period_s=period_s, limit=limit, mitigation_s=mitigation_s, is_counted=False
        )


def _forwarded(request: Request, view: View) -> Respond | Route:
    """What `forward` would do, without an origin."""
    route = route_of(request, view)
    if isinstance(route, Route):
        return route
    answer = forward(request, view)
    assert isinstance(answer, Respond), "what leads nowhere is answered"  # noqa: S101
    return answer


def _phase(
    name: str,
    outcome: Literal["passed", "decided", "not_reached"],
    seen: Sequence[Seen],
    found: Sequence[Finding],
    request: Request,
    *,
    view: View,
) -> TracedPhase:
    api_phase = _API_PHASES.get(name, "")
    if name == IP_ACCESS:
        rulesets: tuple[TracedRuleset, ...] = tuple(_access(found))
    elif api_phase:
        rulesets = traced_rulesets(list(_entrypoints(name, view)), seen, request, view)
    else:
        rulesets = ()
    return TracedPhase(name=name, outcome=outcome, phase=api_phase, rulesets=rulesets)


def _entrypoints(name: str, view: View) -> Iterator[CompiledRuleset]:
    """The rulesets that a phase asks, if nothing decides before."""
    for firewall in view.firewalls:
        ruleset = {
            "custom_rules": firewall.custom,
            "rate_limits": firewall.rate_limits,
            "managed_rules": firewall.managed,
        }[name]
        if ruleset is not None:
            yield ruleset


def _access(found: Sequence[Finding]) -> Iterator[TracedRuleset]:
    rules = tuple(
        TracedRule(id=one.rule_id, action=one.action, outcome="matched", description=one.description, fields=one.fields)
        for one in found
    )
    if rules:
        yield TracedRuleset(kind="access", outcome="asked", rules=rules)


def _trace(decision: Respond | Route | Script, phases: Sequence[TracedPhase], view: View) -> Trace:
    decided_by = next(phase.name for phase in phases if phase.outcome == "decided")
    deciding = next((one for one in reversed(view.notes.findings or ()) if one.status), None)
    route = decision if isinstance(decision, Route) else None
    answer = decision if isinstance(decision, Respond) else None
    return Trace(
        decision="forward" if answer is None else "respond",
        decided_by=decided_by,
        phases=tuple(phases),
        status=0 if answer is None else answer.status,
        origin=f"worker:{decision.name}" if isinstance(decision, Script) else "" if route is None else _origin(route),
        host_header="" if route is None else route.host_header,
        server_name="" if route is None else route.server_name,
        rule_id="" if answer is None or deciding is None else deciding.rule_id,
        zone=view.zone.name,
        zone_id=view.zone.id,
    )


def _origin(route: Route) -> str:
    target = route.target
    if target.ready is not None:
        return target.ready.label
    host = target.alias or target.addresses[0]
    return f"[{host}]:{route.port}" if ":" in host else f"{host}:{route.port}"
