"""`holdfast` as a child process: what it prints as it prints it, what it logs, and how it ends.

Law 1: the process is started by its command line and stopped by SIGINT; each stop must end with status 0.
Law 2: its log is read from the pipe as it is written, so waiting for a record is waiting for a line.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from tests.integration import records
from tests.integration.waiting import LIMIT_S, Changes

PROGRAM = Path(os.environ.get("HOLDFAST_COMMAND", Path(sys.executable).with_name("holdfast")))
# Starting includes importing Python packages while other tests use the same two cores.
START_LIMIT_S = 60.0
# Each role has its own limit, one after the other, before it is killed: 10 s, 10 s and 20 s.
STOP_LIMIT_S = 60.0


class Command:
    """A running `holdfast`. `ready_lines` is what it printed on stdout, `log_lines` what it wrote to stderr."""

    def __init__(
        self,
        arguments: Sequence[str | Path],
        *,
        ready: Callable[[Sequence[str]], bool],
        under: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        descriptors: Sequence[int] = (),
    ) -> None:
        """Start it and wait until its lines are `ready`. `under` is a command that runs it, such as `prlimit --nofile=300`;
        `descriptors` stay open in it, under their numbers."""
        self.changes = Changes()
        self.ready_lines: list[str] = []
        self.log_lines: list[str] = []
        self.process = subprocess.Popen(
            [*under, PROGRAM, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env={**os.environ, **(environment or {})},
            pass_fds=descriptors,
        )
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self._readers = [
            threading.Thread(target=self._read, args=(self.process.stdout, self.ready_lines), daemon=True),
            threading.Thread(target=self._read, args=(self.process.stderr, self.log_lines), daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        try:
            self.changes.until(
                lambda: ready(self.ready_lines) or self.process.poll() is not None,
                what=f"the ready lines; so far {self.ready_lines}",
                limit_s=START_LIMIT_S,
            )
            assert self.process.poll() is None, f"it ended at once: {self.log_lines}"
        except BaseException:
            self.kill()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if self.process.poll() is None:
                status = self.stop()
                assert kind is not None or status == 0, f"status {status} after SIGINT: {self.log_lines[-5:]}"
        finally:
            self.kill()
        panics = [line for line in self.log_lines if "panicked at" in line and "worker_log" not in line]
        assert kind is not None or not panics, panics

    def stop(self) -> int:
        """SIGINT, and the status the process ended with: SIGTERM would wait for those who are connected."""
        self.process.send_signal(signal.SIGINT)
        return self.ended()

    def ended(self) -> int:
        """Wait for the process to end by itself."""
        return self.process.wait(STOP_LIMIT_S)

    def kill(self) -> None:
        """End it if it still runs, and wait until all it said is read."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(STOP_LIMIT_S)
        for reader in self._readers:
            reader.join(STOP_LIMIT_S)
        for pipe in (self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()

    def records(self, event: str) -> list[dict[str, Any]]:
        """All records of this event so far."""
        # The others are left unread: there may be thousands, and this be asked again with each line.
        parsed = (records.parse(line) for line in list(self.log_lines) if event in line)
        return [record for record in parsed if record is not None and record["event"] == event]

    def record(self, wanted: Callable[[dict[str, Any]], bool], *, limit_s: float = LIMIT_S) -> dict[str, Any]:
        """The first JSON record in the log that is wanted, waiting for it. Each is asked about once."""
        seen = 0

        def look() -> dict[str, Any] | None:
            nonlocal seen
            lines = self.log_lines[seen:]
            seen += len(lines)
            parsed = map(records.parse, lines)
            return next((record for record in parsed if record is not None and wanted(record)), None)

        found = self.changes.until(look, what=f"a record; last lines {self.log_lines[-3:]}", limit_s=limit_s)
        assert found is not None
        return found

    def _read(self, pipe: Any, into: list[str]) -> None:
        for line in pipe:
            into.append(line.rstrip("\n"))
            self.changes.announce()
        # Its pipes end before it does, and what is looked for may be its end.
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_LIMIT_S)
        self.changes.announce()


def children_of(pid: int) -> list[int]:
    """The processes that `pid` has started and that live, the oldest first."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found]


def open_descriptors(pid: int) -> int:
    """How many file descriptors a process has open (/proc/PID/fd)."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def lives(pid: int) -> bool:
    """Whether there is such a process, and it is no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def run_to_end(
    arguments: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    limit_s: float = START_LIMIT_S,
) -> subprocess.CompletedProcess[str]:
    """Run `holdfast …` until it ends by itself."""
    return subprocess.run(
        [PROGRAM, *arguments],
        capture_output=True,
        text=True,
        timeout=limit_s,
        check=False,
        env={**os.environ, **(environment or {})},
    )
