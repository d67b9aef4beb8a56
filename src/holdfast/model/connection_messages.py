"""What the control link says of open WebSockets, since version 3 of it (`holdfast.model.control_link` frames it).

Control asks for a page of them (`AskConnections`), for one (`AskConnection`), or to close those that a filter means
(`CloseSelected`); the edge answers each by its `request_id`, with `QuestionRefused` where it cannot read it. While somebody watches zones, control says which
(`WatchConnections`, the whole set each time, () for none), and the edge sends what happens to theirs
(`ConnectionEvents`), unasked. An edge that is told to retire says so (`Retired`), and is no less asked for that.

Law 1: an edge that cannot read a filter must not close without it: `CloseSelected` is a message of its own, which an edge
of version 2 refuses, where a field of `CloseConnections` would be passed over.
Law 2: an answer is bounded by its question, events by MAX_EVENTS of a message; what was left out is counted (`lost`).
"""

from __future__ import annotations

import msgspec

from holdfast.model.connection import ClosedConnection, Connection, ConnectionEvent, ConnectionFilter, ConnectionQuery

# Events of one message: some 250 KB.
MAX_EVENTS = 500
# The deepest that an edge is asked for in one message, where the lists of several edges become one: some 5 MB.
MAX_DEPTH = 10_000


class AskConnections(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="ask_connections"):
    """Control: what is open? `query.limit` may be up to MAX_DEPTH here."""

    request_id: int
    query: ConnectionQuery


class Connections(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="connections"):
    """Edge, in answer: `total` are all that the filter means, `connections` the page that was asked for."""

    request_id: int
    total: int
    connections: tuple[Connection, ...] = ()


class AskConnection(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="ask_connection"):
    """Control: what is known of this one, which is open or closed a short while ago?"""

    request_id: int
    id: str


class ConnectionFound(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="connection_found"):
    """Edge, in answer; None where it knows of none."""

    request_id: int
    connection: Connection | ClosedConnection | None = None


class CloseSelected(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="close_selected"):
    """Control: close those that `filter` means with this code and reason. The edge answers `ConnectionsClosed`."""

    request_id: int
    filter: ConnectionFilter
    code: int
    reason: str


class QuestionRefused(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="question_refused"):
    """Edge, in answer: I cannot read what was asked, and have done nothing. What else is asked I answer as before."""

    request_id: int
    reason: str


class WatchConnections(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="watch_connections"):
    """Control: from now on, say what happens to the WebSockets of these zones, and of no others."""

    zones: tuple[str, ...] = ()


class ConnectionEvents(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="connection_events"):
    """Edge: what happened since the last of these, in its order; before it, `lost` events went by that nobody kept."""

    lost: int = 0
    events: tuple[ConnectionEvent, ...] = ()


class Retired(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="retired"):
    """Edge: I accept nothing new, and am here until what I hold has ended. `holds_nothing`: it has, and you have heard of it."""

    holds_nothing: bool = False
