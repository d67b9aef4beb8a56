"""Trying rules: what a request would come to, and which requests an expression matches.

`POST /accounts/{id}/request-tracer/trace` is the original's: one request, as steps within steps. `POST
/zones/{id}/security/trace` is ours: an expression or the whole zone, on requests that are given or on the last ones that the
zone had, with a word on every rule.

Law 1: nothing is sent anywhere and nothing is counted: rules are asked, no origin is.
Law 2: a request is tried as it is given; at most MAX_REQUESTS, and as many as there is time for (`left_out` says how many not).
Law 3: of a request that somebody else made, what its client proves itself with is not shown; and since an expression could ask
for it letter by letter, trying one on recorded requests is for who may write rules, which could do as much.
Law 4: an expression that is wrong is a 400 in the original's words, and a request that is wrong one that names the member.

Source: Cloudflare API v4, "Request Tracer".
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from holdfast.api.access import Access, account_access, zone_access
from holdfast.api.context import Tracing, TracingBusy
from holdfast.api.envelope import Envelope, View, success
from holdfast.api.faults import ApiFault, Complaint, fault, invalid, not_permitted
from holdfast.api.rule_expressions import check_lists_of
from holdfast.model.moment import written
from holdfast.model.request import Request
from holdfast.model.request_text import GivenRequest, RequestTextError, request_from_object
from holdfast.model.request_trace import Trace, TracedRule, TracedRuleset
from holdfast.rules.compile import compile_expression
from holdfast.rules.context import EvaluationContext, Facts
from holdfast.rules.errors import ParseError, Undecided
from holdfast.rules.read_values import values_read_by
from holdfast.rules.syntax_tree import Expression
from holdfast.store import zones
from holdfast.store.list_names import kinds_of

router = APIRouter(tags=["Traces"])

ZONE_READ, ZONE_WRITE = "Zone WAF Read", "Zone WAF Write"
TRACER_READ = "Allow Request Tracer Read"
MAX_REQUESTS = 100
# How long an expression is tried on requests: as long as a zone is (`control.tracing`). One of a few milliseconds, the most that any
# takes, is on all of them by then.
TRIAL_LIMIT_US = 3_000_000
# What an event shows of a value; a trace is asked for to see more.
MAX_VALUE_CHARS = 4096
INVALID_EXPRESSION, NOT_PUBLISHED, BUSY = 20127, 1105, 10503


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class TraceZone(_Body):
    """What to try: `expression`, or without it all rules of the zone; on `request`, or on the last `recorded` ones.

    `request` has `url`, and may have `method`, `headers`, `protocol`, `client_ip`, `country`, `asn`.
    """

    expression: Annotated[str, Field(max_length=8192)] | None = None
    request: dict[str, Any] | None = None
    recorded: Annotated[int, Field(ge=1, le=MAX_REQUESTS)] | None = None


class TraceAccount(BaseModel):
    """The original's: the request, and where it comes from. What is said of a body and of scores is not looked at: no rule is."""

    model_config = ConfigDict(extra="ignore")

    method: Annotated[str, Field(max_length=64)]
    url: Annotated[str, Field(max_length=32768)]
    headers: dict[str, str] | None = None
    cookies: dict[str, str] | None = None
    protocol: Annotated[str, Field(max_length=16)] = "HTTP/1.1"
    context: dict[str, Any] | None = None
    body: Any = None
    skip_response: bool | None = None


class ZoneTraceView(View):
    """One result for each request that was tried: `request`, and `matched` and `fields`, or `trace`."""

    results: list[dict[str, Any]]
    left_out: int


class AccountTraceView(View):
    """The status of the edge's answer, null where the request is forwarded, and the steps that led to it."""

    status_code: int | None
    trace: list[dict[str, Any]]


