"""The header fields that a zone's settings add."""

from typing import Any

import pytest

from holdfast.edge.view import view_of
from holdfast.edge.zone_headers import zone_headers
from holdfast.rules.context import Place
from tests.unit.edge.origins import a_zone, snapshot_of
from tests.unit.requests import BROWSER_UPGRADE, a_request

OFFER = (*BROWSER_UPGRADE, ("Sec-WebSocket-Protocol", "a, b"))


@pytest.mark.parametrize(
    ("settings", "is_upgrade", "found"),
    [
        ({}, True, {"CF-IPCountry": "PT"}),
        ({"ip_geolocation": "off"}, True, {}),
        ({"true_client_ip_header": "on"}, True, {"True-Client-IP": "203.0.113.7", "CF-IPCountry": "PT"}),
        ({"websocket_allowed_subprotocols": ("b",)}, True, {"CF-IPCountry": "PT", "Sec-WebSocket-Protocol": "b"}),
        ({"websocket_allowed_subprotocols": ("b",)}, False, {"CF-IPCountry": "PT"}),
    ],
)
def test_each_setting_adds_its_field(settings: dict[str, Any], found: dict[str, str], *, is_upgrade: bool) -> None:
    request = a_request(headers=OFFER, is_upgrade=is_upgrade)
    snapshot = snapshot_of(a_zone(**settings))
    view = view_of(request, snapshot, now=1.0, place_of=lambda _: Place(country="PT"))
    assert dict(zone_headers(request, view)) == found


def test_an_address_that_nobody_knows_is_of_no_country() -> None:
    request = a_request()
    view = view_of(request, snapshot_of(a_zone()), now=1.0, place_of=lambda _: Place())
    assert zone_headers(request, view) == (("CF-IPCountry", "XX"),)
    assert zone_headers(request, view_of(request, snapshot_of(a_zone()), now=1.0)) == ()
