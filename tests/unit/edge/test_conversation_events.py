"""What the edge says to control of events and requests, as a transcript."""

import pytest

from holdfast.edge.conversation import Conversation
from holdfast.edge.recording import Recorder
from holdfast.model.control_link import VERSION, AskReport, LinkError, Message, Report, Welcome, frame
from holdfast.model.event_messages import (
    AskRequests,
    CountedEvent,
    EventsTaken,
    RecentRequests,
    RecordedRequest,
    SecurityEvents,
)
from tests.unit.edge.events import ZONE, a_forward, an_event
from tests.unit.edge.live_parts import Parts
from tests.unit.requests import a_request


class Transcript:
    """A conversation of an edge that records."""

    def __init__(self) -> None:
        self.parts = Parts()
        self.recorder = Recorder(log=lambda *_: None, clock=lambda: 3.5)
        self.reconnect()

    def reconnect(self) -> None:
        self.conversation = Conversation(self.parts.live, self.parts.edge, edge_id="e", recorder=self.recorder)

    def hear(self, message: Message) -> list[Message]:
        return list(self.conversation.hear(frame(message)[4:]))

    def happen(self, *numbers: int) -> None:
        self.recorder.queue.put([an_event(number) for number in numbers])
        self.recorder.turn(self.recorder.queue.drain())


@pytest.fixture
def transcript() -> Transcript:
    return Transcript()


def batch_of(said: list[Message]) -> SecurityEvents:
    (batch,) = said
    assert isinstance(batch, SecurityEvents)
    return batch


def test_what_happened_before_is_said_as_soon_as_it_is_welcome(transcript: Transcript) -> None:
    transcript.happen(1)
    assert list(transcript.conversation.news()) == []
    batch = batch_of(transcript.hear(Welcome(version=VERSION)))
    assert batch.events == (CountedEvent(an_event(1)),)


def test_the_next_batch_waits_until_one_is_taken(transcript: Transcript) -> None:
    assert transcript.hear(Welcome(version=VERSION)) == []
    transcript.happen(1)
    first = batch_of(list(transcript.conversation.news()))
    transcript.happen(2, 3)
    assert list(transcript.conversation.news()) == []
    second = batch_of(transcript.hear(EventsTaken(run=first.run, until=2)))
    assert (second.run, second.first, len(second.events)) == (first.run, 2, 2)
    assert transcript.hear(EventsTaken(run=first.run, until=4)) == []


def test_on_a_new_connection_what_was_not_taken_is_said_again(transcript: Transcript) -> None:
    transcript.hear(Welcome(version=VERSION))
    transcript.happen(1)
    first = batch_of(list(transcript.conversation.news()))
    transcript.reconnect()
    assert batch_of(transcript.hear(Welcome(version=VERSION))) == first


def test_a_control_that_takes_what_was_not_sent_is_left(transcript: Transcript) -> None:
    transcript.hear(Welcome(version=VERSION))
    with pytest.raises(LinkError, match="not sent"):
        transcript.hear(EventsTaken(run="0" * 16, until=2))


def test_the_last_requests_of_a_zone_are_told(transcript: Transcript) -> None:
    transcript.hear(Welcome(version=VERSION))
    transcript.recorder.deciding(lambda _: a_forward())(a_request())
    asked = AskRequests(request_id=4, zone_id=ZONE, count=5)
    told = RecordedRequest(occurred_at=3.5, request=a_request(), decision="forward")
    assert transcript.hear(asked) == [RecentRequests(request_id=4, requests=(told,))]


def test_a_report_counts_events_of_zones_that_are_there_and_of_none(transcript: Transcript) -> None:
    transcript.hear(Welcome(version=VERSION))
    transcript.recorder.queue.put([an_event(), an_event(zone=""), an_event()])
    for expected in ({(ZONE, 2), ("", 1)}, {("", 1)}):
        (report,) = transcript.hear(AskReport(request_id=1))
        assert isinstance(report, Report)
        assert {(zone, count) for zone, _, _, count in report.security_events} == expected
        assert report.statistics["security_events_queued"] == 3


def test_an_edge_that_records_nothing_has_nothing_to_say() -> None:
    parts = Parts()
    conversation = Conversation(parts.live, parts.edge, edge_id="e")
    assert list(conversation.hear(frame(Welcome(version=VERSION))[4:])) == []
    asked = AskRequests(request_id=4, zone_id=ZONE, count=5)
    assert list(conversation.hear(frame(asked)[4:])) == [RecentRequests(request_id=4)]
    with pytest.raises(LinkError, match="no place here: EventsTaken"):
        conversation.hear(frame(EventsTaken(run="0" * 16, until=1))[4:])
