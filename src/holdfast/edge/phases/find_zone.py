"""Refuse what the zones say nothing about: an unknown host name, or one that is not proxied.

Codes are Cloudflare's ("1xxx errors"): 1001 for a name that nobody has here, 1004 for one that is not served. Before it is
known which names there are, it is 503 and a time to come back.
"""

from __future__ import annotations

from holdfast.edge.answers import refuse, refuse_unconfigured
from holdfast.edge.decision import Decision
from holdfast.edge.view import NO_TARGET, NO_ZONE, View
from holdfast.model.request import Request


def find_zone(request: Request, view: View) -> Decision | None:
    """A host name without a proxied record is refused."""
    if view.target.is_proxied:
        return None
    if view.zone is NO_ZONE and not view.snapshot.is_published:
        return refuse_unconfigured(request, now=view.now)
    code, reason = 1004, "The DNS record of this host name is not proxied."
    if view.zone is NO_ZONE:
        code, reason = 1001, "No zone of this edge has this host name."
    elif view.target is NO_TARGET:
        code, reason = 1001, "The zone of this host name has no DNS record for it."
    return refuse(request, status=530, code=code, reason=reason, now=view.now)
