"""Records of the Python side in the edge's log: one JSON object a line, as the core writes them.

Law 1: a line is one `write`, so it is never mixed with another writer's (O_APPEND); to a pipe, one that is longer than PIPE_BUF is several.
Law 2: a log that cannot be written stops nothing. Where its reader is behind, records are dropped, and counted: the
next one that can be written says how many. One that is too long to be written at once is waited for LONG_LIMIT_S, and then left as it is, and counted.
Law 3: a line has nothing that a terminal obeys or that hides what is written, as those of the core (`registry.rs`).
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import re
import select
import stat
import time
from collections.abc import Callable, Mapping

import msgspec

# A reader that is there takes what is longer than a pipe's atom in a moment.
LONG_LIMIT_S = 0.1
# JSON itself has C0 escaped, and nothing else: terminals obey C1 as well (ECMA-48 §5.3), and what has no shape reorders a line
# (UAX #9) or ends it. All of them are of the basic plane: four digits.
_UNPLAIN = re.compile("[\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


def utc_now() -> dt.datetime:
    """The wall clock, in UTC."""
    return dt.datetime.now(dt.UTC)


class EventLog:
    """Writes records to `descriptor`, which stays the caller's."""

    def __init__(self, descriptor: int, *, clock: Callable[[], dt.datetime] = utc_now) -> None:
        self._descriptor = descriptor
        self._clock = clock
        self._dropped = 0
        # Whether the last line that was written has no end.
        self._is_torn = False

    def write(self, event: str, fields: Mapping[str, str | int]) -> None:
        """Append one record: `event`, the time (RFC 3339, UTC, milliseconds), and `fields`."""
        if not self._takes_a_line():
            self._dropped += 1
            return
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            self.write("records_dropped", {"count": dropped})
        now = self._clock().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = _plain(msgspec.json.encode({"event": event, "time": now, **fields})) + b"\n"
        if self._is_torn:
            line, self._is_torn = b"\n" + line, False
        with contextlib.suppress(OSError):
            if len(line) <= select.PIPE_BUF or stat.S_ISREG(os.fstat(self._descriptor).st_mode):
                os.write(self._descriptor, line)
            else:
                self._write_in_parts(line)

    def _write_in_parts(self, line: bytes) -> None:
        until = time.monotonic() + LONG_LIMIT_S
        for start in range(0, len(line), select.PIPE_BUF):
            if not self._takes_a_line(limit_s=max(until - time.monotonic(), 0.0)):
                self._is_torn = True
                self._dropped += 1
                return
            os.write(self._descriptor, line[start : start + select.PIPE_BUF])

    def _takes_a_line(self, *, limit_s: float = 0.0) -> bool:
        """Whether a write would not wait: a pipe is ready when it has room for PIPE_BUF bytes, a file always (poll(2))."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        return bool(poll.poll(limit_s * 1000))


def _plain(line: bytes) -> bytes:
    if line.isascii() and b"\x7f" not in line:
        return line
    return _UNPLAIN.sub(lambda found: f"\\u{ord(found[0]):04x}", line.decode()).encode()
