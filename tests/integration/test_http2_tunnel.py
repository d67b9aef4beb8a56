"""What holds for a WebSocket over HTTP/1.1 holds for one on a stream: keepalive, timeouts, limits, closes of an operator."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from h2.exceptions import StreamClosedError

from holdfast._native import Certificate
from holdfast.model.connection import ClosedConnection, Connection, ConnectionFilter, ConnectionQuery
from tests.integration.certificates import Authority, Pair
from tests.integration.frames import BINARY, CLOSE, PING, PONG, TEXT, Frame, close
from tests.integration.http2 import Http2, connected
from tests.integration.in_process import Running, running, tunnelling
from tests.integration.origin import Origin
from tests.integration.waiting import poll


@pytest.fixture(scope="module")
def certificate(leaf: Pair) -> Certificate:
    return Certificate(names=["example.test"], chain_pem=leaf.cert.read_bytes(), key_pem=leaf.key.read_bytes())


@contextmanager
def client_of(
    origin: Origin, certificate: Certificate, authority: Authority, **options: Any
) -> Iterator[tuple[Running, Http2]]:
    with (
        running(tunnelling(origin, **options), is_tls=True, certificates=[certificate]) as edge,
        connected(edge.address, authority.trusting()) as client,
    ):
        yield edge, client


def closed(edge: Running) -> dict[str, Any]:
    (record,) = [line for line in edge.stop() if line["event"] == "websocket_closed"]
    return record


def test_a_silent_stream_is_asked_and_its_answer_goes_no_further(
    origin: Origin, certificate: Certificate, authority: Authority
) -> None:
    options = {"keepalive_interval_s": 0.5, "keepalive_misses": 60}
    with client_of(origin, certificate, authority, **options) as (edge, client):
        socket = client.open_websocket("/echo")
        ping = socket.frame()
        assert ping.opcode == PING
        socket.send(Frame(PONG, ping.payload), Frame(TEXT, b"x"))
        while (frame := socket.frame()).opcode == PING:
            pass
        assert frame == Frame(TEXT, b"x")
        socket.send(close(1000))
        while socket.frame().opcode != CLOSE:
            pass
        socket.end()
        client.answer(socket.number)
        record = closed(edge)
    assert record["to_origin"]["pongs"] == 0
    assert record["rtt_client_ms"] > 0


def test_a_stream_that_does_not_answer_is_dead(origin: Origin, certificate: Certificate, authority: Authority) -> None:
    # Within three seconds the origin answers, also on a busy machine.
    options = {"keepalive_interval_s": 0.5, "keepalive_misses": 6}
    with client_of(origin, certificate, authority, **options) as (edge, client):
        socket = client.open_websocket("/echo")
        while (frame := socket.frame()).opcode == PING:
            pass
        assert (frame.opcode, frame.close_code) == (CLOSE, 1001)
        assert frame.close_reason.startswith("client_unresponsive: ")
        # A client that is slow finds the stream ended already.
        with suppress(StreamClosedError):
            socket.end()
        record = closed(edge)
    assert (record["closed_by"], record["why"], record["protocol"]) == ("edge", "client_unresponsive", "h2")


@pytest.mark.parametrize(
    ("options", "why", "code"),
    [
        ({"idle_timeout_s": 0.2}, "idle_timeout", 1001),
        ({"max_age_s": 0.2}, "max_age", 1001),
        ({"max_message_bytes": 100}, "message_too_big", 1009),
    ],
)
def test_limits_hold_for_a_stream(
    origin: Origin, certificate: Certificate, authority: Authority, options: dict[str, Any], why: str, code: int
) -> None:
    with client_of(origin, certificate, authority, **options) as (_, client):
        socket, other = client.open_websocket("/echo"), client.open_websocket("/echo")
        if why == "message_too_big":
            socket.send(Frame(BINARY, bytes(101)))
        frame = socket.frame()
        assert (frame.opcode, frame.close_code) == (CLOSE, code)
        assert frame.close_reason.startswith(f"{why}: ")
        if why == "message_too_big":
            other.send(Frame(TEXT, b"x"))
            assert other.frame() == Frame(TEXT, b"x")


def test_an_operator_s_close_reaches_every_stream(
    origin: Origin, certificate: Certificate, authority: Authority
) -> None:
    with client_of(origin, certificate, authority) as (edge, client):
        sockets = [client.open_websocket("/echo") for _ in range(20)]
        zone = edge.edge.zone_statistics()[0].zone
        assert edge.edge.close_tunnels(zone=zone, code=4001, reason="bye") == 20
        for socket in sockets:
            frame = socket.frame()
            assert (frame.opcode, frame.close_code, frame.close_reason) == (CLOSE, 4001, "bye")


def test_a_stream_is_listed_and_told_of_as_what_it_is(
    origin: Origin, certificate: Certificate, authority: Authority
) -> None:
    with client_of(origin, certificate, authority) as (edge, client):
        socket = client.open_websocket("/echo?protocol=chat", ("sec-websocket-protocol", "chat"))
        other = client.open_websocket("/echo")
        socket.send(Frame(TEXT, b"x"))
        assert socket.frame() == Frame(TEXT, b"x")
        ray = socket.stream.value("cf-ray")
        one = edge.edge.connection(ray)
        assert isinstance(one, Connection)
        assert (one.protocol, one.tls_version, one.subprotocol, one.host) == ("h2", "TLSv1.3", "chat", "example.test")
        assert (one.client_ip, one.to_origin.text_messages, one.to_client.text_messages) == ("127.0.0.1", 1, 1)
        total, listed = edge.edge.connections(ConnectionQuery())
        assert (total, {each.client_port for each in listed}) == (2, {one.client_port})
        assert edge.edge.close_connections(ConnectionFilter(ids=(ray,)), 4002, "you") == 1
        assert socket.frame().close_code == 4002
        socket.end()
        poll(lambda: isinstance(edge.edge.connection(ray), ClosedConnection), what="the end of it")
        other.send(Frame(TEXT, b"still here"))
        assert other.frame() == Frame(TEXT, b"still here")


def test_a_stream_is_throttled_by_its_window_and_loses_nothing(
    origin: Origin, certificate: Certificate, authority: Authority
) -> None:
    with client_of(origin, certificate, authority, bytes_per_s_to_origin=400_000.0) as (_, client):
        socket = client.open_websocket("/echo")
        payload = bytes(at % 251 for at in range(500_000))
        socket.send(Frame(BINARY, payload))
        assert socket.frame().payload == payload
