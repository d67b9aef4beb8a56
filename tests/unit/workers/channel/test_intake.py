"""What records of an edge do with its sessions. Whole conversations are in the hub's tests."""

from types import SimpleNamespace
from typing import Any

import pytest

from holdfast.workers.channel.away import Away
from holdfast.workers.channel.intake import Intake
from holdfast.workers.channel.records import FromEdge, Record, RecordError
from holdfast.workers.channel.session import Session
from holdfast.workers.channel.sleepers import Sleepers

SID = 7


class Link:
    """As much of a link as is used."""

    def __init__(self) -> None:
        self.sessions: dict[int, Session] = {}
        self.asleep: Sleepers[Any] = Sleepers()
        self.messages_in = self.in_flight = 0
        self.acknowledged: list[int] = []

    def session(self, sid: int) -> Session | None:
        return self.sessions.get(sid)

    def acknowledge(self, session: Session) -> None:
        self.acknowledged.append(session.acknowledged)

    def left(self, session: Session) -> None:
        del self.sessions[session.sid]


class Nobody:
    """Takes no session."""

    def opened(self, *_: object) -> bool:
        return False

    def resumed(self, *_: object, is_closed: bool) -> bool:
        return is_closed

    def not_adopted(self, token: str) -> None:
        """Nobody asked."""


class Scene:
    """One session of a socket that writes down what it hears."""

    def __init__(self) -> None:
        link: Any = Link()
        self.link = link
        self.heard: list[tuple[Any, ...]] = []
        self.intake = Intake(Nobody(), Away(), lambda _: None)
        session = Session(SID, link)
        self.link.sessions[SID] = session
        session.socket = SimpleNamespace(arrived=lambda *what: self.heard.append(what))

    def take(self, *records: Record) -> list[Record] | None:
        return self.intake.take(self.link, list(records))


@pytest.fixture
async def scene() -> Scene:
    return Scene()


def text(seq: int, data: str = "x", sid: int = SID) -> Record:
    return (int(FromEdge.TEXT), 0, sid, seq, data)


READY: Record = (int(FromEdge.READY), 0, 0, 0, b"")


async def test_each_event_is_given_once_in_its_turn(scene: Scene) -> None:
    assert scene.take(text(1, "one"), text(2, "two"), text(1, "one"), text(3, "three")) is None
    assert scene.heard == [("one", 1), ("two", 2), ("three", 3)]
    assert (scene.link.messages_in, scene.link.in_flight) == (3, 3)
    with pytest.raises(RecordError, match="event 5 of socket 0x7; expected 4"):
        scene.take(text(5))


async def test_what_is_of_no_session_or_of_a_kind_to_come_is_passed_over(scene: Scene) -> None:
    assert scene.take(text(1, sid=99), (200, 0, SID, 1, b"later"), text(1)) is None
    assert scene.heard == [("x", 1)]


async def test_what_comes_behind_ready_is_for_later(scene: Scene) -> None:
    behind = [text(2), READY, text(3)]
    assert scene.take(text(1), READY, *behind) == behind
    assert scene.heard == [("x", 1)]


async def test_an_event_that_has_ended_a_process_is_acknowledged_and_not_given(scene: Scene) -> None:
    scene.intake.poison = frozenset({(SID, 2)})
    scene.take(text(1), text(2, "poison"), text(3))
    assert scene.heard == [("x", 1), ("x", 3)]
    scene.link.sessions[SID].ack(1)
    assert scene.link.acknowledged == [2]
    # As often as it comes: who passed it over before may have died before it said so.
    scene.take(text(2, "poison"))
    assert scene.heard == [("x", 1), ("x", 3)]


async def test_an_end_that_has_ended_a_process_is_told_to_no_handler_and_is_the_end(scene: Scene) -> None:
    session = scene.link.sessions[SID]
    session.socket = SimpleNamespace(
        arrived=lambda *what: scene.heard.append(what),
        ended=lambda *what, was_clean, seq: scene.heard.append((*what, was_clean, seq)),
    )
    scene.intake.poison = frozenset({(SID, 2)})
    scene.take(text(1), (int(FromEdge.CLOSED), 1, SID, 2, b"\xe8\x03\x01bye"))
    assert scene.heard == [("x", 1), (1000, "bye", True, 2)]
    # What hears it by this has no handler run, and is done with it then.
    assert session.skipped_seq == 2
    session.ack(1)
    assert (scene.link.acknowledged, session.is_over) == ([1], False)
    session.ack(2)
    assert (scene.link.acknowledged, session.is_over) == ([1, 2], True)


async def test_an_error_that_has_ended_a_process_is_passed_over(scene: Scene) -> None:
    scene.intake.poison = frozenset({(SID, 1)})
    scene.take((int(FromEdge.FAILED), 0, SID, 1, b"broken"), text(2))
    assert scene.heard == [("x", 2)]
    assert scene.link.acknowledged == [1]


async def test_an_event_for_a_session_that_nobody_has_is_refused(scene: Scene) -> None:
    scene.link.sessions[SID].socket = None
    with pytest.raises(RecordError, match="socket 0x7, which nobody has"):
        scene.take(text(1))
