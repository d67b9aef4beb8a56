"""`holdfast.model.control_link`: frames, however they are chopped, and bytes that are none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.control_link import (
    MAX_FRAME_BYTES,
    VERSION,
    Applied,
    AskReport,
    CloseConnections,
    ConnectionsClosed,
    Delta,
    FrameReader,
    FullSnapshot,
    Hello,
    LinkError,
    Message,
    Refused,
    Report,
    Resync,
    Welcome,
    frame,
)
from holdfast.model.rule_documents import AccountDocument, ListDocument, ManagedDocument
from holdfast.model.zone_document import SnapshotDocument, ZoneDocument
from holdfast.model.zone_statistics import ZoneStatistics

ZONE = ZoneDocument(id="1" * 32, name="a.com")
ACCOUNT = AccountDocument(id="a" * 32, version=1)
LIST = ListDocument(id="7" * 32, account_id="a" * 32, version=1, name="office", kind="asn", items=("64512",))
MANAGED = ManagedDocument(id="4" * 32, version=1, release="3.3.4", files={"a.conf": b"x\xff"})
EVERY_MESSAGE: list[Message] = [
    Hello(version=VERSION, edge="e", pid=1, source="s", revision=2),
    Welcome(version=VERSION),
    FullSnapshot(snapshot=SnapshotDocument(source="s", revision=1, zones=(ZONE,))),
    Delta(source="s", base=1, revision=2, zones=(ZONE,), removed=("2" * 32,)),
    Delta(source="s", base=2, revision=3, accounts=(ACCOUNT,), lists=(LIST,), managed=(MANAGED,)),
    Applied(revision=2),
    Refused(revision=2, kind="zone", id="1" * 32, reason="why"),
    Resync(revision=2),
    CloseConnections(request_id=1, zone_id="1" * 32, code=1001, reason="why"),
    ConnectionsClosed(request_id=1, count=3),
    AskReport(request_id=1),
    Report(
        request_id=1,
        revision=2,
        statistics={"requests": 1},
        zones=(ZoneStatistics("z", 1, 2, 3, 4, 5, 6, {101: 7}, {200: 8}, {"client/reset": 9}),),
        decide_buckets=((0.001, 1),),
        decide_sum_s=0.5,
        decide_count=1,
    ),
]


@given(st.lists(st.integers(1, 40), max_size=200))
def test_every_message_arrives_in_order_however_it_is_chopped(cuts: list[int]) -> None:
    data = b"".join(map(frame, EVERY_MESSAGE))
    reader = FrameReader()
    found: list[Message] = []
    for cut in cuts:
        found += reader.feed(data[:cut])
        data = data[cut:]
    found += reader.feed(data)
    assert found == EVERY_MESSAGE


@given(st.binary(max_size=300))
def test_bytes_that_are_no_frame_are_refused_or_wait(data: bytes) -> None:
    try:
        list(FrameReader().feed(data))
    except LinkError as error:
        refusal = str(error)
        assert "frame" in refusal


def test_a_frame_that_is_too_long_is_refused_before_it_is_read() -> None:
    with pytest.raises(LinkError, match=str(MAX_FRAME_BYTES + 1)):
        list(FrameReader().feed((MAX_FRAME_BYTES + 1).to_bytes(4, "big")))


def test_a_message_of_a_newer_peer_is_read_without_what_is_new() -> None:
    body = b"\x83\xa4type\xa7applied\xa8revision\x05\xa3new\x01"
    assert list(FrameReader().feed(len(body).to_bytes(4, "big") + body)) == [Applied(revision=5)]
