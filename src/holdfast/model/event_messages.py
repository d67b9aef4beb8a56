"""What the control link says of security events and of the last requests (`holdfast.model.control_link` frames it).

The edge sends `SecurityEvents`, one batch at a time; control answers `EventsTaken` when it has them on its disk, and then
comes the next. Control asks `AskRequests`, the edge answers `RecentRequests`.

Law 1: an event's id is made of its edge's `run` and of its number in that run, so a batch that is sent again is known.
Law 2: a batch has at most MAX_BATCH events, so that it is written in one short transaction.
"""

from __future__ import annotations

import msgspec

from holdfast.model.request import Request
from holdfast.model.security_event import SecurityEvent

# Events in one batch. Writing so many takes SQLite some 15 ms, for which a write of the API may have to wait.
MAX_BATCH = 250
_HALF = 16


class CountedEvent(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One event that stands for `count` of the same zone, source, action and rule, itself among them."""

    event: SecurityEvent
    count: int = 1


class SecurityEvents(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="security_events"):
    """Edge: what happened. `run` is 16 hexadecimal digits of chance, made when the edge started; the events are number
    `first` of it and those that follow."""

    run: str
    first: int
    events: tuple[CountedEvent, ...]


class EventsTaken(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="events_taken"):
    """Control, in answer: all events of `run` below number `until` are kept, or will not be asked for again."""

    run: str
    until: int


class AskRequests(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="ask_requests"):
    """Control: what were the last requests of this zone? At most `count` of them."""

    request_id: int
    zone_id: str
    count: int


class RecordedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request of a zone and what was decided. `occurred_at` is Unix time in seconds; `decision` is "forward" or
    "respond", `status` that of a respond, else 0; `events` are those that rules had a say in."""

    occurred_at: float
    request: Request
    decision: str
    status: int = 0
    events: tuple[SecurityEvent, ...] = ()


class RecentRequests(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="recent_requests"):
    """Edge, in answer: the newest first."""

    request_id: int
    requests: tuple[RecordedRequest, ...] = ()


def event_id(run: str, number: int) -> str:
    """The id of an event: 32 hexadecimal digits. Raises ValueError where `run` or `number` can be no edge's."""
    if len(run) != _HALF or not 0 <= number < 16**_HALF:
        raise ValueError(
            f"expected a run of {_HALF} digits and a number that fits in as many, got {run[:60]!r} {number}"
        )
    return f"{int(run, 16):0{_HALF}x}{number:0{_HALF}x}"
