"""What the edge says to control, as a transcript."""

import os

import pytest

from holdfast.edge.conversation import Conversation
from holdfast.model.connection import ConnectionEvent, ConnectionQuery
from holdfast.model.connection_messages import (
    AskConnections,
    ConnectionEvents,
    Connections,
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
    Delta,
    FullSnapshot,
    Hello,
    LinkError,
    Message,
    Refused,
    Report,
    Resync,
    Welcome,
    frame,
)
from holdfast.model.zone_document import SnapshotDocument, ZoneDocument
from holdfast.model.zone_statistics import ZoneStatistics
from tests.unit.connections import OPENED, a_connection
from tests.unit.edge.live_parts import FakeEdge, Parts
from tests.unit.edge.origins import a_document, a_record, zone_id


class Transcript:
    """A conversation that control has opened."""

    def __init__(self, *, welcome: bool = True) -> None:
        self.parts = Parts()
        self.edge: FakeEdge = self.parts.edge
        self.conversation = Conversation(self.parts.live, self.edge, edge_id="edge-1")
        if welcome:
            assert self.hear(Welcome(version=VERSION)) == []

    def hear(self, message: Message) -> list[Message]:
        return list(self.conversation.hear(frame(message)[4:]))

    def full(self, revision: int, *zones: ZoneDocument) -> list[Message]:
        return self.hear(FullSnapshot(snapshot=SnapshotDocument(source="s", revision=revision, zones=zones)))

    def delta(self, base: int, *zones: ZoneDocument) -> list[Message]:
        return self.hear(Delta(source="s", base=base, revision=base + 1, zones=zones))


def test_it_says_first_who_it_is_and_what_it_serves() -> None:
    transcript = Transcript()
    assert transcript.conversation.hello() == Hello(version=VERSION, edge="edge-1", pid=os.getpid())
    transcript.full(4, a_document("a.test"))
    assert transcript.conversation.hello() == Hello(
        version=VERSION, edge="edge-1", pid=os.getpid(), source="s", revision=4
    )


def test_what_is_applied_is_answered_and_what_is_refused_is_said_before() -> None:
    transcript = Transcript()
    assert transcript.full(4, a_document("a.test")) == [Applied(revision=4)]
    assert transcript.delta(4, a_document("b.test")) == [Applied(revision=5)]
    refused, applied = transcript.delta(5, a_document("a.test", a_record("a.test", "?")))
    assert isinstance(refused, Refused)
    assert (refused.revision, refused.id, applied) == (6, zone_id("a.test"), Applied(revision=6))


def test_it_asks_for_everything_once_until_it_gets_it() -> None:
    transcript = Transcript()
    transcript.full(4)
    assert transcript.delta(7) == [Resync(revision=4)]
    assert transcript.delta(8) == []
    assert transcript.full(9) == [Applied(revision=9)]
    assert transcript.delta(9) == [Applied(revision=10)]
    assert transcript.delta(12) == [Resync(revision=10)]


def test_it_closes_what_control_asks_to_close() -> None:
    transcript = Transcript()
    asked = CloseConnections(request_id=5, zone_id="z", code=1001, reason="going")
    assert transcript.hear(asked) == [ConnectionsClosed(request_id=5, count=3)]
    assert transcript.edge.closed == [("z", 1001, "going")]


def test_it_reports_and_then_forgets_zones_that_are_gone() -> None:
    transcript = Transcript()
    transcript.full(4, a_document("a.test"))
    here, gone = (ZoneStatistics(zone, 1, 2, 3, 4, 5, 6, {101: 7}, {200: 8}, {}) for zone in (zone_id("a.test"), "x"))
    nobody = ZoneStatistics("", 0, 0, 0, 0, 0, 0, {}, {530: 1}, {})
    transcript.edge.figures = [nobody, here]
    assert transcript.hear(AskReport(request_id=9)) == [
        Report(
            request_id=9,
            revision=4,
            statistics={"requests": 5, **transcript.parts.live.statistics()},
            zones=(nobody, here),
            decide_buckets=((0.001, 2), (0.01, 4)),
            decide_sum_s=0.02,
            decide_count=5,
        )
    ]
    assert transcript.edge.kept == []
    transcript.edge.figures = [here, gone]
    (report,) = transcript.hear(AskReport(request_id=10))
    assert isinstance(report, Report)
    assert report.zones == (here, gone)
    assert transcript.edge.kept == [[zone_id("a.test")]]


