"""What user code prints and logs, as lines of the script's log: with the ray of the request and the class that said it.

Law 1: `print`, `logging`, `warnings` and `console` all come here; what is written in one call is one line of the log, line breaks included.
Law 2: text without a line break is held for whoever wrote it, and goes out when they end the line, when their event or request has ended
(`over`), or when nothing was added to it for MAX_HELD_S: never with what others write.
Law 3: nothing here raises for what user code prints.
"""

from __future__ import annotations

import io
import logging
import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextvars import Context, ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from holdfast.model.worker_messages import LogLevel
from holdfast.workers.runtime.services import services
from holdfast.workers.runtime.turns import current_event
from holdfast.workers.sdk.context import running
from holdfast.workers.sdk.web.console import console

# The class whose handler runs now.
entrypoint: ContextVar[str] = ContextVar("entrypoint", default="")
# The ray of what runs for no request: a run of an alarm.
own_ray: ContextVar[str] = ContextVar("own_ray", default="")
# Who started each thread (`strays.watch_threads`); a thread begins with an empty context.
STARTED_BY: WeakKeyDictionary[threading.Thread, tuple[str, str]] = WeakKeyDictionary()
# A text without a line break is held so long.
MAX_HELD_CHARACTERS = 64 * 1024
# Texts that are held at once; beyond it the oldest goes out as it is.
MAX_HELD = 256
# How long a text is held to which nothing is added.
MAX_HELD_S = 10.0

# Told a level, a message, and who said it: the ray and the entrypoint.
Say = Callable[[LogLevel, str, str, str], None]


def who() -> tuple[str, str]:
    """(ray, entrypoint) of the code that runs now."""
    invocation = running.get(None)
    request = None if invocation is None else invocation.request
    if request is not None:
        return request.ray, entrypoint.get()
    if ray := own_ray.get():
        return ray, entrypoint.get()
    event = current_event.get()
    if event is None and not entrypoint.get():
        return STARTED_BY.get(threading.current_thread(), ("", ""))
    return ("" if event is None else services.ray_of(event[0])), entrypoint.get()


def see_run() -> None:
    """The code of this context is a run of its own: what it says has a ray by which it is found."""
    own_ray.set(secrets.token_hex(8))


# Who writes: the stream's level, the ray, the entrypoint, and the thread, where only that tells them apart.
_Hand = tuple[LogLevel, str, str, int]


@dataclass(slots=True)
class _Unended:
    say: Say
    texts: list[str] = field(default_factory=list)
    characters: int = 0
    at_s: float = 0.0


# Oldest first. Whoever ends events looks whether there is anything.
HELD: dict[_Hand, _Unended] = {}


def _hand(level: LogLevel) -> _Hand:
    ray, name = who()
    return level, ray, name, 0 if ray else threading.get_ident()


def _let_go(hand: _Hand) -> None:
    if (held := HELD.pop(hand, None)) is not None and (text := "".join(held.texts).rstrip("\n")):
        held.say(hand[0], text, hand[1], hand[2])


def over(ray: str, name: str) -> None:
    """What had this ray and entrypoint has ended, on this thread: lines that it did not end are."""
    thread = 0 if ray else threading.get_ident()
    levels: tuple[LogLevel, ...] = ("log", "error")
    for level in levels:
        _let_go((level, ray, name, thread))


def over_in(context: Context) -> None:
    """The same, of what ran in this context."""
    over(*context.copy().run(who))


def let_go(*, older_than_s: float = 0.0) -> None:
    """Give on what nothing was added to for so long; all of it where none is said."""
    now = time.monotonic()
    for hand, held in list(HELD.items()):
        if now - held.at_s >= older_than_s:
            _let_go(hand)


class Writer(io.TextIOBase):
    """A text stream that gives what is written to it on, each time a line ends."""

    def __init__(self, level: LogLevel, say: Say) -> None:
        self._level: LogLevel = level
        self._say = say

    @property
    def encoding(self) -> str:  # type: ignore[override]  # the base class has it as an attribute
        """UTF-8."""
        return "utf-8"

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, text: str) -> int:
        """Give it on, if it ends a line."""
        hand = _hand(self._level)
        held = HELD.get(hand)
        if held is None:
            if len(HELD) >= MAX_HELD:
                _let_go(next(iter(HELD)))
            held = HELD[hand] = _Unended(self._say)
        held.texts.append(text)
        held.characters += len(text)
        if text.endswith("\n") or held.characters > MAX_HELD_CHARACTERS:
            _let_go(hand)
        else:
            held.at_s = time.monotonic()
        return len(text)

    def writelines(self, lines: Iterable[Any]) -> None:
        """Each of them."""
        for text in lines:
            self.write(text)

    def flush(self) -> None:
        """Give on what there is of whoever asks."""
        _let_go(_hand(self._level))


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
