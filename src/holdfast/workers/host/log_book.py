"""A script's log in the host: the last lines are kept, and handed to whoever reads along. No I/O.

Law 1: what is kept is bounded (KEPT_LINES, each of MAX_LOG_CHARACTERS), and so is what waits for a reader: beyond it the oldest is
left out, and the reader is told how many lines that were.
Law 2: a script that floods is cut: beyond RATE lines a second, after a burst, lines are left out, and the log says so once it ends.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

import msgspec

from holdfast.model.worker_host_messages import KEPT_LINES, Logged, Missed
from holdfast.model.worker_messages import MAX_LOG_CHARACTERS, Log

RATE, BURST = 500, 2_000
# What waits for one reader. Precedent: `wrangler tail` samples above 100 requests a second.
MAX_QUEUED_LINES = 1_000


class Reader:
    """Somebody who reads along. `wake` is called when there is something."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self.wake = wake
        self._queued: deque[Log] = deque()
        self._missed = 0

    def add(self, log: Log) -> None:
        """One line more."""
        if len(self._queued) >= MAX_QUEUED_LINES:
            self._queued.popleft()
            self._missed += 1
        self._queued.append(log)
        self.wake()

    def take(self) -> Iterator[Logged | Missed]:
        """What has come since the last call."""
        if self._missed:
            missed, self._missed = self._missed, 0
            yield Missed(lines=missed)
        while self._queued:
            yield Logged(log=self._queued.popleft())


class LogBook:
    """The log of one script."""

    def __init__(self, tell: Callable[[Log], None]) -> None:
        """`tell` gets what is said of the script and not by its code (kind "host"), but for what is passed to `note`."""
        self._tell = tell
        self._kept: deque[Log] = deque(maxlen=KEPT_LINES)
        self._readers: list[Reader] = []
        self._allowance = float(BURST)
        self._allowed_at = 0.0
        self._left_out = 0
        # Since the script is here.
        self.lines = self.lines_left_out = 0

    def write(self, log: Log, now: float) -> None:
        """Take one line of the script's process, at `now` of a clock that does not jump."""
        self._allowance = min(BURST, self._allowance + (now - self._allowed_at) * RATE)
        self._allowed_at = now
        if self._allowance < 1:
            self._left_out += 1
            self.lines_left_out += 1
            return
        self._allowance -= 1
        self._say_what_is_left_out(log.ts_ms)
        self._pass_on(log := _cut(log))
        if log.kind == "host":
            self._tell(log)

    def note(self, log: Log) -> None:
        """Take a line of the host itself, who tells of it elsewhere: there are not many."""
        self._say_what_is_left_out(log.ts_ms)
        self._pass_on(_cut(log))

    def read(self, wake: Callable[[], None], *, lines: int) -> Reader:
        """Begin to read, with the last `lines` that are kept. `forget` it after."""
        reader = Reader(wake)
        for log in list(self._kept)[len(self._kept) - min(lines, len(self._kept)) :]:
            reader.add(log)
        self._readers.append(reader)
        return reader

    def forget(self, reader: Reader) -> None:
        """It reads no more."""
        self._readers.remove(reader)

    def end(self) -> None:
        """There is no such script any more: wake whoever waits for a line of it."""
        for reader in self._readers:
            reader.wake()

    def _say_what_is_left_out(self, ts_ms: int) -> None:
        if self._left_out:
            text = f"{self._left_out} lines are left out: more than {RATE} a second"
            self._left_out = 0
            log = Log(level="warn", message=text, ts_ms=ts_ms, kind="host")
            self._pass_on(log)
            self._tell(log)

    def _pass_on(self, log: Log) -> None:
        self.lines += 1
        self._kept.append(log)
        for reader in self._readers:
            reader.add(log)


def _cut(log: Log) -> Log:
    if len(log.message) <= MAX_LOG_CHARACTERS:
        return log
    return msgspec.structs.replace(log, message=f"{log.message[:MAX_LOG_CHARACTERS]}…")