@router.post("/zones/{zone_id}/security/trace", response_model=Envelope[ZoneTraceView])
async def trace_zone(access: Annotated[Access, Depends(zone_access(ZONE_READ))], body: TraceZone) -> Response:
    """Try an expression, or all rules of the zone, on a request or on the last ones."""
    if (body.request is None) == (body.recorded is None):
        raise invalid("/request", "expected either a 'request' or how many 'recorded' ones")
    expression = None if body.expression is None else await _parsed(body.expression, access)
    if expression is not None and body.recorded is not None and not access.has(ZONE_WRITE):
        raise not_permitted(ZONE_WRITE)
    requests, about = await _requests(access, body)
    tracing, zone_id = access.context.tracing, access.known_zone.id
    if expression is not None:
        facts = await _unless_busy(tracing.facts(zone_id, requests))
        is_own = body.request is not None
        deadline, clock = access.context.clock() + TRIAL_LIMIT_US, access.context.clock
        pairs = zip(requests, facts, strict=True)
        results = await asyncio.to_thread(
            _evaluated, expression, pairs, is_own=is_own, until=lambda: clock() > deadline
        )
    else:
        results = [_trace_view(trace) for trace in await _traces(tracing, zone_id, requests)]
    shown = [{**one, **result} for one, result in zip(about, results, strict=False)]
    return success({"results": shown, "left_out": len(requests) - len(shown)})


@router.post("/accounts/{account_id}/request-tracer/trace", response_model=Envelope[AccountTraceView])
async def trace_account(
    access: Annotated[Access, Depends(account_access(TRACER_READ))], body: TraceAccount
) -> Response:
    """Trace one request through the rules of its zone."""
    given = _given(_as_object(body), "")
    zone_id = await _zone_of(access, given.request.host)
    (trace,) = await _traces(access.context.tracing, zone_id, [given])
    return success({"status_code": trace.status or None, "trace": _steps(trace)})


async def _requests(access: Access, body: TraceZone) -> tuple[list[GivenRequest], list[dict[str, Any]]]:
    """What is to be tried, and what is said of each in the answer."""
    if body.request is not None:
        given = _given(body.request, "/request")
        zone = access.known_zone.name
        if not _is_within(given.request.host, zone):
            raise invalid("/request/url", f"expected a host of the zone {zone}, got {given.request.host!r:.100}")
        return [given], [{"request": _request_view(given.request)}]
    found = await access.context.tracing.recorded(access.known_zone.id, body.recorded or 0)
    about = [
        {
            "request": _request_view(one.request),
            "occurred_at": written(int(one.occurred_at * 1_000_000)),
            "decided": {"decision": one.decision, "status": one.status or None},
        }
        for one in found
    ]
    return [GivenRequest(one.request) for one in found], about


def _is_within(host: str, zone: str) -> bool:
    return host == zone or host.endswith(f".{zone}")


def _given(value: Mapping[str, Any], pointer: str) -> GivenRequest:
    try:
        return request_from_object(value)
    except RequestTextError as error:
        raise invalid(f"{pointer}{error.place}", str(error)) from None


async def _parsed(text: str, access: Access) -> Expression:
    """The expression, as a rule of the zone could have it: whatever lists it names are there."""
    try:
        expression = compile_expression(text).expression
        if expression.lists:
            async with access.context.database.look() as connection:
                account_id, names = access.known_zone.account_id, expression.lists
                check_lists_of(expression, await kinds_of(connection, account_id, names, are_kept=False))
        return expression
    except ParseError as error:
        raise fault(400, INVALID_EXPRESSION, error.sentence, pointer="/expression") from None


async def _traces(tracing: Tracing, zone_id: str, requests: Sequence[GivenRequest]) -> Sequence[Trace]:
    found: Sequence[Trace] | None = await _unless_busy(tracing.traces(zone_id, requests)) if requests else ()
    if found is None:
        raise fault(409, NOT_PUBLISHED, "The zone is not published, so no edge serves it: there is nothing to trace")
    return found


async def _unless_busy(asked: Any) -> Any:  # noqa: ANN401  whatever is asked for
    try:
        return await asked
    except TracingBusy as error:
        raise ApiFault(503, (Complaint(BUSY, f"Nothing was traced: {error}"),), {"Retry-After": "2"}) from None


