"""HTTP/2 as nobody should speak it: whatever comes, the edge keeps its bounds and serves the next client."""

import ssl
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import chain, repeat

import hpack
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration import wire
from tests.integration.certificates import Authority, Pair
from tests.integration.conftest import TLS_LISTEN
from tests.integration.edge import Edge
from tests.integration.frames import CLOSE, TEXT, Frame
from tests.integration.http2 import connected
from tests.integration.origin import Origin

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS, ACK = 1, 4, 1
PROTOCOL_ERROR, FLOW_CONTROL_ERROR, STREAM_CLOSED, ENHANCE_YOUR_CALM = 1, 3, 5, 11
# What a hostile connection may make the edge hold: the windows of its streams, and what the crate keeps beside them.
MOST_BYTES = 24 << 20


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    """One frame (RFC 9113 §4.1)."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def head(path: str, method: str = "GET", *more: tuple[str, str]) -> bytes:
    """A block of fields that knows no table."""
    fields = [(":method", method), (":scheme", "https"), (":authority", "example.test"), (":path", path), *more]
    return bytes(hpack.Encoder().encode(fields))


OPENING = PREFACE + frame(SETTINGS)


@pytest.fixture(scope="module")
def bare(leaf: Pair, origin: Origin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    """An edge that no other test uses, so that its memory is this module's doing."""
    data = tmp_path_factory.mktemp("hostile")
    with Edge(origin.url, data, "--threads", "1", *TLS_LISTEN, *leaf.arguments()) as running:
        yield running


@contextmanager
def raw(edge: Edge, authority: Authority) -> Iterator[wire.Wire]:
    context = authority.trusting()
    context.set_alpn_protocols(["h2"])
    with wire.connect(edge.tls, tls=context) as client:
        yield client


def push(client: wire.Wire, parts: Iterator[bytes]) -> None:
    """Send until the peer takes no more, or has gone."""
    with suppress(ConnectionError, ssl.SSLError, TimeoutError):
        for part in parts:
            client.send(part)


def goaway_of(client: wire.Wire) -> int | None:
    """Read to the end; the code of the GOAWAY, if there was one."""
    with suppress(TimeoutError):
        while client.read_some():
            pass
    held, code = bytes(client.held), None
    while len(held) >= 9:
        size, kind = int.from_bytes(held[:3], "big"), held[3]
        if kind == GOAWAY:
            code = int.from_bytes(held[13:17], "big")
        held = held[9 + size :]
    return code


def serves(edge: Edge, authority: Authority) -> None:
    with connected(edge.tls, authority.trusting()) as client:
        assert client.request("GET", "/status/200").status == 200


def numbers(count: int) -> range:
    """Numbers of a client's streams."""
    return range(1, 2 * count, 2)


FLOODS = {
    "requests that are taken back at once": (
        frame(HEADERS, END_HEADERS | END_STREAM, number, head("/no-answer"))
        + frame(RST_STREAM, 0, number, struct.pack(">I", 8))
        for number in numbers(200_000)
    ),
    "a head that never ends": chain(
        [frame(HEADERS, 0, 1, head("/"))], repeat(frame(CONTINUATION, 0, 1, b"\x00\x01a\x01b" * 1000))
    ),
    "empty continuations": chain([frame(HEADERS, 0, 1, head("/"))], repeat(frame(CONTINUATION, 0, 1))),
    "streams beyond the limit": (
        frame(HEADERS, END_HEADERS, number, head("/no-answer", "POST")) for number in numbers(200_000)
    ),
    "faulty streams": (
        frame(HEADERS, END_HEADERS | END_STREAM, number, head("/", "GET", ("connection", "x")))
        for number in numbers(200_000)
    ),
    "pings": repeat(frame(PING, 0, 0, b"12345678") * 100, 2000),
    "settings": repeat(frame(SETTINGS) * 100, 2000),
}


