"""Records of the Python side in the edge's log: one JSON object a line, as the core writes them.

Law 1: a line is one `write`, so it is never mixed with another writer's (O_APPEND; pipes up to PIPE_BUF).
Law 2: a log that cannot be written stops nothing. Where its reader is behind, records are dropped, and counted: the
next one that can be written says how many.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import select
from collections.abc import Callable, Mapping

import msgspec


def utc_now() -> dt.datetime:
    """The wall clock, in UTC."""
    return dt.datetime.now(dt.UTC)


class EventLog:
    """Writes records to `descriptor`, which stays the caller's."""

    def __init__(self, descriptor: int, *, clock: Callable[[], dt.datetime] = utc_now) -> None:
        self._descriptor = descriptor
        self._clock = clock
        self._dropped = 0

    def write(self, event: str, fields: Mapping[str, str | int]) -> None:
        """Append one record: `event`, the time (RFC 3339, UTC, milliseconds), and `fields`."""
        if not self._takes_a_line():
            self._dropped += 1
            return
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            self.write("records_dropped", {"count": dropped})
        time = self._clock().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = msgspec.json.encode({"event": event, "time": time, **fields}) + b"\n"
        with contextlib.suppress(OSError):
            os.write(self._descriptor, line)

    def _takes_a_line(self) -> bool:
        """Whether a write would not wait: a pipe is ready when it has room for PIPE_BUF bytes, a file always (poll(2))."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        return bool(poll.poll(0))
