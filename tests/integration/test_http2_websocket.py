"""WebSockets over HTTP/2 (RFC 8441): many on one connection, each as it would be over HTTP/1.1."""

from collections.abc import Iterator
from itertools import cycle

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.certificates import Authority
from tests.integration.edge import Edge
from tests.integration.frames import BINARY, CLOSE, TEXT, Frame, close
from tests.integration.http2 import Http2, connected
from tests.integration.origin import Origin

CANCEL = 8


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
    given = [("sec-websocket-protocol", "chat"), ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="), ("x-one", "1")]
    socket = client.open_websocket(f"/echo?{token}&protocol=chat", *given)
    head = origin.head(token)
    assert (head.method, head.value("Upgrade"), head.value("Connection")) == ("GET", "websocket", "Upgrade")
    assert (head.values("Host"), head.values("X-One")) == (["example.test"], ["1"])
    (key,) = head.values("Sec-WebSocket-Key")
    assert len(key) == 24
    assert key != given[1][1]
    assert head.value("Sec-WebSocket-Version") == "13"
    fields = dict(socket.stream.fields)
    assert fields["sec-websocket-protocol"] == "chat"
    assert not {"upgrade", "connection", "sec-websocket-accept"} & fields.keys()
    assert fields["cf-ray"]


@pytest.mark.parametrize("path", ["/status/200", "/status/202", "/status/204", "/length?bytes=100"])
def test_a_success_that_is_no_agreement_opens_nothing(client: Http2, path: str) -> None:
    """RFC 8441 §5: any 2xx would say that the WebSocket is open."""
    socket = client.websocket(path)
    assert socket.status() == 502
    stream = client.answer(socket.number)
    assert b"expected 101, or a refusal" in stream.data
    assert client.request("GET", path).status // 100 == 2


@pytest.mark.parametrize("status", [302, 401, 404, 503])
def test_a_refusal_of_the_origin_comes_as_it_is(client: Http2, status: int) -> None:
    socket = client.websocket(f"/status/{status}")
    assert socket.status() == status
    assert client.answer(socket.number).ended


def test_a_hundred_on_one_connection_do_not_mix(client: Http2) -> None:
    sockets = [client.open_websocket("/echo") for _ in range(100)]
    for number, socket in enumerate(sockets):
        socket.send(Frame(BINARY, b"%d" % number))
    assert [socket.frame().payload for socket in sockets] == [b"%d" % number for number in range(100)]


def test_messages_of_any_size_come_back_as_they_were(client: Http2) -> None:
    socket = client.open_websocket("/echo")
    for size in (0, 1, 125, 126, 16_384, 65_535, 65_536, 1_000_000):
        payload = bytes(at % 251 for at in range(size))
        socket.send(Frame(BINARY, payload))
        assert socket.frame().payload == payload


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    st.lists(st.tuples(st.sampled_from([TEXT, BINARY]), st.integers(0, 70_000)), min_size=1, max_size=6),
    st.lists(st.integers(1, 20_000), min_size=1, max_size=20),
)
def test_however_a_stream_is_cut_into_frames_its_messages_are_the_same(
    client: Http2, messages: list[tuple[int, int]], cuts: list[int]
) -> None:
    socket = client.open_websocket("/echo")
    sent = [Frame(opcode, b"m" * size) for opcode, size in messages]
    rest = b"".join(frame.from_client().encode() for frame in sent)
    for size in cycle(cuts):
        if not rest:
            break
        client.send(socket.number, rest[:size])
        rest = rest[size:]
    assert [socket.frame() for _ in sent] == sent
    socket.reset()


def test_a_burst_of_small_messages_is_no_attack(client: Http2) -> None:
    """Some twenty thousand frames at once, on a hundred streams."""
    sockets = [client.open_websocket("/echo") for _ in range(100)]
    message = Frame(TEXT, b"a small message").from_client().encode()
    for _ in range(200):
        for socket in sockets:
            client.h2.send_data(socket.number, message)
    client.flush()
    for socket in sockets:
        for _ in range(200):
            assert socket.frame().payload == b"a small message"
    assert client.goaway is None


def test_what_comes_ahead_of_the_answer_reaches_the_origin(client: Http2, origin: Origin, token: str) -> None:
    socket = client.websocket(f"/slow?{token}")
    socket.send(Frame(TEXT, b"early"))
    origin.find(token).release()
    assert socket.status() == 200
    assert socket.frame().payload == b"early"


def test_what_comes_with_the_101_reaches_the_client(client: Http2) -> None:
    socket = client.open_websocket("/early")
    assert [socket.frame().payload for _ in range(3)] == [b"first", b"p", bytes(300)]


def test_interim_answers_come_before_the_agreement(client: Http2) -> None:
    socket = client.open_websocket("/hints-then-101")
    assert [dict(fields)[":status"] for fields in socket.stream.interim] == ["103"]
    assert socket.frame().payload == b"upgraded"


@pytest.mark.parametrize(
    ("path", "fields", "protocol", "status"),
    [
        ("/status/401", [], "websocket", 401),
        ("/bad-accept", [], "websocket", 502),
        ("/reset-first", [], "websocket", 520),
        ("/echo", [], "connect-udp", 501),
        ("/echo", [("sec-websocket-protocol", "a b")], "websocket", 400),
        ("/echo", [("sec-websocket-version", "12")], "websocket", 426),
        ("/echo", [("content-length", "0")], "websocket", 400),
    ],
)
def test_what_opens_no_websocket_is_answered_as_over_1_1(
    client: Http2, path: str, fields: list[tuple[str, str]], protocol: str, status: int
) -> None:
    socket = client.websocket(path, *fields, protocol=protocol)
    assert socket.status() == status
    stream = client.answer(socket.number)
    assert stream.data
    if status == 426:
        assert stream.value("sec-websocket-version") == "13"
    assert client.request("GET", "/status/200").status == 200


