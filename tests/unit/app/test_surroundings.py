"""What a role has around it: whom it tells, and what ends it."""

import signal
import socket
import threading
from collections.abc import Iterator

import pytest

from holdfast.app import lifeline
from holdfast.app.lifeline import Lifeline, Ready, messages_of
from holdfast.app.surroundings import Surroundings


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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_alone_either_signal_ends_it(number: signal.Signals) -> None:
    around = Surroundings("holdfast edge")
    around.hold_signals()
    assert not around.told_to_end(limit_s=0)
    send(number)
    assert around.told_to_end(limit_s=5)
    assert not around.is_abandoned()


def test_supervised_an_interrupt_does_nothing_and_the_supervisors_end_does(
    supervised: tuple[socket.socket, Surroundings],
) -> None:
    ours, around = supervised
    around.hold_signals()
    send(signal.SIGINT)
    assert not around.told_to_end(limit_s=0)
    ours.close()
    assert around.told_to_end(limit_s=5)
    assert around.is_abandoned()


def test_supervised_sigterm_ends_it_and_a_second_one_does_nothing(
    supervised: tuple[socket.socket, Surroundings],
) -> None:
    _, around = supervised
    around.hold_signals()
    send(signal.SIGTERM)
    assert around.told_to_end(limit_s=5)
    around.let_the_next_signal_kill()
    send(signal.SIGTERM)
    assert signal.SIGTERM in signal.sigpending()
