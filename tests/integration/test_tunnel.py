"""An open WebSocket: how it ends, in every way either side can end it, and what its record says (RFC 6455 §5, §7)."""

import re
import statistics
from datetime import datetime, timedelta

import pytest

from tests.integration import wire
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

MIXED = [
    Frame(TEXT, b"hello"),
    Frame(TEXT, b"frag", fin=False),
    Frame(PING, b"between the fragments"),
    Frame(CONTINUATION, b"men", fin=False),
    Frame(CONTINUATION, b"ted"),
    Frame(BINARY, bytes(70_000)),
    Frame(BINARY, b""),
]


def test_everything_comes_back_and_the_record_counts_it(edge: Edge, origin: Origin, token: str) -> None:
    sent = [frame.from_client() for frame in [*MIXED, close(1000, "bye")]]
    back = [Frame(PONG, f.payload) if f.opcode == PING else f for f in [*MIXED, close(1000, "bye")]]
    with wire.websocket(edge.plain, f"/echo?{token}", first=b"") as (client, answer):
        client.send(b"".join(frame.encode() for frame in sent))
        assert [client.read_frame() for _ in back] == back
        assert client.read_to_end() == b""
        host, port = client.sock.getsockname()
    record = edge.closed(answer.ray)
    assert record.host == "example.test"
    assert record.path == "/echo"
    assert record.client == f"{host}:{port}"
    assert str(origin.port) in record.origin
    assert record.to_origin.bytes == sum(len(frame.encode()) for frame in sent)
    assert record.to_client.bytes == sum(len(frame.encode()) for frame in back)
    assert (record.to_origin.text_messages, record.to_origin.binary_messages) == (2, 2)
    assert (record.to_client.text_messages, record.to_client.binary_messages) == (2, 2)
    assert (record.to_origin.pings, record.to_origin.pongs, record.to_origin.closes) == (1, 0, 1)
    assert (record.to_client.pings, record.to_client.pongs, record.to_client.closes) == (0, 1, 1)
    assert (record.client_close_code, record.client_close_reason) == (1000, "bye")
    assert (record.origin_close_code, record.origin_close_reason) == (1000, "bye")
    assert (record.closed_by, record.why) == ("client", "close_frame")
    assert (record.to_origin.text_bytes, record.to_origin.binary_bytes) == (len(b"hellofragmented"), 70_000)


def test_start_end_and_duration_agree(edge: Edge) -> None:
    apart_ms = []
    for _ in range(9):
        with wire.websocket(edge.plain, "/echo") as (client, answer):
            client.send_frame(close(1000))
            client.read_close()
        record = edge.closed(answer.ray)
        start, end = (datetime.fromisoformat(moment) for moment in (record.start, record.end))
        assert start.utcoffset() == end.utcoffset() == timedelta(0)
        apart_ms.append(abs((end - start) / timedelta(milliseconds=1) - record.duration_ms))
        assert re.fullmatch(r"[0-9a-f]{16}-[A-Z]{3}", record.ray_id)
    # They are of two clocks. On a busy machine an edge may stand still between two looks, but not each time.
    assert statistics.median(apart_ms) <= 2


def test_there_is_one_record_for_one_connection(edge: Edge) -> None:
    rays = []
    for _ in range(5):
        with wire.websocket(edge.plain, "/close/1000") as (client, answer):
            client.send_frame(client.read_close())
            client.read_to_end()
        rays.append(answer.ray)
    for ray in rays:
        edge.closed(ray)
    assert len(set(rays)) == 5
    assert all(sum(ray in line for line in edge.log_lines) == 1 for ray in rays)


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1008, 1011, 1013, 3000, 4999])
def test_a_close_of_the_origin_reaches_the_client_with_code_and_reason(edge: Edge, code: int) -> None:
    reason = "because ünïcode"
    with wire.websocket(edge.plain, f"/close/{code}?reason=because+%C3%BCn%C3%AFcode") as (client, answer):
        frame = client.read_close()
        assert (frame.close_code, frame.close_reason) == (code, reason)
        client.send_frame(close(code))
        assert client.read_to_end() == b""
    record = edge.closed(answer.ray)
    assert (record.origin_close_code, record.origin_close_reason) == (code, reason)
    assert (record.client_close_code, record.client_close_reason) == (code, "")
    assert record.closed_by == "origin"


