"""What a role has around it: whom it tells, and what ends it."""

import signal
import socket
import threading
from collections.abc import Iterator

import pytest

from holdfast.app import lifeline
from holdfast.app.lifeline import Lifeline, Prepared, Ready, Retiring, messages_of
from holdfast.app.surroundings import Surroundings
from holdfast.app.words import Draining, Retire, Stop

RETIRE = Retire(why="release", deadline_s=1.0, spread_s=2.0, order="idlest")


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGIO)
    mask, handlers = signal.pthread_sigmask(signal.SIG_BLOCK, ()), {n: signal.getsignal(n) for n in numbers}
    yield
    while signal.sigtimedwait(numbers, 0):
        pass
    for number, handler in handlers.items():
        signal.signal(number, handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


@pytest.fixture
def supervised() -> Iterator[tuple[socket.socket, Surroundings]]:
    ours, childs = lifeline.pair()
    with ours, childs:
        yield ours, Surroundings("holdfast run", Lifeline(childs))


def send(number: signal.Signals) -> None:
    signal.pthread_kill(threading.get_ident(), number)


def test_alone_a_role_prints_its_lines(capsys: pytest.CaptureFixture[str]) -> None:
    Surroundings("holdfast edge").ready(["ready: a"])
    assert capsys.readouterr().out == "ready: a\n"


def test_supervised_it_tells_its_supervisor(supervised: tuple[socket.socket, Surroundings]) -> None:
    ours, around = supervised
    around.ready(["ready: a"])
    assert list(messages_of(ours)) == [Ready(("ready: a",))]


@pytest.mark.parametrize("is_successor", [False, True])
def test_only_who_has_a_predecessor_says_that_it_waits_for_its_end(is_successor: bool) -> None:
    ours, childs = lifeline.pair()
    with ours, childs:
        Surroundings("holdfast run", Lifeline(childs), is_successor=is_successor).prepared()
        assert list(messages_of(ours)) == [Prepared()] * is_successor


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_alone_either_signal_ends_it(number: signal.Signals) -> None:
    around = Surroundings("holdfast edge")
    around.hold_signals()
    assert around.told(limit_s=0) is None
    send(number)
    assert around.told(limit_s=30) == Stop()
    assert not around.is_abandoned()


def test_supervised_no_signal_does_anything_and_the_supervisors_end_does(
    supervised: tuple[socket.socket, Surroundings],
) -> None:
    ours, around = supervised
    around.hold_signals()
    for number in (signal.SIGINT, signal.SIGTERM):
        send(number)
        assert around.told(limit_s=0) is None
    ours.close()
    assert around.told(limit_s=30) == Stop()
    assert around.is_abandoned()


def test_supervised_a_word_is_heard_at_once_and_the_latest_counts(
    supervised: tuple[socket.socket, Surroundings],
) -> None:
    ours, around = supervised
    around.hold_signals()
    lifeline.tell(ours, Draining())
    assert around.told(limit_s=30) == Draining()
    lifeline.tell(ours, RETIRE)
    lifeline.tell(ours, Draining())
    assert around.told(limit_s=30) == Draining()
    lifeline.tell(ours, Stop())
    lifeline.tell(ours, RETIRE)
    assert around.told(limit_s=30) == Stop()
    assert not around.is_abandoned()


def test_what_retires_says_how_many_connections_it_keeps(supervised: tuple[socket.socket, Surroundings]) -> None:
    ours, around = supervised
    around.retiring(3)
    assert list(messages_of(ours)) == [Retiring(3)]
    Surroundings("holdfast edge").retiring(3)
