"""Pages of other origins open no WebSockets; what is no browser, and all else, is let alone."""

import json
from typing import Any

import pytest

from holdfast.edge.decision import Respond
from holdfast.edge.phases.websocket_origins import websocket_origins
from holdfast.edge.view import view_of
from tests.unit.edge.origins import a_zone, snapshot_of
from tests.unit.requests import a_request

LISTED = {"websocket_allowed_origins": ("https://example.com", "https://*.example.net")}


def decided(fields: dict[str, Any], *origins: str, is_upgrade: bool = True) -> Respond | None:
    headers = [("Origin", origin) for origin in origins]
    request = a_request(host="chat.example.com", headers=headers, is_upgrade=is_upgrade)
    decision = websocket_origins(request, view_of(request, snapshot_of(a_zone(**fields)), now=1.0))
    assert decision is None or isinstance(decision, Respond)
    return decision


@pytest.mark.parametrize(
    ("fields", "origins", "is_refused"),
    [
        (LISTED, ("https://example.com",), False),
        (LISTED, ("https://a.example.net",), False),
        (LISTED, ("https://evil.test",), True),
        (LISTED, ("null",), True),
        (LISTED, ("",), True),
        (LISTED, ("https://example.com", "https://evil.test"), True),
        (LISTED, ("https://example.com", "https://example.com"), True),
        (LISTED, (), False),
        ({"websocket_allowed_origins": ("null",)}, ("null",), False),
        (LISTED | {"paused": True}, ("https://evil.test",), False),
        ({}, ("https://evil.test",), False),
    ],
)
def test_it_refuses_upgrades_of_pages_whose_origin_is_not_listed(
    fields: dict[str, Any], origins: tuple[str, ...], is_refused: bool
) -> None:
    assert (decided(fields, *origins) is not None) is is_refused


def test_ordinary_requests_pass() -> None:
    assert decided(LISTED, "https://evil.test", is_upgrade=False) is None


def test_the_answer_names_the_setting_and_not_what_it_lists() -> None:
    decision = decided(LISTED, "https://evil.test")
    assert decision is not None
    assert decision.status == 403
    assert dict(decision.headers)["Holdfast-Refused"] == 'setting;id="websocket_allowed_origins";zone="example.com"'
    problem = json.loads(decision.body)
    assert (problem["setting"], problem["error_name"]) == ("websocket_allowed_origins", "websocket_origin_not_allowed")
    assert problem["side"] == "client"
    assert "example.net" not in decision.body.decode()