def test_closes_and_records_are_as_over_1_1(client: Http2, edge: Edge) -> None:
    socket = client.open_websocket("/echo")
    socket.send(Frame(TEXT, b"one"), close(4000, "done"))
    assert [socket.frame().payload, socket.frame().close_code] == [b"one", 4000]
    socket.end()
    stream = client.answer(socket.number)
    assert stream.ended
    record = edge.closed(stream.value("cf-ray"))
    assert (record.closed_by, record.why, record.protocol) == ("client", "close_frame", "h2")
    assert (record.client_close_code, record.origin_close_code) == (4000, 4000)
    assert record.to_origin.text_messages == record.to_client.text_messages == 1


def test_a_client_that_ends_its_half_still_hears_the_other(client: Http2) -> None:
    socket = client.open_websocket("/after-eof")
    frame = Frame(BINARY, bytes(1000))
    socket.send(frame)
    socket.end()
    # Behind it the edge has told the origin, with a Close, that the client has left without one.
    assert int(socket.frame().payload) > len(frame.from_client().encode())
    assert socket.frame().close_code == 1000


def test_an_origin_that_ends_its_half_is_still_spoken_to(client: Http2, origin: Origin, token: str) -> None:
    socket = client.open_websocket(f"/half-close?{token}")
    assert socket.frame().payload == b"nothing more from here"
    client.until(lambda: socket.stream.ended, what="the end of the stream")
    socket.send(Frame(TEXT, b"still here"))
    origin.find(token).until(lambda seen: len(seen.after_head) >= 16, what="the message")
    socket.end()


def test_a_stream_that_is_reset_is_a_client_that_failed(client: Http2, edge: Edge, origin: Origin, token: str) -> None:
    socket = client.open_websocket(f"/echo?{token}")
    socket.reset()
    record = edge.closed(socket.stream.value("cf-ray"))
    assert (record.closed_by, record.why, record.edge_close_code) == ("client", "transport_error", 1001)
    origin.find(token).until(lambda seen: seen.ended == "eof", what="an orderly end")
    assert client.open_websocket("/echo").stream.status == 200


def test_an_origin_that_resets_gives_its_stream_a_close_and_an_end(client: Http2, edge: Edge) -> None:
    socket = client.open_websocket("/reset")
    socket.send(Frame(TEXT, b"x"))
    frame = socket.frame()
    assert (frame.opcode, frame.close_code) == (CLOSE, 1014)
    stream = client.answer(socket.number)
    assert (stream.ended, stream.reset) == (True, None)
    socket.end()
    record = edge.closed(stream.value("cf-ray"))
    assert (record.closed_by, record.why) == ("origin", "transport_error")


def test_a_connection_that_dies_ends_each_of_its_websockets_with_a_record(edge: Edge, authority: Authority) -> None:
    with connected(edge.tls, authority.trusting()) as client:
        sockets = [client.open_websocket("/echo") for _ in range(20)]
        rays = [socket.stream.value("cf-ray") for socket in sockets]
        client.wire.reset()
    records = [edge.closed(ray) for ray in rays]
    assert {(record.closed_by, record.edge_close_code) for record in records} == {("client", 1001)}


def test_a_reader_that_stalls_stops_its_writer_and_nobody_else_s(client: Http2, origin: Origin, token: str) -> None:
    """Of a flood that nobody takes there comes one window; beside it messages go on."""
    other = client.open_websocket("/echo")
    client.takes = False
    # What the connection may bring is more than one stream may, as with every client that has several.
    client.h2.increment_flow_control_window(1 << 24)
    flood = client.open_websocket(f"/flood?{token}&bytes=1000000000")
    client.until(lambda: client.h2.remote_flow_control_window(flood.number) == 0, what="a full window")
    for number in range(50):
        other.send(Frame(TEXT, b"%d" % number))
        assert other.frame().payload == b"%d" % number
    assert len(flood.stream.data) <= 65_535
    seen = origin.find(token)
    assert seen.sent_count < 1_000_000_000


def test_an_origin_that_stalls_stops_its_client_and_nobody_else(client: Http2, origin: Origin, token: str) -> None:
    stalled = client.open_websocket(f"/stall?{token}")
    sent = 0
    chunk = Frame(BINARY, bytes(1 << 20)).from_client().encode()
    # The window is opened again by what is taken until the kernel and the pipe are full.
    other = client.open_websocket("/echo")
    idle_rounds = 0
    while idle_rounds < 20:
        room = min(client.h2.local_flow_control_window(stalled.number), client.h2.max_outbound_frame_size)
        if room:
            client.h2.send_data(stalled.number, chunk[:room])
            client.flush()
            sent += room
            idle_rounds = 0
        else:
            idle_rounds += 1
        other.send(Frame(TEXT, b"%d" % sent))
        assert other.frame().payload == b"%d" % sent
    assert client.h2.local_flow_control_window(stalled.number) == 0
    seen = origin.find(token)
    seen.release()
    seen.until(lambda seen: len(seen.after_head) >= 0 and seen.received_count >= sent, what="all that was sent")


@pytest.mark.parametrize("ends", [True, False])
def test_a_request_that_is_taken_back_leaves_no_connection_to_its_origin(
    client: Http2, origin: Origin, token: str, ends: bool
) -> None:
    number = client.begin("POST" if not ends else "GET", f"/no-answer?{token}", ends=ends)
    seen = origin.find(token)
    client.h2.reset_stream(number, CANCEL)
    client.flush()
    seen.until(lambda seen: seen.ended, what="the end of the origin's connection")
