"""What HTTP/2 is given room for, and how it ends: places, GOAWAY, and what is left when an edge stops."""

import json
import os
import threading
from collections.abc import Iterator

import pytest
from h2.settings import SettingCodes

from holdfast._native import Certificate
from holdfast.edge.decision import Forward
from holdfast.model.request import Request
from tests.integration.certificates import Authority, Pair
from tests.integration.frames import CLOSE, TEXT, Frame, close
from tests.integration.http2 import connected
from tests.integration.in_process import Running, fine, nobody, of, running
from tests.integration.origin import Origin
from tests.integration.waiting import LIMIT_S, poll

NO_ERROR = 0
# RFC 9113 §6.8, with no stream of the peer's and no error.
EMPTY_GOAWAY = bytes.fromhex("000008 07 00 00000000 00000000 00000000")


@pytest.fixture(scope="module")
def certificate(leaf: Pair) -> Certificate:
    return Certificate(names=["example.test"], chain_pem=leaf.cert.read_bytes(), key_pem=leaf.key.read_bytes())


@pytest.fixture
def small(certificate: Certificate, origin: Origin) -> Iterator[Running]:
    """An edge with eight places. Its listener holds two of them for the next connection."""

    def decide(_: object) -> Forward:
        return Forward(origin=of(origin), set_headers=(), remove_headers=(), zone="z")

    with running(decide, is_tls=True, certificates=[certificate], max_connections=4) as edge:
        yield edge


def test_a_stream_holds_one_place_and_finds_none_beyond_the_last(small: Running, authority: Authority) -> None:
    with connected(small.address, authority.trusting()) as client:
        sockets = [client.open_websocket("/echo") for _ in range(5)]
        refused = client.websocket("/echo")
        assert refused.status() == 503
        stream = client.answer(refused.number)
        assert stream.value("retry-after")
        assert json.loads(bytes(stream.data))["error_name"] == "edge_overloaded"
        assert client.request("GET", "/status/200").status == 503
        sockets[0].reset()
        poll(lambda: client.request("GET", "/status/200").status == 200, what="the place that was given back")
        sockets[1].send(Frame(TEXT, b"still here"))
        assert sockets[1].frame().payload == b"still here"


def test_figures_count_what_comes_over_streams(small: Running, authority: Authority) -> None:
    with connected(small.address, authority.trusting()) as client:
        socket = client.open_websocket("/echo")
        socket.send(Frame(TEXT, b"one"))
        assert socket.frame().payload == b"one"
        assert client.request("GET", "/status/404").status == 404
        zone = small.zone_when("z", lambda zone: zone.messages_to_client == 1)
        assert (zone.connections_open, zone.connections_opened, zone.messages_to_origin) == (1, 1, 1)
        assert (dict(zone.upgrades), dict(zone.requests)) == ({101: 1}, {404: 1})
        socket.reset()
        small.zone_when("z", lambda zone: zone.connections_open == 0)


def test_an_edge_that_stops_closes_websockets_and_says_goodbye(small: Running, authority: Authority) -> None:
    with connected(small.address, authority.trusting()) as client:
        sockets = [client.open_websocket("/echo") for _ in range(3)]
        stopping = threading.Thread(target=small.edge.stop, kwargs={"grace_s": LIMIT_S})
        stopping.start()
        for socket in sockets:
            frame = socket.frame()
            assert (frame.opcode, frame.close_code) == (CLOSE, 1001)
            socket.send(frame)
            socket.end()
        client.until(lambda: client.goaway is not None, what="GOAWAY")
        assert client.goaway == NO_ERROR
        while client.read():
            pass
        stopping.join(2 * LIMIT_S)
        assert not stopping.is_alive()


def test_an_edge_that_stops_does_not_wait_for_idle_connections(certificate: Certificate, authority: Authority) -> None:
    edge = Running(fine, fine, is_tls=True, certificates=[certificate])
    with connected(edge.address, authority.trusting()) as client:
        assert client.request("GET", "/").status == 200
        edge.edge.stop(grace_s=10)
        while client.read():
            pass
        assert client.goaway == NO_ERROR
    os.close(edge.log)


