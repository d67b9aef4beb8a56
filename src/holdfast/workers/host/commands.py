"""What is to be done next about one script's processes: the commands that `script` gives. Values; nothing is done here.

Law: a process is named by its number, which no other process of its script ever has.
"""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.model.worker_messages import LogLevel, Retire, Scheduled, Serve


@dataclass(frozen=True, slots=True)
class Spawn:
    """Start a process and have it load this version."""

    number: int
    version: str


@dataclass(frozen=True, slots=True)
class Tell:
    """Say this to the process."""

    number: int
    message: Serve | Scheduled | Retire


@dataclass(frozen=True, slots=True)
class Kill:
    """End the process, and those that it has started, at once."""

    number: int


@dataclass(frozen=True, slots=True)
class Activate:
    """This version serves: it is the one to start with from now on."""

    version: str


@dataclass(frozen=True, slots=True)
class Conclude:
    """Tell whoever asked with this ticket that it is done; or why it is not, with the traceback of the user's code."""

    ticket: int
    error: str = ""
    traceback: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """Say this in the script's log, and as the record `event` in ours."""

    event: str
    level: LogLevel
    message: str


Command = Spawn | Tell | Kill | Activate | Conclude | Note
