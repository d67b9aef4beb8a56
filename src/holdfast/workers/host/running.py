"""A process of a script that runs: which version it has, what it says of itself, and whether it keeps to its limits.

Law 1: the figures of a process that is gone are those of the last look.
Law 2: the kernel is asked for what is of interest: the clock of a process whose event has the loop, its state where it may stand still.
"""

from __future__ import annotations

from holdfast.model.worker_messages import Counters
from holdfast.model.worker_script import ScriptVersion
from holdfast.workers.host import figures
from holdfast.workers.host.process import ScriptProcess
from holdfast.workers.host.watch import Watch


class Running:
    """See above. `counters` is what it said last, `cpu_ms` the processor time that it had when it was looked at."""

    __slots__ = ("counters", "cpu_ms", "process", "version", "watch")

    def __init__(self, process: ScriptProcess, version: ScriptVersion) -> None:
        self.process, self.version = process, version
        self.watch = Watch(version.limits)
        self.counters = Counters()
        self.cpu_ms = 0

    def cpu_ms_now(self) -> int:
        """Milliseconds of processor time, those of the last look where the process is gone."""
        self._note(figures.cpu_s(self.process.pid))
        return self.cpu_ms

    def look(self, now: float, *, is_serving: bool) -> tuple[bool, str]:
        """Whether an event has its loop, and which limit it exceeds, as a sentence; "" for none (`Watch.look`)."""
        turn, pid = self.process.turn(), self.process.pid
        is_busy = self.watch.is_busy(turn)
        cpu_s = figures.cpu_s(pid) if is_busy else None
        self._note(cpu_s)
        return is_busy, self.watch.look(
            turn,
            cpu_s,
            figures.rss_bytes(pid),
            now,
            is_at_work=(is_busy or self.watch.is_suspect(turn)) and figures.is_at_work(pid),
            is_serving=is_serving,
        )

    def _note(self, cpu_s: float | None) -> None:
        if cpu_s is not None:
            self.cpu_ms = max(self.cpu_ms, round(cpu_s * 1000))
