"""The protocol's scenarios with every byte split off and delayed, between client and edge and between edge and origin."""

import hashlib
import json
from collections.abc import Iterator

import pytest

from tests.integration import wire
from tests.integration.certificates import Authority, Pair
from tests.integration.conftest import LISTEN, TLS_LISTEN
from tests.integration.edge import Edge
from tests.integration.frames import (
    BINARY,
    CLIENT_ENDED,
    CLIENT_ENDED_BYTES,
    CLOSE,
    CONTINUATION,
    ORIGIN_ENDED,
    PING,
    PONG,
    TEXT,
    Frame,
    FrameReader,
    close,
)
from tests.integration.origin import Origin
from tests.integration.origin_paths import PAGE, chunk
from tests.integration.relay import Relay


@pytest.fixture(scope="module")
def edge(origin: Origin, leaf: Pair, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    """An edge whose origin is reached through a chopping relay."""
    with (
        Relay(origin.address, chops=True) as far,
        Edge(
            f"http://127.0.0.1:{far.port}", tmp_path_factory.mktemp("edge"), *LISTEN, *TLS_LISTEN, *leaf.arguments()
        ) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def near(edge: Edge) -> Iterator[wire.Address]:
    """The plain address of the edge, through a chopping relay."""
    with Relay(edge.plain, chops=True, seed=1) as relay:
        yield relay.address


@pytest.fixture(scope="module")
def near_tls(edge: Edge) -> Iterator[wire.Address]:
    """The TLS address of the edge, through a chopping relay."""
    with Relay(edge.tls, chops=True, seed=2) as relay:
        yield relay.address


FRAMES = [
    Frame(TEXT, "grüße".encode()),
    Frame(BINARY, bytes(125)),
    Frame(BINARY, bytes(range(126))),
    Frame(TEXT, b"frag", fin=False),
    Frame(PING, b"between"),
    Frame(CONTINUATION, b""),
    Frame(PONG, b"unasked"),
]


def test_frames_and_the_close(edge: Edge, near: wire.Address) -> None:
    with wire.websocket(near, "/echo") as (client, answer):
        client.send(b"".join(frame.from_client().encode() for frame in [*FRAMES, close(3000, "enough")]))
        expected = [Frame(PONG, b"between") if frame.opcode == PING else frame for frame in FRAMES[:-1]]
        assert [client.read_frame() for _ in expected] == expected
        assert client.read_frame() == Frame(CLOSE, close(3000, "enough").payload)
        assert client.read_to_end() == b""
    record = edge.closed(answer.ray)
    assert (record.to_origin.text_messages, record.to_origin.binary_messages) == (2, 2)
    assert (record.to_origin.pings, record.to_origin.pongs, record.to_origin.closes) == (1, 1, 1)


def test_frames_over_tls(near_tls: wire.Address, authority: Authority) -> None:
    with wire.websocket(near_tls, "/echo", tls=authority.trusting()) as (client, _):
        client.send_frame(Frame(BINARY, bytes(range(200))))
        assert client.read_message() == bytes(range(200))
        client.send_frame(close(1000))
        assert client.read_close().close_code == 1000


def test_frames_with_the_head_and_with_the_101(near: wire.Address) -> None:
    with wire.websocket(near, "/early", first=Frame(TEXT, b"mine").from_client().encode()) as (client, _):
        assert client.read_frame() == Frame(TEXT, b"first")
        assert client.read_frame() == Frame(PING, b"p")
        assert client.read_message() == bytes(300)
        assert client.read_message() == b"mine"


def test_the_close_of_the_origin(near: wire.Address) -> None:
    with wire.websocket(near, "/close/1001?reason=moving") as (client, _):
        frame = client.read_close()
        assert (frame.close_code, frame.close_reason) == (1001, "moving")
        client.send_frame(close(1001))
        assert client.read_to_end() == b""


def test_half_a_frame_stays_half(near: wire.Address) -> None:
    with wire.websocket(near, "/half-frame") as (client, _):
        assert client.read_to_end() == Frame(BINARY, bytes(100)).encode()[:12]


def test_half_close_in_both_directions(near: wire.Address, origin: Origin, token: str) -> None:
    message = Frame(BINARY, bytes(130)).from_client().encode()
    with wire.websocket(near, "/after-eof") as (client, _):
        client.send(message)
        client.end()
        assert client.read_message() == b"%d" % (len(message) + CLIENT_ENDED_BYTES)
        assert client.read_close().close_code == 1000
    with wire.websocket(near, f"/half-close?{token}") as (client, _):
        assert client.read_message() == b"nothing more from here"
        assert client.read_close() == ORIGIN_ENDED
        assert not client.read_some()
        client.send(message)
        client.end()
        origin.find(token).until(lambda seen: seen.ended == "eof", what="the client's FIN")
        (last,) = FrameReader().feed(origin.find(token).after_head.removeprefix(message))
        assert last.payload == CLIENT_ENDED.payload


def test_a_refused_upgrade_and_a_wrong_101(near: wire.Address) -> None:
    with wire.connect(near) as client:
        answer, body = client.request(wire.upgrade("/status/401"))
        assert (answer.status, body) == (401, PAGE)
    with wire.connect(near) as client:
        assert client.request(wire.upgrade("/bad-accept"))[0].status == 502
    with wire.connect(near) as client:
        assert client.request(wire.upgrade("/echo", version="12"))[0].status == 426


def test_bodies_chunks_trailers_and_interim_answers(near: wire.Address) -> None:
    with wire.connect(near) as client:
        head = wire.request("POST", "/dump", "Transfer-Encoding: chunked")
        data = chunk(b"one") + chunk(b"two" * 40) + b"0\r\nX-Digest: abc\r\n\r\n"
        said = json.loads(client.request(head + data)[1])
        assert said["body_sha256"] == hashlib.sha256(b"one" + b"two" * 40).hexdigest()
        assert said["trailers"] == ["X-Digest: abc"]
        _, said_upload = client.request(wire.request("POST", "/upload", body=bytes(500)))
        assert said_upload.decode() == hashlib.sha256(bytes(500)).hexdigest()
        assert client.request(wire.request("GET", "/chunked"))[1] == b"one,two,three"
        client.send(wire.request("GET", "/103"))
        assert [client.read_answer().status for _ in range(3)] == [102, 103, 200]
        assert client.read_exactly(len(PAGE)) == PAGE
        assert client.request(wire.request("HEAD", "/length?bytes=9"))[0].value("Content-Length") == "9"


def test_pipelined_requests(near: wire.Address) -> None:
    with wire.connect(near) as client:
        client.send(wire.request("GET", "/status/404") + wire.request("GET", "/chunked"))
        answer = client.read_answer()
        assert (answer.status, client.read_body(answer)) == (404, PAGE)
        assert client.read_body(client.read_answer()) == b"one,two,three"


def test_a_smuggled_request_stays_refused(near: wire.Address, origin: Origin, token: str) -> None:
    lines = ("Content-Length: 4", "Transfer-Encoding: chunked")
    behind = b"0\r\n\r\n" + wire.request("GET", f"/smuggled?{token}")
    with wire.connect(near) as client:
        client.send(wire.request("POST", f"/dump?{token}", *lines) + behind)
        answer = client.read_answer()
        client.read_body(answer)
        assert answer.status == 400
        assert client.read_to_end() == b""
    assert not origin.received_anywhere(token.encode())


@pytest.mark.parametrize("path", ["/garbage", "/half-head", "/empty"])
def test_broken_origins(near: wire.Address, path: str) -> None:
    with wire.connect(near) as client:
        assert client.request(wire.upgrade(path))[0].status == 520
