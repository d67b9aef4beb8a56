"""What libraries say through Python's `logging`, as records in our log: one JSON object a line, tracebacks included.

Law: from warnings on only. A library's chatter is not an event of ours.
"""

from __future__ import annotations

import logging

from holdfast.event_log import EventLog

# Longest traceback in a record: a line is to stay within what a pipe takes whole (PIPE_BUF, 4096).
_MAX_TRACEBACK_CHARS = 3_000


class RecordHandler(logging.Handler):
    """Writes to `log` what the root logger gets."""

    def __init__(self, log: EventLog) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record. It never raises: what cannot be put into words is named."""
        try:
            message = record.getMessage().strip()
        except (TypeError, ValueError):
            message = str(record.msg)
        fields = {"level": record.levelname.lower(), "logger": record.name, "message": message}
        if record.exc_info:
            # The end of it is where it happened.
            fields["traceback"] = logging.Formatter().formatException(record.exc_info)[-_MAX_TRACEBACK_CHARS:]
        self._log.write("library_notice", fields)


def take_over_logging(log: EventLog) -> None:
    """Send all that libraries log in this process to `log`."""
    root = logging.getLogger()
    root.handlers[:] = [RecordHandler(log)]
    root.setLevel(logging.WARNING)
