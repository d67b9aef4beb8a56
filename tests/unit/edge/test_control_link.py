"""The link's thread: it starts, tries again, and ends when it is told to, whatever is at the other end.

What passes over the socket is in `tests/integration/test_zone_link.py`; what is said, in `test_conversation.py`.
"""

import socket
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from holdfast.edge import control_link
from holdfast.edge.control_link import ControlLink
from holdfast.edge.live import LiveEdge
from holdfast.model.connection import ConnectionEvent
from holdfast.model.connection_messages import ConnectionEvents, Retired, WatchConnections
from holdfast.model.control_link import (
    VERSION,
    Applied,
    FrameReader,
    FullSnapshot,
    Hello,
    Message,
    Report,
    Welcome,
    frame,
)
from holdfast.model.zone_document import SnapshotDocument
from tests.unit.connections import OPENED, a_closed_connection
from tests.unit.edge.live_parts import Parts

LIMIT_S = 30.0


class Watched:
    """A link to a path where nobody listens."""

    def __init__(self, path: Path) -> None:
        self.log: list[tuple[str, dict[str, Any]]] = []
        self.has_said = threading.Event()
        parts = Parts()
        self.edge = parts.edge
        self.link = ControlLink(path, parts.live, parts.edge, edge_id="e", log=self.note)

    def note(self, event: str, fields: Any) -> None:
        self.log.append((event, dict(fields)))
        self.has_said.set()


@pytest.mark.parametrize("kind", ["missing", "a file", "too long"])
def test_control_that_is_not_there_is_said_once_and_asked_for_again(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = threading.Semaphore(0)
    connected = control_link._connected

    def counted(path: Path) -> Any:
        tries.release()
        return connected(path)

    monkeypatch.setattr(control_link, "_connected", counted)
    monkeypatch.setattr(control_link, "LAST_RETRY_S", 0.01)
    monkeypatch.setattr(control_link, "QUIET_START_S", 0.0)
    path = tmp_path / ("x" * 200 if kind == "too long" else "control.sock")
    if kind == "a file":
        path.write_text("not a socket")
    watched = Watched(path)
    watched.link.start()
    for _ in range(5):
        assert tries.acquire(timeout=LIMIT_S)
    assert not watched.link.is_connected
    watched.link.stop()
    assert [event for event, _ in watched.log] == ["control_lost"]
    assert watched.log[0][1]["reason"]


def test_control_that_starts_beside_the_edge_is_not_missed_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = threading.Semaphore(0)
    connected = control_link._connected

    def counted(path: Path) -> Any:
        tries.release()
        return connected(path)

    monkeypatch.setattr(control_link, "_connected", counted)
    monkeypatch.setattr(control_link, "LAST_RETRY_S", 0.01)
    monkeypatch.setattr(control_link, "QUIET_START_S", 600.0)
    watched = Watched(tmp_path / "control.sock")
    watched.link.start()
    for _ in range(5):
        assert tries.acquire(timeout=LIMIT_S)
    watched.link.stop()
    assert watched.log == []


@pytest.mark.parametrize(("absent_s", "pause_s"), [(0.0, 0.05), (4.9, 0.05), (5.0, 0.25), (86_400.0, 0.25)])
def test_a_control_that_is_away_is_looked_for_eagerly_and_never_more_seldom_than_four_times_a_second(
    absent_s: float, pause_s: float
) -> None:
    assert control_link.absent_pause_s(absent_s) == pause_s


def test_a_mistake_of_ours_does_not_cost_the_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = threading.Semaphore(0)

    def mistaken(_: Path) -> Any:
        tries.release()
        raise KeyError("a mistake")

    monkeypatch.setattr(control_link, "_connected", mistaken)
    monkeypatch.setattr(control_link, "QUIET_START_S", 0.0)
    watched = Watched(tmp_path / "control.sock")
    watched.link.start()
    for _ in range(3):
        assert tries.acquire(timeout=LIMIT_S)
    watched.link.stop()
    assert watched.log == [("control_lost", {"reason": "KeyError: 'a mistake'", "revision": 0})]


def test_a_link_that_was_never_started_or_is_stopped_already_can_be_stopped(tmp_path: Path) -> None:
    watched = Watched(tmp_path / "control.sock")
    watched.link.stop()
    watched.link.stop()
    assert watched.log == []


def messages(peer: socket.socket, count: int) -> list[Message]:
    """So many messages of an edge."""
    frames, found = FrameReader(), list[Message]()
    while len(found) < count:
        found += frames.feed(peer.recv(65536))
    return found


def test_an_edge_that_ends_tells_what_has_happened_and_then_that_it_was_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_link, "EVENTS_PAUSE_S", 600.0)
    monkeypatch.setattr(control_link, "FAREWELL_LIMIT_S", LIMIT_S)
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as listener:
        listener.settimeout(LIMIT_S)
        listener.bind(str(tmp_path / "control.sock"))
        listener.listen()
        watched = Watched(tmp_path / "control.sock")
        watched.link.farewell(holds_nothing=False)
        watched.link.start()
        with closing(listener.accept()[0]) as peer:
            peer.settimeout(LIMIT_S)
            [hello] = messages(peer, 1)
            peer.sendall(frame(Welcome(version=VERSION)) + frame(WatchConnections(zones=("z",))))
            assert watched.has_said.wait(LIMIT_S)
            watched.link.retire()
            assert messages(peer, 1) == [Retired()]
            event = ConnectionEvent(at=OPENED, connection=a_closed_connection(1))
            watched.edge.happened = [event]
            watched.link.farewell(holds_nothing=True)
            # The core has stopped: it answers nothing.
            watched.edge.happened = []
            watched.link.stop()
            happened, figures, retired = messages(peer, 3)
            assert (happened, retired) == (ConnectionEvents(events=(event,)), Retired(holds_nothing=True))
            assert isinstance(figures, Report)
    assert isinstance(hello, Hello)


