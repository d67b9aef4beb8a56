"""Children of the benchmark: started in sessions of their own, stopped by id, with what they started.

Law 1: whoever starts a child stops it, also when a signal ends the run: `Child` is a context manager.
Law 2: a child is stopped with SIGINT (at SIGTERM an edge waits for its clients), and killed if that does not end it in
time; so are its descendants.
Law 3: what it prints goes to files, read when something went wrong. No pipe can fill up and block it.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from bench import meter
from bench.errors import MeasurementError

STOP_LIMIT_S = 10.0
_POLL_S = 0.01


class Child:
    """A running program. Its output is in `stdout` and `stderr`, files in `directory`."""

    def __init__(self, name: str, command: Sequence[str], directory: Path) -> None:
        self.name = name
        self.stdout, self.stderr = directory / f"{name}.out", directory / f"{name}.err"
        with self.stdout.open("wb") as out, self.stderr.open("wb") as err:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=directory, start_new_session=True
            )
        self.pid = self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def wait_until(self, ready: Callable[[], bool], *, limit_s: float = 20.0) -> None:
        """Return when `ready()`. Raises MeasurementError when the child ends first, or time runs out."""
        deadline = time.monotonic() + limit_s
        while not ready():
            if self._process.poll() is not None:
                raise MeasurementError(f"{self.name} ended with status {self._process.returncode}: {self.last_words()}")
            if time.monotonic() > deadline:
                raise MeasurementError(f"{self.name} was not ready after {limit_s:.0f} s: {self.last_words()}")
            time.sleep(_POLL_S)

    def last_words(self) -> str:
        """The last lines it printed."""
        text = "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in (self.stdout, self.stderr))
        return " / ".join(text.split("\n")[-6:]).strip(" /") or "(it said nothing)"

    def stop(self) -> None:
        """End it and its descendants."""
        family = meter.tree(self.pid)
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for pid in family[1:]:
            # Ours only if still in the session we made: a process id may be in use again.
            with suppress(ProcessLookupError):
                if os.getsid(pid) == self.pid:
                    os.kill(pid, signal.SIGKILL)


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def accepts(port: int) -> bool:
    """Whether something on 127.0.0.1 accepts connections at `port`."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0):
            return True
    except OSError:
        return False
