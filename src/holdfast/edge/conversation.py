"""What the edge says to control, message by message, and what it does for what control says. No socket, no clock.

Law 1: messages are carried out in the order they come, and answered when they are in force.
Law 2: what has no place where it comes raises LinkError, and the conversation is over.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Protocol

from holdfast.edge.compilation import Refusal
from holdfast.edge.link_frames import RawDelta, RawFull, message_from_control
from holdfast.edge.live import LiveEdge, OutOfStepError
from holdfast.edge.live_connections import ListingEdge, LiveConnections
from holdfast.edge.recording import Recorder
from holdfast.model.connection_messages import (
    AskConnection,
    AskConnections,
    CloseSelected,
    QuestionRefused,
    Retired,
    WatchConnections,
)
from holdfast.model.control_link import (
    VERSION,
    Applied,
    AskReport,
    CloseConnections,
    ConnectionsClosed,
    Hello,
    LinkError,
    Message,
    Refused,
    Report,
    Resync,
    Welcome,
)
from holdfast.model.event_messages import AskRequests, EventsTaken, RecentRequests
from holdfast.model.zone_statistics import ZoneStatistics

Answers = Sequence[Message]


class ReportingEdge(ListingEdge, Protocol):
    """The part of `_native.Edge` that control asks about."""

    def close_tunnels(self, *, zone: str, code: int, reason: str) -> int:
        """Close every WebSocket of a zone; how many were told."""

    def statistics(self) -> dict[str, int]:
        """Counters and sizes by name."""

    def zone_statistics(self) -> list[ZoneStatistics]:
        """The figures of zones."""

    def forget_zones(self, keep: Sequence[str]) -> None:
        """Forget the figures of others."""

    def decide_latency(self) -> tuple[list[tuple[float, int]], float, int]:
        """Buckets, sum and count of the time that `decide` takes."""


class Conversation:
    """One connection to control. `hello` is to be said first, then what `hear` answers to each frame, and `news` whenever
    there are some (`recorder.outbox`, `is_retired`), `events` a few times a second while `is_watched`, and `end` last."""

    def __init__(
        self,
        live: LiveEdge,
        edge: ReportingEdge,
        *,
        edge_id: str,
        recorder: Recorder | None = None,
        is_retired: Callable[[], bool] = lambda: False,
        holds_nothing: Callable[[], bool] = lambda: False,
    ) -> None:
        self._live = live
        self._edge = edge
        self._edge_id = edge_id
        self._recorder = recorder
        if recorder is not None:
            recorder.outbox.begin()
        self._connections = LiveConnections(edge)
        self._is_retired = is_retired
        self._holds_nothing = holds_nothing
        self._has_said_retired = self._has_said_nothing = False
        self._awaits_everything = False
        self.is_welcome = False

    @property
    def is_watched(self) -> bool:
        """Whether control wants to hear what happens to WebSockets."""
        return self._connections.is_watching

    def hello(self) -> Hello:
        """Who this edge is, and what it serves."""
        self._has_said_retired = self._is_retired()
        return Hello(
            version=VERSION,
            edge=self._edge_id,
            pid=os.getpid(),
            source=self._live.source,
            revision=self._live.known_revision,
            is_retired=self._has_said_retired,
        )

    def hear(self, body: bytes) -> Answers:
        """Carry out the message in the body of a frame; what to answer. Raises LinkError."""
        message = message_from_control(body)
        if not self.is_welcome:
            return self._welcomed(message)
        match message:
            case RawFull():
                self._awaits_everything = False
                return self._applied(message.snapshot.revision, self._live.apply_full(message.snapshot))
            case RawDelta():
                return self._apply_delta(message)
            case CloseConnections():
                return self._close(message)
            case AskReport():
                return (self._report(message.request_id),)
            case EventsTaken() if self._recorder is not None:
                self._recorder.outbox.taken(message)
                return self.news()
            case AskRequests():
                return (self._requests(message),)
            case AskConnections() | AskConnection() | CloseSelected() | WatchConnections():
                return self._connections.hear(message)
            case _:
                raise LinkError(f"control sent a message that has no place here: {type(message).__name__}")

    def news(self, *, is_last: bool = False) -> Answers:
        """What is to be said now: that this edge has retired, and security events. `is_last`: also what would wait for an
        answer."""
        if not self.is_welcome:
            return ()
        batch = self._recorder.outbox.next_batch(is_last=is_last) if self._recorder is not None else None
        return (*self._retirement(), *(() if batch is None else (batch,)))

    def events(self) -> Answers:
        """What has happened to WebSockets that are watched."""
        return self._connections.events()

    def end(self) -> None:
        """The connection to control has ended."""
        self._connections.end()

    def _retirement(self) -> Answers:
        holds_nothing = self._holds_nothing()
        if self._has_said_nothing or not self._is_retired() or (self._has_said_retired and not holds_nothing):
            return ()
        self._has_said_retired, self._has_said_nothing = True, holds_nothing
        # Its last figures, which nobody has asked for.
        last = (self._report(0),) if holds_nothing else ()
        return (*last, Retired(holds_nothing=holds_nothing))

    def _welcomed(self, message: object) -> Answers:
        if not isinstance(message, Welcome):
            raise LinkError(f"control's first message should be Welcome, and is {type(message).__name__}")
        if message.version != VERSION:
            raise LinkError(f"control speaks version {message.version} of this link, and this edge {VERSION}")
        self.is_welcome = True
        return self.news()

    def _apply_delta(self, delta: RawDelta) -> Answers:
        try:
            return self._applied(delta.revision, self._live.apply_delta(delta))
        except OutOfStepError:
            # One question is enough: the deltas on the way are on the same state as this one.
            if self._awaits_everything:
                return ()
            self._awaits_everything = True
            return (Resync(revision=self._live.revision),)

    def _applied(self, revision: int, refusals: Sequence[Refusal]) -> Answers:
        refused = (Refused(revision=revision, kind=one.kind, id=one.id, reason=one.reason) for one in refusals)
        return (*refused, Applied(revision=revision, certificates_left_out=self._live.certificates_left_out))

    def _close(self, asked: CloseConnections) -> Answers:
        try:
            count = self._edge.close_tunnels(zone=asked.zone_id, code=asked.code, reason=asked.reason)
        except ValueError as error:
            return (QuestionRefused(request_id=asked.request_id, reason=str(error)),)
        return (ConnectionsClosed(request_id=asked.request_id, count=count),)

    def _requests(self, asked: AskRequests) -> RecentRequests:
        if self._recorder is None:
            return RecentRequests(request_id=asked.request_id)
        return self._recorder.recent.of_zone(asked.request_id, asked.zone_id, asked.count)

    def _report(self, request_id: int) -> Report:
        buckets, sum_s, count = self._edge.decide_latency()
        zones = self._edge.zone_statistics()
        known = self._live.zone_ids()
        if any(one.zone and one.zone not in known for one in zones):
            # Their last figures are in this report.
            self._edge.forget_zones(keep=sorted(known))
        recorder = self._recorder
        # "" is for requests that belong to no zone.
        events = recorder.queue.counts(keep={"", *known}) if recorder else {}
        recorded = recorder.statistics() if recorder else {}
        return Report(
            request_id=request_id,
            revision=self._live.revision,
            statistics=self._edge.statistics() | self._live.statistics() | recorded,
            zones=tuple(zones),
            decide_buckets=tuple(buckets),
            decide_sum_s=sum_s,
            decide_count=count,
            security_events=tuple((*key, number) for key, number in events.items()),
        )
