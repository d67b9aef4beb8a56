"""Records of the Python side in the edge's log: one JSON object a line, as the core writes them.

Law 1: a line is one `write`, so it is never mixed with another writer's (O_APPEND; pipes up to PIPE_BUF).
Law 2: a log that cannot be written stops nothing.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
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

    def write(self, event: str, fields: Mapping[str, str | int]) -> None:
        """Append one record: `event`, the time (RFC 3339, UTC, milliseconds), and `fields`."""
        time = self._clock().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = msgspec.json.encode({"event": event, "time": time, **fields}) + b"\n"
        with contextlib.suppress(OSError):
            os.write(self._descriptor, line)
