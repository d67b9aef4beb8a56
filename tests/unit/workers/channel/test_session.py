"""One socket over the links that come and go below it."""

from typing import Any

import pytest

from holdfast.workers.channel.records import AUTO_REPLY, HIBERNATABLE, ToEdge
from holdfast.workers.channel.session import MAX_HELD_BYTES, Session


class FakeLink:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.in_flight = self.messages_out = 0
        self.written: list[tuple[int, bytes]] = []
        self.flags: list[int] = []
        self.acknowledged: list[int] = []
        self.groups: list[int] = []
        self.gone: list[Session] = []

    def write(self, kind: int, sid: int, payload: bytes, *, flags: int = 0, seq: int = 0) -> None:
        self.written.append((kind, payload))
        self.flags.append(flags)

    def acknowledge(self, session: Session) -> None:
        self.acknowledged.append(session.acknowledged)

    def joined(self, group: int) -> None:
        self.groups.append(group)

    def left(self, session: Session) -> None:
        self.gone.append(session)


class FakeSocket:
    def __init__(self) -> None:
        self.ends: list[tuple[int, bool, int]] = []

    def ended(self, code: int, reason: str, *, was_clean: bool, seq: int) -> None:
        self.ends.append((code, was_clean, seq))


@pytest.fixture
def link() -> Any:
    return FakeLink()


def test_what_is_sent_is_written_and_counted_until_the_edge_has_taken_it(link: Any) -> None:
    session = Session(7, link)
    session.send("größer")
    session.send(b"\0")
    assert link.written == [(ToEdge.TEXT, "größer".encode()), (ToEdge.BINARY, b"\0")]
    assert session.buffered_bytes == 9
    session.taken_bytes, session.unwritten_bytes = 9, 4
    assert session.buffered_bytes == 4


def test_a_session_is_bound_with_what_it_is(link: Any) -> None:
    session = Session(7, link)
    session.bind(5, b"state", is_hibernatable=True)
    assert (link.written[0][0], link.flags[0], link.groups) == (ToEdge.BIND, HIBERNATABLE | AUTO_REPLY, [5])


def test_acknowledgements_never_go_back(link: Any) -> None:
    session = Session(7, link)
    for seq in (3, 2, 3, 5):
        session.ack(seq)
    assert link.acknowledged == [3, 5]


def test_a_closed_session_is_over_when_its_end_is_acknowledged(link: Any) -> None:
    session = Session(7, link)
    session.last_seq = 2
    session.ack(1)
    assert link.gone == []
    session.ack(2)
    assert session.is_over
    assert link.gone == [session]
    session.send("too late")
    assert link.written == []


@pytest.mark.parametrize(("acknowledged_before", "expected"), [(2, [2, 3]), (1, [1, 3])])
def test_a_skipped_event_is_acknowledged_with_those_before_it(
    link: Any, acknowledged_before: int, expected: list[int]
) -> None:
    session = Session(7, link)
    session.ack(acknowledged_before)
    session.skip(3)
    if acknowledged_before == 1:
        session.ack(2)
    assert link.acknowledged == expected


def test_what_is_sent_without_a_link_goes_out_by_the_next_one(link: Any) -> None:
    session = Session(7, link)
    session.send("before")
    session.link = None
    session.send("meanwhile")
    session.keep(b"state")
    session.received = 4
    session.ack(4)
    other: Any = FakeLink()
    session.resume(other, next_seq=3, taken_bytes=6)
    assert other.written == [(ToEdge.TEXT, b"meanwhile"), (ToEdge.STATE, b"state")]
    assert other.acknowledged == [4]
    assert session.buffered_bytes == 9


def test_what_an_edge_takes_for_done_with_is(link: Any) -> None:
    session = Session(7, None)
    session.resume(link, next_seq=9, taken_bytes=0)
    assert (session.received, session.acknowledged, link.in_flight) == (8, 8, 0)


def test_a_session_that_is_sent_too_much_without_a_link_ends(link: Any) -> None:
    session, socket = Session(7, link), FakeSocket()
    session.socket = socket  # type: ignore[assignment]
    session.link = None
    session.send(bytes(MAX_HELD_BYTES))
    assert socket.ends == []
    session.send(b"1")
    assert session.is_over
    assert socket.ends == [(1006, False, 0)]


@pytest.mark.parametrize(
    ("received", "comes_as", "number"),
    [(0, 1, 1), (5, 3, 3), (2**32 - 1, 0, 2**32), (2**32 + 7, 9, 2**32 + 9), (2**32 + 7, 5, 2**32 + 5)],
)
def test_numbers_of_events_wrap_at_32_bits(received: int, comes_as: int, number: int) -> None:
    assert Session(7, None, received=received).number(comes_as) == number


def test_an_aborted_session_is_told_once(link: Any) -> None:
    session = Session(7, link)
    session.abort(1011, "reset")
    session.abort(1011, "reset")
    assert link.written == [(ToEdge.ABORT, b"\xf3\x03reset")]