def test_an_edge_that_retires_serves_what_it_has_and_says_goodbye(small: Running, authority: Authority) -> None:
    with (
        connected(small.address, authority.trusting()) as client,
        connected(small.address, authority.trusting()) as new,
    ):
        new.settings_seen()
        socket = client.open_websocket("/echo")
        small.edge.retire()
        client.until(lambda: client.goaway is not None, what="GOAWAY")
        assert client.goaway == NO_ERROR
        for number in range(3):
            socket.send(Frame(TEXT, b"%d" % number))
            assert socket.frame().payload == b"%d" % number
        # Who was let in may still ask what it came for.
        assert new.request("GET", "/status/200").status == 200
        new.until(lambda: new.goaway is not None, what="GOAWAY")
        while new.read():
            pass
        socket.send(close(1000))
        assert socket.frame().close_code == 1000
        socket.end()
        while client.read():
            pass
        poll(lambda: small.edge.statistics()["connections_open"] == 0, what="the last connection's end")


def test_a_policy_sees_the_version_and_the_handshake(certificate: Certificate, authority: Authority) -> None:
    seen: list[Request] = []

    def decide(request: Request) -> object:
        seen.append(request)
        return fine(request)

    with (
        running(decide, is_tls=True, certificates=[certificate]) as edge,
        connected(edge.address, authority.trusting()) as client,
    ):
        assert client.request("GET", "/page?q=1", ("x-one", "1")).status == 200
        # An own 2xx would open the WebSocket (RFC 8441 §5).
        assert client.websocket("/chat", ("origin", "https://example.test")).status() == 403
    plain, upgrade = seen
    assert (plain.version, plain.method, plain.path, plain.query, plain.is_upgrade) == (
        "HTTP/2",
        "GET",
        "/page",
        "q=1",
        False,
    )
    assert plain.headers == (("host", "example.test"), ("x-one", "1"))
    assert plain.tls is not None
    assert (plain.tls.server_name, plain.scheme) == ("example.test", "https")
    assert (upgrade.version, upgrade.method, upgrade.is_upgrade) == ("HTTP/2", "GET", True)
    fields = dict(upgrade.headers)
    assert (fields["upgrade"], fields["connection"], fields["sec-websocket-version"]) == ("websocket", "Upgrade", "13")


def test_a_fault_of_the_origin_is_explained_by_the_policy(certificate: Certificate, authority: Authority) -> None:
    def decide(_: object) -> Forward:
        return Forward(origin=nobody(), set_headers=(), remove_headers=())

    with (
        running(decide, is_tls=True, certificates=[certificate]) as edge,
        connected(edge.address, authority.trusting()) as client,
    ):
        stream = client.request("GET", "/")
        assert (stream.status, stream.value("x-by"), bytes(stream.data)) == (200, "policy", b"fine")
        assert client.websocket("/").status() == 403


@pytest.mark.parametrize("who", ["client", "edge"])
def test_an_answer_that_was_sent_is_not_lost_with_its_connection(
    small: Running, authority: Authority, who: str
) -> None:
    """The client goes on opening its windows while it reads: to a closed socket, which would be reset."""
    size = 1_000_000
    with (
        connected(small.address, authority.trusting(), receive_buffer_bytes=16_384) as client,
        connected(small.address, authority.trusting()) as other,
    ):
        # Each echo of it gives the edge the time to do what it can do.
        pace = other.open_websocket("/echo")
        client.takes = False
        client.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 2**31 - 1})
        client.h2.increment_flow_control_window(2**30)
        number = client.begin("GET", f"/length?bytes={size}")
        if who == "client":
            client.wire.send(EMPTY_GOAWAY)
        else:
            client.until(lambda: client.streams[number].fields, what="the head of the answer")
            small.edge.retire()
        while not client.streams[number].is_over:
            assert client.read(), f"{len(client.streams[number].data)} of {size} bytes came"
            client.h2.increment_flow_control_window(1)
            pace.send(Frame(TEXT, b"x"))
            assert pace.frame().payload == b"x"
        assert client.streams[number].ended
        assert len(client.streams[number].data) == size
