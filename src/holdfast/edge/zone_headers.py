"""The header fields that a zone's settings add to a request, whoever its origin is: a server, or a Worker."""

from __future__ import annotations

from holdfast.edge.subprotocols import reduced_offer
from holdfast.edge.view import View
from holdfast.model.request import Request

# Cloudflare's: CF-IPCountry of an address that nobody knows anything of.
UNKNOWN_COUNTRY = "XX"


def zone_headers(request: Request, view: View) -> tuple[tuple[str, str], ...]:
    """What to set: where the client is, what it is called, and the subprotocols that an upgrade may still offer."""
    features = view.zone.features
    headers: tuple[tuple[str, str], ...] = ()
    if features.true_client_ip:
        headers += (("True-Client-IP", request.client_ip),)
    if features.geolocation and view.place_of is not None:
        headers += (("CF-IPCountry", view.place_of(request.client_ip).country or UNKNOWN_COUNTRY),)
    if features.allowed_subprotocols is not None and request.is_upgrade and not features.strips_upgrades:
        headers += reduced_offer(request, features.allowed_subprotocols)
    return headers
