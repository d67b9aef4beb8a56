"""Whether a script's process keeps to its limits: figures in, a sentence out. Pure; no clock is read here.

Law 1: processor time counts against an event only while that event has the loop: while `Turn.number` stands still and user code
runs. Work of other threads counts too then; a loop that comes round begins anew.
Law 2: a limit that was exceeded is told once; what is done about it is the caller's.
"""

from __future__ import annotations

from holdfast.model.worker_messages import Turn, WorkerLimits


class Watch:
    """One process under watch."""

    def __init__(self, limits: WorkerLimits) -> None:
        self._limits = limits
        self._number = -1
        self._cpu_at_its_start_s = 0.0

    def is_busy(self, turn: Turn | None) -> bool:
        """Whether this turn has the loop since the last look, or begins to have it: then its processor time is of interest."""
        return turn is not None and turn.is_running

    def look(self, turn: Turn | None, cpu_s: float | None, rss_bytes: int | None) -> str:
        """What is exceeded, as a sentence; "" for nothing. `cpu_s` is the process's since its start."""
        if rss_bytes is not None and rss_bytes > self._limits.memory_mb * 1024 * 1024:
            return f"it had {rss_bytes // (1024 * 1024)} MiB in memory, limits.memory_mb is {self._limits.memory_mb}"
        if turn is None or not turn.is_running or cpu_s is None:
            self._number = -1
            return ""
        if turn.number != self._number:
            self._number, self._cpu_at_its_start_s = turn.number, cpu_s
            return ""
        used_ms = round((cpu_s - self._cpu_at_its_start_s) * 1000)
        if used_ms < self._limits.cpu_ms:
            return ""
        return f"one event kept it busy for {used_ms} ms of processor time, limits.cpu_ms is {self._limits.cpu_ms}"
