"""The children of a supervisor: who there is, in which state, and what is due. No process and no clock is touched here.

Law 1: each role has one child that is wanted, the active one. Others of its role are on their way: in, as the successor of a
release, or out.
Law 2: every wait has a limit: a start, a stop and a retirement that take too long are ended by SIGKILL.
"""

from __future__ import annotations

import itertools
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from holdfast.app.commands import Command, Send, Start, Tell
from holdfast.app.words import Retire, Stop
from holdfast.model.back_off import BackOff


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildLimits:
    """A role's name, how long a child of it may take to be ready, and to end when told to stop.

    `keeps_clients`: it holds connections that outlive a release, so it is retired and not stopped.
    """

    name: str
    start_limit_s: float
    stop_limit_s: float
    keeps_clients: bool = False


class State(Enum):
    """Where a child stands."""

    WAITING = auto()  # until `due`, to be started
    STARTING = auto()  # lives, is not ready; killed at `due`
    READY = auto()
    RETIRING = auto()  # serves what it has, and ends; killed at `due`
    STOPPING = auto()  # was told to end; killed at `due`
    ENDED = auto()


@dataclass(slots=True, kw_only=True)
class Child:
    """One child, over all its restarts. `sentence` is what it said that it fails with, `printed` what was printed for it before it
    could. `connections` is how many it keeps while it retires, None before it has said."""

    number: int
    limits: ChildLimits
    python: str = ""
    is_first: bool = False
    state: State = State.WAITING
    due: float | None = None
    pid: int = 0
    starts: int = 0
    started_at: float = 0.0
    was_ready: bool = False
    sentence: str = ""
    printed: str = ""
    connections: int | None = None
    retires_until: float = 0.0
    ends_by: float = 0.0
    is_closing: bool = False
    back_off: BackOff = field(default_factory=BackOff)

    @property
    def role(self) -> str:
        """The name of its role."""
        return self.limits.name

    @property
    def lives(self) -> bool:
        """Whether it is, or is about to be, a process."""
        return self.state not in {State.WAITING, State.ENDED}

    def end(self) -> None:
        """It is no process any more, and is not to be one."""
        self.state, self.due = State.ENDED, None


# How long an edge may take to say that it has retired, which it does at once. One that hangs is ended: nobody there is served.
SILENT_LIMIT_S = 60.0


class Family:
    """All children, and what can be told them. `roles` are in the order in which they are stopped."""

    def __init__(self, roles: Sequence[ChildLimits]) -> None:
        self.roles = tuple(roles)
        self._numbers = itertools.count(1)
        self._children: dict[int, Child] = {}
        self.active = {limits.name: self.add(limits, is_first=True) for limits in roles}

    def add(self, limits: ChildLimits, *, python: str = "", is_first: bool = False) -> Child:
        """Another child, which is not started yet."""
        child = Child(number=next(self._numbers), limits=limits, python=python, is_first=is_first)
        self._children[child.number] = child
        return child

    def __iter__(self) -> Iterator[Child]:
        return iter(tuple(self._children.values()))

    def child(self, number: int) -> Child:
        """The child with this number, also one that has ended."""
        return self._children[number]

    def is_active(self, child: Child) -> bool:
        """Whether it is the one that its role wants."""
        return self.active[child.role] is child

    def living(self, role: str) -> list[Child]:
        """Those of a role that live, the oldest first."""
        return [child for child in self if child.role == role and child.lives]

    def forget_ended(self) -> None:
        """Forget those that have ended and are wanted by nobody."""
        for child in self:
            if child.state is State.ENDED and not self.is_active(child):
                del self._children[child.number]

    def next_moment(self) -> float | None:
        """When something is due."""
        return min((child.due for child in self if child.due is not None), default=None)

    def start(self, child: Child, now: float) -> list[Command]:
        """Start it."""
        is_successor = any(other is not child for other in self.living(child.role))
        child.state, child.due = State.STARTING, now + child.limits.start_limit_s
        child.starts, child.started_at = child.starts + 1, now
        return [Start(child.number, child.role, child.python, is_successor)]

    def stop(self, child: Child, now: float) -> list[Command]:
        """Have it end now. One that is being stopped has been told."""
        if child.state is State.WAITING:
            child.end()
        if not child.lives or child.state is State.STOPPING:
            return []
        child.state, child.due = State.STOPPING, now + child.limits.stop_limit_s
        return [Tell(child.number, Stop())]

    def retire(self, child: Child, word: Retire, now: float) -> list[Command]:
        """Have it keep what it has, as `word` says."""
        child.state, child.retires_until = State.RETIRING, now + word.deadline_s + word.spread_s
        child.ends_by = now + word.longest_s + child.limits.stop_limit_s
        child.due = child.ends_by if child.connections is not None else min(child.ends_by, now + SILENT_LIMIT_S)
        return [Tell(child.number, word)]

    def kill(self, child: Child) -> list[Command]:
        """End it at once."""
        if not child.lives:
            return []
        child.due = None
        return [Send(child.number, signal.SIGKILL)]