def test_a_control_that_takes_nothing_does_not_keep_an_edge_from_ending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_link, "FAREWELL_LIMIT_S", 0.01)
    watched = Watched(tmp_path / "control.sock")
    # Nobody runs that could say it.
    watched.link._is_connected.set()
    watched.link.farewell(holds_nothing=True)
    watched.link.stop()
    watched.link.farewell(holds_nothing=True)


def test_what_may_be_done_beforehand_is_done_while_there_is_no_news_and_until_it_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, has_ended = [3], threading.Event()

    def warm(_: LiveEdge) -> None:
        left[0] -= 1
        if not left[0]:
            has_ended.set()

    monkeypatch.setattr(control_link, "WARM_AFTER_S", 0.0)
    monkeypatch.setattr(LiveEdge, "warming_is_due", property(lambda _: left[0] > 0))
    monkeypatch.setattr(LiveEdge, "warm", warm)
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as listener:
        listener.settimeout(LIMIT_S)
        listener.bind(str(tmp_path / "control.sock"))
        listener.listen()
        watched = Watched(tmp_path / "control.sock")
        watched.link.start()
        with closing(listener.accept()[0]) as peer:
            peer.settimeout(LIMIT_S)
            assert peer.recv(4096)
            assert left == [3], "not before control has welcomed this edge"
            peer.sendall(frame(Welcome(version=VERSION)))
            assert has_ended.wait(LIMIT_S)
            watched.link.stop()
    assert left == [0]
    assert [event for event, _ in watched.log] == ["control_connected"]


def test_an_edge_is_connected_before_it_answers_what_came_with_its_welcome(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []
    apply_full = LiveEdge.apply_full
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as listener:
        listener.settimeout(LIMIT_S)
        listener.bind(str(tmp_path / "control.sock"))
        listener.listen()
        watched = Watched(tmp_path / "control.sock")

        def applying(live: LiveEdge, snapshot: Any) -> Any:
            seen.append(watched.link.is_connected)
            return apply_full(live, snapshot)

        monkeypatch.setattr(LiveEdge, "apply_full", applying)
        watched.link.start()
        with closing(listener.accept()[0]) as peer:
            peer.settimeout(LIMIT_S)
            assert isinstance(messages(peer, 1)[0], Hello)
            everything = FullSnapshot(snapshot=SnapshotDocument(source="the tests", revision=1, zones=()))
            peer.sendall(frame(Welcome(version=VERSION)) + frame(everything))
            assert messages(peer, 1) == [Applied(revision=1)]
            watched.link.stop()
    assert seen == [True]
