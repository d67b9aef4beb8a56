"""Send what nobody refused to its origin, with the header fields that the zone's settings ask for."""

from __future__ import annotations

from holdfast.edge.answers import refuse
from holdfast.edge.decision import Decision, Forward
from holdfast.edge.headers import origin_headers
from holdfast.edge.route import DeadEnd, route_of
from holdfast.edge.view import View
from holdfast.edge.zone_headers import zone_headers
from holdfast.model.request import Request


def forward(request: Request, view: View) -> Decision | None:
    """The zone's origin gets the request; one that leads nowhere is refused (Cloudflare's 1000, 1014, 1016)."""
    route = route_of(request, view)
    if isinstance(route, DeadEnd):
        return refuse(request, status=530, code=route.code, reason=route.reason, now=view.now)
    zone, features = view.zone, view.zone.features
    set_headers, remove_headers = origin_headers(request, view.snapshot.loop_member)
    if route.host_header:
        set_headers += (("Host", route.host_header),)
    set_headers += zone_headers(request, view)
    is_stripped = request.is_upgrade and features.strips_upgrades
    is_to_open = request.is_upgrade and not is_stripped
    return Forward(
        route.target.origin(features.origin_tls, route.port, features.answer_timeout_s),
        set_headers,
        remove_headers,
        zone.id,
        route.server_name,
        is_stripped,
        features.response_headers if request.scheme == "https" else (),
        features.explain_statuses,
        features.tunnel.options() if is_to_open and features.tunnel is not None else None,
    )
