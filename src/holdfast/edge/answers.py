"""The answers the edge gives in its own name: origin faults, and refusals by a phase.

Law 1: every answer says what failed, whose side it is on and its ray id, in a form the client can read: JSON for an
upgrade and for those that ask for it, else a page.
Law 2: nothing of the request reaches a body but the host, printable and bounded; the page escapes whatever it shows.
The origin's label never does: where a site is hosted is its operator's to know, and the log's. Of a failure of TLS
with the origin, whose reason quotes certificates, nothing is repeated: the client gets a fixed sentence.
Law 3: no input raises: this is the road of last resort.

Source: Cloudflare, "Error responses" (forms, negotiation), "cf-error-*" headers; RFC 9457 for the JSON's first members.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
import zlib

import msgspec

from holdfast.edge.accept import preferred
from holdfast.edge.decision import Respond
from holdfast.edge.error_page import error_page
from holdfast.edge.explanations import (
    CHALLENGE,
    LIMIT_EXPLANATIONS,
    NOT_CONFIGURED,
    SETTING_EXPLANATIONS,
    Explanation,
    explanation,
)
from holdfast.edge.firewall.values import CUSTOM, IP_ACCESS, MANAGED, RATE_LIMITS, Answer
from holdfast.edge.zone import CompiledZone
from holdfast.model.fault import Fault
from holdfast.model.request import Request

# Cloudflare's code for what is beyond a rate limit; those of other rules are 403.
_LIMITED = 1015
_HTML, _JSON, _PROBLEM = "text/html", "application/json", "application/problem+json"

# Longest host and reason we repeat. A DNS name has at most 253 characters; a reason is one sentence of ours.
MAX_HOST_CHARS = 253
MAX_REASON_CHARS = 300

# What is said of TLS with the origin, by a phrase of the reason (worded by the core's `TlsFault`, and rustls). The first
# phrase that is found counts. Each has a space, so no host name holds one; a certificate's own names come behind it.
_CERTIFICATE_SENTENCES = {
    "certificate: certificate not valid for name": "The origin's certificate is for another name.",
    "certificate: NotValidForName": "The origin's certificate is for another name.",
    "certificate: certificate expired": "The origin's certificate has expired.",
    "certificate: Expired.": "The origin's certificate has expired.",
    "certificate: certificate not valid yet": "The origin's certificate is not valid yet.",
    "certificate: NotValidYet": "The origin's certificate is not valid yet.",
    "certificate: UnknownIssuer": "The origin's certificate is from an authority that the edge does not trust.",
    "certificate: Revoked": "The origin's certificate has been revoked.",
    "certificate: certificate does not allow": "The origin's certificate is not one for a server.",
    "certificate: InvalidPurpose": "The origin's certificate is not one for a server.",
}
_HANDSHAKE_SENTENCES = {
    " took longer than ": "The TLS handshake with the origin took too long.",
    " ended TLS with the alert ": "The origin ended the TLS handshake with an alert.",
    " closed the connection during ": "The origin closed the connection during the TLS handshake.",
    "TLS failed: received corrupt message": "The origin's answer to the TLS handshake is not TLS.",
    "TLS failed: peer is incompatible": "The origin and the edge have no way of TLS in common.",
    " connection failed during TLS": "The connection to the origin failed during the TLS handshake.",
}
# For each status that is about TLS with the origin: its sentences, and the one for all other reasons.
_TLS_SENTENCES = {
    525: (_HANDSHAKE_SENTENCES, "The TLS handshake with the origin failed."),
    526: (_CERTIFICATE_SENTENCES, "The origin's certificate is not valid."),
}


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One error, as JSON has it and as the page shows it.

    `type`, `title`, `status`, `detail` and `instance` are RFC 9457's. `side` is "client", "edge" or "origin".
    `timestamp` is RFC 3339 in UTC. `retry_after` is in seconds, and left out where `retryable` is false.
    """

    type: str
    title: str
    status: int
    detail: str
    instance: str
    error_code: int
    error_name: str
    side: str
    host: str
    ray_id: str
    timestamp: str
    retryable: bool
    retry_after: int | None = None
    what_to_check: tuple[str, ...]


class SettingProblem(Problem, frozen=True, kw_only=True, omit_defaults=True):
    """A refusal by a setting: its API name, and the name of the zone it is of."""

    setting: str
    zone: str


