"""The bytes of the protocol, as an edge writes them by itself."""

import struct

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.workers.channel import records as wire
from holdfast.workers.channel.records import FromEdge, Reader, RecordError, ToEdge

RECORDS = st.lists(
    st.tuples(
        st.sampled_from([int(FromEdge.BINARY), int(FromEdge.OPENED), int(FromEdge.CLOSED), 200]),
        st.integers(0, 255),
        st.integers(0, 2**64 - 1),
        st.integers(0, 2**32 - 1),
        st.binary(max_size=300),
    ),
    max_size=20,
)


@given(sent=RECORDS, cuts=st.lists(st.integers(0, 7000), max_size=12))
def test_any_chopping_gives_the_same_records(sent: list[tuple[int, int, int, int, bytes]], cuts: list[int]) -> None:
    stream = b"".join(wire.record(kind, sid, payload, flags=flags, seq=seq) for kind, flags, sid, seq, payload in sent)
    reader, read, start = Reader(), [], 0
    for end in [*sorted(min(cut, len(stream)) for cut in cuts), len(stream)]:
        read += reader.feed(stream[start:end])
        start = end
    assert read == sent
    assert reader.pending_bytes == 0


def test_text_comes_as_text() -> None:
    stream = wire.record(FromEdge.TEXT, 7, "größer 🎈".encode(), seq=3)
    reader = Reader()
    assert [found for byte in stream for found in reader.feed(bytes([byte]))] == [(4, 0, 7, 3, "größer 🎈")]


def test_text_that_is_not_utf8_is_an_error() -> None:
    with pytest.raises(RecordError, match="UTF-8"):
        Reader().feed(wire.record(FromEdge.TEXT, 7, b"\xff"))


def test_a_record_that_is_too_long_is_refused_by_its_header() -> None:
    header = wire.HEADER.pack(wire.MAX_PAYLOAD_BYTES + 1, FromEdge.BINARY, 0, 0, 1, 1)
    with pytest.raises(RecordError, match=str(wire.MAX_PAYLOAD_BYTES)):
        Reader().feed(header)
    with pytest.raises(ValueError, match="expected at most"):
        wire.record(ToEdge.BINARY, 1, bytes(wire.MAX_PAYLOAD_BYTES + 1))


@given(data=st.binary(max_size=200))
def test_no_bytes_raise_anything_but_a_record_error(data: bytes) -> None:
    reader = Reader()
    try:
        reader.feed(data)
    except RecordError:
        return
    assert reader.pending_bytes <= len(data)


def test_a_header_is_as_the_protocol_has_it() -> None:
    assert wire.record(33, 0x0102030405060708, b"ab", flags=9, seq=5) == (
        b"\x02\0\0\0\x21\x09\0\0\x08\x07\x06\x05\x04\x03\x02\x01\x05\0\0\0ab"
    )


def test_hello_is_read_and_another_version_is_refused() -> None:
    told = {"version": 1, "edge": "0badcafe", "loop": 3, "pid": 9, "later": True}
    assert wire.edge_hello(msgspec.msgpack.encode(told)) == wire.EdgeHello(version=1, edge="0badcafe", loop=3, pid=9)
    with pytest.raises(RecordError, match="version 2; expected 1"):
        wire.edge_hello(msgspec.msgpack.encode({**told, "version": 2}))
    with pytest.raises(RecordError, match="HELLO"):
        wire.edge_hello(b"\xc1")


@pytest.mark.parametrize(
    ("read", "payload", "expected"),
    [
        (wire.closed, b"\xe8\x03\x01bye", (1000, "bye", True)),
        (wire.closed, b"\xee\x03\x00", (1006, "", False)),
        (wire.closed, b"\xe9\x03\x01transport_error: the connection to the client failed", (1006, wire.GONE, False)),
        (wire.closed, b"\xe9\x03\x01going", (1001, "going", True)),
        (wire.backlog, struct.pack("<QQ", 5, 6), (5, 6)),
        (wire.milliseconds, struct.pack("<Q", 7), 7),
        (wire.resumed, struct.pack("<QI", 8, 9) + b"state", (8, 9, b"state")),
    ],
)
def test_payloads_are_read(read: object, payload: bytes, expected: object) -> None:
    assert read(payload) == expected  # type: ignore[operator]
    with pytest.raises(RecordError):
        read(payload[:1])  # type: ignore[operator]


def test_payloads_are_written() -> None:
    assert wire.close(4000, "ü") == b"\xa0\x0f\xc3\xbc"
    assert wire.bind(1, b"s") == b"\x01\0\0\0\0\0\0\0s"
    assert wire.auto(b"ping", b"pong") == b"\x01\x04\0\0\0pingpong"
    assert wire.auto(None, b"") == b"\0\0\0\0\0"
    assert wire.many([1, 2], b"m", max_backlog_bytes=3) == b"\x02\0\0\0" + struct.pack("<QQI", 1, 2, 3) + b"m"
