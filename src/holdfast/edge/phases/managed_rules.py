"""Managed rules (`http_request_firewall_managed`): what the account executes first, then what the zone does."""

from __future__ import annotations

from holdfast.edge.decision import Decision
from holdfast.edge.firewall.walk import run
from holdfast.edge.view import View
from holdfast.model.request import Request


def managed_rules(request: Request, view: View) -> Decision | None:
    """The first rule that decides; None where none does."""
    for firewall in view.firewalls:
        ruleset = firewall.managed
        if ruleset is not None and (decision := run(ruleset, request, view)) is not None:
            return decision
    return None
