"""The WebSockets switch: a zone whose setting `websockets` is off takes no new upgrades.

Open WebSockets go on: no phase is asked about them. With `websocket_off_response` at "strip" the upgrade is forwarded
as an ordinary request instead, which is `forward`'s to do. Over HTTP/2 there is no such request: whatever 2xx the origin
answered would tell the client that its WebSocket is open (RFC 8441 §5). So that is refused all the same.
"""

from __future__ import annotations

from holdfast.edge.answers import refuse_by_setting
from holdfast.edge.decision import Decision
from holdfast.edge.view import View
from holdfast.model.request import Request


def websockets_switch(request: Request, view: View) -> Decision | None:
    """An upgrade is refused with 403 that names setting and zone."""
    on = view.zone.features
    refuses = on.refuses_websockets or (on.strips_upgrades and request.version == "HTTP/2")
    if not (request.is_upgrade and refuses):
        return None
    return refuse_by_setting(request, setting="websockets", zone=view.zone.name, now=view.now)