@pytest.mark.parametrize("code", [1000, 1001, 3000, 4999])
def test_a_close_of_the_client_reaches_the_origin_with_code_and_reason(
    edge: Edge, origin: Origin, code: int, token: str
) -> None:
    frame = close(code, "r" * 123).from_client()
    with wire.websocket(edge.plain, f"/echo?{token}") as (client, answer):
        client.send(frame.encode())
        assert client.read_close() == close(code, "r" * 123)
        assert client.read_to_end() == b""
    assert origin.find(token).after_head == frame.encode()
    record = edge.closed(answer.ray)
    assert (record.client_close_code, record.client_close_reason) == (code, "r" * 123)
    assert record.closed_by == "client"


def test_a_close_without_a_code_stays_without_one(edge: Edge) -> None:
    with wire.websocket(edge.plain, "/echo") as (client, answer):
        client.send_frame(Frame(CLOSE))
        assert client.read_frame() == Frame(CLOSE)
        assert client.read_to_end() == b""
    # RFC 6455 §7.1.5: a Close without a code is 1005, which is never on the wire.
    record = edge.closed(answer.ray)
    assert (record.client_close_code, record.why) == (None, "close_frame")


def test_a_fin_of_the_origin_after_a_whole_message_gives_the_client_a_close(edge: Edge) -> None:
    with wire.websocket(edge.plain, "/fin-after") as (client, answer):
        assert client.read_message() == b"last words"
        assert client.read_close() == ORIGIN_ENDED
        assert client.read_to_end() == b""
    record = edge.closed(answer.ray)
    assert (record.origin_close_code, record.edge_close_code) == (None, 1014)
    assert record.edge_close_reason == ORIGIN_ENDED.close_reason
    assert (record.closed_by, record.why) == ("origin", "end_of_stream")
    assert (record.connection_close_reason, record.connection_close_source) == ("peerNoError", "upstream")


def test_half_a_frame_of_the_origin_is_passed_on_and_not_completed(edge: Edge) -> None:
    with wire.websocket(edge.plain, "/half-frame") as (client, answer):
        assert client.read_to_end() == Frame(BINARY, bytes(100)).encode()[:12]
    record = edge.closed(answer.ray)
    assert record.closed_by == "origin"
    assert record.to_client.bytes == 12


def test_a_reset_of_the_origin_ends_the_client_and_is_recorded(edge: Edge) -> None:
    with wire.websocket(edge.plain, "/reset") as (client, answer):
        client.send_frame(Frame(TEXT, b"x"))
        assert client.read_close().close_code == 1014
        assert client.read_to_end() == b""
    record = edge.closed(answer.ray)
    assert (record.closed_by, record.why, record.detail) == ("origin", "transport_error", "connection reset")
    assert (record.connection_close_reason, record.connection_close_source) == ("upstreamReset", "upstream")


def test_a_reset_of_the_client_ends_the_origin_and_is_recorded(edge: Edge, origin: Origin, token: str) -> None:
    with wire.websocket(edge.plain, f"/echo?{token}") as (client, answer):
        client.send_frame(Frame(TEXT, b"x"))
        client.read_message()
        client.reset()
    origin.find(token).until(lambda seen: seen.ended, what="the end of the connection")
    record = edge.closed(answer.ray)
    assert record.closed_by == "client"
    assert record.why == "transport_error"


def test_a_client_that_ends_without_a_close_is_recorded_so(edge: Edge, origin: Origin, token: str) -> None:
    with wire.websocket(edge.plain, f"/echo?{token}") as (client, answer):
        client.send_frame(Frame(TEXT, b"x"))
        client.read_message()
    origin.find(token).until(lambda seen: seen.ended, what="the end of the connection")
    record = edge.closed(answer.ray)
    assert record.client_close_code is None
    assert (record.closed_by, record.why) == ("client", "end_of_stream")


def test_the_client_may_end_its_direction_and_still_read(edge: Edge) -> None:
    message = Frame(BINARY, bytes(200_000)).from_client().encode()
    with wire.websocket(edge.plain, "/after-eof") as (client, _):
        client.send(message)
        client.end()
        assert client.read_message() == b"%d" % (len(message) + CLIENT_ENDED_BYTES)
        assert client.read_close().close_code == 1000


def test_the_origin_may_end_its_direction_and_still_read(edge: Edge, origin: Origin, token: str) -> None:
    with wire.websocket(edge.plain, f"/half-close?{token}") as (client, _):
        assert client.read_message() == b"nothing more from here"
        assert client.read_close() == ORIGIN_ENDED
        assert not client.read_some()  # the origin's FIN has come through
        frames = b"".join(Frame(BINARY, bytes(50_000)).from_client().encode() for _ in range(10))
        client.send(frames)
        client.end()
        seen = origin.find(token)
        seen.until(lambda seen: seen.ended == "eof", what="the client's FIN")
        assert seen.after_head[: len(frames)] == frames
        (last,) = FrameReader().feed(seen.after_head[len(frames) :])
        assert last.payload == CLIENT_ENDED.payload


