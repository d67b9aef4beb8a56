"""Releases: a new edge beside the old one, then the old one retires, then control is replaced. Events in, commands out.

Law 1: nothing is taken from the old edge before the new one is ready. One that does not become ready is gone without a trace
but its sentence, and the old one goes on.
Law 2: one release is under way at a time, and one waits. Whoever asks for the same as the one that waits, joins it; for
another, is refused.
Law 3: what retires is bounded: beyond MOST_RETIRING the oldest is told to close now, evenly; beyond MOST_LEAVING a release is
refused.
Law 4: control is loaded beside the old one, and waits: the old one is stopped when the new one has all it needs, for it has
the database to itself. One that does not get there is gone without a trace but its sentence; where it fails later, the
interpreter before is taken again. The edge stays released.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, auto

import msgspec

from holdfast.app.commands import Command, Conclude, Notify, Record, Say
from holdfast.app.family import Child, Family, State
from holdfast.app.words import Order, Retire, Why

# Edges that keep connections of earlier releases. Each has the memory of its connections and 25 MB, more with many rules.
MOST_RETIRING = 16
# With those that have been told to close, which takes the spread of each.
MOST_LEAVING = 32
# How long an edge may take to say that it has retired, before a release goes on without its word.
HANDOVER_LIMIT_S = 5.0
# How long a new control may take to load what it needs, gently, on a machine that starts everything else too.
PREPARE_LIMIT_S = 60.0

ENDING = "everything is ending"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasePlan:
    """How connections end that an edge keeps: see `words.Retire`."""

    deadline_s: float = 3600.0
    spread_s: float = 60.0
    order: Order = "oldest"

    def retire(self, why: Why) -> Retire:
        """What is said to an edge that retires."""
        return Retire(why=why, deadline_s=self.deadline_s, spread_s=self.spread_s, order=self.order)


class _Phase(Enum):
    QUEUED = auto()
    EDGE = auto()  # the successor starts
    HANDOVER = auto()  # the edge before it has been told to retire
    CONTROL = auto()  # the other roles, one after the other


@dataclass(slots=True, kw_only=True)
class _Release:
    python: str
    tickets: list[int] = field(default_factory=list)
    phase: _Phase = _Phase.QUEUED
    began: float = 0.0
    due: float | None = None
    successor: Child | None = None
    outgoing: Child | None = None
    # The child of another role that is being replaced, the one that loads beside it, and whether that has followed it.
    replaced: Child | None = None
    incoming: Child | None = None
    is_starting: bool = False
    left: list[str] = field(default_factory=list)
    # What went wrong that does not hold it up.
    lost: str = ""


class Releasing:
    """The releases of one supervisor. Each method gives commands; `now` is in seconds of a clock that does not jump."""

    def __init__(self, family: Family, plan: ReleasePlan) -> None:
        self._family = family
        self._plan = plan
        # What a plain release starts, and a restart: "" for the supervisor's own.
        self._python = ""
        self._current: _Release | None = None
        self._next: _Release | None = None
        self._edge = next((one for one in family.roles if one.keeps_clients), family.roles[0])

    @property
    def is_under_way(self) -> bool:
        """Whether there is one."""
        return self._current is not None

    def is_successor(self, child: Child) -> bool:
        """Whether it is the one that is to follow the active edge."""
        return self._current is not None and self._current.successor is child

    def next_moment(self) -> float | None:
        """When `time_passed` has something to do."""
        return self._current.due if self._current is not None else None

    def asked(self, ticket: int | None, python: str, now: float) -> list[Command]:
        """Somebody asks for a release; `python` is "" for the interpreter there is. Who asks by a signal has no ticket."""
        tickets = [] if ticket is None else [ticket]
        if self._current is None:
            self._next = _Release(python=python, tickets=tickets)
            return self._begin_next(now)
        if self._next is None:
            self._next = _Release(python=python, tickets=tickets)
        elif self._next.python == python:
            self._next.tickets += tickets
        else:
            return self._refused(tickets, "another release is under way, and one waits with another interpreter")
        return [Say(one, "another release is under way: this one waits for it") for one in tickets]

    def forget(self, python: str) -> None:
        """There is no such interpreter any more: start the supervisor's own instead."""
        if self._python == python:
            self._python = ""

    def abort(self, reason: str) -> list[Command]:
        """Begin none any more, and have no successor take over. Its process is the caller's to end."""
        commands: list[Command] = []
        for release in (self._current, self._next):
            if release is not None:
                commands += _conclude(release, f"it was given up: {reason}")
                # It holds nothing.
                commands += self._family.kill(release.incoming) if release.incoming is not None else []
                if release.phase is not _Phase.QUEUED:
                    commands.append(Record("release_rolled_back", {"reason": reason}))
        self._current = self._next = None
        return commands

    def ready(self, child: Child, now: float) -> list[Command]:
        """A child has become ready."""
        release = self._current
        if release is None:
            return []
        said = f"{child.role} {child.pid} is ready after {round((now - child.started_at) * 1000)} ms"
        if release.successor is child:
            return [*_say(release, said), *self._hand_over(release, child, now)]
        # One that waited for nobody need not say that it does.
        commands = self.prepared(child, now)
        if release.phase is _Phase.CONTROL and release.is_starting and self._is_awaited(release, child):
            return [*commands, *_say(release, said), *self._replace_next(release, now)]
        return []

    def prepared(self, child: Child, now: float) -> list[Command]:
        """A child has all it needs but what its predecessor has."""
        release = self._current
        if release is None or release.incoming is not child or release.replaced is None:
            return []
        self._follow(release, child)
        return self._family.stop(release.replaced, now)

    def retiring(self, child: Child, now: float) -> list[Command]:
        """A retiring edge has said how many connections it keeps."""
        release = self._current
        if release is None or release.phase is not _Phase.HANDOVER or release.outgoing is not child:
            return []
        kept = f"{child.role} {child.pid} keeps {_counted(child.connections or 0)}"
        until = child.retires_until if child.connections else None
        return [*_say(release, kept, until=until), *self._replace_others(release, now)]

    def exited(self, child: Child, reason: str, now: float, *, is_clean: bool) -> tuple[list[Command], bool]:
        """A child has ended, for `reason`; `is_clean`: as one does that was asked to. The commands, and whether all has been
        done about it: else it is a child as any."""
        release = self._current
        if release is None:
            return [], False
        if release.successor is child:
            child.end()
            return self._rolled_back(release, f"the new {child.role} did not become ready: {reason}", now), True
        if release.outgoing is child:
            return self._outgoing_exited(release, child, reason, now, is_clean=is_clean), False
        if release.incoming is child:
            child.end()
            return self._other_failed(release, child, reason, now), True
        if release.incoming is not None and release.replaced is child:
            # What is to follow it is there already.
            child.end()
            self._follow(release, release.incoming)
            return [], True
        if release.phase is _Phase.CONTROL and release.is_starting and self._is_awaited(release, child):
            return self._back_to_before(release, child, reason, now)
        return [], False

    def time_passed(self, now: float) -> list[Command]:
        """Do what is due."""
        release = self._current
        if release is None or release.due is None or release.due > now:
            return []
        if (incoming := release.incoming) is not None:
            release.due = None
            incoming.sentence = f"it was not ready to take over within {PREPARE_LIMIT_S:.0f} s"
            return self._family.kill(incoming)
        silent = release.outgoing.pid if release.outgoing is not None else 0
        said = _say(release, f"{self._edge.name} {silent} has not said that it retires")
        return [*said, *self._replace_others(release, now)]

    # --- The edge ---

    def _begin_next(self, now: float) -> list[Command]:
        release, self._next = self._next, None
        if release is None:
            return []
        leaving = sum(child.state is State.RETIRING for child in self._family)
        if leaving >= MOST_LEAVING:
            return self._refused(release.tickets, f"{leaving} edges of earlier releases are still ending")
        python = release.python = release.python or self._python
        self._current = release
        release.phase, release.began = _Phase.EDGE, now
        release.successor = self._family.add(self._edge, python=python)
        fields: dict[str, str | int] = {"python": python} if python else {}
        return [
            Record("release_started", fields),
            Notify(("RELOADING=1", f"MONOTONIC_USEC={int(now * 1_000_000)}", "STATUS=A release is under way")),
            *_say(release, f"a new {self._edge.name} is being started"),
            *self._family.start(release.successor, now),
        ]

    def _hand_over(self, release: _Release, successor: Child, now: float) -> list[Command]:
        outgoing = self._family.active[successor.role]
        self._family.active[successor.role] = successor
        release.successor, self._python = None, release.python
        if outgoing.state is not State.READY:
            # It serves nobody: it was being started again.
            return [*self._family.stop(outgoing, now), *self._replace_others(release, now)]
        release.phase, release.outgoing = _Phase.HANDOVER, outgoing
        release.due = now + HANDOVER_LIMIT_S
        return [*self._family.retire(outgoing, self._plan.retire("release"), now), *self._bound(now)]

    def _outgoing_exited(
        self, release: _Release, child: Child, reason: str, now: float, *, is_clean: bool
    ) -> list[Command]:
        """The edge before has ended while the release goes on: it should have kept what it had."""
        is_in_time = release.phase is not _Phase.HANDOVER
        if not (is_in_time and is_clean):
            release.lost = f"the {child.role} is replaced, but the one before died with its connections: {reason}"
        return [] if is_in_time else self._replace_others(release, now)

    def _bound(self, now: float) -> list[Command]:
        """Have the oldest close, where too many keep connections."""
        retiring = [one for one in self._family if one.state is State.RETIRING and not one.is_closing]
        commands: list[Command] = []
        for child in retiring[: max(0, len(retiring) - MOST_RETIRING)]:
            child.is_closing = True
            commands += self._family.retire(
                child, msgspec.structs.replace(self._plan.retire("release"), deadline_s=0.0), now
            )
            commands.append(Record("edge_closes_early", {"pid": child.pid, "retiring": len(retiring)}))
        return commands

    # --- The others ---

    def _replace_others(self, release: _Release, now: float) -> list[Command]:
        release.phase, release.due = _Phase.CONTROL, None
        release.left = [limits.name for limits in self._family.roles if limits.name != self._edge.name]
        return self._replace_next(release, now)

    def _replace_next(self, release: _Release, now: float) -> list[Command]:
        if not release.left:
            pid = self._family.active[self._edge.name].pid
            fields: dict[str, str | int] = {"pid": pid, "took_ms": round((now - release.began) * 1000)}
            if release.lost:
                fields["reason"] = release.lost
            return [Record("release_done", fields), *self._over(release, release.lost, now)]
        before = release.replaced = self._family.active[release.left.pop(0)]
        child = self._family.add(before.limits, python=release.python)
        # How often it has failed is known already.
        child.back_off = before.back_off
        if before.lives:
            release.incoming, release.is_starting, release.due = child, False, now + PREPARE_LIMIT_S
        else:
            before.end()
            self._follow(release, child)
        return self._family.start(child, now)

    def _follow(self, release: _Release, child: Child) -> None:
        """It is in the place of the one before, from now on."""
        self._family.active[child.role] = child
        release.incoming, release.is_starting, release.due = None, True, None

    def _other_failed(self, release: _Release, child: Child, reason: str, now: float) -> list[Command]:
        """The new one did not start. Where the one before lives it goes on, or another like it does, where it was something
        else; else the new one is tried again as any."""
        before = release.replaced.python if release.replaced is not None else ""
        if release.incoming is child:
            what = "the one before goes on"
        else:
            what = "it goes on with the interpreter before" if before != child.python else "it is tried again"
        sentence = f"the {self._edge.name} is replaced, but the new {child.role} did not become ready: {reason}; {what}"
        sentence = "; ".join(filter(None, (release.lost, sentence)))
        fields: dict[str, str | int] = {"child": child.role, "reason": reason}
        return [Record("release_rolled_back", fields), *self._over(release, sentence, now)]

    def _back_to_before(self, release: _Release, child: Child, reason: str, now: float) -> tuple[list[Command], bool]:
        """The one in the place of the one before failed: as that one was, if it was something else, it is started now."""
        before = release.replaced.python if release.replaced is not None else ""
        commands, is_other = self._other_failed(release, child, reason, now), before != child.python
        child.python = before
        return ([*commands, *self._family.start(child, now)], True) if is_other else (commands, False)

    def _is_awaited(self, release: _Release, child: Child) -> bool:
        """Whether it is the new one in the place of the one that was replaced."""
        return release.replaced is not None and child.role == release.replaced.role and self._family.is_active(child)

    # --- The end ---

    def _rolled_back(self, release: _Release, sentence: str, now: float) -> list[Command]:
        fields: dict[str, str | int] = {"child": self._edge.name, "reason": sentence}
        return [Record("release_rolled_back", fields), *self._over(release, f"{sentence}; nothing has changed", now)]

    def _over(self, release: _Release, sentence: str, now: float) -> list[Command]:
        self._current = None
        return [*_conclude(release, sentence), Notify(("READY=1", "STATUS=Serving")), *self._begin_next(now)]

    def _refused(self, tickets: Iterable[int], reason: str) -> list[Command]:
        return [Record("release_refused", {"reason": reason}), *(Conclude(one, reason) for one in tickets)]


def _say(release: _Release, line: str, *, until: float | None = None) -> list[Command]:
    return [Say(ticket, line, until) for ticket in release.tickets]


def _conclude(release: _Release, sentence: str) -> list[Command]:
    return [Conclude(ticket, sentence) for ticket in release.tickets]


def _counted(connections: int) -> str:
    return f"{connections} connection{'' if connections == 1 else 's'}"
