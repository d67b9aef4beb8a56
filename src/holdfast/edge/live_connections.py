"""What an edge answers about its open WebSockets, and what it tells of them while somebody watches. No socket, no clock.

Law 1: the core keeps events only while control watches some zone; when the conversation ends, nobody watches any more.
Law 2: what is told is bounded: a page by its question, a message of events by MAX_EVENTS; what happened beyond that is counted.
Law 3: events of zones that nobody watches stay here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from holdfast.model.connection import (
    MAX_PAGE,
    ClosedConnection,
    Connection,
    ConnectionEvent,
    ConnectionFilter,
    ConnectionQuery,
)
from holdfast.model.connection_messages import (
    MAX_DEPTH,
    MAX_EVENTS,
    AskConnection,
    AskConnections,
    CloseSelected,
    ConnectionEvents,
    ConnectionFound,
    Connections,
    QuestionRefused,
    WatchConnections,
)
from holdfast.model.control_link import ConnectionsClosed, Message

Asked = AskConnections | AskConnection | CloseSelected | WatchConnections
# Messages of events that are made at once: what the core has kept beyond them comes with the next look.
_MAX_BATCHES = 8
# How much of the core's complaint goes back.
_MAX_REASON_CHARS = 500


class ListingEdge(Protocol):
    """The part of `_native.Edge` that knows of open WebSockets. Each raises ValueError for what it cannot read."""

    def connections(self, query: ConnectionQuery) -> tuple[int, Sequence[Connection]]:
        """How many the filter means, and the page of them."""

    def connection(self, id: str) -> Connection | ClosedConnection | None:  # noqa: A002  the core's word
        """One that is open, or closed a short while ago."""

    def close_connections(self, filter: ConnectionFilter, code: int, reason: str) -> int:  # noqa: A002  the core's word
        """Close those that the filter means; how many were told."""

    def watch_connections(self, on: bool) -> None:
        """Whether to keep what happens to connections."""

    def take_connection_events(self, limit: int) -> tuple[int, Sequence[ConnectionEvent]]:
        """How many were lost since the last call, and the oldest that were kept."""


class LiveConnections:
    """One conversation's part about WebSockets."""

    def __init__(self, edge: ListingEdge) -> None:
        self._edge = edge
        self._watched: frozenset[str] = frozenset()

    @property
    def is_watching(self) -> bool:
        """Whether control wants to hear of what happens."""
        return bool(self._watched)

    def hear(self, asked: Asked) -> Sequence[Message]:
        """What to answer. A question that the core cannot read costs that answer, and not the conversation."""
        if isinstance(asked, WatchConnections):
            return self._watch(frozenset(asked.zones))
        try:
            return (self._answer(asked),)
        except ValueError as error:
            return (QuestionRefused(request_id=asked.request_id, reason=str(error)[:_MAX_REASON_CHARS]),)

    def _answer(self, asked: AskConnections | AskConnection | CloseSelected) -> Message:
        match asked:
            case AskConnections():
                return self._page(asked)
            case AskConnection():
                return ConnectionFound(request_id=asked.request_id, connection=self._edge.connection(asked.id))
            case CloseSelected():
                count = self._edge.close_connections(asked.filter, asked.code, asked.reason)
                return ConnectionsClosed(request_id=asked.request_id, count=count)

    def events(self) -> Sequence[Message]:
        """What has happened to the WebSockets of watched zones since the last call."""
        if not self._watched:
            return ()
        return tuple(self._batches())

    def end(self) -> None:
        """The conversation is over."""
        if self._watched:
            self._watch(frozenset())

    def _batches(self) -> list[Message]:
        told: list[Message] = []
        for _ in range(_MAX_BATCHES):
            lost, events = self._edge.take_connection_events(MAX_EVENTS)
            ours = tuple(event for event in events if event.connection.zone_id in self._watched)
            if lost or ours:
                told.append(ConnectionEvents(lost=lost, events=ours))
            if len(events) < MAX_EVENTS:
                break
        return told

    def _watch(self, zones: frozenset[str]) -> Sequence[Message]:
        if bool(zones) != bool(self._watched):
            self._edge.watch_connections(bool(zones))
        self._watched = zones
        return ()

    def _page(self, asked: AskConnections) -> Connections:
        """As one page, however many of the core's it takes."""
        query, found, total = asked.query, dict[str, Connection](), 0
        left = min(query.limit, MAX_DEPTH)
        offset = query.offset
        while left > 0:
            size = min(left, MAX_PAGE)
            total, page = self._edge.connections(msgspec.structs.replace(query, offset=offset, limit=size))
            # Between two of the core's pages some may have moved: none is told twice.
            found.update((one.id, one) for one in page)
            if len(page) < size:
                break
            left, offset = left - size, offset + size
        return Connections(request_id=asked.request_id, total=total, connections=tuple(found.values()))
