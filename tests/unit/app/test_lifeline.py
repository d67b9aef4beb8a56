"""The lifeline: what a child says arrives apart and in order, and either end notices the other's."""

import signal
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.app import lifeline
from holdfast.app.lifeline import Failed, Lifeline, Ready, messages_of

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
    child.failed("it is broken")
    assert list(messages_of(ours)) == [Ready(("ready: a", "token: b")), Failed("it is broken")]
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
        assert all(isinstance(message, Ready | Failed) for message in messages_of(ours))


def test_a_child_sees_that_the_supervisor_is_gone(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, childs = ends
    child = Lifeline(childs)
    assert not child.is_cut()
    ours.close()
    assert child.is_cut()
    child.failed("nobody hears this")


def test_the_kernel_tells_a_child_at_once(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, childs = ends
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGIO])
    try:
        Lifeline(childs).signal_when_cut()
        ours.close()
        assert signal.sigtimedwait([signal.SIGIO], 5) is not None
    finally:
        signal.sigtimedwait([signal.SIGIO], 0)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
