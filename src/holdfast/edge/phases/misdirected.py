"""Refuse a request that came over a connection made for another zone (RFC 9110 §15.5.20).

Whoever chose the certificate by one zone's name must not reach another zone: what one zone asks of TLS would not hold
for the other. Names of one zone may share a connection (RFC 9113 §9.1.1), and a client need not name any (RFC 6066 §3).
"""

from __future__ import annotations

from holdfast.edge.answers import refuse
from holdfast.edge.decision import Decision
from holdfast.edge.view import NO_ZONE, View
from holdfast.model.request import Request


def misdirected(request: Request, view: View) -> Decision | None:
    """A Host of another zone than that of the name the TLS handshake asked for is refused."""
    name = request.tls.server_name if request.tls is not None else ""
    if name in ("", view.host):
        return None
    name = name.lower().removesuffix(".")
    if _is_address(name) or (view.snapshot.zone_of(name) or NO_ZONE) is view.zone:
        return None
    reason = "The connection was made for a host name of another zone."
    return refuse(request, status=421, code=421, reason=reason, now=view.now)


def _is_address(name: str) -> bool:
    # RFC 6066 §3 forbids addresses as names; clients that send one all the same mean none. RFC 1123 §2.1: no name
    # ends in a number.
    return ":" in name or name.rpartition(".")[2].isdigit()
