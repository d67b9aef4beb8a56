"""What a role has around it: a supervisor, or nobody. The role's own code does not care which.

Law 1: alone, a role says its lines on stdout and its failure to whoever called it; supervised, over the lifeline.
Law 2: alone, SIGTERM and SIGINT end it, and a second one meets the default disposition. Supervised, neither does anything: a
terminal and a service manager send them to all processes there are, and how and in which order they end is the
supervisor's, which says it over the lifeline.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence

from holdfast.app.announce import announce
from holdfast.app.lifeline import Lifeline
from holdfast.app.words import Stop, Word

# Sent by the kernel when something happens to the lifeline (fcntl(2), O_ASYNC).
_TOLD = signal.SIGIO
_ENDING = (signal.SIGTERM, signal.SIGINT)


class Surroundings:
    """`command` is what people typed ("holdfast run"); `lifeline` is None for a role that runs alone. `is_successor`: another
    process of this role has what only one can have, until it retires."""

    def __init__(self, command: str, lifeline: Lifeline | None = None, *, is_successor: bool = False) -> None:
        self.command = command
        self.lifeline = lifeline
        self.is_successor = is_successor

    @property
    def is_supervised(self) -> bool:
        """Whether there is a supervisor, or was one."""
        return self.lifeline is not None

    @property
    def ending_signals(self) -> tuple[signal.Signals, ...]:
        """The signals that ask this process to end."""
        return () if self.is_supervised else _ENDING

    def prepared(self) -> None:
        """This process waits for its predecessor, where it has one, to end."""
        if self.lifeline is not None and self.is_successor:
            self.lifeline.prepared()

    def ready(self, lines: Sequence[str]) -> None:
        """This process serves; `lines` are for people."""
        if self.lifeline is None:
            announce(lines, command=self.command)
        else:
            self.lifeline.ready(lines)

    def retiring(self, connections: int) -> None:
        """This process retires, and keeps so many connections."""
        if self.lifeline is not None:
            self.lifeline.retiring(connections)

    def is_abandoned(self) -> bool:
        """Whether there was a supervisor, and it is gone."""
        return self.lifeline is not None and self.lifeline.is_cut

    def hold_signals(self) -> None:
        """Block the signals that `told` waits for, for all threads that are made from now on. For the main thread."""
        signal.pthread_sigmask(signal.SIG_BLOCK, (*self.ending_signals, _TOLD))
        if self.lifeline is not None:
            self.ignore_signals()
            self.lifeline.signal_when_told()

    def ignore_signals(self) -> None:
        """Let ending signals do nothing, where there is a supervisor. For the main thread."""
        if self.is_supervised:
            for number in _ENDING:
                signal.signal(number, signal.SIG_IGN)

    def told(self, *, limit_s: float) -> Word | None:
        """Wait for a word, `limit_s` seconds at most. Without a supervisor, or where it is gone, that is `Stop`."""
        word = self._said()
        if word is None:
            came = signal.sigtimedwait((*self.ending_signals, _TOLD), limit_s)
            word = Stop() if came is not None and came.si_signo in self.ending_signals else self._said()
        return word

    def let_the_next_signal_kill(self) -> None:
        """Undo `hold_signals`, where this process runs alone: whoever sends a second one does not want to wait for the grace."""
        if self.is_supervised:
            return
        for number in self.ending_signals:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, self.ending_signals)

    def _said(self) -> Word | None:
        """The latest word, for each is complete; `Stop`, whatever came after it."""
        if self.lifeline is None:
            return None
        words = list(self.lifeline.words())
        if self.lifeline.is_cut or any(isinstance(word, Stop) for word in words):
            return Stop()
        return words[-1] if words else None
