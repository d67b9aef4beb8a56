"""What a supervisor does about its children: events in, commands out. No process, no socket, no clock is touched here.

Law 1: a child that ends while it is wanted is started again (`back_off`), whatever it ended with; except
Law 2: a child that ends with status 2 before it was ever ready has found its configuration wrong: all end, with its sentence.
Law 3: to end is to stop the children one after the other, in their order, each when the one before has ended. A second
request to end kills all that live.
Law 4: every wait has a limit: a start and a stop that take too long are ended by SIGKILL.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from holdfast.app.back_off import BackOff

# The exit status of a process whose configuration is at fault (`holdfast.errors`).
_CONFIGURATION = 2
# What one that could not even be started counts as: its configuration is not at fault.
_NOT_STARTED = 1


# --- Commands ---


@dataclass(frozen=True, slots=True)
class Start:
    """Start this child."""

    child: str


@dataclass(frozen=True, slots=True)
class Send:
    """Send this signal to this child."""

    child: str
    number: signal.Signals


@dataclass(frozen=True, slots=True)
class Announce:
    """Print what a child said to be ready, for the first time."""

    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CloseListeners:
    """Close the supervisor's own copies of what it listens on: new connections are to be refused once the edge ends."""


@dataclass(frozen=True, slots=True)
class Record:
    """Write this record to the log."""

    event: str
    fields: Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Finish:
    """Nothing is left to supervise. `sentence` is why it could not go on, "" where it was asked to end.

    `by_signal` is the second signal, which the supervisor should end by itself.
    """

    status: int
    sentence: str = ""
    by_signal: signal.Signals | None = None


Command = Start | Send | Announce | CloseListeners | Record | Finish


# --- State ---


class _State(Enum):
    WAITING = auto()  # until `due`, to be started
    STARTING = auto()  # lives, is not ready; killed at `due`
    READY = auto()
    STOPPING = auto()  # was told to end; killed at `due`
    ENDED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildLimits:
    """A child's name, and how long it may take to be ready, and to end after SIGTERM."""

    name: str
    start_limit_s: float
    stop_limit_s: float


@dataclass(slots=True)
class _Child:
    name: str
    limits: ChildLimits
    state: _State = _State.WAITING
    due: float | None = None
    pid: int = 0
    starts: int = 0
    started_at: float = 0.0
    was_ready: bool = False
    sentence: str = ""
    back_off: BackOff = field(default_factory=BackOff)

    @property
    def lives(self) -> bool:
        return self.state in {_State.STARTING, _State.READY, _State.STOPPING}


