"""Ask the rules of one ruleset about one request, in their order, until one decides.

Law 1: a rule is asked when those before it have acted, so what a rule leaves out (`skip`) is always later than itself.
Law 2: what is skipped is not counted, not recorded and not asked for what it would do.
Law 3: of a rate limit, what its counting expression matches is counted, whether or not the rule's own expression does; only
what the latter matches is held to the limit. With no counting expression they are the same.
Law 4: exceptions beat overrides: a rule of a managed ruleset that is skipped is not asked, whatever its deployment says.
Law 5: where nobody knows whether a rule matches (`Undecidable`), it fails closed: what refuses, counts, records or asks more
rules acts, and what skips does not. What such a rule executes skips nothing either.

Source: Cloudflare, "Ruleset Engine", "Skip options", "Request rate calculation", "Create exceptions".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, assert_never

from holdfast.edge.answers import RefusedBy, refuse_by_rule
from holdfast.edge.decision import Respond
from holdfast.edge.firewall.deployments import deployment_of
from holdfast.edge.firewall.notes import Finding, Seen
from holdfast.edge.firewall.values import (
    CUSTOM,
    MANAGED,
    RATE_LIMITS,
    CompiledRule,
    CompiledRuleset,
    Deploy,
    Execute,
    Note,
    Refuse,
    Skip,
)
from holdfast.edge.view import View
from holdfast.limits.verdict import Verdict
from holdfast.model.request import Request
from holdfast.rules.undecidable import Undecidable

if TYPE_CHECKING:
    from holdfast.edge.firewall.rate_limit import RateLimit
    from holdfast.rules.context import EvaluationContext
    from holdfast.rules.managed_ruleset import Match

_SOURCES = {CUSTOM: "firewallCustom", RATE_LIMITS: "rateLimit", MANAGED: "firewallManaged"}
# What a client is told, as Cloudflare's "1xxx errors": a firewall rule, and rate limiting.
_REFUSED, _LIMITED = 1020, 1015


def run(ruleset: CompiledRuleset, request: Request, view: View) -> Respond | None:
    """What `ruleset` decides about `request`; None where it lets it go on."""
    notes = view.notes
    if notes.skips is not None and (by := notes.skips.of_ruleset(ruleset)) is not None:
        if notes.trace is not None:
            notes.trace.append(Seen(what="ruleset_skipped", ruleset=ruleset, by=by))
        return None
    if notes.trace is not None:
        notes.trace.append(Seen(what="ruleset_begun", ruleset=ruleset))
    context = view.context(request)
    if ruleset.has_limits:
        found = _over_limits(ruleset, context, request, view)
    else:
        found = None
        for index in ruleset.matching(context):
            found = _consider(index, None, ruleset, request, view)
            if found is not None:
                break
    if found is not None:
        return found.decision
    if notes.trace is not None:
        notes.trace.append(Seen(what="ruleset_ended"))
    return None


class _End(NamedTuple):
    """Why the rest of a ruleset is not asked: a decision, or None where it is skipped."""

    decision: Respond | None


def _consider(
    index: int, verdict: Verdict | None, ruleset: CompiledRuleset, request: Request, view: View
) -> _End | None:
    """Do what a rule says, which has matched, unless it is left out; whether that is the end of its ruleset."""
    if isinstance(index, Undecidable):
        return _consider_in_doubt(index, verdict, ruleset, request, view)
    rule = ruleset.steps[index].rule
    if view.notes.skips is not None and _is_left_out(rule, ruleset, view):
        return None
    decision = _act(rule, verdict, request, view)
    if decision is not None:
        _see(view, "ruleset_ended", None, by=rule.id)
        return _End(decision)
    if _ends(rule, ruleset, view):
        _see(view, "ruleset_ended", None, by=rule.id, reason=f"The rule {rule.id} skips what comes after it.")
        return _End(None)
    return None


def _consider_in_doubt(
    index: Undecidable, verdict: Verdict | None, ruleset: CompiledRuleset, request: Request, view: View
) -> _End | None:
    """The same where nobody knows whether the rule matches, or any that it executes should have been asked."""
    notes = view.notes
    before = notes.doubt
    notes.doubt = before or index.why
    end = _consider(int(index), verdict, ruleset, request, view)
    notes.doubt = before
    return end


def _over_limits(ruleset: CompiledRuleset, context: EvaluationContext, request: Request, view: View) -> _End | None:
    """The same for all rules that act of one with limits: those that are over. Everything that counts is counted."""
    steps, notes, counters, now = ruleset.steps, view.notes, view.counters, view.now
    # What counts for a rule whose counting expression, which stands before its own, has matched.
    counted: RateLimit | None = None
    for index in ruleset.matching(context):
        step = steps[index]
        rule = step.rule
        limit = rule.limit
        if counted is not None and counted is not limit:
            _count(counted, context, view)
            counted = None
        if notes.skips is not None and _is_left_out(rule, ruleset, view):
            continue
        verdict = None
        if limit is not None:
            if step.is_counting:
                counted = limit
                continue
            is_counted = limit.counts_itself or counted is limit
            counted = None
            verdict = limit.hit(counters, context, now=now, is_counted=is_counted)
            if not verdict.is_limited:
                if notes.trace is not None:
                    _see(view, "rule_within_limit", rule, reason=f"Counted {verdict.count} of {limit.limit}.")
                continue
        end = _consider(index, verdict, ruleset, request, view)
        if end is not None:
            return end
    if counted is not None:
        _count(counted, context, view)
    return None


def _count(limit: RateLimit, context: EvaluationContext, view: View) -> None:
    """Count a request that is not held to the limit itself."""
    limit.hit(view.counters, context, now=view.now, is_counted=True)


def _is_left_out(rule: CompiledRule, ruleset: CompiledRuleset, view: View) -> bool:
    skips = view.notes.skips
    if skips is None or not skips.rules or (by := skips.rules.get(ruleset.id, {}).get(rule.id)) is None:
        return False
    _see(view, "rule_skipped", rule, by=by)
    return True


def _ends(rule: CompiledRule, ruleset: CompiledRuleset, view: View) -> bool:
    """Whether the rest of `ruleset` is left out after what `rule` did."""
    if isinstance(rule.action, Skip) and rule.action.ruleset and not view.notes.doubt:
        return True
    skips = view.notes.skips
    return skips is not None and skips.of_ruleset(ruleset) is not None


def _act(rule: CompiledRule, verdict: Verdict | None, request: Request, view: View) -> Respond | None:
    """Do what `rule` says, which has matched."""
    action, doubt = rule.action, view.notes.doubt
    if doubt and isinstance(action, Skip):
        _see(view, "rule_undecided", rule, reason=f"Undecided: {doubt}. So it skips nothing.")
        return None
    if view.notes.trace is not None:
        reason = f"Undecided: {doubt}. So it acts." if doubt else ""
        fields = _fields(rule, request, view)
        view.notes.trace.append(Seen(what="rule_matched", rule=rule, reason=reason, fields=fields))
    match action:
        case Refuse():
            return _refuse(rule, action, verdict, request, view)
        case Note():
            _find(rule, "log", request, view)
        case Skip():
            view.notes.skips_from_here().add(action, by=rule.id, phase=rule.phase)
            if action.is_logged:
                _find(rule, "skip", request, view)
        case Execute():
            return run(action.ruleset, request, view)
        case Deploy():
            return _ask_managed(rule, action, request, view)
        case _:
            assert_never(action)
    return None


def _refuse(rule: CompiledRule, action: Refuse, verdict: Verdict | None, request: Request, view: View) -> Respond:
    by = RefusedBy(
        rule_id=rule.id,
        ruleset_id=rule.ruleset_id,
        phase=rule.phase,
        action=action.action,
        zone=view.zone.name,
        code=_REFUSED if verdict is None else _LIMITED,
        retry_after_s=None if verdict is None else verdict.retry_after_s,
    )
    decision = refuse_by_rule(request, by, now=view.now, answer=action.answer)
    _find(rule, action.action, request, view, status=decision.status)
    return decision


def _find(rule: CompiledRule, action: str, request: Request, view: View, *, status: int = 0) -> None:
    if view.notes.is_full and not status:
        return
    view.notes.add(
        Finding(
            action=action,
            source=_SOURCES[rule.phase],
            rule_id=rule.id,
            ruleset_id=rule.ruleset_id,
            ref=rule.ref,
            description=rule.description,
            status=status,
            fields=_fields(rule, request, view),
        )
    )


def _fields(rule: CompiledRule, request: Request, view: View) -> tuple[tuple[str, str], ...]:
    # Loaded with the first rule that matches.
    from holdfast.edge.firewall.readings import values_of  # noqa: PLC0415

    values = values_of(rule.readings, view.context(request))
    return (("undecided", view.notes.doubt), *values) if view.notes.doubt else values


def _ask_managed(rule: CompiledRule, deploy: Deploy, request: Request, view: View) -> Respond | None:
    """What the managed ruleset that `rule` executes decides."""
    skips = view.notes.skips
    if skips is not None and (by := skips.rulesets.get(deploy.ruleset_id)) is not None:
        _see(view, "rule_skipped", rule, by=by)
        return None
    deployment = deployment_of(deploy, view.managed, rule.phase)
    if isinstance(deployment, str):
        _see(view, "rule_inert", rule, reason=deployment)
        return None
    skipped = skips.rules.get(deploy.ruleset_id, {}) if skips is not None else {}
    for match in deployment.matches(view.context(request), skipped):
        decision = _managed_decision(match, deploy, rule, request, view)
        if decision is not None:
            return decision
    return None


def _managed_decision(match: Match, deploy: Deploy, rule: CompiledRule, request: Request, view: View) -> Respond | None:
    decision = None
    if match.action != "log":
        by = RefusedBy(
            rule_id=match.rule.id,
            ruleset_id=deploy.ruleset_id,
            phase=rule.phase,
            action=match.action,
            zone=view.zone.name,
            code=_REFUSED,
        )
        decision = refuse_by_rule(request, by, now=view.now)
    finding = Finding(
        action=match.action,
        source=_SOURCES[MANAGED],
        rule_id=match.rule.id,
        ruleset_id=deploy.ruleset_id,
        ref=match.rule.ref,
        description=match.rule.description,
        status=decision.status if decision is not None else 0,
        fields=match.fields,
        components=tuple(component.id for component in match.components),
        score=match.score,
    )
    view.notes.add(finding)
    if view.notes.trace is not None:
        view.notes.trace.append(Seen(what="managed_matched", rule=rule, finding=finding))
    return decision


def _see(view: View, what: str, rule: CompiledRule | None, *, by: str = "", reason: str = "") -> None:
    """Tell whoever traces."""
    if view.notes.trace is not None:
        view.notes.trace.append(Seen(what=what, rule=rule, by=by, reason=reason))