def _evaluated(
    expression: Expression, requests: Iterable[tuple[GivenRequest, Facts]], *, is_own: bool, until: Callable[[], bool]
) -> list[dict[str, Any]]:
    """Whether the expression matches each request, and what it read; of as many as there is time for, one at least."""
    matches, values = compile_expression(expression).matches, values_read_by(expression)
    results: list[dict[str, Any]] = []
    for given, known in requests:
        if results and until():
            break
        context = EvaluationContext(given.request, known)
        texts = [(value.name, value.text(context) if is_own else value.shown(context)) for value in values]
        results.append({**_verdict(matches, context), "fields": [_value_view(*one) for one in texts]})
    return results


def _verdict(matches: Callable[[EvaluationContext], bool], context: EvaluationContext) -> dict[str, Any]:
    """Whether it matches; where nobody knows, that it is undecided, and why."""
    try:
        return {"matched": matches(context)}
    except Undecided as error:
        return {"matched": False, "undecided": str(error)}


def _value_view(name: str, text: str | None) -> dict[str, Any]:
    return {"name": name, "value": text if text is None else text[:MAX_VALUE_CHARS]}


def _request_view(request: Request) -> dict[str, Any]:
    target = f"{request.path}?{request.query}" if request.query else request.path
    return {
        "method": request.method,
        "url": f"{request.scheme}://{request.host}{target}",
        "client_ip": request.client_ip,
        "ray": request.ray,
        "is_upgrade": request.is_upgrade,
    }


def _trace_view(trace: Trace) -> dict[str, Any]:
    view: dict[str, Any] = msgspec.to_builtins(trace)
    return {"trace": view}


def _as_object(body: TraceAccount) -> dict[str, Any]:
    """The original's request as ours is written."""
    headers: dict[str, Any] = dict(body.headers or {})
    if body.cookies:
        headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in body.cookies.items())
    place = (body.context or {}).get("geoloc") or {}
    country = place.get("iso_code") if isinstance(place, dict) else None
    return {
        "url": body.url,
        "method": body.method,
        "headers": headers,
        "protocol": body.protocol,
        "country": country or "",
    }


async def _zone_of(access: Access, host: str) -> str:
    """The id of the account's zone that a host is in. Raises ApiFault."""
    name = host
    async with access.context.database.look() as connection:
        while name:
            zone = await zones.find_by_name(connection, name)
            if zone is not None and zone.account_id == access.account_id:
                return zone.id
            name = name.partition(".")[2]
    raise invalid("/url", f"expected a host of one of the account's zones, got {host!r:.100}")


# The original's shape: steps within steps.


def _steps(trace: Trace) -> list[dict[str, Any]]:
    return [
        {
            "step_name": phase.phase or phase.name,
            "type": "phase",
            "matched": phase.outcome == "decided" or any(_has_matched(one) for one in phase.rulesets),
            "trace": [_ruleset_step(one) for one in phase.rulesets],
        }
        for phase in trace.phases
    ]


def _ruleset_step(ruleset: TracedRuleset) -> dict[str, Any]:
    return {
        "step_name": ruleset.id or ruleset.kind,
        "type": "ruleset",
        "kind": ruleset.kind,
        "name": ruleset.name,
        "matched": _has_matched(ruleset),
        "trace": [_rule_step(one) for one in ruleset.rules],
    }


def _rule_step(rule: TracedRule) -> dict[str, Any]:
    step: dict[str, Any] = {
        "step_name": rule.id,
        "type": "rule",
        "action": rule.action,
        "description": rule.description,
        "expression": rule.expression,
        "matched": rule.outcome == "matched",
    }
    if rule.matches:
        step["trace"] = [
            {
                "step_name": one.id,
                "type": "rule",
                "action": one.action,
                "description": one.description,
                "matched": True,
            }
            for one in rule.matches
        ]
    return step


def _has_matched(ruleset: TracedRuleset) -> bool:
    return any(rule.outcome == "matched" for rule in ruleset.rules)
