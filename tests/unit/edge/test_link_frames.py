"""Undecoded zones: the same messages as the protocol's, byte for byte."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.edge.link_frames import (
    RawDelta,
    RawFull,
    RawSnapshot,
    body_of,
    change_in,
    document_in,
    documents_of,
    identity_in,
    message_from_control,
    raw_of,
)
from holdfast.model.control_link import (
    AskReport,
    CloseConnections,
    Delta,
    FrameReader,
    FullSnapshot,
    Hello,
    LinkError,
    Message,
    Welcome,
    decoded,
    frame,
)
from holdfast.model.rule_documents import AccountDocument, ListDocument, ManagedDocument
from holdfast.model.zone_document import Document, Kind, SnapshotDocument, ZoneDocument
from tests.unit.edge.origins import a_document

ZONES = (a_document("a.test"), a_document("b.test", websockets="off"))
ACCOUNT = AccountDocument(id="a" * 32, version=1)
LIST = ListDocument(id="7" * 32, account_id="a" * 32, version=1, name="office", kind="asn", items=("64512",))
MANAGED = ManagedDocument(id="4" * 32, version=1, release="3.3.4", files={"a.conf": b"x\xff"})
FULL = FullSnapshot(
    snapshot=SnapshotDocument(
        source="s", revision=3, zones=ZONES, accounts=(ACCOUNT,), lists=(LIST,), managed=(MANAGED,)
    )
)
DELTA = Delta(
    source="s",
    base=3,
    revision=4,
    zones=ZONES[:1],
    accounts=(ACCOUNT,),
    lists=(LIST,),
    managed=(MANAGED,),
    removed=("x",),
)
KIND_OF: dict[Kind, Document] = {"zone": ZONES[0], "account": ACCOUNT, "list": LIST, "managed": MANAGED}
MESSAGES: tuple[Message, ...] = (
    Welcome(version=1),
    FULL,
    DELTA,
    AskReport(request_id=1),
    CloseConnections(request_id=2, zone_id="x", code=1001, reason="r"),
)


def body(message: Message) -> bytes:
    return frame(message)[4:]


def test_zones_stay_the_bytes_they_came_as() -> None:
    full = message_from_control(body(FULL))
    assert isinstance(full, RawFull)
    assert [document_in(bytes(raw), ZoneDocument) for raw in full.snapshot.zones] == list(ZONES)
    assert [bytes(raw) for raw in full.snapshot.zones] == [bytes(raw_of(zone)) for zone in ZONES]
    assert [identity_in(bytes(raw)) for raw in full.snapshot.zones] == [(zone.id, zone.name) for zone in ZONES]


def test_documents_of_every_kind_stay_the_bytes_they_came_as() -> None:
    change = change_in(body(DELTA))
    assert isinstance(change, RawDelta)
    found = [
        [document_in(bytes(raw), type(one)) for raw in documents_of(change, kind)] for kind, one in KIND_OF.items()
    ]
    assert found == [[ZONES[0]], [ACCOUNT], [LIST], [MANAGED]]
    assert identity_in(bytes(raw_of(ACCOUNT))) == (ACCOUNT.id, "")


@pytest.mark.parametrize("message", [FULL, DELTA], ids=["full", "delta"])
def test_what_is_written_here_is_read_there(message: Message) -> None:
    change = change_in(body(message))
    assert decoded(body_of(change)) == message
    if isinstance(change, RawDelta):
        assert (change.base, change.revision, change.removed) == (3, 4, ("x",))


def test_fields_of_a_newer_control_are_kept() -> None:
    newer = msgspec.msgpack.encode({"id": "1" * 32, "name": "a.test", "colour": "blue"})
    full = RawFull(snapshot=RawSnapshot(source="s", revision=3, zones=(msgspec.Raw(newer),)))
    again = change_in(body_of(full))
    assert isinstance(again, RawFull)
    assert msgspec.msgpack.decode(bytes(again.snapshot.zones[0]))["colour"] == "blue"
    assert document_in(newer, ZoneDocument).name == "a.test"


def test_a_message_of_the_other_side_is_told_from_none() -> None:
    hello = Hello(version=1, edge="e", pid=1)
    assert message_from_control(body(hello)) == hello
    with pytest.raises(LinkError, match="no message of this protocol"):
        message_from_control(b"\x00")
    with pytest.raises(LinkError, match="neither a full snapshot nor a delta"):
        change_in(body(hello))


@pytest.mark.parametrize("raw", [b"", b"\x80", msgspec.msgpack.encode({"name": "a"}), msgspec.msgpack.encode([1])])
def test_a_zone_without_an_id_is_an_error_of_the_link(raw: bytes) -> None:
    with pytest.raises(LinkError, match="document without an id"):
        identity_in(raw)
    with pytest.raises(ValueError, match="cannot be read"):
        document_in(raw, ZoneDocument)


@given(st.lists(st.sampled_from(MESSAGES), max_size=5), st.data())
def test_any_chopping_gives_the_same_bodies(messages: list[Message], data: st.DataObject) -> None:
    stream = b"".join(map(frame, messages))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    reader = FrameReader()
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert [one for piece in pieces for one in reader.bodies(piece)] == [body(message) for message in messages]


@given(st.binary(max_size=60))
def test_no_bytes_raise_anything_but_an_error_of_the_link(data: bytes) -> None:
    for read in (message_from_control, change_in, identity_in):
        try:
            read(data)
        except LinkError as error:
            assert str(error)  # noqa: PT017  either outcome is right, and the error has words
