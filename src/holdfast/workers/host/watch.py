"""Whether a script's process keeps to its limits: figures in, a sentence out. Pure; no clock is read here.

Law 1: time counts against an event only while that event has the loop: while `Turn.number` stands still and user code
runs. Work of other threads counts too then; a loop that comes round begins anew.
Law 2: processor time has a limit, and so has time without any: code that waits in place (`time.sleep`, a lock, a signal that stopped
it) lets nobody in for as long. Waiting for a processor or for the disk is none of that: a busy machine is not the event's fault.
Law 3: a loop that waits comes round all the same, at least every COUNTERS_EVERY_S while its process serves. One that does not is kept from it, by
another thread that has the interpreter or by a signal that stopped all of them, and has a limit as well.
Law 4: a limit that was exceeded is told once; what is done about it is the caller's.
"""

from __future__ import annotations

from holdfast.model.worker_messages import COUNTERS_EVERY_S, Turn, WorkerLimits

# How long an event may have the loop and do nothing with it. Precedent: gunicorn ends a worker that is silent for 30 s.
BLOCKED_LIMIT_S = 30.0
# How long a loop that waits may stand still before it is of interest why.
_STILL_S = 3 * COUNTERS_EVERY_S
# What one look counts at most: whoever looks may have been stopped itself, and then so was what it looks at.
_LONGEST_STEP_S = 2.0


class Watch:
    """One process under watch."""

    def __init__(self, limits: WorkerLimits) -> None:
        self._limits = limits
        # What was exceeded, in a word: "memory", "cpu", "blocked".
        self.exceeded = ""
        self._number = -1
        self._cpu_at_its_start_s = self._cpu_s = self._looked_at = self._idle_s = 0.0
        # The turn after which it waits, for how long it has, and when that was looked at.
        self._waits_after = -1
        self._still_s = self._waited_at = 0.0

    def is_suspect(self, turn: Turn | None) -> bool:
        """Whether the loop has waited for longer than it does: then it is of interest whether it is at work."""
        return turn is not None and turn.number == self._waits_after and self._still_s >= _STILL_S

    def is_busy(self, turn: Turn | None) -> bool:
        """Whether this turn has the loop since the last look, or begins to have it: then its processor time is of interest."""
        return turn is not None and turn.is_running

    def look(
        self,
        turn: Turn | None,
        cpu_s: float | None,
        rss_bytes: int | None,
        now: float,
        *,
        is_at_work: bool = False,
        is_serving: bool = False,
    ) -> str:
        """What is exceeded, as a sentence; "" for nothing. `cpu_s` is the process's since its start, `now` of a clock that does not jump,
        `is_at_work` whether it runs, or would if there were a processor or the disk had answered (`figures.is_at_work`). `is_serving`: its
        loop comes round by itself.
        """
        if rss_bytes is not None and rss_bytes > self._limits.memory_mb * 1024 * 1024:
            self.exceeded = "memory"
            return f"it had {rss_bytes // (1024 * 1024)} MiB in memory, limits.memory_mb is {self._limits.memory_mb}"
        if turn is None or not turn.is_running or cpu_s is None:
            self._number = -1
            return self._stands_still(turn, now, is_at_work=is_at_work) if turn is not None and is_serving else ""
        self._waits_after = -1
        if turn.number != self._number:
            self._number, self._cpu_at_its_start_s, self._idle_s = turn.number, cpu_s, 0.0
            self._cpu_s, self._looked_at = cpu_s, now
            return ""
        if not is_at_work:
            self._idle_s += max(0.0, min(now - self._looked_at, _LONGEST_STEP_S) - (cpu_s - self._cpu_s))
        self._cpu_s, self._looked_at = cpu_s, now
        used_ms = round((cpu_s - self._cpu_at_its_start_s) * 1000)
        if used_ms >= self._limits.cpu_ms:
            self.exceeded = "cpu"
            return f"one event kept it busy for {used_ms} ms of processor time, limits.cpu_ms is {self._limits.cpu_ms}"
        if self._idle_s >= BLOCKED_LIMIT_S:
            self.exceeded = "blocked"
            return f"one event blocked it for {BLOCKED_LIMIT_S:.0f} s without doing anything: it waits in place, and awaits nothing"
        return ""

    def _stands_still(self, turn: Turn, now: float, *, is_at_work: bool) -> str:
        before, self._waited_at = self._waited_at, now
        if turn.is_running or turn.number != self._waits_after:
            self._waits_after, self._still_s = -1 if turn.is_running else turn.number, 0.0
            return ""
        if not is_at_work:
            self._still_s += max(0.0, min(now - before, _LONGEST_STEP_S))
        if self._still_s < BLOCKED_LIMIT_S:
            return ""
        self.exceeded = "blocked"
        return (
            f"its event loop has stood still for {BLOCKED_LIMIT_S:.0f} s though no event had it: another thread keeps the interpreter, or a signal has "
            "stopped the process"
        )