class RefusedBy(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The rule that refuses a request. `phase` is its phase in the API, or IP_ACCESS; `action` what it says ("block", or a
    challenge); `code` one of Cloudflare's 1xxx; `retry_after_s` when to come back, where the rule knows that better."""

    rule_id: str
    phase: str
    action: str
    zone: str
    code: int
    ruleset_id: str = ""
    retry_after_s: int | None = None


class RuleProblem(Problem, frozen=True, kw_only=True, omit_defaults=True):
    """A refusal by a rule: which one, of which ruleset and phase, what it says, and the name of the zone it is about.

    What people call the rule is not here: a client is anybody, and it may say what is nobody else's to know. Whoever may
    read the zone's security events finds it there, by the ray id.
    """

    rule_id: str
    ruleset_id: str = ""
    phase: str
    action: str
    zone: str


# What is said of a setting that is no list.
_SAYS_NO = {"websockets": "is off"}
# The settings that set the limits which a fault may be about.
_LIMITING = {
    "zone_connections": "websocket_max_connections",
    "address_connections": "websocket_max_connections_per_address",
}
_RULE_KINDS = {
    CUSTOM: "custom rule",
    RATE_LIMITS: "rate limiting rule",
    MANAGED: "managed rule",
    IP_ACCESS: "IP access rule",
}


def answer(fault: Fault, *, now: float, zone: str = "") -> Respond:
    """What the client of a failed forward is told. `now` is Unix time in seconds, `zone` the name of the request's zone.

    Which limit was met, where it was one, is in `X-Holdfast-Reason` as well.
    """
    meaning = LIMIT_EXPLANATIONS.get(fault.kind)
    if meaning is None:
        return refuse(fault.request, status=fault.status, code=fault.code, reason=public_reason(fault), now=now)
    meaning = msgspec.structs.replace(meaning, retry_after_s=_spread(meaning.retry_after_s, fault.request.ray))
    reason = f"{meaning.title}."
    problem = _problem(fault.request, meaning, status=fault.status, code=fault.code, reason=reason, now=now)
    setting = _LIMITING.get(fault.kind)
    if setting is not None:
        problem = SettingProblem(**msgspec.structs.asdict(problem), setting=setting, zone=zone)
    return _with_headers(_told(fault.request, problem), ("X-Holdfast-Reason", fault.kind))


def _spread(least_s: int | None, ray: str) -> int | None:
    """A wait of `least_s` to nearly twice that, another one for another ray."""
    return least_s and least_s + zlib.crc32(ray.encode("utf-8", "surrogatepass")) % least_s


def public_reason(fault: Fault) -> str:
    """What failed, as a sentence for anyone. What the reason says beyond that is for the log."""
    if fault.status not in _TLS_SENTENCES:
        return _without_origin(fault.reason, fault.origin)
    sentences, otherwise = _TLS_SENTENCES[fault.status]
    return next((sentence for phrase, sentence in sentences.items() if phrase in fault.reason), otherwise)


def _without_origin(reason: str, origin: str) -> str:
    """`reason` as a sentence without the label, host and port of `origin`, and system error numbers."""
    authority = origin.partition("://")[2].partition("/")[0]
    host = authority.rpartition(":")[0] or authority
    for name in (origin, authority, host.strip("[]")):
        if name:
            reason = re.sub(rf" ?\[?{re.escape(name)}\]?(?![\w.-])", "", reason)
    reason = re.sub(r" \(os error \d+\)", "", reason)
    return f"{reason[:1].upper()}{reason[1:].rstrip('.')}."


def refuse(request: Request, *, status: int, code: int, reason: str, now: float) -> Respond:
    """An answer in the edge's own name.

    `code` is what `cf-error-type` says: the status, or a 1xxx. `reason` is one public sentence: what failed.
    `now` is Unix time in seconds.
    """
    meaning = explanation(status=status, code=code)
    return _told(request, _problem(request, meaning, status=status, code=code, reason=reason, now=now))


def refuse_unconfigured(request: Request, *, now: float) -> Respond:
    """The answer to any host name while the edge does not know of any zones: 503, and soon again."""
    reason = "This edge has not heard yet which sites it serves."
    return _told(request, _problem(request, NOT_CONFIGURED, status=503, code=503, reason=reason, now=now))


def refuse_by_setting(request: Request, *, setting: str, zone: str, now: float) -> Respond:
    """The answer where `setting` (an API name, in SETTING_EXPLANATIONS) of the zone named `zone` says no: 403.

    For programs it is in `Holdfast-Refused` as well, a structured field (RFC 8941 §3.1).
    """
    reason = f"The setting {setting} of the zone {zone} {_SAYS_NO.get(setting, 'does not list what was asked for')}."
    problem = _problem(request, SETTING_EXPLANATIONS[setting], status=403, code=403, reason=reason, now=now)
    answer = _told(request, SettingProblem(**msgspec.structs.asdict(problem), setting=setting, zone=zone))
    refused = ("Holdfast-Refused", f"setting;id={_quoted(setting)};zone={_quoted(zone)}")
    return _with_headers(answer, refused)


def refuse_by_rule(request: Request, by: RefusedBy, *, now: float, answer: Answer | None = None) -> Respond:
    """The answer where a rule says no: 403, or 429 beyond a rate limit; or the rule's own `answer`.

    For programs the rule is in `Holdfast-Refused` as well, a structured field (RFC 8941 §3.1).
    """
    headers = [("Holdfast-Refused", _refused_by(by))]
    if answer is not None:
        headers += [("Content-Type", answer.content_type), ("Cache-Control", "no-store")]
        if by.retry_after_s is not None:
            headers.append(("Retry-After", str(by.retry_after_s)))
        return Respond(answer.status, tuple(headers), answer.body)
    is_limit = by.code == _LIMITED
    meaning, reason = explanation(status=403, code=by.code), f"The {_RULE_KINDS[by.phase]} {by.rule_id}"
    if by.action == "block":
        reason += " lets no more requests through now." if is_limit else " refuses this request."
    else:
        meaning = msgspec.structs.replace(CHALLENGE, retry_after_s=meaning.retry_after_s if is_limit else None)
        reason += f" asks for a challenge ({by.action}), which {_unable(request)} cannot solve."
    if by.retry_after_s is not None:
        meaning = msgspec.structs.replace(meaning, retry_after_s=by.retry_after_s)
    problem = _problem(request, meaning, status=429 if is_limit else 403, code=by.code, reason=reason, now=now)
    told = _told(
        request,
        RuleProblem(
            **msgspec.structs.asdict(problem),
            rule_id=by.rule_id,
            ruleset_id=by.ruleset_id,
            phase=by.phase,
            action=by.action,
            zone=by.zone,
        ),
    )
    return _with_headers(told, *headers)


def _with_headers(answer: Respond, *headers: tuple[str, str]) -> Respond:
    return msgspec.structs.replace(answer, headers=(*answer.headers, *headers))


def _unable(request: Request) -> str:
    return "a WebSocket" if request.is_upgrade else "an API client"


def _refused_by(by: RefusedBy) -> str:
    ruleset = f";ruleset={_quoted(by.ruleset_id)}" if by.ruleset_id else ""
    return f"rule;id={_quoted(by.rule_id)}{ruleset};phase={by.phase};zone={_quoted(by.zone)}"


def in_zone(answer: Respond, zone: CompiledZone, request: Request) -> Respond:
    """An answer of ours as one of `zone`: counted for it, with the fields its settings add to answers over TLS."""
    added = zone.features.response_headers if request.scheme == "https" else ()
    names = {name for name, _ in added}
    kept = tuple(header for header in answer.headers if header[0] not in names)
    return Respond(answer.status, (*kept, *added), answer.body, zone.id)


def _quoted(text: str) -> str:
    """`text` as a string of a structured field (RFC 8941 §3.3.3), which is printable ASCII."""
    kept = "".join(char if " " <= char <= "~" else "?" for char in text)
    return '"{}"'.format(kept.replace("\\", "\\\\").replace('"', '\\"'))


def _told(request: Request, problem: Problem) -> Respond:
    form = _JSON if request.is_upgrade else preferred(request.header_values("accept"), (_HTML, _JSON, _PROBLEM))
    body = error_page(problem) if form == _HTML else msgspec.json.encode(problem)
    headers = [
        ("Content-Type", f"{form}; charset=utf-8"),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
        ("cf-error-type", str(problem.error_code)),
        ("cf-error-origin", problem.side),
    ]
    if problem.retry_after is not None:
        headers.append(("Retry-After", str(problem.retry_after)))
    if form == _HTML:
        # The page needs its own style and nothing else, so nothing else could run in it.
        headers.append(("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"))
    if not request.is_upgrade:
        headers.append(("Vary", "Accept"))
    return Respond(problem.status, tuple(headers), body)


def _problem(request: Request, meaning: Explanation, *, status: int, code: int, reason: str, now: float) -> Problem:
    return Problem(
        type="about:blank",
        title=meaning.title,
        status=status,
        detail=_printable(reason, MAX_REASON_CHARS),
        instance=f"urn:ray:{_printable(request.ray, 40)}",
        error_code=code,
        error_name=meaning.name,
        side=meaning.side.value,
        host=_printable(request.host, MAX_HOST_CHARS),
        ray_id=_printable(request.ray, 40),
        timestamp=dt.datetime.fromtimestamp(now, dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        retryable=meaning.retry_after_s is not None,
        retry_after=meaning.retry_after_s,
        what_to_check=meaning.checks,
    )


def _printable(text: str, limit: int) -> str:
    """`text` without control, format and unpaired surrogate characters (which could reorder or hide what is shown),
    at most `limit` characters."""
    kept = text[:limit]
    # Nearly always, and at a tenth of the time.
    if not (kept.isascii() and kept.isprintable()):
        kept = "".join(char for char in kept if unicodedata.category(char) not in ("Cc", "Cf", "Cs"))
    return f"{kept}…" if len(text) > limit else kept
