"""The edge's end of the control link: one thread that connects, hears what changed, and answers.

Law 1: whatever control says or does, serving goes on with what is served. What cannot be understood ends the connection.
Law 2: a connection that ends is made anew, after a pause that grows to LAST_RETRY_S and is never quite the same. A control
that is not there is looked for much more often: it cannot say that a write is in force before it has us back.
Law 3: every wait for a peer that owes something has a limit; waiting for news has none.
Law 4: what happens to WebSockets is looked for only while control watches, every EVENTS_PAUSE_S.
Law 5: what may be done before it is needed is done while there is no news (`warming`), step by step.
"""

from __future__ import annotations

import random
import select
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from holdfast.edge.conversation import Conversation, ReportingEdge
from holdfast.edge.live import LiveEdge
from holdfast.edge.recording import Recorder
from holdfast.model.control_link import FrameReader, LinkError, Message, frame

Log = Callable[[str, Mapping[str, str | int]], None]

FIRST_RETRY_S, LAST_RETRY_S = 0.05, 2.0
# How often a control is looked for that is not there: while it may be about to start, EAGER_S, and after that. A look costs
# one system call.
EAGER_PAUSE_S, ABSENT_PAUSE_S = 0.05, 0.25
EAGER_S = 5.0
# How long a first control may take to be there before its absence is worth a record: both start at once, and it the slower.
QUIET_START_S = 5.0
# How long control may take to welcome us, and to take what we send.
WELCOME_LIMIT_S = SEND_LIMIT_S = 10.0
_STOP_LIMIT_S = 5.0
# How long an edge that ends waits for control to have been told what it held.
FAREWELL_LIMIT_S = 1.0
# How often control hears of WebSockets that opened and closed, while somebody watches them.
EVENTS_PAUSE_S = 0.2
# When what may be done beforehand begins, after control has been met: both are busy at first. And the pause between its steps.
WARM_AFTER_S, WARM_PAUSE_S = 1.0, 0.005
_READ_BYTES = 256 * 1024
# What wakes the thread: there is news, and somebody waits until it has been said.
_NEWS, _FAREWELL = b"n", b"f"


