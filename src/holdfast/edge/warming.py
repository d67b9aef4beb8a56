"""What is made ready before somebody needs it: the managed ruleset that comes with the edge.

The first rule that executes it would have its write wait for that, a third of a second of a core.

Law 1: it is done while nothing else is to be done, a step of some milliseconds at a time, with pauses within: requests and news
come first.
Law 2: an edge that has had no rules does not do it: it costs 10 MB (`LiveEdge.warming_is_due`).
Law 3: what fails, fails once, and is said; whoever executes a rule then finds out for himself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from holdfast.edge.managed_rulesets import made_ready

Log = Callable[[str, Mapping[str, str | int]], None]
Steps = Callable[[Callable[[], None]], Iterator[None]]


class Warming:
    """What is left to be made ready. For one thread. `pause` is called within steps."""

    def __init__(self, *, pause: Callable[[], None], log: Log, steps: Steps = made_ready) -> None:
        self._log = log
        self._steps: Iterator[None] | None = steps(pause)

    @property
    def is_left(self) -> bool:
        """Whether there is a step left."""
        return self._steps is not None

    def step(self) -> None:
        """Take a step. Never raises."""
        if self._steps is None:
            return
        try:
            next(self._steps)
        except StopIteration:
            self._steps = None
        except Exception as error:  # noqa: BLE001  law 3
            self._steps = None
            self._log("warming_failed", {"reason": f"{type(error).__name__}: {error}"})
