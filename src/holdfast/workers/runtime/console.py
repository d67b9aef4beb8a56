"""What user code prints and logs, as lines of the script's log: with the ray of the request and the class that said it.

Law 1: `print`, `logging`, `warnings` and `console` all come here; what is written in one call is one line of the log, line breaks included.
Law 2: nothing here raises for what user code prints.
"""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from functools import partial
from typing import Any

from holdfast.model.worker_messages import LogLevel
from holdfast.workers.runtime.services import services
from holdfast.workers.runtime.turns import current_event
from holdfast.workers.sdk.context import running
from holdfast.workers.sdk.web.console import console

# The class whose handler runs now.
entrypoint: ContextVar[str] = ContextVar("entrypoint", default="")
# A text without a line break is held so long.
MAX_HELD_CHARACTERS = 64 * 1024

# Told a level, a message, and who said it: the ray and the entrypoint.
Say = Callable[[LogLevel, str, str, str], None]


def who() -> tuple[str, str]:
    """(ray, entrypoint) of the code that runs now."""
    invocation = running.get(None)
    request = None if invocation is None else invocation.request
    if request is not None:
        return request.ray, entrypoint.get()
    event = current_event.get()
    return ("" if event is None else services.ray_of(event[0])), entrypoint.get()


class Writer(io.TextIOBase):
    """A text stream that gives what is written to it on, each time a line ends."""

    def __init__(self, level: LogLevel, say: Say) -> None:
        self._level: LogLevel = level
        self._say = say
        self._held: list[str] = []
        self._held_characters = 0

    @property
    def encoding(self) -> str:  # type: ignore[override]  # the base class has it as an attribute
        """UTF-8."""
        return "utf-8"

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, text: str) -> int:
        """Give it on, if it ends a line."""
        self._held.append(text)
        self._held_characters += len(text)
        if text.endswith("\n") or self._held_characters > MAX_HELD_CHARACTERS:
            self.flush()
        return len(text)

    def writelines(self, lines: Iterable[Any]) -> None:
        """Each of them."""
        for text in lines:
            self.write(text)

    def flush(self) -> None:
        """Give on what there is."""
        held, self._held, self._held_characters = "".join(self._held), [], 0
        if text := held.rstrip("\n"):
            self._say(self._level, text, *who())


class Handler(logging.Handler):
    """Gives on what `logging` is told."""

    def __init__(self, say: Say) -> None:
        super().__init__()
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        """One line."""
        try:
            text = self.format(record)
        except Exception:  # noqa: BLE001 - arguments that do not fit the format are user code's
            text = str(record.msg)
        self._say(_level(record.levelno), text, *who())


def _level(number: int) -> LogLevel:
    if number >= logging.ERROR:
        return "error"
    if number >= logging.WARNING:
        return "warn"
    return "info" if number >= logging.INFO else "debug"


def _told(say: Say, level: str, text: str) -> None:
    """What `console` is told; levels that we do not know are its plain one."""
    known: dict[str, LogLevel] = {"debug": "debug", "info": "info", "warn": "warn", "error": "error"}
    say(known.get(level, "log"), text, *who())


def capture(say: Say) -> None:
    """Take over what this process prints and logs, for good."""
    sys.stdout = Writer("log", say)
    sys.stderr = Writer("error", say)
    logging.basicConfig(level=logging.INFO, handlers=[Handler(say)], format="%(message)s", force=True)
    console.sink = partial(_told, say)
    logging.captureWarnings(capture=True)
