"""Which subprotocols WebSockets may speak: the setting `websocket_allowed_subprotocols`, asked of what an upgrade offers.

An upgrade that offers none passes: it will speak none (RFC 6455 §4.2.2). Of those that are offered, the origin sees the
allowed ones alone, in the client's order (`reduced_offer`, which `forward` asks).
"""

from __future__ import annotations

from holdfast.edge.answers import refuse_by_setting
from holdfast.edge.decision import Decision
from holdfast.edge.subprotocols import offered
from holdfast.edge.view import View
from holdfast.model.request import Request


def websocket_subprotocols(request: Request, view: View) -> Decision | None:
    """An upgrade that offers subprotocols, and none that is allowed, is refused with 403."""
    allowed = view.zone.features.allowed_subprotocols
    if allowed is None or not request.is_upgrade:
        return None
    offer = offered(request)
    if not offer or not allowed.isdisjoint(offer):
        return None
    return refuse_by_setting(request, setting="websocket_allowed_subprotocols", zone=view.zone.name, now=view.now)