class Supervision:
    """The state of all children. Each method takes `now`, in seconds of a clock that does not jump, and gives commands.

    `children` are in the order in which they are stopped.
    """

    def __init__(self, children: Sequence[ChildLimits]) -> None:
        self._children = {limits.name: _Child(limits.name, limits) for limits in children}
        self._is_ending = False
        self._finish = Finish(0)

    def begin(self, now: float) -> list[Command]:
        """Start all children."""
        return [command for child in self._children.values() for command in self._start(child, now)]

    @property
    def is_ending(self) -> bool:
        """Whether nothing is started any more."""
        return self._is_ending

    def next_moment(self) -> float | None:
        """When `time_passed` has something to do; None if nothing is due."""
        return min((child.due for child in self._children.values() if child.due is not None), default=None)

    def child_started(self, name: str, pid: int) -> None:
        """The process of a `Start` is there."""
        self._children[name].pid = pid

    def child_ready(self, name: str, lines: tuple[str, ...], now: float) -> list[Command]:
        """The child says that it serves."""
        child = self._children[name]
        if child.state is not _State.STARTING:
            return []
        is_first, child.was_ready = not child.was_ready, True
        child.state, child.due = _State.READY, None
        child.back_off.ready(now)
        fields: dict[str, str | int] = {"child": name, "pid": child.pid, "restarts": child.starts - 1}
        fields["took_ms"] = round((now - child.started_at) * 1000)
        return [Record("child_started", fields), *([Announce(lines)] if is_first else [])]

    def child_failed(self, name: str, sentence: str) -> None:
        """The child says why it is about to end."""
        self._children[name].sentence = sentence

    def child_not_started(self, name: str, reason: str, now: float) -> list[Command]:
        """There is no process of a `Start`, for `reason`. A first one will not do better later; others may."""
        child = self._children[name]
        if not self._is_ending and child.starts == 1:
            # Nor is there a process of those whose turn comes after it: they are not begun any more.
            for one in self._children.values():
                if one.state is _State.STARTING and not one.pid:
                    one.state, one.due = _State.ENDED, None
            return self._end(Finish(_NOT_STARTED, f"the {name} cannot be started: {reason}"), now)
        self.child_failed(name, f"it cannot be started: {reason}")
        return self.child_exited(name, _NOT_STARTED, now)

    def child_exited(self, name: str, status: int, now: float) -> list[Command]:
        """The child has ended and is reaped; `status` is its exit status, or the negative number of the signal."""
        child = self._children[name]
        if not self._is_ending and not child.was_ready and child.starts == 1 and status == _CONFIGURATION:
            sentence = child.sentence or f"the {name} ended with status {status} before it was ready"
            child.state, child.due = _State.ENDED, None
            return self._end(Finish(status, sentence), now)
        fields: dict[str, str | int] = {"child": name, "pid": child.pid, **_ending_of(status)}
        if child.sentence:
            fields["reason"] = child.sentence
        child.sentence, child.pid = "", 0
        if self._is_ending:
            child.state, child.due = _State.ENDED, None
            return [Record("child_exited", fields), *self._stop_next(now)]
        delay_s = child.back_off.delay_after_exit(now)
        record = Record("child_exited", {**fields, "restart_in_ms": round(delay_s * 1000)})
        child.state, child.due = _State.WAITING, now + delay_s
        return [record, *(self._start(child, now) if not delay_s else [])]

    def end_asked(self, number: signal.Signals, now: float) -> list[Command]:
        """An ending signal came to the supervisor."""
        if not self._is_ending:
            return self._end(Finish(0), now)
        self._finish = Finish(0, by_signal=number)
        return [Send(child.name, signal.SIGKILL) for child in self._children.values() if child.lives]

    def time_passed(self, now: float) -> list[Command]:
        """Do what is due."""
        commands: list[Command] = []
        for child in self._children.values():
            if child.due is None or child.due > now:
                continue
            if child.state is _State.WAITING:
                commands += self._start(child, now)
            else:  # a start or a stop that took too long
                child.due = None
                commands.append(Send(child.name, signal.SIGKILL))
        return commands

    def _start(self, child: _Child, now: float) -> Iterator[Command]:
        child.state, child.due = _State.STARTING, now + child.limits.start_limit_s
        child.starts, child.started_at = child.starts + 1, now
        yield Start(child.name)

    def _end(self, finish: Finish, now: float) -> list[Command]:
        self._is_ending, self._finish = True, finish
        for child in self._children.values():
            if child.state is _State.WAITING:
                child.state, child.due = _State.ENDED, None
        return [CloseListeners(), *self._stop_next(now)]

    def _stop_next(self, now: float) -> list[Command]:
        """Stop the first child that lives, unless it is being stopped; finish where none does."""
        child = next((child for child in self._children.values() if child.lives), None)
        if child is None:
            return [self._finish]
        if child.state is _State.STOPPING:
            return []
        child.state, child.due = _State.STOPPING, now + child.limits.stop_limit_s
        return [Send(child.name, signal.SIGTERM)]


def _ending_of(status: int) -> dict[str, str | int]:
    if status >= 0:
        return {"status": status}
    try:
        return {"signal": signal.Signals(-status).name}
    except ValueError:  # a real-time signal has a number only
        return {"signal": str(-status)}
