"""The outbox: what control does not have yet is there, in order, once."""

import select
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.edge import event_outbox
from holdfast.edge.event_outbox import EventOutbox
from holdfast.model.control_link import LinkError
from holdfast.model.event_messages import MAX_BATCH, CountedEvent, EventsTaken, SecurityEvents
from tests.unit.edge.events import an_event


def counted(number: int) -> CountedEvent:
    return CountedEvent(an_event(number))


@pytest.fixture
def outbox() -> Iterator[EventOutbox]:
    made = EventOutbox()
    yield made
    made.close()


def has_news(outbox: EventOutbox) -> bool:
    return bool(select.select([outbox], [], [], 0)[0])


def taken(batch: SecurityEvents) -> EventsTaken:
    return EventsTaken(run=batch.run, until=batch.first + len(batch.events))


def sent(outbox: EventOutbox) -> SecurityEvents:
    batch = outbox.next_batch()
    assert batch is not None
    return batch


def test_one_batch_is_under_way_at_a_time(outbox: EventOutbox) -> None:
    assert outbox.next_batch() is None
    outbox.add([counted(1)])
    assert has_news(outbox)
    first = sent(outbox)
    assert (first.first, first.events) == (1, (counted(1),))
    outbox.add([counted(2), counted(3)])
    assert not has_news(outbox)
    assert outbox.next_batch() is None
    outbox.taken(taken(first))
    assert sent(outbox).events == (counted(2), counted(3))


def test_what_was_not_taken_is_sent_again_on_the_next_connection(outbox: EventOutbox) -> None:
    outbox.add([counted(1)])
    lost = sent(outbox)
    outbox.add([counted(2)])
    outbox.begin()
    again = sent(outbox)
    assert (again.run, again.first, again.events) == (lost.run, 1, (counted(1), counted(2)))


def test_the_last_words_do_not_wait_for_an_answer(outbox: EventOutbox) -> None:
    outbox.add([counted(1)])
    sent(outbox)
    outbox.add([counted(2)])
    last = outbox.next_batch(is_last=True)
    assert last is not None
    assert (last.first, last.events) == (2, (counted(2),))
    assert outbox.next_batch(is_last=True) is None


def test_control_cannot_take_what_was_not_sent(outbox: EventOutbox) -> None:
    outbox.add([counted(1)])
    with pytest.raises(LinkError, match="not sent"):
        outbox.taken(EventsTaken(run="0" * 16, until=2))
    batch = sent(outbox)
    for wrong in (EventsTaken(run="0" * 16, until=2), EventsTaken(run=batch.run, until=3)):
        with pytest.raises(LinkError, match="not sent"):
            outbox.taken(wrong)
    outbox.taken(taken(batch))
    assert outbox.statistics() == {"security_events_waiting": 0, "security_events_sent": 1}


def test_there_is_no_room_beyond_the_bounds(outbox: EventOutbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_outbox, "MAX_EVENTS", 5)
    outbox.add(counted(number) for number in range(4))
    assert outbox.room == 1
    outbox.add([counted(4)])
    assert outbox.room == 0
    outbox.taken(taken(sent(outbox)))
    assert outbox.room == 5
    monkeypatch.setattr(event_outbox, "MAX_BYTES", 100)
    outbox.add([counted(1)])
    assert outbox.room == 0


def test_a_batch_of_long_events_ends_early(outbox: EventOutbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_outbox, "MAX_BATCH_BYTES", 1)
    outbox.add([counted(1), counted(2)])
    assert len(sent(outbox).events) == 1


@given(st.lists(st.sampled_from(["add", "send", "take", "reconnect"]), max_size=60), st.integers(1, 2 * MAX_BATCH))
def test_control_hears_every_event_in_order_whatever_happens(steps: list[str], size: int) -> None:
    outbox, number = EventOutbox(), 0
    heard: dict[int, CountedEvent] = {}
    under_way: SecurityEvents | None = None
    for step in [*steps, "reconnect", *["send", "take"] * (2 * len(steps) + 2)]:
        if step == "add":
            outbox.add(counted(number + index) for index in range(size))
            number += size
        elif step == "send" and (batch := outbox.next_batch()) is not None:
            assert under_way is None
            assert len(batch.events) <= MAX_BATCH
            under_way = batch
            heard |= {batch.first + index: event for index, event in enumerate(batch.events)}
        elif step == "take" and under_way is not None:
            outbox.taken(taken(under_way))
            under_way = None
        elif step == "reconnect":
            outbox.begin()
            under_way = None
    outbox.close()
    assert heard == {index + 1: counted(index) for index in range(number)}
