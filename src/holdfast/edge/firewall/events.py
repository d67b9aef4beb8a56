"""What is recorded of a request: one event for each rule that had a say, or for the check of the edge's own that answered.

Law 1: a request that no rule matched, and that was forwarded, is none of this module's: nothing is made of it.
Law 2: each answer of the edge's own has an event, whichever phase gave it.
"""

from __future__ import annotations

from collections.abc import Iterable

from holdfast.edge.decision import Decision, Respond
from holdfast.edge.firewall.notes import Finding
from holdfast.edge.view import View
from holdfast.model.request import Request
from holdfast.model.security_event import SecurityEvent

# What answered, by the phase that did, where that is no phase of rules.
_SOURCES = {
    "misdirected": "tls",
    "redirect": "redirect",
    "websockets_switch": "websockets",
    "websocket_origins": "websockets",
    "websocket_subprotocols": "websockets",
}


def events_of(request: Request, view: View, decision: Decision, *, phase: str) -> list[SecurityEvent]:
    """The events of `request`, which `phase` decided, in the order in which they came about."""
    findings: Iterable[Finding] = view.notes.findings or ()
    if isinstance(decision, Respond) and not any(finding.status for finding in findings):
        source = _SOURCES.get(phase, "routing")
        action = "redirect" if source == "redirect" else "refuse"
        own = Finding(action=action, source=source, rule_id="", status=decision.status)
        findings = (*findings, own)
    place = view.place(request)
    return [
        SecurityEvent.of(
            request,
            zone=view.zone.id,
            now=view.now,
            action=finding.action,
            source=finding.source,
            rule_id=finding.rule_id,
            ruleset_id=finding.ruleset_id,
            ref=finding.ref,
            description=finding.description,
            country=place.country,
            asn=place.asn,
            status=finding.status,
            fields=finding.fields,
            components=finding.components,
            score=finding.score,
        )
        for finding in findings
    ]