def test_frames_after_a_close_do_not_hang_the_tunnel(edge: Edge, origin: Origin, token: str) -> None:
    # RFC 6455 §5.5.1: no data frames may follow a Close; a client that does so must not keep the connection for ever.
    with wire.websocket(edge.plain, f"/echo?{token}") as (client, answer):
        client.send(close(1000).from_client().encode() + Frame(TEXT, b"too late").from_client().encode())
        assert client.read_close().close_code == 1000
        client.read_to_end()
    edge.closed(answer.ray)


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(Frame(TEXT, b"", rsv=0).encode()[:1] + b"\xff" + b"\xff" * 8, id="a length over 2^63"),
        pytest.param(b"\x89\xfe\x00\x7e" + bytes(4), id="a ping of 126 bytes"),
        pytest.param(b"\x09\x80" + bytes(4), id="a fragmented ping"),
        pytest.param(b"\x81\x05hello", id="an unmasked frame from a client"),
        pytest.param(b"\x83\x80" + bytes(4), id="a reserved opcode"),
        pytest.param(b"\x8b\x80" + bytes(4), id="a reserved control opcode"),
        pytest.param(b"\x80\x80" + bytes(4), id="a continuation of nothing"),
        pytest.param(b"\x01\x80" + bytes(4) + b"\x81\x80" + bytes(4), id="a new message inside a fragmented one"),
        pytest.param(b"\x88\x81" + bytes(4) + b"\x03", id="a Close of one byte"),
        pytest.param(b"\x82\xfe\x00\x05" + bytes(9), id="a length not in its shortest form"),
    ],
)
def test_frames_against_the_protocol_end_the_connection_or_reach_the_origin_as_they_are(
    edge: Edge, origin: Origin, token: str, head: bytes
) -> None:
    """The edge may judge framing (1002) or leave it to the origin, but it must neither repair nor hang nor crash."""
    with wire.websocket(edge.plain, f"/stall?{token}") as (client, answer):
        client.send(head)
        client.end()
        seen = origin.find(token)
        seen.release()
        seen.until(lambda seen: seen.ended, what="the end")
        sent_on = seen.after_head
        reply = client.read_to_end()
        if reply:
            assert reply[0] == 0x88
            assert int.from_bytes(reply[2:4], "big") in {1002, 1009, 1014}
        # Behind a frame that was whole comes the Close for whoever is left.
        said = sent_on.removeprefix(head)
        assert head.startswith(sent_on) or said.startswith(b"\x88"), sent_on
    assert edge.closed(answer.ray).why


def test_a_message_far_longer_than_any_buffer_streams_through(edge: Edge, origin: Origin, token: str) -> None:
    """100 MiB in one frame: it can only pass if the edge does not wait for its end."""
    size = 100 * 1024 * 1024
    head = Frame(BINARY, b"", mask=bytes(4)).encode()[:1] + b"\xff" + size.to_bytes(8, "big") + bytes(4)
    block = bytes(1 << 20)
    before = edge.anonymous_bytes()
    with wire.websocket(edge.plain, f"/after-eof?{token}") as (client, answer):
        client.send(head)
        for at in range(0, size, len(block)):
            client.send(block)
            if at == 20 * len(block):
                origin.find(token).until(lambda seen: seen.received_count > 15 * len(block), what="the first part")
        client.end()
        assert client.read_message() == b"%d" % (len(head) + size + CLIENT_ENDED_BYTES)
    assert edge.anonymous_bytes() - before < 8 * 1024 * 1024
    record = edge.closed(answer.ray)
    assert record.to_origin.bytes == len(head) + size
    assert record.to_origin.binary_messages == 1


def test_many_small_messages_in_one_segment_keep_their_order(edge: Edge) -> None:
    count = 20_000
    sent = b"".join(Frame(TEXT, b"%d" % n, mask=b"abcd").encode() for n in range(count))
    with wire.websocket(edge.plain, "/echo") as (client, answer):
        # The echo starts while we still send: so we send in parts that fit the kernel's buffers and read in between.
        part = len(sent) // 20
        got = 0
        for at in range(0, len(sent), part):
            client.send(sent[at : at + part])
            while got < count * (at + part) // len(sent) - count // 10:
                assert client.read_message() == b"%d" % got
                got += 1
        for n in range(got, count):
            assert client.read_message() == b"%d" % n
        client.send_frame(close(1000))
        client.read_close()
    assert edge.closed(answer.ray).to_client.text_messages == count
