"""The journal's bytes: whatever happens to them, the longest good beginning is what is read."""

import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.edge.journal_format import Served, entry, replay
from holdfast.edge.link_frames import RawDelta, RawFull, RawSnapshot, body_of, identity_in, raw_of
from holdfast.model.rule_documents import AccountDocument, ListDocument, ManagedDocument
from holdfast.model.zone_document import KINDS, Document, Kind
from tests.unit.edge.origins import a_document, zone_id

NAMES = ["a.test", "b.test", "c.test"]
RAW = {zone_id(name): bytes(raw_of(a_document(name))) for name in NAMES}


def served(revision: int, *names: str, source: str = "s") -> Served:
    return Served(source=source, revision=revision, zones={zone_id(name): RAW[zone_id(name)] for name in names})


def full(revision: int, *names: str, source: str = "s") -> bytes:
    return entry(served(revision, *names, source=source).full_body())


def delta(base: int, revision: int, *names: str, removed: tuple[str, ...] = (), source: str = "s") -> bytes:
    zones = tuple(msgspec.Raw(RAW[zone_id(name)]) for name in names)
    gone = tuple(map(zone_id, removed))
    return entry(body_of(RawDelta(source=source, base=base, revision=revision, zones=zones, removed=gone)))


@pytest.mark.parametrize(
    ("entries", "expected", "good_entries"),
    [
        ([], None, 0),
        ([full(5, "a.test")], served(5, "a.test"), 1),
        ([full(0)], served(0), 1),
        ([full(5, "a.test"), delta(5, 6, "b.test")], served(6, "a.test", "b.test"), 2),
        ([full(5, "a.test"), delta(5, 9, removed=("a.test",))], served(9), 2),
        ([full(5, "a.test"), delta(5, 6, "a.test", removed=("a.test",))], served(6, "a.test"), 2),
        ([full(5, "a.test"), full(2, "b.test", source="t")], served(2, "b.test", source="t"), 2),
        # What is there already, from a second writer, is no harm.
        ([full(6, "a.test"), delta(5, 6, "b.test"), delta(6, 7, "c.test")], served(7, "a.test", "c.test"), 3),
        # What is on something else is not followed, nor what comes after it.
        ([full(5, "a.test"), delta(6, 7, "b.test"), delta(5, 6, "c.test")], served(5, "a.test"), 1),
        ([full(5, "a.test"), delta(5, 6, "b.test", source="t")], served(5, "a.test"), 1),
        ([delta(0, 1, "a.test"), full(1, "a.test")], None, 0),
        ([full(5, "a.test"), entry(b"\x00")], served(5, "a.test"), 1),
    ],
)
def test_entries_are_followed_as_far_as_they_fit(
    entries: list[bytes], expected: Served | None, good_entries: int
) -> None:
    replayed = replay(b"".join(entries))
    assert replayed.served == expected
    assert replayed.good_bytes == sum(map(len, entries[:good_entries]))


OTHERS: dict[Kind, Document] = {
    "account": AccountDocument(id="a" * 32, version=1),
    "list": ListDocument(id="7" * 32, account_id="a" * 32, version=1, name="office", kind="asn", items=("1", "2")),
    "managed": ManagedDocument(id="4" * 32, version=1, release="3.3.4", files={"a.conf": b"x\xff"}),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_documents_of_every_kind_are_followed(kind: Kind) -> None:
    document = OTHERS[kind]
    raw, name = raw_of(document), KINDS[kind]
    first = RawFull(snapshot=RawSnapshot(source="s", revision=1))
    added = msgspec.structs.replace(RawDelta(source="s", base=1, revision=2), **{name: (raw,)})
    gone = RawDelta(source="s", base=2, revision=3, removed=(document.id,))
    entries = [entry(body_of(change)) for change in (first, added, gone)]
    states = [replay(b"".join(entries[:count])).served for count in (1, 2, 3)]
    assert [state and state.of(kind) for state in states] == [{}, {document.id: bytes(raw)}, {}]
    with_it = states[1]
    assert with_it is not None
    assert replay(entry(with_it.full_body())).served == with_it


def test_a_journal_of_an_edge_that_knew_zones_only_is_read() -> None:
    body = msgspec.msgpack.encode(
        {"type": "full", "snapshot": {"source": "s", "revision": 5, "zones": [msgspec.Raw(RAW[zone_id("a.test")])]}}
    )
    assert replay(entry(body)).served == served(5, "a.test")


ENTRIES = [full(1, "a.test"), delta(1, 2, "b.test"), delta(2, 3, removed=("a.test",)), delta(3, 4, "c.test", "a.test")]
JOURNAL = b"".join(ENTRIES)
ENDS = list(itertools.accumulate(map(len, ENTRIES), initial=0))
STATES = [replay(JOURNAL[:end]).served for end in ENDS]


@given(st.integers(0, len(JOURNAL)))
def test_a_torn_tail_costs_what_was_torn_and_no_more(length: int) -> None:
    whole = sum(end <= length for end in ENDS) - 1
    replayed = replay(JOURNAL[:length])
    assert (replayed.served, replayed.good_bytes) == (STATES[whole], ENDS[whole])


@given(st.integers(0, len(JOURNAL) - 1), st.integers(1, 255))
def test_a_byte_that_rots_costs_its_entry_and_what_follows(at: int, change: int) -> None:
    rotten = bytearray(JOURNAL)
    rotten[at] ^= change
    before = sum(end <= at for end in ENDS) - 1
    replayed = replay(bytes(rotten))
    assert (replayed.served, replayed.good_bytes) == (STATES[before], ENDS[before])


@given(st.binary(max_size=200))
def test_no_bytes_raise(junk: bytes) -> None:
    assert replay(junk).good_bytes <= len(junk)
    assert replay(ENTRIES[0] + junk).served is not None


def test_what_is_written_is_what_is_read_of_each_zone() -> None:
    replayed = replay(full(1, *NAMES)).served
    assert replayed is not None
    assert replayed.zones == RAW
    assert all(identity_in(raw)[0] == ident for ident, raw in replayed.zones.items())
