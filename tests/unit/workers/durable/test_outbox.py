"""What waits for a commit, as it is written down, and which of it an edge has taken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.workers.channel.records import ToEdge
from holdfast.workers.channel.session import Session
from holdfast.workers.durable.outbox import PIECE_BYTES, Entry, Outbox, entries_in, was_taken, wire_number

A, B = 7, 8


@pytest.fixture
def outbox() -> Outbox:
    made = Outbox()
    made.begin(10_000_000)
    return made


def test_what_an_output_says_beside_its_message_is_found_again(outbox: Outbox) -> None:
    outbox.add(ToEdge.CLOSE, [A], "gone", code=4000)
    outbox.add(ToEdge.MANY, [A, B], b"all", drop=True, max_backlog_bytes=9)
    assert entries_in((1, 2, bytes(piece)) for piece in outbox.taken()) == [
        Entry(number=1, kind=ToEdge.CLOSE, sids=[A], data="gone", code=4000),
        Entry(number=2, kind=ToEdge.MANY, sids=[A, B], data=b"all", is_dropping=True, max_backlog_bytes=9),
    ]
    assert outbox.taken() == []


def test_much_is_in_pieces_and_put_together_again(outbox: Outbox) -> None:
    outbox.add(ToEdge.TEXT, [A], "x" * (2 * PIECE_BYTES))
    pieces = outbox.taken()
    assert [len(piece) for piece in pieces[:-1]] == [PIECE_BYTES, PIECE_BYTES]
    outbox.add(ToEdge.TEXT, [A], "next")
    rows = [(1, 1, bytes(piece)) for piece in pieces] + [(1, 2, bytes(piece)) for piece in outbox.taken()]
    assert [len(entry.data) for entry in entries_in(rows)] == [2 * PIECE_BYTES, 4]


def test_what_there_is_no_room_for_has_no_number() -> None:
    outbox = Outbox()
    outbox.begin(1_000)
    assert outbox.add(ToEdge.TEXT, [A], "x" * 900) == wire_number(1)
    assert outbox.add(ToEdge.TEXT, [A], "") == wire_number(2)
    assert outbox.add(ToEdge.MANY, [A, B], "y" * 100) == 0
    outbox.begin(1_000)
    # Not characters, bytes.
    assert outbox.add(ToEdge.TEXT, [A], "語" * 400) == 0


def test_events_that_are_done_with_are_told_once_up_to_the_last(outbox: Outbox) -> None:
    first, second = Session(A, None), Session(B, None)
    for session, seq in ((first, 1), (second, 5), (first, 2)):
        outbox.done_with(session, seq)
    assert dict(outbox.done()) == {first: 2, second: 5}
    assert list(outbox.done()) == []


@given(st.integers(1, 2**40), st.integers(0, 5_000), st.integers(0, 5_000))
def test_an_edge_that_has_a_number_has_all_up_to_it(newest: int, behind: int, before: int) -> None:
    number, taken = max(newest - behind, 1), max(newest - before, 1)
    assert was_taken(number, newest=newest, last=wire_number(taken)) == (number <= taken)
    assert not was_taken(number, newest=newest, last=0)


def test_a_number_on_the_channel_is_never_none() -> None:
    assert all(0 < wire_number(number) < 2**32 for number in (1, 2**32 - 2, 2**32 - 1, 2**32, 2**64))