@pytest.mark.parametrize("parts", FLOODS.values(), ids=FLOODS)
def test_a_flood_of_frames_ends_its_connection(bare: Edge, authority: Authority, parts: Iterator[bytes]) -> None:
    before = bare.anonymous_bytes()
    with raw(bare, authority) as client:
        client.send(OPENING)
        push(client, parts)
        assert goaway_of(client) in (ENHANCE_YOUR_CALM, PROTOCOL_ERROR, None)
        assert not client.read_some()
    assert bare.anonymous_bytes() - before < MOST_BYTES
    serves(bare, authority)


def as_many(kind: int, flags: int, payload: bytes) -> bytes:
    return frame(kind, flags, 0, payload) * 2000


OFFENCES = {
    "pings": as_many(PING, 0, b"12345678"),
    "answers to pings that nobody sent": as_many(PING, ACK, b"12345678"),
    "settings": as_many(SETTINGS, 0, b""),
    "faulty streams": b"".join(
        frame(HEADERS, END_HEADERS | END_STREAM, number, head("/", "GET", ("connection", "x")))
        for number in range(1001, 1601, 2)
    ),
}


@pytest.mark.parametrize("frames", OFFENCES.values(), ids=OFFENCES)
def test_who_is_shown_out_is_told_why_on_each_websocket(bare: Edge, authority: Authority, frames: bytes) -> None:
    with connected(bare.tls, authority.trusting()) as client:
        sockets = [client.open_websocket("/echo") for _ in range(3)]
        client.wire.send(frames)
        for socket in sockets:
            told = socket.frame()
            assert (told.opcode, told.close_code) == (CLOSE, 1002)
            assert told.payload[2:].startswith(b"protocol_error: ")
        client.until(lambda: client.goaway is not None, what="GOAWAY")
        assert client.goaway == ENHANCE_YOUR_CALM
        while client.read():
            pass
        for socket in sockets:
            record = bare.closed(socket.stream.value("cf-ray"))
            assert (record.closed_by, record.why, record.detail) == ("edge", "protocol_error", "client")
    serves(bare, authority)


def test_a_few_faulty_streams_harm_no_websocket(bare: Edge, authority: Authority) -> None:
    with connected(bare.tls, authority.trusting(), checks=False) as client:
        socket = client.open_websocket("/echo")
        for _ in range(60):
            assert client.request("GET", "/a<b").reset == PROTOCOL_ERROR
        socket.send(Frame(TEXT, b"still here"))
        assert socket.frame().payload == b"still here"


def test_a_client_that_breaks_the_protocol_is_what_ended_its_websockets(bare: Edge, authority: Authority) -> None:
    with connected(bare.tls, authority.trusting()) as client:
        socket = client.open_websocket("/echo")
        client.wire.send(frame(WINDOW_UPDATE, 0, 0, bytes(4)))
        while client.read():
            pass
        assert client.goaway == PROTOCOL_ERROR
        record = bare.closed(socket.stream.value("cf-ray"))
        assert (record.closed_by, record.why, record.detail) == ("edge", "protocol_error", "client")


TIRESOME = {
    "empty data": chain(
        [frame(HEADERS, END_HEADERS, 1, head("/no-answer", "POST"))], repeat(frame(DATA, 0, 1) * 100, 2000)
    ),
    "priorities": repeat(frame(PRIORITY, 0, 1, b"\x00\x00\x00\x00\x10") * 100, 2000),
    "unknown frames": repeat(frame(0x55, 0xFF, 7, bytes(100)) * 100, 500),
}


@pytest.mark.parametrize("parts", TIRESOME.values(), ids=TIRESOME)
def test_what_a_client_says_again_and_again_costs_no_memory(
    bare: Edge, authority: Authority, parts: Iterator[bytes]
) -> None:
    """A client that reads none of what it asks for is not read in turn."""
    before = bare.anonymous_bytes()
    with raw(bare, authority) as client:
        client.sock.settimeout(1)
        client.send(OPENING)
        push(client, parts)
        assert bare.anonymous_bytes() - before < MOST_BYTES
        serves(bare, authority)


