"""The journal's bytes: whatever happens to them, the longest good beginning is what is read."""

import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.edge.journal_format import ServedZones, entry, replay
from holdfast.edge.link_frames import RawDelta, body_of, identity_in, raw_of
from tests.unit.edge.origins import a_document, zone_id

NAMES = ["a.test", "b.test", "c.test"]
RAW = {zone_id(name): bytes(raw_of(a_document(name))) for name in NAMES}


def served(revision: int, *names: str, source: str = "s") -> ServedZones:
    return ServedZones(source=source, revision=revision, zones={zone_id(name): RAW[zone_id(name)] for name in names})


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
    entries: list[bytes], expected: ServedZones | None, good_entries: int
) -> None:
    replayed = replay(b"".join(entries))
    assert replayed.served == expected
    assert replayed.good_bytes == sum(map(len, entries[:good_entries]))


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
