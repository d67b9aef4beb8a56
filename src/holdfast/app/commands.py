"""What a supervisor is to do next: the commands that `supervision` gives. Values; nothing is done here.

Law: a child is named by its number, which no other child ever has.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass

from holdfast.app.words import Word


@dataclass(frozen=True, slots=True)
class Start:
    """Start this child, in this role, with this interpreter ("" for our own).

    `is_successor`: others of its role live, and have what only one can have.
    """

    child: int
    role: str
    python: str = ""
    is_successor: bool = False


@dataclass(frozen=True, slots=True)
class Send:
    """Send this signal to this child."""

    child: int
    number: signal.Signals


@dataclass(frozen=True, slots=True)
class Tell:
    """Say this to this child, over its lifeline."""

    child: int
    word: Word


@dataclass(frozen=True, slots=True)
class Announce:
    """Print what a child said to be ready, for the first time of its role."""

    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CloseListeners:
    """Close the supervisor's own copies of what this role listens on: new connections are to be refused once its last
    child has closed its own."""

    role: str


@dataclass(frozen=True, slots=True)
class Record:
    """Write this record to the log."""

    event: str
    fields: Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Say:
    """Tell whoever asked with this ticket how it goes. `until`: when what is said is over, in seconds of the clock."""

    ticket: int
    line: str
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Conclude:
    """Tell whoever asked with this ticket that it is done, or why it is not: a sentence."""

    ticket: int
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class Notify:
    """Tell the service manager, if there is one (sd_notify(3)): assignments."""

    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Finish:
    """Nothing is left to supervise. `sentence` is why it could not go on, "" where it was asked to end.

    `by_signal` is the last signal, which the supervisor should end by itself.
    """

    status: int
    sentence: str = ""
    by_signal: signal.Signals | None = None


Command = Start | Send | Tell | Announce | CloseListeners | Record | Say | Conclude | Notify | Finish