def test_data_in_the_smallest_frames_costs_no_more_than_its_window(bare: Edge, authority: Authority) -> None:
    """Thousands of frames of a byte each, on every stream, that no origin takes."""
    before = bare.anonymous_bytes()
    with raw(bare, authority) as client:
        client.sock.settimeout(2)
        client.send(OPENING)
        streams = numbers(100)
        push(client, (frame(HEADERS, END_HEADERS, n, head("/upload-held", "POST")) for n in streams))
        push(client, (frame(DATA, 0, n, b"x") * 500 for _ in range(8) for n in streams))
        assert bare.anonymous_bytes() - before < MOST_BYTES
        serves(bare, authority)


WRONG = {
    "data behind the end of its stream": (
        frame(HEADERS, END_HEADERS | END_STREAM, 1, head("/no-answer")) + frame(DATA, 0, 1, b"more"),
        (STREAM_CLOSED, PROTOCOL_ERROR),
    ),
    "data without a head": (frame(DATA, 0, 1, b"data"), (PROTOCOL_ERROR,)),
    "a stream of the server's": (frame(HEADERS, END_HEADERS, 2, head("/")), (PROTOCOL_ERROR,)),
    "a stream that is older than the last": (
        frame(HEADERS, END_HEADERS | END_STREAM, 5, head("/")) + frame(HEADERS, END_HEADERS | END_STREAM, 3, head("/")),
        (PROTOCOL_ERROR, STREAM_CLOSED),
    ),
    "a window beyond all": (frame(WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff"), (FLOW_CONTROL_ERROR,)),
    "a window that opens by nothing": (frame(WINDOW_UPDATE, 0, 0, bytes(4)), (PROTOCOL_ERROR,)),
    "a frame that is too large": (frame(DATA, 0, 1, bytes(20_000)), (6,)),
    "a push": (frame(PUSH_PROMISE, END_HEADERS, 1, bytes(4) + head("/")), (PROTOCOL_ERROR,)),
    "a block that is no block": (frame(HEADERS, END_HEADERS, 1, b"\xff" * 50), (9, PROTOCOL_ERROR)),
}


@pytest.mark.parametrize(("frames", "codes"), WRONG.values(), ids=WRONG)
def test_what_breaks_the_protocol_ends_the_connection(
    bare: Edge, authority: Authority, frames: bytes, codes: tuple[int, ...]
) -> None:
    with raw(bare, authority) as client:
        client.send(OPENING + frames)
        assert goaway_of(client) in codes
    serves(bare, authority)


def test_a_preface_that_is_none_ends_the_connection(bare: Edge, authority: Authority) -> None:
    with raw(bare, authority) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: example.test\r\n\r\n" + bytes(100))
        goaway_of(client)
        assert not client.read_some()
    serves(bare, authority)


def test_a_window_of_nothing_holds_an_answer_and_nothing_else(bare: Edge, authority: Authority) -> None:
    """SETTINGS_INITIAL_WINDOW_SIZE 0, and a large answer to each of a hundred streams."""
    before = bare.anonymous_bytes()
    with raw(bare, authority) as client:
        client.send(PREFACE + frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0)))
        for number in numbers(100):
            client.send(frame(HEADERS, END_HEADERS | END_STREAM, number, head("/length?bytes=100000000")))
        for _ in range(5):
            serves(bare, authority)
        assert bare.anonymous_bytes() - before < MOST_BYTES


frames = st.builds(
    frame,
    st.integers(0, 12),
    st.integers(0, 255),
    st.sampled_from([0, 1, 1, 1, 3, 3, 5, 2, 0x7FFFFFFF]),
    st.one_of(
        st.binary(max_size=64),
        st.sampled_from([head("/echo"), head("/no-answer", "POST"), bytes(4), bytes(8), b"\x00\x00\x00\x08"]),
        st.sampled_from(["/echo", "/stall"]).map(
            lambda path: head(path, "CONNECT", (":protocol", "websocket"), ("sec-websocket-version", "13"))
        ),
    ),
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(frames, max_size=12), st.binary(max_size=20))
def test_no_sequence_of_frames_does_harm(bare: Edge, authority: Authority, sent: list[bytes], rest: bytes) -> None:
    with raw(bare, authority) as client:
        push(client, iter([OPENING, *sent, rest]))
    serves(bare, authority)
