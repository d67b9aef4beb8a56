"""The switch refuses upgrades, names itself, and leaves all else alone."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from holdfast.edge.decision import Respond
from holdfast.edge.phases.websockets_switch import websockets_switch
from holdfast.edge.view import view_of
from tests.unit.edge.origins import a_zone, snapshot_of
from tests.unit.requests import a_request


@pytest.mark.parametrize(
    ("fields", "is_upgrade", "is_refused"),
    [
        ({"websockets": "off"}, True, True),
        ({"websockets": "off"}, False, False),
        ({"websockets": "off", "websocket_off_response": "strip"}, True, False),
        ({"websockets": "off", "paused": True}, True, False),
        ({}, True, False),
    ],
)
def test_it_refuses_upgrades_of_a_zone_that_is_off(fields: dict[str, Any], is_upgrade: bool, is_refused: bool) -> None:
    request = a_request(host="chat.example.com", is_upgrade=is_upgrade)
    decision = websockets_switch(request, view_of(request, snapshot_of(a_zone(**fields)), now=1.0))
    assert (decision is not None) is is_refused


def test_what_cannot_be_stripped_is_refused() -> None:
    """Over HTTP/2 any 2xx opens the WebSocket."""
    zone = a_zone(websockets="off", websocket_off_response="strip")
    for is_upgrade, status in ((True, 403), (False, None)):
        request = replace(a_request(host="chat.example.com", is_upgrade=is_upgrade), version="HTTP/2")
        decision = websockets_switch(request, view_of(request, snapshot_of(zone), now=1.0))
        assert (decision.status if isinstance(decision, Respond) else None) == status


def test_the_answer_names_setting_and_zone_for_people_and_programs() -> None:
    request = a_request(host="chat.example.com")
    decision = websockets_switch(request, view_of(request, snapshot_of(a_zone(websockets="off")), now=1.0))
    assert isinstance(decision, Respond)
    headers = dict(decision.headers)
    assert decision.status == 403
    assert headers["Holdfast-Refused"] == 'setting;id="websockets";zone="example.com"'
    assert (headers["cf-error-type"], headers["cf-error-origin"]) == ("403", "edge")
    problem = json.loads(decision.body)
    assert (problem["setting"], problem["zone"], problem["error_name"]) == (
        "websockets",
        "example.com",
        "websockets_off",
    )
    assert problem["retryable"] is False
    assert "websockets" in problem["detail"]
