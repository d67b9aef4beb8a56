"""What the policy thread tells reaches the outbox and the last requests, and nothing that goes wrong there reaches it."""

import threading
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from holdfast.edge import recording
from holdfast.edge.decision import Decision, Respond
from holdfast.edge.event_outbox import EventOutbox
from holdfast.edge.recording import Recorder
from holdfast.model.request import Request
from tests.unit.edge.events import ZONE, a_forward, an_event
from tests.unit.requests import a_request

LIMIT_S = 30.0


class Watched:
    """A recorder whose outbox announces what is added."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.log: list[tuple[str, dict[str, Any]]] = []
        self.has_said = threading.Event()
        self.added = threading.Semaphore(0)
        add = EventOutbox.add

        def announced(outbox: EventOutbox, events: Any) -> None:
            several = list(events)
            add(outbox, several)
            for _ in several:
                self.added.release()

        monkeypatch.setattr(EventOutbox, "add", announced)
        monkeypatch.setattr(recording, "INTERVAL_S", 0.001)
        self.recorder = Recorder(log=self.note, clock=lambda: 12.5)

    def note(self, event: str, fields: Any) -> None:
        self.log.append((event, dict(fields)))
        self.has_said.set()


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    made = Watched(monkeypatch)
    yield made
    made.recorder.stop()
    made.recorder.outbox.close()


def waiting(recorder: Recorder) -> list[object]:
    batch = recorder.outbox.next_batch()
    return [] if batch is None else [one.event for one in batch.events]


def test_events_are_passed_on_by_a_thread_of_their_own(watched: Watched) -> None:
    watched.recorder.start()
    events = [an_event(number) for number in range(3)]
    watched.recorder.record(a_request(), events[:2])
    watched.recorder.record(a_request(), events[2:])
    for _ in events:
        assert watched.added.acquire(timeout=LIMIT_S)
    assert waiting(watched.recorder) == events


def test_what_belongs_to_no_zone_is_counted_only(watched: Watched) -> None:
    watched.recorder.record(a_request(), [an_event(zone=""), an_event(1)])
    watched.recorder.stop()
    assert waiting(watched.recorder) == [an_event(1)]
    assert watched.recorder.queue.counts() == {
        ("", "firewallCustom", "block"): 1,
        (ZONE, "firewallCustom", "block"): 1,
    }


def test_each_decision_is_noted_with_the_events_of_its_own_request(watched: Watched) -> None:
    answer = Respond(403, zone=ZONE)

    def policy(request: Request) -> Decision:
        if request.path != "/bad":
            return a_forward()
        watched.recorder.record(request, [an_event()])
        return answer

    decide = watched.recorder.deciding(policy)
    assert decide(a_request(path="/bad")) is answer
    assert decide(a_request(path="/good")) == a_forward()
    told = watched.recorder.recent.of_zone(1, ZONE, 9).requests
    assert [(one.request.path, one.decision, one.status, one.occurred_at, one.events) for one in told] == [
        ("/good", "forward", 0, 12.5, ()),
        ("/bad", "respond", 403, 12.5, (an_event(),)),
    ]


def test_an_exception_of_the_policy_passes(watched: Watched) -> None:
    def policy(_: Request) -> Decision:
        raise KeyError("a mistake")

    with pytest.raises(KeyError):
        watched.recorder.deciding(policy)(a_request())


def test_more_than_one_slice_is_passed_on_whole(watched: Watched) -> None:
    events = [an_event(number, rule_id=str(number)) for number in range(3 * recording.SLICE)]
    watched.recorder.turn(events)
    assert watched.recorder.outbox.statistics()["security_events_waiting"] == len(events)


def test_where_the_outbox_has_no_room_one_event_stands_for_many(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EventOutbox, "room", 1)
    watched.recorder.turn([an_event(number) for number in range(5)])
    assert watched.recorder.statistics()["security_events_held"] == 4
    watched.recorder.turn([])
    assert watched.recorder.statistics()["security_events_held"] == 0
    batch = watched.recorder.outbox.next_batch()
    assert batch is not None
    assert [one.count for one in batch.events] == [1, 4]


def test_a_mistake_of_ours_is_said_once_and_costs_nothing_that_follows(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn, mistakes = Recorder.turn, threading.Semaphore(2)

    def mistaken(recorder: Recorder, events: Any) -> None:
        if events and mistakes.acquire(blocking=False):
            raise KeyError("a mistake")
        turn(recorder, events)

    monkeypatch.setattr(Recorder, "turn", mistaken)
    watched.recorder.start()
    watched.recorder.record(a_request(), [an_event()])
    assert watched.has_said.wait(LIMIT_S)

    def is_passed_on() -> bool:
        watched.recorder.record(a_request(), [an_event()])
        return watched.added.acquire(timeout=LIMIT_S / 100)

    assert any(is_passed_on() for _ in range(100))
    assert watched.log == [("security_events_failed", {"reason": "KeyError: 'a mistake'"})]


def test_a_recorder_that_was_never_started_passes_on_what_it_has_when_it_stops(watched: Watched) -> None:
    watched.recorder.record(a_request(), [an_event()])
    watched.recorder.stop()
    assert waiting(watched.recorder) == [an_event()]


def test_what_a_workers_process_asks_is_not_among_the_last_requests() -> None:
    recorder = Recorder(log=lambda *_: None, clock=lambda: 12.5)
    decide = recorder.deciding(lambda _: a_forward())
    decide(a_request())
    decide(msgspec.structs.replace(a_request(), is_egress=True))
    assert len(recorder.recent.of_zone(1, ZONE, 10).requests) == 1
