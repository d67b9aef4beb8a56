"""WebSockets as edges list them, for tests of many rooms."""

from typing import Any

from holdfast.model.connection import Carried, ClosedConnection, Connection

SECOND = 1_000_000
# Wednesday, 25 November 2026, 08:00 UTC, in microseconds.
OPENED = 1_795_593_600 * SECOND
NOTHING = Carried(bytes=0, text_messages=0, binary_messages=0, pings=0, pongs=0)


def connection_id(number: int) -> str:
    """The id of connection `number`."""
    return f"{number:016x}-LOC"


def a_connection(number: int = 1, **facts: Any) -> Connection:
    """One that is open, and has carried nothing yet."""
    return Connection(**_open_facts(number) | facts)


def a_closed_connection(number: int = 1, **facts: Any) -> ClosedConnection:
    """The same after ten seconds, closed by its client in good order."""
    end = {
        "state": "closed",
        "closed_at": OPENED + 10 * SECOND,
        "duration_ms": 10_000,
        "closed_by": "client",
        "why": "close_frame",
        "detail": "",
        "client_close_code": 1000,
        "client_close_reason": "done",
        "origin_close_code": 1000,
        "origin_close_reason": "",
        "edge_close_code": None,
        "edge_close_reason": "",
        "connection_close_reason": "peerNoError",
        "connection_close_source": "downstream",
        "transport_close_code": 0,
    }
    return ClosedConnection(**_open_facts(number) | end | facts)


def _open_facts(number: int) -> dict[str, Any]:
    return {
        "id": connection_id(number),
        "zone_id": "z",
        "client_ip": "192.0.2.1",
        "client_port": 40_000,
        "host": "chat.example.com",
        "path": "/echo",
        "origin": "http://127.0.0.1:9000",
        "protocol": "http/1.1",
        "tls_version": "TLSv1.3",
        "subprotocol": "",
        "opened_at": OPENED,
        "last_from_client_at": OPENED,
        "last_from_origin_at": OPENED,
        "rtt_client_us": None,
        "rtt_origin_us": None,
        "to_origin": NOTHING,
        "to_client": NOTHING,
        "state": "open",
    }
