"""What a supervisor does about its children: events in, commands out. No process, no socket, no clock is touched here.

Law 1: a child that ends while it is wanted is started again (`back_off`), whatever it ended with; except
Law 2: a child that ends with status 2 before its role was ever ready has found its configuration wrong: all end, with its
sentence.
Law 3: to end is to stop the roles one after the other, in their order, each when nobody of the one before lives.
Law 4: a drain is an end in which those that keep clients retire first. The other roles are kept running meanwhile.
Law 5: each further request to end is harder: a drain, then Close 1012 at once, then SIGKILL; a stop, then SIGKILL.
Law 6: a retiring child that dies is not started again. Its role's active one is, also while a release is under way.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from enum import Enum, auto

import msgspec

from holdfast.app.commands import (
    Announce,
    CloseListeners,
    Command,
    Conclude,
    Finish,
    Notify,
    Record,
    Say,
    Tell,
)
from holdfast.app.family import SILENT_LIMIT_S, Child, ChildLimits, Family, State
from holdfast.app.releasing import ENDING, ReleasePlan, Releasing
from holdfast.app.words import Draining

# The exit status of a process whose configuration is at fault (`holdfast.errors`).
_CONFIGURATION = 2
# What one that could not even be started counts as: its configuration is not at fault.
_NOT_STARTED = 1

# How much longer a service manager is asked to wait for an end, and how often it is asked.
EXTENSION_S, EXTEND_EVERY_S = 30.0, 10.0
# How long what is told to close at once has for its closing handshakes, when an end is hurried.
HURRIED_CLOSING_S = 4.0


class _Mode(Enum):
    RUNNING = auto()
    DRAINING = auto()  # those that keep clients retire, the others serve on
    STOPPING = auto()


class Supervision:
    """The state of all children. Each method takes `now`, in seconds of a clock that does not jump, and gives commands.

    `roles` are in the order in which they are stopped.
    """

    def __init__(self, roles: Sequence[ChildLimits], plan: ReleasePlan | None = None) -> None:
        self._plan = plan or ReleasePlan()
        self._family = Family(roles)
        self._releasing = Releasing(self._family, self._plan)
        self._announced: set[str] = set()
        self._mode = _Mode.RUNNING
        self._is_hurried = False
        self._ending_signals = 0
        self._drain_tickets: list[int] = []
        self._extend_at: float | None = None
        self._finish = Finish(0)

    def begin(self, now: float) -> list[Command]:
        """Start all children."""
        return [command for child in self._family.active.values() for command in self._family.start(child, now)]

    def is_to_be_started(self, number: int) -> bool:
        """Whether this child is to be a process, and is none yet."""
        child = self._family.child(number)
        return child.state is State.STARTING and not child.pid

    def next_moment(self) -> float | None:
        """When `time_passed` has something to do; None if nothing is due."""
        moments = (self._family.next_moment(), self._releasing.next_moment(), self._extend_at)
        return min((moment for moment in moments if moment is not None), default=None)

    # --- What children do ---

    def child_started(self, number: int, pid: int) -> list[Command]:
        """The process of a `Start` is there."""
        child = self._family.child(number)
        child.pid = pid
        is_late = self._mode is not _Mode.RUNNING and not child.limits.keeps_clients
        return [Tell(number, Draining())] if is_late else []

    def child_prepared(self, number: int, now: float) -> list[Command]:
        """The child has loaded all it needs, and waits for its predecessor to end."""
        return self._releasing.prepared(self._family.child(number), now)

    def child_ready(self, number: int, lines: tuple[str, ...], now: float) -> list[Command]:
        """The child says that it serves."""
        child = self._family.child(number)
        if child.state is not State.STARTING:
            return []
        child.state, child.due, child.was_ready = State.READY, None, True
        child.back_off.ready(now)
        fields: dict[str, str | int] = {"child": child.role, "pid": child.pid, "restarts": child.starts - 1}
        fields["took_ms"] = round((now - child.started_at) * 1000)
        commands: list[Command] = [Record("child_started", fields)]
        if child.role not in self._announced:
            self._announced.add(child.role)
            commands.append(Announce(lines))
            if self._is_what_serves(child.limits) and self._mode is _Mode.RUNNING:
                commands.append(Notify(("READY=1", "STATUS=Serving")))
        return [*commands, *self._releasing.ready(child, now)]

    def child_retiring(self, number: int, connections: int, now: float) -> list[Command]:
        """The child retires, and says how many connections it keeps."""
        child = self._family.child(number)
        if child.state is not State.RETIRING:
            return []
        is_first, child.connections = child.connections is None, connections
        child.due = child.ends_by
        commands: list[Command] = []
        if is_first:
            left_s = round(child.retires_until - now)
            commands.append(
                Record("edge_retiring", {"pid": child.pid, "connections": connections, "for_at_most_s": left_s})
            )
        if self._mode is _Mode.DRAINING:
            commands += self._tell_of_draining(child)
        return [*commands, *self._releasing.retiring(child, now)]

    def child_failed(self, number: int, sentence: str) -> None:
        """The child says why it is about to end."""
        self._family.child(number).sentence = sentence

    def child_printed(self, number: int, line: str) -> None:
        """The last line that was printed in the child's name before it could speak for itself, "" for none."""
        child = self._family.child(number)
        child.printed = line if child.state is State.STARTING and not child.sentence else ""

    def child_not_started(self, number: int, reason: str, now: float) -> list[Command]:
        """There is no process of a `Start`, for `reason`. A first one will not do better later; others may."""
        child = self._family.child(number)
        if self._mode is _Mode.RUNNING and child.is_first and child.starts == 1:
            # Nor is there a process of those whose turn comes after it: they are not begun any more.
            for one in self._family:
                if one.state is State.STARTING and not one.pid:
                    one.end()
            return self._end(Finish(_NOT_STARTED, f"the {child.role} cannot be started: {reason}"), now)
        if child.python and self._family.is_active(child) and not self._releasing.is_under_way:
            # An installation that was released to and is gone: better ours than none.
            self._releasing.forget(child.python)
            child.python = ""
            warning = f"the {child.role} is started by the supervisor's own interpreter: {reason}"
            return [Record("supervisor_warning", {"reason": warning}), *self._family.start(child, now)]
        self.child_failed(number, f"it cannot be started: {reason}")
        return self.child_exited(number, _NOT_STARTED, now)

    def child_exited(self, number: int, status: int, now: float) -> list[Command]:
        """The child has ended and is reaped; `status` is its exit status, or the negative number of the signal."""
        child = self._family.child(number)
        is_first_start = child.is_first and not child.was_ready and child.starts == 1
        if self._mode is _Mode.RUNNING and is_first_start and status == _CONFIGURATION:
            said = f": {child.printed}" if child.printed else ""
            sentence = child.sentence or f"the {child.role} ended with status {status} before it was ready{said}"
            child.end()
            return self._end(Finish(status, sentence), now)
        reason = child.sentence or _sentence_of(status, child.printed)
        pid = {"pid": child.pid} if child.pid else {}
        fields: dict[str, str | int] = {"child": child.role, **pid, **_ending_of(status)}
        if said := child.sentence or child.printed:
            fields["reason"] = said
        child.sentence, child.printed, child.pid = "", "", 0
        commands = self._after_exit(child, fields, reason, now)
        self._family.forget_ended()
        return commands

    def time_passed(self, now: float) -> list[Command]:
        """Do what is due."""
        commands: list[Command] = []
        for child in self._family:
            if child.due is None or child.due > now:
                continue
            if child.state is State.WAITING:
                commands += self._family.start(child, now)
                continue
            if child.state is State.STARTING and not child.sentence:
                child.sentence = f"it was not ready within {child.limits.start_limit_s:.0f} s"
            if child.state is State.RETIRING and child.connections is None:
                child.sentence = f"it did not say that it retires within {SILENT_LIMIT_S:.0f} s"
            commands += self._family.kill(child)
        if self._extend_at is not None and self._extend_at <= now:
            self._extend_at = now + EXTEND_EVERY_S
            commands.append(Notify((f"EXTEND_TIMEOUT_USEC={int(EXTENSION_S * 1_000_000)}",)))
        return [*commands, *self._releasing.time_passed(now)]

    # --- What people ask for ---

    def release_asked(self, ticket: int | None, python: str, now: float) -> list[Command]:
        """A release is to be made; `python` is the interpreter to start, "" for the one there is."""
        if self._mode is not _Mode.RUNNING:
            return [Conclude(ticket, "it is ending, and starts nothing any more")] if ticket is not None else []
        return self._releasing.asked(ticket, python, now)

    def drain_asked(self, ticket: int | None, now: float) -> list[Command]:
        """No new clients are to be taken, and all is to end with those there are."""
        is_new = self._mode is _Mode.RUNNING
        said: list[Command] = []
        if ticket is not None:
            self._drain_tickets.append(ticket)
            said = [Say(ticket, "no new clients are taken any more" if is_new else "it is ending already")]
        return [*said, *(self._drain(now) if is_new else [])]

    def end_asked(self, number: signal.Signals, now: float) -> list[Command]:
        """An ending signal came to the supervisor: SIGTERM drains, SIGINT stops; the next ones are harder."""
        self._ending_signals += 1
        if self._mode is _Mode.RUNNING:
            return self._drain(now) if number is signal.SIGTERM else self._end(Finish(0), now)
        if self._mode is _Mode.DRAINING and not self._is_hurried:
            # A drain that was asked for by other means is what SIGTERM means.
            is_the_same = number is signal.SIGTERM and self._ending_signals == 1
            return [] if is_the_same else self._hurry(now)
        commands = self._end(Finish(0), now) if self._mode is _Mode.DRAINING else []
        self._finish = Finish(0, by_signal=number)
        return [*commands, *(command for child in self._family for command in self._family.kill(child))]

    # --- Ends ---

    def _after_exit(self, child: Child, fields: dict[str, str | int], reason: str, now: float) -> list[Command]:
        is_leaving = not self._family.is_active(child) and not self._releasing.is_successor(child)
        commands, is_done = self._releasing.exited(child, reason, now, is_clean=fields.get("status") == 0)
        if is_done:
            return [Record("child_exited", fields), *commands]
        is_wanted = self._mode is _Mode.RUNNING or (self._mode is _Mode.DRAINING and not child.limits.keeps_clients)
        if is_leaving or not is_wanted:
            child.end()
            return [Record("child_exited", fields), *commands, *self._go_on_ending(now)]
        delay_s = child.back_off.delay_after_exit(now)
        record = Record("child_exited", {**fields, "restart_in_ms": round(delay_s * 1000)})
        child.state, child.due = State.WAITING, now + delay_s
        return [record, *commands, *(self._family.start(child, now) if not delay_s else [])]

    def _end(self, finish: Finish, now: float) -> list[Command]:
        self._mode, self._finish, self._extend_at = _Mode.STOPPING, finish, now + EXTEND_EVERY_S
        commands = self._releasing.abort(ENDING)
        for child in self._family:
            if child.state is State.WAITING:
                child.end()
        closing = [CloseListeners(limits.name) for limits in self._family.roles]
        return [*closing, Notify(("STOPPING=1", "STATUS=Stopping")), *commands, *self._go_on_ending(now)]

    def _drain(self, now: float) -> list[Command]:
        self._mode, self._extend_at = _Mode.DRAINING, now + EXTEND_EVERY_S
        commands: list[Command] = [
            Record("drain_started", {"for_at_most_s": round(self._plan.deadline_s + self._plan.spread_s)}),
            Notify(("STOPPING=1", "STATUS=Draining")),
            *self._releasing.abort(ENDING),
        ]
        for child in self._family:
            if not child.limits.keeps_clients:
                commands += [Tell(child.number, Draining())] if child.lives and child.pid else []
            elif child.state is State.READY:
                commands += self._family.retire(child, self._plan.retire("drain"), now)
            elif child.state is not State.RETIRING:
                # It has no clients.
                commands += self._family.stop(child, now)
        closing = [CloseListeners(limits.name) for limits in self._family.roles if limits.keeps_clients]
        return [*closing, *commands, *self._go_on_ending(now)]

    def _hurry(self, now: float) -> list[Command]:
        """Have what retires close all connections at once."""
        self._is_hurried = True
        word = msgspec.structs.replace(
            self._plan.retire("drain"), deadline_s=0.0, spread_s=0.0, closing_limit_s=HURRIED_CLOSING_S
        )
        return [
            command
            for child in self._family
            if child.state is State.RETIRING
            for command in self._family.retire(child, word, now)
        ]

    def _go_on_ending(self, now: float) -> list[Command]:
        """Stop the first role of which somebody lives; finish where nobody does."""
        if self._mode is _Mode.RUNNING:
            return []
        if self._mode is _Mode.DRAINING:
            is_over = not any(child.lives and child.limits.keeps_clients for child in self._family)
            return self._end(self._finish, now) if is_over else []
        for limits in self._family.roles:
            if living := self._family.living(limits.name):
                return [command for child in living for command in self._family.stop(child, now)]
        self._extend_at = None
        return [*(Conclude(ticket) for ticket in self._drain_tickets), self._finish]

    def _tell_of_draining(self, child: Child) -> list[Command]:
        kept = sum(one.connections or 0 for one in self._family if one.state is State.RETIRING)
        line = f"{child.role} {child.pid} keeps {_counted(child.connections or 0)}"
        return [
            *(Say(ticket, line, child.retires_until) for ticket in self._drain_tickets),
            Notify((f"STATUS=Draining, {_counted(kept)} left",)),
        ]

    def _is_what_serves(self, limits: ChildLimits) -> bool:
        return limits.keeps_clients or not any(one.keeps_clients for one in self._family.roles)


def _counted(connections: int) -> str:
    return f"{connections} connection{'' if connections == 1 else 's'}"


def _sentence_of(status: int, printed: str) -> str:
    (what,) = _ending_of(status).items()
    # mmap(2): what a process does to a mapped file beyond its end. Nothing of its own raises it.
    hint = " (a file of its installation has been cut short)" if status == -signal.SIGBUS else ""
    return f"it ended with {what[0]} {what[1]}{hint}{f': {printed}' if printed else ''}"


def _ending_of(status: int) -> dict[str, str | int]:
    if status >= 0:
        return {"status": status}
    try:
        return {"signal": signal.Signals(-status).name}
    except ValueError:  # a real-time signal has a number only
        return {"signal": str(-status)}
