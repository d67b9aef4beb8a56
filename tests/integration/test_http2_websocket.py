"""WebSockets over HTTP/2 (RFC 8441): many on one connection, each as it would be over HTTP/1.1."""

from collections.abc import Iterator

import pytest

from tests.integration.certificates import Authority
from tests.integration.edge import Edge
from tests.integration.frames import BINARY, TEXT, Frame, close
from tests.integration.http2 import Http2, connected
from tests.integration.origin import Origin


@pytest.fixture
def client(edge: Edge, authority: Authority) -> Iterator[Http2]:
    with connected(edge.tls, authority.trusting()) as client:
        yield client


def test_a_message_comes_back_over_a_stream(client: Http2) -> None:
    socket = client.open_websocket("/echo")
    socket.send(Frame(TEXT, b"hello"))
    assert socket.frame().payload == b"hello"


def test_the_edge_says_that_it_takes_websockets(client: Http2) -> None:
    client.settings_seen()
    assert client.h2.remote_settings.enable_connect_protocol == 1
    assert (client.h2.remote_settings.max_concurrent_streams or 0) >= 100


def test_the_origin_sees_an_upgrade_with_a_key_of_the_edge_s(client: Http2, origin: Origin, token: str) -> None:
    socket = client.open_websocket(f"/echo?{token}&protocol=chat", ("sec-websocket-protocol", "chat"))
    head = origin.head(token)
    assert (head.method, head.value("Upgrade"), head.value("Connection")) == ("GET", "websocket", "Upgrade")
    assert head.values("Host") == ["example.test"]
    assert len(head.value("Sec-WebSocket-Key")) == 24
    assert head.value("Sec-WebSocket-Version") == "13"
    fields = dict(socket.stream.fields)
    assert fields["sec-websocket-protocol"] == "chat"
    assert not {"upgrade", "connection", "sec-websocket-accept"} & fields.keys()
    assert fields["cf-ray"]


def test_a_hundred_on_one_connection_do_not_mix(client: Http2) -> None:
    sockets = [client.open_websocket("/echo") for _ in range(100)]
    for number, socket in enumerate(sockets):
        socket.send(Frame(BINARY, b"%d" % number))
    assert [socket.frame().payload for socket in sockets] == [b"%d" % number for number in range(100)]


def test_closes_and_records_are_as_over_1_1(client: Http2, edge: Edge) -> None:
    socket = client.open_websocket("/echo")
    socket.send(Frame(TEXT, b"one"), close(4000, "done"))
    assert [socket.frame().payload, socket.frame().close_code] == [b"one", 4000]
    socket.end()
    stream = client.answer(socket.number)
    assert stream.ended
    assert stream.reset in (None, 0)
    record = edge.closed(stream.value("cf-ray"))
    assert (record.closed_by, record.why) == ("client", "close_frame")