def test_that_it_has_retired_is_said_once_to_each_control() -> None:
    parts, is_retired = Parts(), [False]

    def begun() -> Conversation:
        return Conversation(parts.live, parts.edge, edge_id="e", is_retired=lambda: is_retired[0])

    conversation = begun()
    assert not conversation.hello().is_retired
    assert conversation.news() == ()
    is_retired[0] = True
    assert conversation.news() == (), "control has not welcomed it yet"
    assert conversation.hear(frame(Welcome(version=VERSION))[4:]) == (Retired(),)
    assert conversation.news() == ()
    conversation = begun()
    assert conversation.hello().is_retired
    assert conversation.hear(frame(Welcome(version=VERSION))[4:]) == ()


def test_that_it_holds_nothing_any_more_is_said_once_and_behind_what_happened() -> None:
    parts, has_ended = Parts(), [False]
    conversation = Conversation(
        parts.live, parts.edge, edge_id="e", is_retired=lambda: True, holds_nothing=lambda: has_ended[0]
    )
    conversation.hello()
    assert conversation.hear(frame(Welcome(version=VERSION))[4:]) == ()
    has_ended[0] = True
    (figures, retired), nothing = (conversation.news() for _ in range(2))
    # Its last figures, which nobody has asked for: none after them are of this edge.
    assert isinstance(figures, Report)
    assert (figures.request_id, retired, nothing) == (0, Retired(holds_nothing=True), ())


def test_websockets_are_told_of_while_control_watches_and_not_after_the_conversation() -> None:
    transcript = Transcript()
    transcript.edge.happened = [ConnectionEvent(at=OPENED, connection=a_connection(zone_id="z"))]
    assert transcript.conversation.events() == ()
    assert transcript.hear(WatchConnections(zones=("z",))) == []
    assert transcript.conversation.is_watched
    [events] = transcript.conversation.events()
    assert isinstance(events, ConnectionEvents)
    assert len(events.events) == 1
    transcript.conversation.end()
    assert transcript.edge.is_watched == [True, False]


def test_it_lists_what_control_asks_for() -> None:
    transcript = Transcript()
    transcript.edge.open = [a_connection()]
    [answer] = transcript.hear(AskConnections(request_id=3, query=ConnectionQuery()))
    assert answer == Connections(request_id=3, total=1, connections=(a_connection(),))


def test_a_close_that_cannot_be_sent_is_refused_and_the_conversation_goes_on() -> None:
    transcript = Transcript()
    [refused] = transcript.hear(CloseConnections(request_id=1, zone_id="z", code=5, reason=""))
    assert isinstance(refused, QuestionRefused)
    assert refused.request_id == 1
    transcript.edge.open = [a_connection()]
    [answer] = transcript.hear(AskConnections(request_id=3, query=ConnectionQuery()))
    assert answer == Connections(request_id=3, total=1, connections=(a_connection(),))


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (Welcome(version=VERSION), "has no place here: Welcome"),
        (Hello(version=VERSION, edge="x", pid=1), "has no place here: Hello"),
        (Applied(revision=1), "has no place here: Applied"),
    ],
)
def test_what_has_no_place_ends_it(message: Message, said: str) -> None:
    with pytest.raises(LinkError, match=said):
        Transcript().hear(message)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (Welcome(version=VERSION + 1), f"speaks version {VERSION + 1}"),
        (AskReport(request_id=1), "should be Welcome, and is AskReport"),
        (FullSnapshot(snapshot=SnapshotDocument(source="s", revision=1)), "should be Welcome"),
    ],
)
def test_who_does_not_welcome_it_is_not_heard(message: Message, said: str) -> None:
    transcript = Transcript(welcome=False)
    with pytest.raises(LinkError, match=said):
        transcript.hear(message)
    assert transcript.parts.live.revision == 0
    assert not transcript.conversation.is_welcome
