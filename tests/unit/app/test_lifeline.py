"""The lifeline: what a child says arrives apart and in order, and either end notices the other's."""

import signal
import socket
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.app import lifeline
from holdfast.app.lifeline import Failed, Lifeline, Ready, Retiring, messages_of, tell
from holdfast.app.words import Draining, Retire, Stop, Word

_LINE = st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=30)


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, childs = lifeline.pair()
    with ours, childs:
        yield ours, childs


def test_messages_arrive_apart_and_in_order(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, childs = ends
    child = Lifeline(childs)
    child.ready(["ready: a", "token: b"])
    child.retiring(12)
    child.failed("it is broken")
    assert list(messages_of(ours)) == [Ready(("ready: a", "token: b")), Retiring(12), Failed("it is broken")]
    assert list(messages_of(ours)) == []


def test_last_words_are_heard_after_the_end(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, childs = ends
    Lifeline(childs).failed("goodbye")
    childs.close()
    assert list(messages_of(ours)) == [Failed("goodbye")]
    assert list(messages_of(ours)) == []


@given(st.lists(_LINE, max_size=5), _LINE)
def test_any_lines_arrive_as_they_were_said(lines: list[str], sentence: str) -> None:
    ours, childs = lifeline.pair()
    with ours, childs:
        child = Lifeline(childs)
        child.ready(lines)
        child.failed(sentence)
        assert list(messages_of(ours)) == [Ready(tuple(lines)), Failed(sentence)]


@given(st.binary(min_size=1, max_size=200))
def test_whatever_a_child_sends_nothing_is_raised(packet: bytes) -> None:
    ours, childs = lifeline.pair()
    with ours, childs:
        childs.send(packet)
        assert all(isinstance(message, Ready | Failed | Retiring) for message in messages_of(ours))


@pytest.mark.parametrize(
    "packet", [b"retiring", b"retiring\n", b"retiring\n-1", b"retiring\n1\n2", "retiring\n²".encode()]
)
def test_a_number_of_connections_that_is_none_is_no_message(
    packet: bytes, ends: tuple[socket.socket, socket.socket]
) -> None:
    ours, childs = ends
    childs.send(packet)
    assert list(messages_of(ours)) == []


def test_words_arrive_as_they_were_said(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, childs = ends
    said: list[Word] = [Retire(why="drain", deadline_s=1.5, spread_s=0.0, order="oldest"), Draining(), Stop()]
    for word in said:
        tell(ours, word)
    child = Lifeline(childs)
    assert list(child.words()) == said
    assert list(child.words()) == []
    assert not child.is_cut


@pytest.mark.parametrize("packet", [b"x", b"[]", b'{"word":"fly"}', b'{"word":"retire"}', b'{"word":"retire","why":1}'])
def test_a_word_that_is_not_known_is_as_good_as_the_end(
    packet: bytes, ends: tuple[socket.socket, socket.socket]
) -> None:
    ours, childs = ends
    child = Lifeline(childs)
    ours.send(packet)
    assert list(child.words()) == []
    assert child.is_cut


def test_a_supervisor_does_not_wait_for_a_child_that_reads_nothing(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, _ = ends
    for _ in range(10_000):  # far more than the kernel keeps
        tell(ours, Stop())


def test_a_child_sees_that_the_supervisor_is_gone(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, childs = ends
    child = Lifeline(childs)
    was_cut = child.is_cut
    assert (list(child.words()), was_cut) == ([], False)
    tell(ours, Stop())
    ours.close()
    assert list(child.words()) == [Stop()]
    assert child.is_cut
    child.failed("nobody hears this")


@pytest.mark.parametrize("happens", [lambda ours: ours.close(), lambda ours: tell(ours, Stop())])
def test_the_kernel_tells_a_child_at_once(
    happens: Callable[[socket.socket], None], ends: tuple[socket.socket, socket.socket]
) -> None:
    ours, childs = ends
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGIO])
    try:
        Lifeline(childs).signal_when_told()
        happens(ours)
        assert signal.sigtimedwait([signal.SIGIO], 30) is not None
    finally:
        signal.sigtimedwait([signal.SIGIO], 0)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
