"""Signals to a program that has a terminal to itself: it ends or stops, and leaves the terminal as it was."""

import io
import os
import pty
import signal
import termios
import tty
from collections.abc import Iterator
from typing import Any

import pytest

from holdfast.client.terminal_signals import ENTER, LEAVE, descriptor_of, terminal_signals

NUMBERS = (signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[dict[int, Any]]:
    """Those of before, which are there again after each test."""
    before: dict[int, Any] = {number: signal.getsignal(number) for number in NUMBERS}
    yield before
    after = {number: signal.getsignal(number) for number in NUMBERS}
    for number, handler in before.items():
        signal.signal(number, handler)
    assert after == before


@pytest.fixture
def terminal() -> Iterator[tuple[int, io.TextIOWrapper]]:
    """The far end of a terminal, and the terminal."""
    far, near = pty.openpty()
    with os.fdopen(near, "w") as source:
        yield far, source
    os.close(far)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_ends_is_an_exception_and_those_after_it_are_not(number: int) -> None:
    cleaned = []

    def meet() -> None:
        with terminal_signals(None, io.StringIO()):
            try:
                signal.raise_signal(number)
            finally:
                signal.raise_signal(signal.SIGTERM)
                signal.raise_signal(signal.SIGHUP)
                cleaned.append(True)

    with pytest.raises(SystemExit) as ended:
        meet()
    assert ended.value.code == 128 + number
    assert cleaned == [True]


def test_who_is_stopped_gives_the_terminal_back_and_takes_it_again(
    terminal: tuple[int, io.TextIOWrapper], monkeypatch: pytest.MonkeyPatch
) -> None:
    far, source = terminal
    before = termios.tcgetattr(source)
    seen: list[tuple[bytes, bool, Any]] = []

    def stopped(process: int, number: int) -> None:
        assert (process, number) == (os.getpid(), signal.SIGTSTP)
        is_as_before = termios.tcgetattr(source) == before
        seen.append((os.read(far, 1024), is_as_before, signal.getsignal(signal.SIGTSTP)))

    monkeypatch.setattr("os.kill", stopped)
    with terminal_signals(source, source) as was_stopped:
        tty.setcbreak(source)
        changed = termios.tcgetattr(source)
        assert not was_stopped()
        for _ in range(2):
            signal.raise_signal(signal.SIGTSTP)
            assert os.read(far, 1024) == ENTER
            assert termios.tcgetattr(source) == changed
            assert [was_stopped(), was_stopped()] == [True, False]
        termios.tcsetattr(source, termios.TCSADRAIN, before)
    assert seen == [(LEAVE, True, signal.SIG_DFL)] * 2


def test_what_is_ignored_already_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with terminal_signals(None, io.StringIO()):
            signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_terminal_that_is_gone_disturbs_nobody(
    terminal: tuple[int, io.TextIOWrapper], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, source = terminal
    kills: list[int] = []
    monkeypatch.setattr("os.kill", lambda _, number: kills.append(number))
    with terminal_signals(source, source) as was_stopped:
        copy = os.dup(source.fileno())
        reader, writer = os.pipe()
        os.close(writer)
        # In the place of the terminal stands what takes nothing.
        os.dup2(reader, source.fileno())
        os.close(reader)
        signal.raise_signal(signal.SIGTSTP)
        os.dup2(copy, source.fileno())
        os.close(copy)
        assert was_stopped()
    assert kills == [signal.SIGTSTP]


@pytest.mark.parametrize("stream", [None, io.StringIO()])
def test_what_is_no_terminal_has_no_descriptor(stream: io.StringIO | None) -> None:
    assert descriptor_of(stream) is None
