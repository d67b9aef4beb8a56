"""The edge's end of the control link: one thread that connects, hears what changed, and answers.

Law 1: whatever control says or does, serving goes on with what is served. What cannot be understood ends the connection.
Law 2: a connection that ends is made anew, after a pause that grows to LAST_RETRY_S and is never quite the same, so
that many edges do not come back at once.
Law 3: messages are carried out in the order they come, and answered when they are in force.
Law 4: every wait for a peer that owes something has a limit; waiting for news has none.
"""

from __future__ import annotations

import os
import random
import select
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from holdfast.edge.link_frames import RawDelta, RawFull, message_from_control
from holdfast.edge.live import LiveEdge, OutOfStepError, Refusal
from holdfast.model.control_link import (
    VERSION,
    Applied,
    AskReport,
    CloseConnections,
    ConnectionsClosed,
    FrameReader,
    Hello,
    LinkError,
    Message,
    Refused,
    Report,
    Resync,
    Welcome,
    frame,
)
from holdfast.model.zone_statistics import ZoneStatistics

Log = Callable[[str, Mapping[str, str | int]], None]

FIRST_RETRY_S, LAST_RETRY_S = 0.05, 2.0
# How long control may take to welcome us, and to take what we send.
WELCOME_LIMIT_S = SEND_LIMIT_S = 10.0
_STOP_LIMIT_S = 5.0
_READ_BYTES = 256 * 1024


class ReportingEdge(Protocol):
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


class ControlLink:
    """Keeps `live` as control, which listens on the Unix socket `path`, says; and tells control about `edge`.

    `edge_id` names this edge to control.
    """

    def __init__(self, path: Path, live: LiveEdge, edge: ReportingEdge, *, edge_id: str, log: Log) -> None:
        self._path = path
        self._live = live
        self._edge = edge
        self._edge_id = edge_id
        self._log = log
        self._is_connected = threading.Event()
        self._is_stopping = threading.Event()
        # Closing the one end wakes whoever waits for the other.
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="control-link", daemon=True)

    @property
    def is_connected(self) -> bool:
        """Whether control has welcomed this edge, and is there still."""
        return self._is_connected.is_set()

    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()

    def stop(self) -> None:
        """End the connection and the thread."""
        self._is_stopping.set()
        self._wake_writer.close()
        if self._thread.ident is not None:
            self._thread.join(_STOP_LIMIT_S)
        if not self._thread.is_alive():
            self._wake_reader.close()

    def _run(self) -> None:
        retry_s = FIRST_RETRY_S
        last_reason = ""
        while not self._is_stopping.is_set():
            try:
                with _connected(self._path) as connection:
                    self._converse(connection)
                reason = "control ended the connection"
            except (OSError, LinkError) as error:
                reason = _sentence(error)
            if self._is_connected.is_set():
                self._is_connected.clear()
                retry_s = FIRST_RETRY_S
                last_reason = ""
            if self._is_stopping.is_set():
                return
            # Said once, and not every two seconds while control is down.
            if reason != last_reason:
                self._log("control_lost", {"reason": reason, "revision": self._live.revision})
                last_reason = reason
            self._is_stopping.wait(retry_s * random.uniform(0.5, 1.0))  # noqa: S311  it spreads edges, and keeps no secret
            retry_s = min(2 * retry_s, LAST_RETRY_S)

    def _converse(self, connection: socket.socket) -> None:
        """Say hello, then carry out what comes, until either side ends it."""
        conversation = _Conversation(connection, self._live, self._edge)
        source, revision = self._live.source, self._live.known_revision
        conversation.send(Hello(version=VERSION, edge=self._edge_id, pid=os.getpid(), source=source, revision=revision))
        reader = FrameReader()
        limit_s: float | None = WELCOME_LIMIT_S
        while data := self._read(connection, limit_s):
            for body in reader.bodies(data):
                conversation.hear(body)
            if conversation.is_welcome and limit_s is not None:
                limit_s = None
                self._is_connected.set()
                self._log("control_connected", {"revision": self._live.revision})

    def _read(self, connection: socket.socket, limit_s: float | None) -> bytes:
        """What has come; b"" where the connection has ended, or this link is to."""
        ready, _, _ = select.select([connection, self._wake_reader], [], [], limit_s)
        if self._wake_reader in ready:
            return b""
        if not ready:
            raise LinkError(f"control did not welcome this edge within {WELCOME_LIMIT_S:.0f} s")
        return connection.recv(_READ_BYTES)


class _Conversation:
    """One connection: what control has said on it, and what it gets for it."""

    def __init__(self, connection: socket.socket, live: LiveEdge, edge: ReportingEdge) -> None:
        self._connection = connection
        self._live = live
        self._edge = edge
        self._awaits_everything = False
        self.is_welcome = False

    def send(self, *messages: Message) -> None:
        self._connection.sendall(b"".join(map(frame, messages)))

    def hear(self, body: bytes) -> None:
        """Carry out the message in the body of a frame. Raises LinkError where it has no place here."""
        message = message_from_control(body)
        if not self.is_welcome:
            self._welcomed(message)
            return
        match message:
            case RawFull():
                self._awaits_everything = False
                self._applied(message.snapshot.revision, self._live.apply_full(message.snapshot))
            case RawDelta():
                self._apply_delta(message)
            case CloseConnections():
                self._close(message)
            case AskReport():
                self.send(self._report(message.request_id))
            case _:
                raise LinkError(f"control sent a message that is not its own: {type(message).__name__}")

    def _welcomed(self, message: object) -> None:
        if not isinstance(message, Welcome):
            raise LinkError(f"control's first message should be Welcome, and is {type(message).__name__}")
        if message.version != VERSION:
            raise LinkError(f"control speaks version {message.version} of this link, and this edge {VERSION}")
        self.is_welcome = True

    def _apply_delta(self, delta: RawDelta) -> None:
        try:
            self._applied(delta.revision, self._live.apply_delta(delta))
        except OutOfStepError:
            # One question is enough: the deltas on the way are on the same state as this one.
            if not self._awaits_everything:
                self._awaits_everything = True
                self.send(Resync(revision=self._live.revision))

    def _applied(self, revision: int, refusals: Sequence[Refusal]) -> None:
        refused = (Refused(revision=revision, zone_id=one.zone_id, reason=one.reason) for one in refusals)
        self.send(*refused, Applied(revision=revision))

    def _close(self, asked: CloseConnections) -> None:
        try:
            count = self._edge.close_tunnels(zone=asked.zone_id, code=asked.code, reason=asked.reason)
        except ValueError as error:
            raise LinkError(f"control asked for a Close that cannot be sent: {error}") from error
        self.send(ConnectionsClosed(request_id=asked.request_id, count=count))

    def _report(self, request_id: int) -> Report:
        buckets, sum_s, count = self._edge.decide_latency()
        zones = self._edge.zone_statistics()
        known = self._live.zone_ids()
        if any(one.zone and one.zone not in known for one in zones):
            # Their last figures are in this report.
            self._edge.forget_zones(keep=sorted(known))
        return Report(
            request_id=request_id,
            revision=self._live.revision,
            statistics=self._edge.statistics(),
            zones=tuple(zones),
            decide_buckets=tuple((bound, number) for bound, number in buckets),
            decide_sum_s=sum_s,
            decide_count=count,
        )


def _connected(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(SEND_LIMIT_S)
        connection.connect(str(path))
    except OSError:
        connection.close()
        raise
    return connection


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError):
        return (error.strerror or str(error)).lower()
    return str(error)
