"""Events on the control link of a running edge, whatever control does with them; control is in the test's hand."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.edge.recording import Recorder
from holdfast.model.event_messages import AskRequests, EventsTaken, RecentRequests, SecurityEvents
from tests.integration import wire
from tests.integration.certificates import Authority
from tests.integration.test_zone_link import HOST, status_of, upgrade_status, zone
from tests.integration.zone_parts import Bench, bench, with_fields
from tests.unit.edge.origins import zone_id

ZONE = zone_id("example.com")


@pytest.fixture
def parts(tmp_path: Path, authority: Authority) -> Iterator[Bench]:
    with bench(tmp_path, authority.issue("own.test")) as everything:
        recorder = Recorder(log=lambda *_: None)
        everything.start_edge(recorder=recorder)
        everything.control.welcome()
        everything.control.full(with_fields(zone(), websockets="off"))
        yield everything
    recorder.outbox.close()


def taken(batch: SecurityEvents) -> EventsTaken:
    return EventsTaken(run=batch.run, until=batch.first + len(batch.events))


def test_an_event_is_sent_at_once_and_the_next_when_it_was_taken(parts: Bench) -> None:
    assert upgrade_status(parts) == 403
    first = parts.control.hear(SecurityEvents)
    [one] = first.events
    assert (one.event.zone, one.event.source, one.event.host, one.count) == (ZONE, "websockets", HOST, 1)
    assert upgrade_status(parts) == 403
    parts.control.send(taken(first))
    assert parts.control.hear(SecurityEvents).first == 2


def test_a_control_that_takes_nothing_holds_nothing_up_and_hears_it_again_when_it_comes_back(parts: Bench) -> None:
    for _ in range(20):
        assert upgrade_status(parts) == 403
    first = parts.control.hear(SecurityEvents)
    # What control publishes goes on all the same.
    parts.control.delta(zone())
    assert upgrade_status(parts) == 101
    parts.control.welcome()
    again = parts.control.hear(SecurityEvents)
    assert (again.run, again.first) == (first.run, 1)
    assert again.events[: len(first.events)] == first.events


def test_control_can_ask_what_was_requested_last(parts: Bench) -> None:
    parts.control.delta(zone())
    for number in range(3):
        assert status_of(parts.plain, wire.request("GET", f"/page?{number}", "X-Test: a", host=HOST)) == 200
    parts.control.send(AskRequests(request_id=1, zone_id=ZONE, count=2))
    told = parts.control.hear(RecentRequests)
    assert [(one.request.query, one.decision) for one in told.requests] == [("2", "forward"), ("1", "forward")]
    assert ("X-Test", "a") in told.requests[0].request.headers
