"""The subprotocols that an upgrade offers (`Sec-WebSocket-Protocol`), and what of them goes to the origin.

Law: names are compared as they are, and stay in the client's order, which is its preference (RFC 6455 §4.1, item 10).
"""

from __future__ import annotations

from holdfast.model.request import Request

FIELD = "Sec-WebSocket-Protocol"


def offered(request: Request) -> list[str]:
    """The names, over all lines of the field. What the core calls an upgrade has no empty or double ones."""
    values = request.header_values(FIELD)
    return [name for value in values for part in value.split(",") if (name := part.strip(" \t"))]


def reduced_offer(request: Request, allowed: frozenset[str]) -> tuple[tuple[str, str], ...]:
    """The field to set so that the origin is offered what is `allowed` alone; () where the offer can stay as it is."""
    offer = offered(request)
    kept = [name for name in offer if name in allowed]
    return () if kept == offer else ((FIELD, ", ".join(kept)),)
