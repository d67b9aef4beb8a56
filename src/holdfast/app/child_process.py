"""One child of the supervisor: how it is described, and the process that it is now.

Law 1: a child gets the descriptors it is described with and its end of a lifeline, and nothing else that is open.
Law 2: until it has read what it was given, what it prints comes by way of us (`last_words`): Python says there why it cannot
start it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from holdfast.app import lifeline
from holdfast.app.descriptors import STDERR_FD
from holdfast.app.family import ChildLimits
from holdfast.app.inheritance import Inheritance
from holdfast.app.last_words import LastWords
from holdfast.app.words import Word
from holdfast.errors import SetupError
from holdfast.spare import Spare

PROGRAM = "holdfast.app.child"
NO_SPARES: Mapping[str, Spare] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """A role whose children are to be kept running: `argv` gives a child's program for an interpreter, "" for our own.

    `spare`: a process that the first of them can be (`holdfast.spare`). Later ones are of the files that are there then.
    """

    limits: ChildLimits
    argv: Callable[[str], tuple[str, ...]]
    inheritance: Inheritance
    spare: Spare | None = None


def role_spec(limits: ChildLimits, inheritance: Inheritance, spares: Mapping[str, Spare] = NO_SPARES) -> ChildSpec:
    """A role of ours; its first child is the process of `spares`, if there is one."""
    argv = partial(role_argv, limits.name)
    return ChildSpec(limits=limits, argv=argv, inheritance=inheritance, spare=spares.get(limits.name))


def role_argv(role: str, python: str = "") -> tuple[str, ...]:
    """The program of a role of ours: this Python, or another, without the working directory on its path (-P)."""
    python = python or sys.executable
    if not python:
        raise SetupError("this Python does not know its own program, so no process can be started")
    return (python, "-P", "-m", PROGRAM, role)


class ChildProcess:
    """A running process of a child. Reap it with `waitpid`, then `close` it."""

    def __init__(self, spec: ChildSpec, *, python: str = "", is_successor: bool = False) -> None:
        """Start it. Raises OSError where the machine has no room for it, or there is no such interpreter."""
        argv, inheritance = spec.argv(python), spec.inheritance
        with ExitStack() as ours, ExitStack() as childs:
            self.lifeline, childs_end = lifeline.pair()
            ours.enter_context(self.lifeline)
            childs.enter_context(childs_end)
            reading, writing = os.pipe()
            self.last_words = LastWords(reading)
            ours.callback(self.last_words.close)
            childs.callback(os.close, writing)
            stderr = os.dup(STDERR_FD)
            childs.callback(os.close, stderr)
            environment = inheritance.environment(
                os.environ, lifeline=childs_end.fileno(), stderr=stderr, is_successor=is_successor
            )
            descriptors = (*inheritance.descriptors, childs_end.fileno(), stderr)
            self._process: subprocess.Popen[bytes] | None = None
            # Standard output is for the supervisor's lines; what a library prints belongs to the log.
            if (spare := None if python or is_successor else spec.spare) is not None and spare.become(
                PROGRAM, (spec.limits.name,), environment=environment, output=writing, descriptors=descriptors
            ):
                self.pid = spare.pid
            else:
                self._process = subprocess.Popen(
                    argv,
                    env=environment,
                    pass_fds=descriptors,
                    stdin=subprocess.DEVNULL,
                    stdout=writing,
                    stderr=writing,
                )
                self.pid = self._process.pid
            # It is there: what is ours is kept until `close`.
            ours.pop_all()

    def tell(self, word: Word) -> None:
        """Say `word` to it, without waiting."""
        lifeline.tell(self.lifeline, word)

    def send(self, number: signal.Signals) -> None:
        """Send a signal. A process that has ended and is not reaped yet takes it without effect."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def close(self, status: int) -> None:
        """Forget it: `waitpid` said that it ended with `status` (negative: the signal)."""
        if self._process is not None:
            self._process.returncode = status
        self.lifeline.close()
        self.last_words.close()
