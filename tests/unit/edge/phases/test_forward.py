"""What goes to the origin, and what is asked of the core."""

from collections.abc import Sequence
from typing import Any

import pytest

from holdfast.edge.decision import Decision, Forward, Respond
from holdfast.edge.phases.forward import forward
from holdfast.edge.snapshot import Snapshot
from holdfast.edge.view import PlaceOf, view_of
from holdfast.model.zone_document import OriginRuleDocument, StrictTransportSecurity
from holdfast.rules.context import Place
from tests.unit.edge.origins import a_record, a_zone, snapshot_of, zone_id
from tests.unit.requests import BROWSER_UPGRADE, a_request

HSTS = StrictTransportSecurity(enabled=True, max_age=60)


def forwarded(snapshot: Snapshot, *, place_of: PlaceOf | None = None, **request: Any) -> Forward:
    decision = decided(snapshot, place_of=place_of, **request)
    assert isinstance(decision, Forward)
    return decision


def decided(snapshot: Snapshot, *, place_of: PlaceOf | None = None, **request: Any) -> Decision | None:
    asked = a_request(**{"host": "chat.example.com", **request})
    return forward(asked, view_of(asked, snapshot, now=1.0, place_of=place_of))


def of_zone(**fields: Any) -> Snapshot:
    return snapshot_of(a_zone("example.com", **fields))


@pytest.mark.parametrize(
    ("fields", "request_", "expected"),
    [
        ({}, {}, {"zone": zone_id("example.com"), "server_name": "", "strip_upgrade": False, "explain_statuses": (502, 504)}),
        ({"ssl": "full"}, {}, {"server_name": "chat.example.com"}),
        ({"ssl": "strict"}, {}, {"server_name": "chat.example.com"}),
        ({"websockets": "off", "websocket_off_response": "strip"}, {}, {"strip_upgrade": True}),
        ({"websockets": "off", "websocket_off_response": "strip"}, {"is_upgrade": False}, {"strip_upgrade": False}),
        ({"origin_error_page_pass_thru": "on"}, {}, {"explain_statuses": ()}),
        ({"security_header": HSTS}, {}, {"set_response_headers": (("Strict-Transport-Security", "max-age=60"),)}),
        ({"security_header": HSTS}, {"scheme": "http"}, {"set_response_headers": ()}),
    ],
    ids=str,
)  # fmt: skip
def test_the_core_is_asked_for_what_the_settings_say(
    fields: dict[str, Any], request_: dict[str, Any], expected: dict[str, Any]
) -> None:
    decision = forwarded(of_zone(**fields), **request_)
    assert {name: getattr(decision, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("scheme", "ssl", "label"),
    [
        ("https", "flexible", "http://192.0.2.1:8443"),
        ("http", "flexible", "http://192.0.2.1:8080"),
        ("http", "strict", "https://192.0.2.1:8080"),
        ("https", "full", "https://192.0.2.1:8443"),
    ],
)
def test_the_origin_s_leg_is_the_zone_s_and_its_port_the_client_s(scheme: str, ssl: str, label: str) -> None:
    assert forwarded(of_zone(ssl=ssl), scheme=scheme).origin.label == label


def _values(decision: Forward, name: str) -> list[str]:
    return [value for key, value in decision.set_headers if key == name]


@pytest.mark.parametrize(
    ("fields", "place_of", "true_client_ip", "country"),
    [
        ({}, None, [], []),
        ({}, lambda _: Place(country="NL"), [], ["NL"]),
        ({}, lambda _: Place(), [], ["XX"]),
        ({"ip_geolocation": "off"}, lambda _: Place(country="NL"), [], []),
        ({"true_client_ip_header": "on"}, None, ["203.0.113.7"], []),
        ({"true_client_ip_header": "on", "paused": True}, lambda _: Place(country="NL"), [], []),
    ],
)
def test_the_origin_is_told_of_the_client_what_the_settings_say(
    fields: dict[str, Any], place_of: PlaceOf | None, true_client_ip: Sequence[str], country: Sequence[str]
) -> None:
    claimed = [*BROWSER_UPGRADE, ("True-Client-IP", "10.0.0.1"), ("cf-ipcountry", "ZZ")]
    decision = forwarded(of_zone(**fields), place_of=place_of, headers=claimed)
    assert _values(decision, "True-Client-IP") == true_client_ip
    assert _values(decision, "CF-IPCountry") == country
    # The client's own words are left out either way.
    assert decision.remove_headers == ("True-Client-IP", "cf-ipcountry")


def test_nobody_looks_a_country_up_where_it_is_not_asked_for() -> None:
    def must_not(_: str) -> Place:
        raise AssertionError("looked up")

    rule = OriginRuleDocument(id="1", expression="true", origin_port=9)
    assert forwarded(of_zone(ip_geolocation="off", origin_rules=(rule,)), place_of=must_not).origin.label


def test_a_host_header_of_a_rule_takes_the_client_s_place() -> None:
    rule = OriginRuleDocument(id="1", expression="true", host_header="inner.test:8080")
    decision = forwarded(of_zone(ssl="full", origin_rules=(rule,)))
    assert _values(decision, "Host") == ["inner.test:8080"]
    assert decision.server_name == "inner.test"


@pytest.mark.parametrize(
    ("fields", "offer", "is_upgrade", "told"),
    [
        ({}, "a, b", True, []),
        ({"websocket_allowed_subprotocols": ("b", "c")}, "a, b, c", True, ["b, c"]),
        ({"websocket_allowed_subprotocols": ("a", "b")}, "a, b", True, []),
        ({"websocket_allowed_subprotocols": ("b",)}, "a, b", False, []),
        ({"websocket_allowed_subprotocols": ("b",), "paused": True}, "a, b", True, []),
        (
            {"websocket_allowed_subprotocols": ("b",), "websockets": "off", "websocket_off_response": "strip"},
            "a, b",
            True,
            [],
        ),
    ],
)
def test_the_origin_is_offered_the_subprotocols_that_are_allowed(
    fields: dict[str, Any], offer: str, is_upgrade: bool, told: list[str]
) -> None:
    headers = [*BROWSER_UPGRADE, ("sec-websocket-protocol", offer)]
    decision = forwarded(of_zone(**fields), headers=headers, is_upgrade=is_upgrade)
    assert _values(decision, "Sec-WebSocket-Protocol") == told


@pytest.mark.parametrize(
    ("fields", "is_upgrade", "is_kept"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"paused": True}, True, True),
        ({"websocket_keepalive_interval": 0}, True, False),
        ({"websockets": "off", "websocket_off_response": "strip"}, True, False),
    ],
)
def test_the_terms_of_a_websocket_go_along_with_what_becomes_one(
    fields: dict[str, Any], is_upgrade: bool, is_kept: bool
) -> None:
    zone = a_zone(**fields)
    decision = forwarded(snapshot_of(zone), is_upgrade=is_upgrade)
    assert (decision.tunnel is not None) is is_kept
    if is_kept:
        assert zone.features.tunnel is not None
        assert decision.tunnel is zone.features.tunnel.made
        assert forwarded(snapshot_of(zone)).tunnel is decision.tunnel


def test_a_way_that_leads_nowhere_is_refused() -> None:
    circle = a_zone("example.com", a_record("chat.example.com", "chat.example.com"))
    decision = decided(snapshot_of(circle))
    assert isinstance(decision, Respond)
    assert (decision.status, dict(decision.headers)["cf-error-type"]) == (530, "1000")
