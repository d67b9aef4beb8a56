"""What an edge does with its connections once it has retired. Pure: the time is an argument, and so is what is open.

Law 1: it is over when nothing has been open for QUIET_S, at two looks at least (an upgrade is nowhere for a moment), or
`longest_s` after it was told, whatever is open then.
Law 2: until the deadline nothing is closed. Then everything is, evenly, once; what opens after that is closed too, by the core.
Law 3: a later word stands in the place of the one before, and its times count from when it came.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from holdfast.app.words import Retire

# On a busy machine a thread of the core may take a last connection before it hears that it retires: this is its time for that.
QUIET_S = 0.5


class Step(Enum):
    """What is to be done now."""

    WAIT = auto()
    CLOSE = auto()  # all that is open, evenly over the spread
    END = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """What is open: WebSockets, and clients' connections that are none, or carry them as streams."""

    tunnels: int
    connections: int

    @property
    def count(self) -> int:
        """All of it."""
        return self.tunnels + self.connections


class Retirement:
    """The retirement of one edge. `now` is in seconds of a clock that does not jump."""

    def __init__(self, word: Retire, now: float) -> None:
        self.word = word
        self._since = now
        self._is_closing = False
        self._empty_since: float | None = None

    def told(self, word: Retire, now: float) -> None:
        """The supervisor wants it otherwise."""
        self.word, self._since, self._is_closing = word, now, False

    def step(self, left: Open, now: float) -> Step:
        """What to do while this is open."""
        passed = now - self._since
        since = self._empty_since
        self._empty_since = None if left.count else now if since is None else since
        is_quiet = not left.count and since is not None and now - since >= QUIET_S
        if is_quiet or passed >= self.word.longest_s:
            return Step.END
        if passed >= self.word.deadline_s and not self._is_closing:
            self._is_closing = True
            return Step.CLOSE
        return Step.WAIT

    def wait_s(self, now: float, *, most_s: float) -> float:
        """How long nothing is to be done, `most_s` at most."""
        until = self.word.longest_s if self._is_closing else self.word.deadline_s
        return min(most_s, max(0.0, self._since + until - now))
