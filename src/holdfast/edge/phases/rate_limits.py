"""Rate limits (`http_ratelimit`): those of the account first, then those of the zone. A request that one refuses is not counted by those after it."""

from __future__ import annotations

from holdfast.edge.decision import Decision
from holdfast.edge.firewall.walk import run
from holdfast.edge.view import View
from holdfast.model.request import Request


def rate_limits(request: Request, view: View) -> Decision | None:
    """The first rule that decides; None where none does."""
    for firewall in view.firewalls:
        ruleset = firewall.rate_limits
        if ruleset is not None and (decision := run(ruleset, request, view)) is not None:
            return decision
    return None
