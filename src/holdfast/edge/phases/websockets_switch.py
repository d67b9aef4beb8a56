"""The WebSockets switch: a zone whose setting `websockets` is off takes no new upgrades.

Open WebSockets go on: no phase is asked about them. With `websocket_off_response` at "strip" the upgrade is forwarded
as an ordinary request instead, which is `forward`'s to do.
"""

from __future__ import annotations

from holdfast.edge.answers import refuse_by_setting
from holdfast.edge.decision import Decision
from holdfast.edge.view import View
from holdfast.model.request import Request


def websockets_switch(request: Request, view: View) -> Decision | None:
    """An upgrade is refused with 403 that names setting and zone."""
    if not (request.is_upgrade and view.zone.features.refuses_websockets):
        return None
    return refuse_by_setting(request, setting="websockets", zone=view.zone.name, now=view.now)
