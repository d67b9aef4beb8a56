"""The clock of a test's event loop, which the test sets forward: what is due later is due now, and nothing is due before.

Law: limits are set so high that no busy machine comes near them, and are passed by `passes` alone.
"""

import asyncio


class LoopClock:
    """The clock of `loop`, which is gone with it. Where it `stands_still`, no time passes but by `passes`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, stands_still: bool = False) -> None:
        self._real, self._ahead_s = loop.time, 0.0
        self._began = loop.time() if stands_still else None
        loop.time = self._time  # type: ignore[method-assign]  # timers ask the loop itself

    def passes(self, seconds: float) -> None:
        """Let seconds pass; what they make due happens when the loop comes round."""
        self._ahead_s += seconds

    def _time(self) -> float:
        return (self._real() if self._began is None else self._began) + self._ahead_s
