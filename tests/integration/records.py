"""The edge's log as its reader sees it: one JSON object a line. The one place that knows the names of its fields."""

import json
from dataclasses import dataclass
from typing import Any

CLOSED_EVENT = "websocket_closed"


@dataclass(frozen=True, slots=True)
class Direction:
    """What went one way: bytes of frames, headers included; messages, their payload; control frames."""

    bytes: int
    text_messages: int
    text_bytes: int
    binary_messages: int
    binary_bytes: int
    pings: int
    pongs: int
    closes: int
    control_bytes: int
    reserved_frames: int
    messages_per_s: float
    bytes_per_s: float


@dataclass(frozen=True, slots=True)
class Closed:
    """The record of one closed WebSocket. Close codes are None where that side sent no Close, or one without a code."""

    ray_id: str
    client: str
    host: str
    path: str
    origin: str
    protocol: str
    tls_version: str
    subprotocol: str
    start: str
    end: str
    duration_ms: float
    to_origin: Direction
    to_client: Direction
    last_from_client: str | None
    last_from_origin: str | None
    rtt_client_ms: float | None
    rtt_origin_ms: float | None
    client_close_code: int | None
    client_close_reason: str
    origin_close_code: int | None
    origin_close_reason: str
    edge_close_code: int | None
    edge_close_reason: str | None
    closed_by: str
    why: str
    connection_close_reason: str
    connection_close_source: str
    transport_close_code: int
    detail: str | None


def parse(line: str) -> dict[str, Any] | None:
    """A log line as an object; None for lines that are not JSON (what the command tells a person)."""
    if not line.startswith("{"):
        return None
    record = json.loads(line)
    assert isinstance(record, dict), line
    return record


def closed(record: dict[str, Any]) -> Closed:
    """Read a `websocket_closed` record. Raises KeyError where a promised field is missing."""
    assert record["event"] == CLOSED_EVENT, record
    return Closed(
        ray_id=record["ray_id"],
        client=record["client"],
        host=record["host"],
        path=record["path"],
        origin=record["origin"],
        protocol=record["protocol"],
        tls_version=record["tls_version"],
        subprotocol=record["subprotocol"],
        start=record["start"],
        end=record["end"],
        duration_ms=record["duration_ms"],
        to_origin=Direction(**record["to_origin"]),
        to_client=Direction(**record["to_client"]),
        last_from_client=record["last_from_client"],
        last_from_origin=record["last_from_origin"],
        rtt_client_ms=record["rtt_client_ms"],
        rtt_origin_ms=record["rtt_origin_ms"],
        client_close_code=record["client_close_code"],
        client_close_reason=record["client_close_reason"] or "",
        origin_close_code=record["origin_close_code"],
        origin_close_reason=record["origin_close_reason"] or "",
        edge_close_code=record["edge_close_code"],
        edge_close_reason=record["edge_close_reason"],
        closed_by=record["closed_by"],
        why=record["why"],
        connection_close_reason=record["connection_close_reason"],
        connection_close_source=record["connection_close_source"],
        transport_close_code=record["transport_close_code"],
        detail=record.get("detail"),
    )
