"""Whose pages may open WebSockets: the setting `websocket_allowed_origins`, asked of the `Origin` of an upgrade.

A browser lets any page open a WebSocket to any server, with the user's cookies, and says in `Origin` whose page it is
(RFC 6455 §10.2). That field is the server's only defence against a foreign page, so it is compared as a whole.

An upgrade without `Origin` passes. Browsers always send one (RFC 6455 §4.1, item 8), and a program that is none can
send what it likes, so that refusing what has none keeps nobody out but honest programs. Precedents: Phoenix
(`check_origin`) and gorilla/websocket (`checkSameOrigin`) let it pass.
"""

from __future__ import annotations

from holdfast.edge.answers import refuse_by_setting
from holdfast.edge.decision import Decision
from holdfast.edge.view import View
from holdfast.model.request import Request
from holdfast.model.websocket_origin import is_listed


def websocket_origins(request: Request, view: View) -> Decision | None:
    """An upgrade that a page of another origin asks for is refused with 403; so is one that names several."""
    allowed = view.zone.features.allowed_origins
    if allowed is None or not request.is_upgrade:
        return None
    origins = request.header_values("origin")
    if not origins or (len(origins) == 1 and is_listed(origins[0], allowed.exact, allowed.below)):
        return None
    return refuse_by_setting(request, setting="websocket_allowed_origins", zone=view.zone.name, now=view.now)
