"""What the control link says of WebSockets goes through frames, what is open and what has closed told apart."""

import pytest

from holdfast.model.connection import ConnectionEvent, ConnectionFilter, ConnectionQuery
from holdfast.model.connection_messages import (
    AskConnection,
    AskConnections,
    CloseSelected,
    ConnectionEvents,
    ConnectionFound,
    Connections,
    QuestionRefused,
    Retired,
    WatchConnections,
)
from holdfast.model.control_link import FrameReader, Message, frame
from tests.unit.connections import OPENED, a_closed_connection, a_connection

QUERY = ConnectionQuery(filter=ConnectionFilter(zone_id="z", client="192.0.2.0/24"), sort="rtt", offset=5, limit=10_000)


@pytest.mark.parametrize(
    "message",
    [
        AskConnections(request_id=1, query=QUERY),
        AskConnections(request_id=1, query=ConnectionQuery()),
        Connections(request_id=1, total=7, connections=(a_connection(1), a_connection(2, rtt_client_us=5))),
        AskConnection(request_id=2, id="230b030023ae2822-LOC"),
        ConnectionFound(request_id=2),
        ConnectionFound(request_id=2, connection=a_connection()),
        ConnectionFound(request_id=2, connection=a_closed_connection(edge_close_code=1012)),
        CloseSelected(request_id=3, filter=ConnectionFilter(ids=("a", "b"), min_idle_s=1.5), code=1008, reason="why"),
        WatchConnections(zones=("a", "b")),
        WatchConnections(),
        ConnectionEvents(
            lost=3,
            events=(
                ConnectionEvent(at=OPENED, connection=a_connection()),
                ConnectionEvent(at=OPENED, connection=a_closed_connection()),
            ),
        ),
        QuestionRefused(request_id=4, reason="code: expected one that a server may send, got 5"),
        Retired(),
        Retired(holds_nothing=True),
    ],
)
def test_each_message_goes_through_a_frame(message: Message) -> None:
    [found] = FrameReader().feed(frame(message))
    assert found == message
    assert type(found) is type(message)
    if isinstance(found, ConnectionFound) and isinstance(message, ConnectionFound):
        assert type(found.connection) is type(message.connection)
