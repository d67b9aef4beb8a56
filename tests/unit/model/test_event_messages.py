"""What the control link says of events and requests: it goes through frames, and names each event once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.control_link import FrameReader, Message, frame
from holdfast.model.event_messages import (
    AskRequests,
    CountedEvent,
    EventsTaken,
    RecentRequests,
    RecordedRequest,
    SecurityEvents,
    event_id,
)
from holdfast.model.security_event import SecurityEvent
from tests.unit.requests import a_request

RUN = "00112233445566ff"
EVENT = SecurityEvent.of(a_request(), zone="z", now=1.5, action="block", source="ip", fields=[("a", "b")])
NUMBERS = st.integers(0, 2**64 - 1)


@pytest.mark.parametrize(
    "message",
    [
        SecurityEvents(run=RUN, first=7, events=(CountedEvent(EVENT), CountedEvent(EVENT, 12))),
        EventsTaken(run=RUN, until=9),
        AskRequests(request_id=1, zone_id="z", count=5),
        RecentRequests(request_id=1),
        RecentRequests(
            request_id=1,
            requests=(
                RecordedRequest(occurred_at=1.5, request=a_request(), decision="respond", status=403, events=(EVENT,)),
                RecordedRequest(occurred_at=1.5, request=a_request(scheme="http"), decision="forward"),
            ),
        ),
    ],
)
def test_each_message_goes_through_a_frame(message: Message) -> None:
    assert list(FrameReader().feed(frame(message))) == [message]


@given(first=NUMBERS, second=NUMBERS)
def test_ids_are_32_digits_and_as_different_and_as_ordered_as_numbers(first: int, second: int) -> None:
    one, other = event_id(RUN, first), event_id(RUN, second)
    assert len(one) == 32
    assert (one < other) == (first < second)
    assert (one == other) == (first == second)


@pytest.mark.parametrize(("run", "number"), [("", 1), ("0" * 17, 1), ("x" * 16, 1), (RUN, -1), (RUN, 2**64)])
def test_what_no_edge_says_has_no_id(run: str, number: int) -> None:
    with pytest.raises(ValueError, match=r"expected a run|invalid literal"):
        event_id(run, number)
