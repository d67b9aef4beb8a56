"""`holdfast up` as a child process, and what can be seen of it from outside.

Law 1: the process is started by its command line and stopped by SIGTERM; each stop must end with status 0.
Law 2: its log is read from the pipe as it is written, so waiting for a record is waiting for a line.
"""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

from tests.integration import records
from tests.integration.waiting import LIMIT_S, Changes
from tests.integration.wire import Address

COMMAND = Path(os.environ.get("HOLDFAST_COMMAND", Path(sys.executable).with_name("holdfast")))
READY = re.compile(r"^ready: (?P<scheme>wss?)://(?P<host>\[[^]]+\]|[^:]+):(?P<port>\d+) -> (?P<origin>\S+)$")
# Starting includes importing Python packages while other tests use the same two cores.
START_LIMIT_S = 30.0
STOP_LIMIT_S = 20.0


class Edge:
    """A running edge. `plain` and `tls` are the addresses of its first listener of each kind."""

    def __init__(self, origin: str, data: Path, *arguments: str, under: Sequence[str] = ()) -> None:
        """Start it and wait for its ready lines. `under` is a command that runs it, such as `prlimit --nofile=300`."""
        listeners = sum(argument in {"--listen", "--tls-listen"} for argument in arguments)
        self.changes = Changes()
        self.ready_lines: list[str] = []
        self.log_lines: list[str] = []
        self.process = subprocess.Popen(
            [*under, COMMAND, "up", origin, "--data", data, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
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
                lambda: len(self.ready_lines) >= listeners or self.process.poll() is not None,
                what=f"{listeners} ready lines",
                limit_s=START_LIMIT_S,
            )
            assert self.process.poll() is None, f"the edge ended at once: {self.log_lines}"
        except AssertionError:
            self.kill()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if self.process.poll() is None:
            status = self.stop()
            assert kind is not None or status == 0, f"status {status} after SIGTERM: {self.log_lines[-5:]}"
        self.kill()
        panics = [line for line in self.log_lines if "panicked at" in line]
        assert kind is not None or not panics, panics

    @property
    def plain(self) -> Address:
        return self._address("ws")

    @property
    def tls(self) -> Address:
        return self._address("wss")

    @property
    def pid(self) -> int:
        """The process that holds the sockets: the supervisor's child."""
        return children_of(self.process.pid)[0]

    def _address(self, scheme: str) -> Address:
        for line in self.ready_lines:
            if (match := READY.match(line)) and match["scheme"] == scheme:
                return (match["host"].strip("[]"), int(match["port"]))
        raise AssertionError(f"no {scheme} address in {self.ready_lines}")

    def stop(self) -> int:
        """SIGTERM, and the status the process ended with."""
        self.process.send_signal(signal.SIGTERM)
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

    def closed(self, ray: str, *, limit_s: float = LIMIT_S) -> records.Closed:
        """The record of the closed WebSocket with this CF-Ray, waiting for it."""
        found = self.record(
            lambda r: r.get("event") == records.CLOSED_EVENT and r.get("ray_id") == ray, limit_s=limit_s
        )
        return records.closed(found)

    def record(self, wanted: Callable[[dict[str, Any]], bool], *, limit_s: float = LIMIT_S) -> dict[str, Any]:
        """The first JSON record in the log that is wanted, waiting for it."""

        def look() -> dict[str, Any] | None:
            parsed = (records.parse(line) for line in list(self.log_lines))
            return next((record for record in parsed if record is not None and wanted(record)), None)

        found = self.changes.until(look, what=f"a record; last lines {self.log_lines[-3:]}", limit_s=limit_s)
        assert found is not None
        return found

    def open_descriptors(self) -> int:
        """File descriptors of the process that serves (/proc/PID/fd)."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    def pss_bytes(self) -> int:
        """Proportional set size: what this process costs the machine (/proc/PID/smaps_rollup)."""
        rollup = Path(f"/proc/{self.pid}/smaps_rollup").read_text()
        match = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
        assert match is not None, rollup
        return int(match[1]) * 1024

    def _read(self, pipe: Any, into: list[str]) -> None:
        for line in pipe:
            into.append(line.rstrip("\n"))
            self.changes.announce()
        self.changes.announce()


def children_of(pid: int) -> list[int]:
    """The processes that `pid` has started and that live, the oldest first."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found]


def run_to_end(arguments: Sequence[str | Path], *, limit_s: float = START_LIMIT_S) -> subprocess.CompletedProcess[str]:
    """Run `holdfast …` until it ends by itself."""
    return subprocess.run([COMMAND, *arguments], capture_output=True, text=True, timeout=limit_s, check=False)
