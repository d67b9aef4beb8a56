"""One process of a script: started with what it is given and nothing else, heard, killed, reaped.

Law 1: it gets a scrubbed environment, the null device as input, its end of the link and the two listening sockets; no other descriptor.
Law 2: it leads a group of its own, and is killed with its group, so that what user code has started ends with it.
Law 3: its end is told after all that it said before.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Protocol

from holdfast import removal
from holdfast import spare as spare_processes
from holdfast.model.worker_messages import STACK_NAME, VARIABLE, HostMessage, ProcessMessage, Turn, WorkerLimits
from holdfast.workers.host.figures import TurnFile
from holdfast.workers.host.link import Link, OutputPipe

# What of the host's environment a script may see.
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR")
# What a script's process runs, without the working directory on its path (-P); then come the host's number and the limit of memory.
PROGRAM = (sys.executable, "-P", "-m", "holdfast.workers.host.launch")
_TURN_NAME = "turn"
# Of what it left of its stack, so much is read. faulthandler(3) writes 100 frames at most.
MAX_STACK_BYTES = 16 * 1024
# Of what it left in its directory, so much is removed at once: some milliseconds, in which other scripts wait.
MOST_AT_ONCE = 1_000


class Listener(Protocol):
    """Who hears of a process, by its number."""

    def heard(self, number: int, message: ProcessMessage) -> None:
        """The process says this."""
        ...

    def printed(self, number: int, text: str) -> None:
        """The process has printed this line."""
        ...

    def link_ended(self, number: int, sentence: str) -> None:
        """The link is gone: the process has closed it, or does not keep to the protocol, as `sentence` then says."""
        ...

    def exited(self, number: int, how: str, turn: Turn | None) -> None:
        """The process has ended and is reaped."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a process is started with: its program, listening sockets that it inherits, a directory of its own, its limits."""

    program: tuple[str, ...]
    descriptors: tuple[int, ...]
    run_dir: Path
    limits: WorkerLimits


class ScriptProcess:
    """A running process. It is over once `exited` was called; its directory is gone then, or, where it has left much in it, soon after."""

    def __init__(self, number: int, around: Surroundings, listener: Listener) -> None:
        """Start it. Raises OSError where the machine has no room for it."""
        self._number, self._listener, self._run_dir = number, listener, around.run_dir
        self._loop = asyncio.get_running_loop()
        with ExitStack() as undo:
            removal.remove(around.run_dir)
            around.run_dir.mkdir(parents=True, mode=0o700)
            undo.callback(removal.remove, around.run_dir)
            self._turn_file = TurnFile(self.turn_path)
            undo.callback(self._turn_file.close)
            ours, childs = socket.socketpair()
            undo.callback(ours.close)
            reading, writing = os.pipe()
            undo.callback(os.close, reading)
            self._process: subprocess.Popen[bytes] | None = None
            try:
                if (pid := _forked(around, childs.fileno(), writing)) is None:
                    self._process = _started(around, childs.fileno(), writing)
                    pid = self._process.pid
            finally:
                childs.close()
                os.close(writing)
            undo.callback(self._end_unheard, pid)
            self._pidfd = os.pidfd_open(pid)
            undo.pop_all()
        self.pid = pid
        # Once it is over: where its code stood, if it was asked and could not tell by itself.
        self.stack = ""
        self._link = Link(ours, self._heard, self._link_ended)
        self._output = OutputPipe(reading, self._printed)
        self._loop.add_reader(self._pidfd, self._reap)

    @property
    def turn_path(self) -> Path:
        """The file that it marks its turns in."""
        return self._run_dir / _TURN_NAME

    def turn(self) -> Turn | None:
        """What it is at."""
        return self._turn_file.turn()

    def tell(self, message: HostMessage) -> None:
        """Say this to it. Raises WorkerLinkError where it is too long to be said."""
        self._link.tell(message)

    def kill(self) -> None:
        """End it and its group at once."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def ask_where(self) -> None:
        """Have it tell where its code stands, and end."""
        with suppress(ProcessLookupError, PermissionError):
            os.kill(self.pid, signal.SIGPROF)

    def _reap(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        # Not reaped yet: the number of its group is still its own.
        self.kill()
        status = _reaped(self.pid) if self._process is None else self._process.wait()
        self._link.read_to_the_end()
        self._link.close()
        self._output.read()
        self._output.close()
        turn = self._turn_file.turn()
        self._turn_file.close()
        self.stack = left_in(self._run_dir / STACK_NAME)
        if not removal.remove(self._run_dir, most=MOST_AT_ONCE):
            self._remove_later()
        self._listener.exited(self._number, _how(status), turn)

    def _end_unheard(self, pid: int) -> None:
        """End a process of which nobody has heard, and wait for it."""
        os.kill(pid, signal.SIGKILL)
        if self._process is None:
            _reaped(pid)
        else:
            self._process.wait()

    def _remove_later(self) -> None:
        # The next host does it (`versions.clear`) where there is no room for a thread.
        with suppress(RuntimeError):
            Thread(target=removal.remove, args=(self._run_dir,), name="clear", daemon=True).start()

    def _heard(self, message: ProcessMessage) -> None:
        self._listener.heard(self._number, message)

    def _printed(self, text: str) -> None:
        self._listener.printed(self._number, text)

    def _link_ended(self, sentence: str) -> None:
        self._listener.link_ended(self._number, sentence)


def _forked(around: Surroundings, link: int, output: int) -> int | None:
    """The number of a process that was forked for it, where this host has one that can be it."""
    if around.program != PROGRAM or (spare := spare_processes.own()) is None:
        return None
    is_taken = spare.become(
        PROGRAM[-1],
        _arguments(around),
        environment=environment(os.environ, link=link, run_dir=around.run_dir),
        output=output,
        descriptors=(link, *around.descriptors),
        directory=str(around.run_dir),
    )
    if not is_taken:
        with suppress(ChildProcessError):
            os.waitpid(spare.pid, 0)
    return spare.pid if is_taken else None


def left_in(path: Path) -> str:
    """What the process left there, which may have made it anything."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return os.read(descriptor, MAX_STACK_BYTES).decode("utf-8", "replace").strip()
    except OSError:
        return ""
    finally:
        os.close(descriptor)


def _reaped(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _arguments(around: Surroundings) -> tuple[str, ...]:
    return (str(os.getpid()), str(around.limits.memory_mb))


def _started(around: Surroundings, link: int, output: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        (*around.program, *_arguments(around)),
        env=environment(os.environ, link=link, run_dir=around.run_dir),
        cwd=around.run_dir,
        pass_fds=(link, *around.descriptors),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )


def environment(environ: Mapping[str, str], *, link: int, run_dir: Path) -> dict[str, str]:
    """What of `environ` a script's process sees, and its own."""
    passed = {name: environ[name] for name in _PASSED_ON if name in environ}
    own = {"HOME": str(run_dir), "TMPDIR": str(run_dir), "PYTHONUTF8": "1", VARIABLE: str(link)}
    return {**passed, **own}


def _how(status: int) -> str:
    if status >= 0:
        return f"status {status}"
    try:
        return f"signal {signal.Signals(-status).name}"
    except ValueError:  # a real-time signal has a number only
        return f"signal {-status}"
