"""Signals to a program that has a terminal to itself: whatever ends or stops it, the terminal is as it was before.

Law 1: SIGTERM and SIGHUP end it as an exception does, so that whoever changed something puts it back. The exit status is the
one that shells give a program which a signal has ended.
Law 2: SIGTSTP (Ctrl-Z) gives the terminal back, stops the program, and takes the terminal again when it goes on. The screen has
to be drawn anew then.
Law 3: what is written here goes past every buffer: a signal may come in the middle of a write to one.
"""

from __future__ import annotations

import os
import signal
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

# What an xterm, and whatever speaks as it does, takes for another screen without a cursor, and for the way back.
ENTER, LEAVE = b"\x1b[?1049h\x1b[?25l", b"\x1b[?25h\x1b[?1049l"
_ENDING = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def terminal_signals(drawn_on: TextIO | None, source: TextIO | None = None) -> Iterator[Callable[[], bool]]:
    """Until the block ends, these signals are minded. To be entered before anything of the terminal is changed, by the main
    thread. `drawn_on` is where another screen is shown, None where none is; `source`, by default stdin, where keys come from.

    Gives a function that says, once each time, whether the program was stopped and goes on.
    """
    mind = _Minder(descriptor_of(drawn_on), descriptor_of(source if source is not None else sys.stdin))
    before: dict[signal.Signals, Any] = {}
    for number in (*_ENDING, signal.SIGTSTP):
        # nohup, or a shell without job control: who ignores it wants it to be ignored.
        if (handler := signal.getsignal(number)) is not signal.SIG_IGN:
            before[number] = signal.SIG_DFL if handler is None else handler
            signal.signal(number, mind.stop if number == signal.SIGTSTP else mind.end)
    try:
        yield mind.take_resumption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def descriptor_of(stream: TextIO | None) -> int | None:
    """The descriptor of a terminal; None for what is none."""
    try:
        return stream.fileno() if stream is not None and stream.isatty() else None
    except (OSError, ValueError):
        return None


class _Minder:
    """What is done about signals, with a screen on `out` and keys from `source`."""

    def __init__(self, out: int | None, source: int | None) -> None:
        self._out, self._source = out, source
        self._before = self._modes()
        self._is_resumed = False

    def take_resumption(self) -> bool:
        """Whether the program goes on since the last call."""
        is_resumed, self._is_resumed = self._is_resumed, False
        return is_resumed

    def end(self, number: int, _: object) -> None:
        """Raise SystemExit; what comes after the first does not disturb those who put things back."""
        for other in _ENDING:
            signal.signal(other, signal.SIG_IGN)
        raise SystemExit(128 + number)

    def stop(self, number: int, _: object) -> None:
        """Give the terminal back, stop, and go on from here."""
        modes = self._modes()
        self._write(LEAVE)
        self._set(self._before)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        signal.signal(number, self.stop)
        self._set(modes)
        self._write(ENTER)
        self._is_resumed = True

    def _modes(self) -> list[Any] | None:
        try:
            return None if self._source is None else termios.tcgetattr(self._source)
        except termios.error:
            return None

    def _set(self, modes: list[Any] | None) -> None:
        if self._source is not None and modes is not None:
            with suppress(termios.error):
                termios.tcsetattr(self._source, termios.TCSADRAIN, modes)

    def _write(self, data: bytes) -> None:
        if self._out is not None:
            # The terminal may be gone.
            with suppress(OSError):
                os.write(self._out, data)
