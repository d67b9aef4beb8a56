"""Connections as values: what Rust builds by position, and what passes over the control link unchanged."""

import msgspec
import pytest

from holdfast.model.connection import (
    Carried,
    ClosedConnection,
    Connection,
    ConnectionEvent,
    ConnectionFilter,
    ConnectionQuery,
)

CARRIED = (Carried(120, 3, 4, 5, 6), Carried(7, 0, 0, 0, 0))
OPEN = Connection(
    "00112233aabbccdd-LOC",
    "z1",
    "192.0.2.1",
    40_000,
    "www.example.com",
    "/chat",
    "http://origin",
    "http/1.1",
    "TLSv1.3",
    "chat.v1",
    1_000_000,
    2_000_000,
    3_000_000,
    None,
    250,
    *CARRIED,
    "open",
)
CLOSED = ClosedConnection(
    **{**msgspec.structs.asdict(OPEN), "state": "closed"},
    closed_at=4_000_000,
    duration_ms=3_000,
    closed_by="client",
    why="close_frame",
    detail="",
    client_close_code=1000,
    client_close_reason="bye",
    origin_close_code=None,
    origin_close_reason="",
    edge_close_code=None,
    edge_close_reason="",
    connection_close_reason="none",
    connection_close_source="downstream",
    transport_close_code=0,
)


def test_fields_stand_in_the_order_in_which_the_core_gives_them() -> None:
    assert Connection.__struct_fields__ == (
        *("id", "zone_id", "client_ip", "client_port", "host", "path", "origin", "protocol", "tls_version"),
        *("subprotocol", "opened_at", "last_from_client_at", "last_from_origin_at", "rtt_client_us", "rtt_origin_us"),
        *("to_origin", "to_client", "state"),
    )
    assert ClosedConnection.__struct_fields__ == (
        *Connection.__struct_fields__,
        *("closed_at", "duration_ms", "closed_by", "why", "detail", "client_close_code", "client_close_reason"),
        *("origin_close_code", "origin_close_reason", "edge_close_code", "edge_close_reason"),
        *("connection_close_reason", "connection_close_source", "transport_close_code"),
    )
    assert Carried.__struct_fields__ == ("bytes", "text_messages", "binary_messages", "pings", "pongs")


@pytest.mark.parametrize("connection", [OPEN, CLOSED], ids=["open", "closed"])
def test_an_event_passes_over_the_link_as_what_it_was(connection: Connection) -> None:
    event = ConnectionEvent(5_000_000, connection)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(event), type=ConnectionEvent) == event


def test_a_query_that_says_nothing_means_every_connection_and_is_small() -> None:
    assert msgspec.msgpack.encode(ConnectionQuery()) == b"\x80"
    query = ConnectionQuery(filter=ConnectionFilter(client="192.0.2.0/24", ids=("a", "b")), sort="rtt", offset=3)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(query), type=ConnectionQuery) == query
