"""Refuse a request that comes round: one this very instance has forwarded before (RFC 8586)."""

from __future__ import annotations

from holdfast.edge.answers import refuse
from holdfast.edge.decision import Decision
from holdfast.edge.headers import is_loop
from holdfast.edge.view import View
from holdfast.model.request import Request


def refuse_loop(request: Request, view: View) -> Decision | None:
    """A request that this instance has forwarded before would come round forever."""
    if not is_loop(request, view.snapshot.loop_member):
        return None
    reason = "The origin sent this request back to the edge that had forwarded it."
    return refuse(request, status=508, code=508, reason=reason, now=view.now)
