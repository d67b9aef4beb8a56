"""Refuse what came through an edge: control's address is not one that a zone may publish.

A zone's origin may be any address, control's own too. Whoever may write records of one zone would otherwise read the
metrics of all, and come from the edge's address to tokens that are bound to it.

Law: an edge adds itself to `CDN-Loop` of every request (RFC 8586), and no client can take that out.
"""

from __future__ import annotations

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

# The cdn-id of every Holdfast edge (`holdfast.edge.headers`).
_CDN_ID = b"holdfast"


class NotThroughEdges:
    """Middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] in {"http", "websocket"} and _came_through_an_edge(scope["headers"]):
            text = "This came through an edge. Control is asked directly, or over TLS of its own (control.cert).\n"
            await PlainTextResponse(text, 403)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _came_through_an_edge(headers: list[tuple[bytes, bytes]]) -> bool:
    members = (member for name, value in headers if name == b"cdn-loop" for member in value.lower().split(b","))
    return any(member.split(b";")[0].strip() == _CDN_ID for member in members)
