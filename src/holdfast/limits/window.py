"""The sliding window of one key: two buckets, the current one and the one before it, and the arithmetic between them.

Law 1: a window begins with the first request of its key, so that a limit of n lets exactly n through in the first window.
Law 2: later, the requests of the previous bucket count in proportion to how much of it the last `period` seconds still
       cover (they are taken to have come evenly). Where the last of all came a whole period ago, nothing counts.
Law 3: what is limited is not counted. A window whose limit was crossed with a mitigation is limited until that is over, and
       what came before then counts as a bucket that ended when the mitigation began.
Law 4: nothing limits for longer than its own configuration says from `now` on, whatever is in a window: one that time
       stepped back behind begins now, and one that makes no sense is begun anew.

Source: Cloudflare, "How we built rate limiting capable of scaling to millions of domains" (2017); "Rate limiting parameters".
"""

from __future__ import annotations

import math

import msgspec

# Longest step back of the clock after which a window is still taken for one.
MAX_STEP_BACK_S = 86_400.0
# Times are kept to the millisecond, estimates to a millionth: who comes back exactly when it was told is not too early.
TICK_S = 0.001
TOLERANCE = 1e-6


class Window(msgspec.Struct, gc=False):
    """What is remembered of one key.

    `start` is when the current bucket began, `count` what it holds, `previous` what the one before it held, `last_s` how long
    after `start` the last counted request came (negative: before it). Seconds. `limited_s` is how long after `start` the
    mitigation ends, 0 without one.
    """

    start: float
    previous: float = 0.0
    count: int = 0
    last_s: float = 0.0
    limited_s: int = 0

    def mitigated_s(self, now: float, mitigation_s: int) -> float:
        """Seconds for which the mitigation goes on, 0 if it does not. `mitigation_s` is the longest there may be."""
        elapsed = now - self.start
        lasts_s = min(self.limited_s, mitigation_s)
        if not -MAX_STEP_BACK_S <= elapsed < lasts_s:
            self.limited_s = 0
            return 0.0
        if elapsed < 0:
            self.start, elapsed = now, 0.0
        return lasts_s - elapsed

    def move_to(self, now: float, period_s: int) -> None:
        """Let time pass until `now`: turn the buckets, forget what is too old. There must be no mitigation."""
        elapsed = now - self.start
        if not -MAX_STEP_BACK_S <= elapsed < 2 * period_s or not elapsed - self.last_s < period_s - TICK_S:
            # Too old, or no window at all (comparisons with NaN are false).
            self.start, self.previous, self.count, self.last_s = now, 0.0, 0, 0.0
        elif elapsed < 0:
            self.start, self.last_s = now, min(self.last_s, 0.0)
        elif elapsed >= period_s:
            self.previous, self.count = float(self.count), 0
            self.start += period_s
            self.last_s -= period_s

    def bounded_by(self, limit: int) -> None:
        """Hold no more than a limit lets in: the limit may have been lowered, or the memory damaged."""
        self.count = min(self.count, limit)
        self.previous = min(max(self.previous, 0.0), float(limit)) if math.isfinite(self.previous) else 0.0

    def estimate(self, now: float, period_s: int) -> float:
        """How many requests the last `period_s` seconds have seen. The window must have been moved to `now`."""
        return self.previous * (period_s - (now - self.start)) / period_s + self.count

    def add(self, now: float) -> None:
        """Count one request."""
        self.count += 1
        self.last_s = now - self.start

    def mitigate(self, now: float, period_s: int, mitigation_s: int) -> None:
        """Be limited from `now` on: what there was becomes the previous bucket."""
        self.previous, self.count = self.estimate(now, period_s), 0
        self.start, self.last_s, self.limited_s = now, 0.0, mitigation_s

    def free_after_s(self, now: float, period_s: int, limit: int) -> float:
        """Seconds until one more fits in. Where none ever does (a limit of 0), a period."""
        if limit < 1:
            return float(period_s)
        elapsed = now - self.start
        forgotten = period_s - (elapsed - self.last_s)
        room = limit - 1 - self.count
        if room >= 0:
            wanted = period_s * (1 - room / self.previous) if self.previous > room else 0.0
        else:
            # Not in this bucket: when it has become the previous one, and weighs little enough.
            wanted = period_s + period_s * (1 - (limit - 1) / self.count)
        return max(0.0, min(wanted - elapsed, forgotten))
