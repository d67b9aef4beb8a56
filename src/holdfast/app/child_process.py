"""One child of the supervisor: how it is described, and the process that it is now.

Law: a child gets the descriptors it is described with and its end of a lifeline, and nothing else that is open.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass

from holdfast.app import lifeline
from holdfast.app.descriptors import STDERR_FD
from holdfast.app.inheritance import Inheritance
from holdfast.app.supervision import ChildLimits
from holdfast.errors import SetupError


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """A child to keep running: `argv` is its program, and `limits` say what records call it."""

    limits: ChildLimits
    argv: tuple[str, ...]
    inheritance: Inheritance


def role_argv(role: str) -> tuple[str, ...]:
    """The program of a role of ours: this Python, without the working directory on its path (-P)."""
    if not sys.executable:
        raise SetupError("this Python does not know its own program, so no process can be started")
    return (sys.executable, "-P", "-m", "holdfast.app.child", role)


class ChildProcess:
    """A running process of a child. Reap it with `waitpid`, then `close` it."""

    def __init__(self, spec: ChildSpec) -> None:
        """Start it. Raises OSError where the machine has no room for it."""
        self.name = spec.limits.name
        self.lifeline, childs_end = lifeline.pair()
        try:
            with childs_end:
                self._process = subprocess.Popen(
                    spec.argv,
                    env=spec.inheritance.environment(os.environ, lifeline=childs_end.fileno()),
                    pass_fds=(*spec.inheritance.descriptors, childs_end.fileno()),
                    stdin=subprocess.DEVNULL,
                    # Standard output is for the supervisor's lines; what a library prints belongs to the log.
                    stdout=STDERR_FD,
                )
        except OSError:
            self.lifeline.close()
            raise
        self.pid = self._process.pid

    def send(self, number: signal.Signals) -> None:
        """Send a signal. A process that has ended and is not reaped yet takes it without effect."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def close(self, status: int) -> None:
        """Forget it: `waitpid` said that it ended with `status` (negative: the signal)."""
        self._process.returncode = status
        self.lifeline.close()