class ControlLink:
    """Keeps `live` as control, which listens on the Unix socket `path`, says; and tells control about `edge`.

    `edge_id` names this edge to control, which gets what `recorder` has.
    """

    def __init__(
        self,
        path: Path,
        live: LiveEdge,
        edge: ReportingEdge,
        *,
        edge_id: str,
        log: Log,
        recorder: Recorder | None = None,
    ) -> None:
        self._path = path
        self._live = live
        self._edge = edge
        self._edge_id = edge_id
        self._recorder = recorder
        self._log = log
        self._has_found_control = False
        self._is_met = False
        self._warm_from = 0.0
        self._is_connected = threading.Event()
        self._is_stopping = threading.Event()
        self._is_retired = threading.Event()
        self._holds_nothing = threading.Event()
        self._has_said_farewell = threading.Event()
        # Closing the one end, or a byte into it, wakes whoever waits for the other.
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="control-link", daemon=True)

    @property
    def is_connected(self) -> bool:
        """Whether control has welcomed this edge, and is there still."""
        return self._is_connected.is_set()

    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()

    def retire(self) -> None:
        """Tell control, now and whenever it asks who this edge is, that it accepts nothing new. May be called by any thread."""
        self._is_retired.set()
        # It is being stopped: control need not know.
        with suppress(OSError):
            self._wake_writer.send(_NEWS)

    def farewell(self, *, holds_nothing: bool) -> None:
        """Tell control what has happened until now, before the core answers nothing any more; `holds_nothing`: and that
        nothing else will. Returns when it is said, and after FAREWELL_LIMIT_S in any case. May be called by any thread."""
        if holds_nothing:
            self._holds_nothing.set()
        if not self.is_connected:
            return
        with suppress(OSError):
            self._wake_writer.send(_FAREWELL)
            self._has_said_farewell.wait(FAREWELL_LIMIT_S)

    def stop(self) -> None:
        """End the connection and the thread."""
        self._is_stopping.set()
        self._wake_writer.close()
        if self._thread.ident is None:
            self._wake_reader.close()
        else:
            self._thread.join(_STOP_LIMIT_S)

    def _run(self) -> None:
        retry_s, last_reason = FIRST_RETRY_S, ""
        started = last_met = time.monotonic()
        while not self._is_stopping.is_set():
            began = time.monotonic()
            self._is_met = False
            reason = self._connect_once()
            if self._is_stopping.is_set():
                break
            is_missed = self._has_found_control or time.monotonic() - started >= QUIET_START_S
            # Said once, and not every two seconds while control is down.
            if is_missed and (self._is_connected.is_set() or reason != last_reason):
                self._log("control_lost", {"reason": reason, "revision": self._live.revision})
                last_reason = reason
            self._is_connected.clear()
            now = time.monotonic()
            if not self._is_met or now - began > LAST_RETRY_S:
                retry_s = FIRST_RETRY_S
            last_met = now if self._is_met else last_met
            pause_s = retry_s if self._is_met else absent_pause_s(now - last_met)
            self._is_stopping.wait(pause_s * random.uniform(0.5, 1.0))  # noqa: S311  it spreads edges, and keeps no secret
            retry_s = min(2 * retry_s, LAST_RETRY_S)
        self._is_connected.clear()
        # By who reads it: whoever stops this link may have waited long enough.
        self._wake_reader.close()

    def _connect_once(self) -> str:
        """One connection, from its first byte to its last; why it ended, or did not come about."""
        try:
            with _connected(self._path) as connection:
                self._has_found_control = self._is_met = True
                self._converse(connection)
        except (OSError, LinkError) as error:
            return _sentence(error)
        except Exception as error:  # noqa: BLE001  a mistake of ours must not cost the link for good
            return f"{type(error).__name__}: {error}"
        return "control ended the connection"

    def _converse(self, connection: socket.socket) -> None:
        """Say hello, then carry out what comes, until either side ends it."""
        conversation = Conversation(
            self._live,
            self._edge,
            edge_id=self._edge_id,
            recorder=self._recorder,
            is_retired=self._is_retired.is_set,
            holds_nothing=self._holds_nothing.is_set,
        )
        try:
            self._hear_all(connection, conversation)
        finally:
            conversation.end()

    def _hear_all(self, connection: socket.socket, conversation: Conversation) -> None:
        _send(connection, [conversation.hello()])
        self._warm_from = time.monotonic() + WARM_AFTER_S
        reader = FrameReader()
        limit_s: float | None = WELCOME_LIMIT_S
        while data := self._read(connection, conversation, limit_s):
            for body in reader.bodies(data):
                answers = conversation.hear(body)
                if conversation.is_welcome:
                    # Before control is told of what came with its welcome.
                    self._is_connected.set()
                _send(connection, answers)
            if conversation.is_welcome and limit_s is not None:
                limit_s = None
                self._log("control_connected", {"revision": self._live.revision})

    def _read(self, connection: socket.socket, conversation: Conversation, limit_s: float | None) -> bytes:
        """What has come; b"" where the connection has ended, or this link is to. Says meanwhile what is new."""
        # poll, for select takes no descriptor over 1,023, and clients may have all of those.
        waiting = select.poll()
        outbox = self._recorder.outbox if self._recorder is not None and conversation.is_welcome else None
        for one in (connection, self._wake_reader, outbox):
            if one is not None:
                waiting.register(one, select.POLLIN)
        while True:
            wait_s = self._pause_s(limit_s, is_watched=conversation.is_watched)
            ready = {descriptor for descriptor, _ in waiting.poll(None if wait_s is None else wait_s * 1000)}
            woken = self._wake_reader.recv(64) if self._wake_reader.fileno() in ready else None
            if woken == b"":
                # Its other end is closed: this link is to stop.
                _send(connection, [*conversation.events(), *conversation.news(is_last=True)])
                return b""
            if not ready and limit_s is not None:
                raise LinkError(f"control did not welcome this edge within {WELCOME_LIMIT_S:.0f} s")
            if not ready:
                self._use_the_pause()
            # Before what control has said: who woke this thread did so once.
            _send(connection, [*conversation.events(), *conversation.news()])
            if woken and _FAREWELL in woken:
                self._has_said_farewell.set()
            if connection.fileno() in ready:
                return connection.recv(_READ_BYTES)

    def _pause_s(self, limit_s: float | None, *, is_watched: bool) -> float | None:
        """How long to wait for news; None where nothing else is to be done meanwhile."""
        if limit_s is not None:
            return limit_s
        pauses = [EVENTS_PAUSE_S] if is_watched else []
        if self._live.warming_is_due:
            pauses.append(max(WARM_PAUSE_S, self._warm_from - time.monotonic()))
        return min(pauses, default=None)

    def _use_the_pause(self) -> None:
        if self._live.warming_is_due and time.monotonic() >= self._warm_from:
            self._live.warm()


def absent_pause_s(absent_s: float) -> float:
    """How long to wait before looking again for a control that has not been there for `absent_s` seconds."""
    return EAGER_PAUSE_S if absent_s < EAGER_S else ABSENT_PAUSE_S


def _connected(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(SEND_LIMIT_S)
        connection.connect(str(path))
    except OSError:
        connection.close()
        raise
    return connection


def _send(connection: socket.socket, messages: Sequence[Message]) -> None:
    if messages:
        connection.sendall(b"".join(map(frame, messages)))


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError):
        return (error.strerror or str(error)).lower()
    return str(error)
