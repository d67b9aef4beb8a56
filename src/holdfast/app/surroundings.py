"""What a role has around it: a supervisor, or nobody. The role's own code does not care which.

Law 1: alone, a role says its lines on stdout and its failure to whoever called it; supervised, over the lifeline.
Law 2: alone, SIGTERM and SIGINT end it, and a second one meets the default disposition. Supervised, SIGTERM does, as often
as it comes (a service manager may send it to every process there is), and SIGINT does nothing: a terminal sends it to all,
and the order in which they end is the supervisor's.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence

from holdfast.app.announce import announce
from holdfast.app.lifeline import Lifeline

# Sent by the kernel when something happens to the lifeline (fcntl(2), O_ASYNC).
_CUT = signal.SIGIO


class Surroundings:
    """`command` is what people typed ("holdfast run"); `lifeline` is None for a role that runs alone."""

    def __init__(self, command: str, lifeline: Lifeline | None = None) -> None:
        self.command = command
        self.lifeline = lifeline

    @property
    def is_supervised(self) -> bool:
        """Whether there is a supervisor, or was one."""
        return self.lifeline is not None

    @property
    def ending_signals(self) -> tuple[signal.Signals, ...]:
        """The signals that ask this process to end."""
        return (signal.SIGTERM,) if self.is_supervised else (signal.SIGTERM, signal.SIGINT)

    def ready(self, lines: Sequence[str]) -> None:
        """This process serves; `lines` are for people."""
        if self.lifeline is None:
            announce(lines, command=self.command)
        else:
            self.lifeline.ready(lines)

    def is_abandoned(self) -> bool:
        """Whether there was a supervisor, and it is gone."""
        return self.lifeline is not None and self.lifeline.is_cut()

    def hold_signals(self) -> None:
        """Block the signals that `told_to_end` waits for, for all threads that are made from now on. For the main thread."""
        signal.pthread_sigmask(signal.SIG_BLOCK, (*self.ending_signals, _CUT))
        if self.lifeline is not None:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            self.lifeline.signal_when_cut()

    def told_to_end(self, *, limit_s: float) -> bool:
        """Wait for an ending signal or the supervisor's end, `limit_s` seconds at most; whether one came."""
        came = signal.sigtimedwait((*self.ending_signals, _CUT), limit_s)
        return (came is not None and came.si_signo in self.ending_signals) or self.is_abandoned()

    def let_the_next_signal_kill(self) -> None:
        """Undo `hold_signals`, where this process runs alone: whoever sends a second one does not want to wait for the grace."""
        if self.is_supervised:
            return
        for number in self.ending_signals:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, self.ending_signals)
