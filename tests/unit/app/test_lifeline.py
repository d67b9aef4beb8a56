"""`holdfast.app.lifeline`: what goes over the socket pair, and how its end is noticed."""

import socket
from collections.abc import Iterator

import pytest

from holdfast.app.lifeline import Failed, Lifeline, Ready, messages_of, pair


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, Lifeline]]:
    ours, childs = pair()
    yield ours, Lifeline(childs)
    ours.close()
    childs.close()


def test_a_lifeline_is_not_cut_while_the_supervisor_lives(ends: tuple[socket.socket, Lifeline]) -> None:
    _, lifeline = ends
    assert not lifeline.is_cut()


def test_a_lifeline_is_cut_when_the_supervisor_is_gone(ends: tuple[socket.socket, Lifeline]) -> None:
    ours, lifeline = ends
    lifeline.ready(["never read"])
    ours.close()
    assert lifeline.is_cut()
    lifeline.failed("nobody is there to be told")


def test_what_a_child_says_arrives_in_order(ends: tuple[socket.socket, Lifeline]) -> None:
    ours, lifeline = ends
    lifeline.ready(["one", "two"])
    lifeline.failed("the end")
    assert list(messages_of(ours)) == [Ready(("one", "two")), Failed("the end")]
    assert list(messages_of(ours)) == []


@pytest.mark.parametrize("packet", [b"", b"\xff\xfe", b"hello", b"ready"])
def test_whatever_a_child_sends_is_a_message_or_nothing(packet: bytes) -> None:
    ours, childs = pair()
    with ours, childs:
        childs.send(packet)
        assert list(messages_of(ours)) in ([], [Ready(())])
