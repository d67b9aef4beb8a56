"""A WebSocket speaks an allowed subprotocol, or none."""

import json
from typing import Any

import pytest

from holdfast.edge.decision import Respond
from holdfast.edge.phases.websocket_subprotocols import websocket_subprotocols
from holdfast.edge.view import view_of
from tests.unit.edge.origins import a_zone, snapshot_of
from tests.unit.requests import a_request

LISTED = {"websocket_allowed_subprotocols": ("mqtt", "v2.mqtt")}


def decided(fields: dict[str, Any], *offers: str, is_upgrade: bool = True) -> Respond | None:
    headers = [("Sec-WebSocket-Protocol", offer) for offer in offers]
    request = a_request(host="chat.example.com", headers=headers, is_upgrade=is_upgrade)
    decision = websocket_subprotocols(request, view_of(request, snapshot_of(a_zone(**fields)), now=1.0))
    assert decision is None or isinstance(decision, Respond)
    return decision


@pytest.mark.parametrize(
    ("fields", "offers", "is_refused"),
    [
        (LISTED, (), False),
        (LISTED, ("mqtt",), False),
        (LISTED, ("soap, mqtt",), False),
        (LISTED, ("soap", "v2.mqtt"), False),
        (LISTED, ("soap",), True),
        (LISTED, ("MQTT",), True),
        (LISTED | {"paused": True}, ("soap",), False),
        ({}, ("soap",), False),
    ],
)
def test_it_refuses_upgrades_that_offer_none_that_is_allowed(
    fields: dict[str, Any], offers: tuple[str, ...], is_refused: bool
) -> None:
    assert (decided(fields, *offers) is not None) is is_refused


def test_ordinary_requests_pass() -> None:
    assert decided(LISTED, "soap", is_upgrade=False) is None


def test_the_answer_names_the_setting() -> None:
    decision = decided(LISTED, "soap")
    assert decision is not None
    assert decision.status == 403
    problem = json.loads(decision.body)
    assert problem["setting"] == "websocket_allowed_subprotocols"
    assert problem["detail"] == (
        "The setting websocket_allowed_subprotocols of the zone example.com does not list what was asked for."
    )
