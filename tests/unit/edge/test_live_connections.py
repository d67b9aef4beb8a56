"""What an edge answers about its WebSockets: pages, one by one, and what happens while control watches."""

import pytest

from holdfast.edge.live_connections import LiveConnections
from holdfast.model.connection import MAX_PAGE, ConnectionEvent, ConnectionFilter, ConnectionQuery
from holdfast.model.connection_messages import (
    MAX_DEPTH,
    MAX_EVENTS,
    AskConnection,
    AskConnections,
    CloseSelected,
    ConnectionEvents,
    ConnectionFound,
    Connections,
    QuestionRefused,
    WatchConnections,
)
from holdfast.model.control_link import ConnectionsClosed, Message
from tests.unit.connections import OPENED, a_closed_connection, a_connection, connection_id
from tests.unit.edge.live_parts import FakeEdge


@pytest.fixture
def edge() -> FakeEdge:
    return FakeEdge()


@pytest.fixture
def live(edge: FakeEdge) -> LiveConnections:
    return LiveConnections(edge)


def event(number: int, zone_id: str = "z") -> ConnectionEvent:
    return ConnectionEvent(at=OPENED + number, connection=a_connection(number, zone_id=zone_id))


def page(live: LiveConnections, query: ConnectionQuery) -> Connections:
    [answer] = live.hear(AskConnections(request_id=1, query=query))
    assert isinstance(answer, Connections)
    assert answer.request_id == 1
    return answer


def told(messages: object) -> list[tuple[int, list[str]]]:
    """How many each message of events says are lost, and the ids of its events."""
    assert isinstance(messages, tuple)
    assert all(isinstance(one, ConnectionEvents) for one in messages)
    return [(one.lost, [event.connection.id for event in one.events]) for one in messages]


def test_a_page_is_what_the_core_lists(edge: FakeEdge, live: LiveConnections) -> None:
    edge.open = [a_connection(number) for number in range(10)]
    query = ConnectionQuery(filter=ConnectionFilter(zone_id="z"), sort="bytes", descending=True, offset=2, limit=3)
    answer = page(live, query)
    assert (answer.total, [one.id for one in answer.connections]) == (10, [connection_id(n) for n in (2, 3, 4)])
    assert edge.queries == [query]


def test_a_deep_page_is_put_together_of_pages_that_the_core_gives(edge: FakeEdge, live: LiveConnections) -> None:
    edge.open = [a_connection(number) for number in range(2500)]
    answer = page(live, ConnectionQuery(limit=2200, offset=100))
    assert [one.id for one in answer.connections] == [connection_id(number) for number in range(100, 2300)]
    assert [(one.offset, one.limit) for one in edge.queries] == [(100, MAX_PAGE), (1100, MAX_PAGE), (2100, 200)]


def test_no_page_is_deeper_than_the_link_allows(edge: FakeEdge, live: LiveConnections) -> None:
    edge.open = [a_connection(number) for number in range(MAX_DEPTH + 10)]
    assert len(page(live, ConnectionQuery(limit=10 * MAX_DEPTH)).connections) == MAX_DEPTH


def test_what_ends_before_the_page_does_is_asked_for_once(edge: FakeEdge, live: LiveConnections) -> None:
    edge.open = [a_connection(1)]
    assert page(live, ConnectionQuery(limit=5000)).total == 1
    assert len(edge.queries) == 1


@pytest.mark.parametrize("number", [1, 2, 3])
def test_one_is_found_open_or_closed_or_not_at_all(edge: FakeEdge, live: LiveConnections, number: int) -> None:
    edge.open, edge.recently = [a_connection(1)], {connection_id(2): a_closed_connection(2)}
    known = {1: a_connection(1), 2: a_closed_connection(2)}
    [answer] = live.hear(AskConnection(request_id=4, id=connection_id(number)))
    assert answer == ConnectionFound(request_id=4, connection=known.get(number))


def test_those_that_a_filter_means_are_closed(edge: FakeEdge, live: LiveConnections) -> None:
    asked = CloseSelected(request_id=5, filter=ConnectionFilter(ids=("a", "b")), code=4000, reason="go")
    assert live.hear(asked) == (ConnectionsClosed(request_id=5, count=2),)
    assert edge.closed == [("a,b", 4000, "go")]


def test_a_question_that_the_core_cannot_read_is_refused_and_the_next_one_answered(
    edge: FakeEdge, live: LiveConnections
) -> None:
    [refused] = live.hear(CloseSelected(request_id=5, filter=ConnectionFilter(), code=5, reason=""))
    assert isinstance(refused, QuestionRefused)
    assert (refused.request_id, refused.reason.startswith("code: expected")) == (5, True)
    edge.open = [a_connection(1)]
    assert page(live, ConnectionQuery()).total == 1


def test_the_core_keeps_events_only_while_some_zone_is_watched(edge: FakeEdge, live: LiveConnections) -> None:
    for zones in (("a",), ("a", "b"), ("b",), (), ("c",)):
        assert live.hear(WatchConnections(zones=zones)) == ()
        assert live.is_watching is bool(zones)
    live.end()
    live.end()
    assert edge.is_watched == [True, False, True, False]
    assert not live.is_watching


def test_nothing_is_looked_for_while_nobody_watches(edge: FakeEdge, live: LiveConnections) -> None:
    edge.happened = [event(1)]
    assert live.events() == ()
    assert edge.happened == [event(1)]


def test_events_of_watched_zones_are_told_and_of_others_are_not(edge: FakeEdge, live: LiveConnections) -> None:
    live.hear(WatchConnections(zones=("z", "y")))
    edge.happened = [event(1), event(2, "other"), event(3, "y")]
    assert told(live.events()) == [(0, [connection_id(1), connection_id(3)])]
    assert live.events() == ()


def test_what_was_lost_is_told_though_nothing_else_is(edge: FakeEdge, live: LiveConnections) -> None:
    live.hear(WatchConnections(zones=("z",)))
    edge.lost, edge.happened = 7, [event(1, "other")]
    assert told(live.events()) == [(7, [])]


def test_many_events_are_several_messages_and_the_rest_waits(edge: FakeEdge, live: LiveConnections) -> None:
    live.hear(WatchConnections(zones=("z",)))
    edge.happened = [event(number) for number in range(9 * MAX_EVENTS)]
    messages: list[Message] = list(live.events())
    assert [len(one.events) for one in messages if isinstance(one, ConnectionEvents)] == [MAX_EVENTS] * 8
    assert len(edge.happened) == MAX_EVENTS
