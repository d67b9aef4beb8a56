"""Traces as a row has them. What becomes of them is told by the tests of the ledger."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.store.objects.errors import StorageError
from holdfast.workers.durable.traces import packed, unpacked

EVENTS = st.lists(
    st.tuples(st.integers(0, 2**64 - 1) | st.integers(1, 3), st.integers(0, 2**32 - 1) | st.integers(0, 9))
)


@given(EVENTS)
def test_what_is_packed_is_found_again_in_its_order(events: list[tuple[int, int]]) -> None:
    assert list(unpacked(packed(events))) == events


def test_a_run_of_events_of_one_socket_takes_no_more_than_one() -> None:
    run = [(7, seq % 2**32) for seq in range(2**32 - 500, 2**32 + 500)]
    assert len(packed(run)) <= 20
    assert list(unpacked(packed(run))) == run


@pytest.mark.parametrize(
    "blob",
    [
        b"\xff",
        b"",
        msgspec.msgpack.encode(["x", 1, 2]),
        msgspec.msgpack.encode([1, 2]),
        msgspec.msgpack.encode([1, 2, 2**40]),
        msgspec.msgpack.encode([1, 2, -1]),
    ],
)
def test_what_are_no_traces_is_refused(blob: bytes) -> None:
    with pytest.raises(StorageError, match="expected the traces of events"):
        list(unpacked(blob))
