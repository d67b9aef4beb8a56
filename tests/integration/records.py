"""The edge's log as its reader sees it: one JSON object a line. The one place that knows the names of its fields."""

import json
from dataclasses import dataclass
from typing import Any

CLOSED_EVENT = "websocket_closed"


@dataclass(frozen=True, slots=True)
class Direction:
    """What went one way: bytes on the wire as frames, and how many messages and control frames."""

    bytes: int
    text_messages: int
    binary_messages: int
    pings: int
    pongs: int
    closes: int


@dataclass(frozen=True, slots=True)
class Closed:
    """The record of one closed WebSocket. Close codes are None where that side sent no Close."""

    ray_id: str
    client: str
    host: str
    path: str
    origin: str
    start: str
    end: str
    duration_ms: float
    to_origin: Direction
    to_client: Direction
    client_close_code: int | None
    client_close_reason: str
    origin_close_code: int | None
    origin_close_reason: str
    closed_by: str
    why: str


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
        start=record["start"],
        end=record["end"],
        duration_ms=record["duration_ms"],
        to_origin=_direction(record["to_origin"]),
        to_client=_direction(record["to_client"]),
        client_close_code=record["client_close_code"],
        client_close_reason=record["client_close_reason"] or "",
        origin_close_code=record["origin_close_code"],
        origin_close_reason=record["origin_close_reason"] or "",
        closed_by=record["closed_by"],
        why=record["why"],
    )


def _direction(value: dict[str, Any]) -> Direction:
    control = value["control_frames"]
    return Direction(
        bytes=value["bytes"],
        text_messages=value["text_messages"],
        binary_messages=value["binary_messages"],
        pings=control["ping"],
        pongs=control["pong"],
        closes=control["close"],
    )
