"""What rules may have had to say of a request: events that differ by their number, and decisions beside them."""

from typing import Any

from holdfast.edge.decision import Forward
from holdfast.model.security_event import SecurityEvent
from tests.unit.edge.origins import ORIGIN
from tests.unit.requests import a_request

ZONE = "1" * 32


def an_event(number: int = 0, **facts: Any) -> SecurityEvent:
    """An event whose ray has `number`."""
    more = {"zone": ZONE, "now": float(number), "action": "block", "source": "firewallCustom", **facts}
    return SecurityEvent.of(a_request(ray=f"{number:016x}-LOC"), **more)


def a_forward(*, zone: str = ZONE) -> Forward:
    """A decision that goes on to an origin."""
    return Forward(ORIGIN, zone=zone)
