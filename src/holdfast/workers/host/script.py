"""What the host does about one script: events in, commands out. No process, no socket, no clock is touched here.

A script has a current process, which loads, starts (it has been told to serve), serves and retires; while it is being replaced, it
has an incoming one as well, which loads beside it.

Law 1: nothing is taken from the current process before the incoming one has loaded. One that does not load is gone without a
trace but its sentence, and the current one goes on.
Law 2: an incoming process is told to serve when no other has the objects any more: the one before has said that it has retired, or
has ended.
Law 3: a process that ends without being asked to is started again (`back_off`), for as long as the script is wanted.
Law 4: every wait has a limit, and what exceeds it is ended by SIGKILL.
Law 5: an event that is to blame for a process's end (`blame.py`) is not delivered again.
Law 6: one replacement is under way at a time, and one waits. A later one takes the place of the one that waits.
Law 7: an incoming process that ends after the current one was told to retire for it leaves nobody without one: the version before serves again.
"""

from __future__ import annotations

import itertools
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field

from holdfast.model.back_off import BackOff
from holdfast.model.worker_host_messages import ScriptState
from holdfast.model.worker_messages import Retire, Serve, Turn
from holdfast.workers.host.blame import Blame
from holdfast.workers.host.commands import Activate, Command, Conclude, Kill, Note, Spawn, Tell
from holdfast.workers.host.phases import (
    EXIT_LIMIT_S,
    EXIT_MARGIN_S,
    LINGER_AT_END_S,
    LINGER_S,
    LOAD_LIMIT_S,
    MOST_LINGERING,
    RETIRE_LIMIT_S,
    RETIRE_MARGIN_S,
    SERVE_LIMIT_S,
    WELL_AFTER_S,
    Phase,
    Process,
    too_late,
)

_KILLED = f"signal {signal.SIGKILL.name}"
_ENDING = "the host of scripts is ending"


@dataclass(slots=True, kw_only=True)
class _Replacement:
    version: str
    tickets: list[int] = field(default_factory=list)


class Script:
    """The processes of one script. Each method gives commands; `now` is in seconds of a clock that does not jump."""

    def __init__(self, *, may_serve: bool = True) -> None:
        """`may_serve` is False while another host has the objects."""
        self._may_serve = may_serve
        self._numbers = itertools.count(1)
        self._processes: dict[int, Process] = {}
        self._current: Process | None = None
        self._incoming: Process | None = None
        # What is under way (its process is the incoming one, or the current one that has not served yet), and what waits.
        self._replacement: _Replacement | None = None
        self._waiting: _Replacement | None = None
        self._version = ""
        self._version_before = ""
        self._back_off = BackOff()
        self._restart_at: float | None = None
        self._blame = Blame()
        self._is_stopping = self._is_last = False
        self.restarts = 0
        self.reason = ""

    # --- What can be asked about it ---

    @property
    def version(self) -> str:
        """The version that is to be served, "" for none."""
        return self._version

    @property
    def serving(self) -> Process | None:
        """The process that serves now."""
        current = self._current
        return current if current is not None and current.phase is Phase.SERVING else None

    @property
    def state(self) -> ScriptState:
        """In a word."""
        if self._current is None:
            return "waiting" if self._restart_at is not None else "stopped"
        match self._current.phase:
            case Phase.SERVING:
                return "serving"
            case Phase.RETIRING | Phase.LEAVING:
                return "retiring"
            case _:
                return "loading"

    @property
    def is_settled(self) -> bool:
        """Whether it has loaded what it can: it waits for leave to serve, or serves, or cannot."""
        return self._current is None or self._current.phase is not Phase.LOADING

    @property
    def is_over(self) -> bool:
        """Whether it has been stopped and no process of it lives."""
        return self._is_stopping and not self._processes

    def process(self, number: int) -> Process | None:
        """A process that lives."""
        return self._processes.get(number)

    def next_moment(self) -> float | None:
        """When `time_passed` has something to do; None if nothing is due."""
        moments = [one.due for one in self._processes.values()]
        return min((moment for moment in (*moments, self._restart_at) if moment is not None), default=None)

    # --- What people ask for ---

    def start(self, version: str, now: float) -> list[Command]:
        """Serve this version, which has served before, if nothing is served."""
        self._version = version
        return [] if self._current or self._is_stopping else self._spawn_current(now)

    def deploy(self, ticket: int, version: str, now: float) -> list[Command]:
        """Replace what there is by this version. `ticket` is who wants to hear how it went."""
        if self._is_stopping:
            return [Conclude(ticket, _ENDING)]
        if self._replacement is None:
            return self._begin(_Replacement(version=version, tickets=[ticket]), now)
        passed_over = self._waiting.tickets if self._waiting is not None else []
        self._waiting = _Replacement(version=version, tickets=[ticket])
        return [Conclude(one, f"version {version} was deployed before its turn came") for one in passed_over]

    def restart(self, ticket: int, now: float) -> list[Command]:
        """Replace the process by another of the same version."""
        if not self._version:
            return [Conclude(ticket, "it has no version that has ever served")]
        return self.deploy(ticket, self._version, now)

    def stop(self, now: float, *, reason: str = _ENDING, is_last: bool = False) -> list[Command]:
        """Serve no more, in an orderly way. `is_last`: nor does another host after this one."""
        if self._is_stopping:
            return []
        self._is_stopping, self._is_last, self._restart_at = True, is_last, None
        tickets = [*_tickets(self._replacement), *_tickets(self._waiting)]
        self._replacement = self._waiting = self._incoming = None
        commands: list[Command] = [Conclude(one, reason) for one in tickets]
        for process in self._processes.values():
            commands += self._let_go(process, now, reason="inactive")
        return commands

    def allow_serving(self, now: float) -> list[Command]:
        """No other host has the objects any more."""
        self._may_serve = True
        current = self._current
        if current is not None and current.phase is Phase.LOADED:
            return self._serve(current, now)
        return self._take_place(now) if current is None else []

    # --- What processes do ---

    def loaded(self, number: int, now: float) -> list[Command]:
        """The process has imported its code."""
        process = self._processes.get(number)
        if process is None or process.phase is not Phase.LOADING:
            return []
        process.phase, process.due = Phase.LOADED, None
        if process is self._incoming:
            return self._hand_over(now)
        return self._serve(process, now) if self._may_serve else []

    def load_failed(self, number: int, error: str, traceback: str, now: float) -> list[Command]:
        """The process cannot import its code, and ends."""
        process = self._processes.get(number)
        if process is None or process.phase is not Phase.LOADING:
            return []
        process.reason, process.traceback = error, traceback
        process.due = now + EXIT_LIMIT_S
        # Whoever asked need not wait for its end, nor for what comes next.
        return self._refused(process, now) if process is self._incoming else []

    def is_loading(self, number: int) -> bool:
        """Whether the process imports its code still."""
        process = self._processes.get(number)
        return process is not None and process.phase is Phase.LOADING

    def stood(self, number: int, where: str) -> None:
        """The process, which has not loaded in time, says where its code stands: told with its refusal."""
        if self.is_loading(number):
            self._processes[number].traceback = where

    def serving_began(self, number: int, now: float) -> list[Command]:
        """The process accepts."""
        process = self._processes.get(number)
        if process is None or process.phase is not Phase.STARTING:
            return []
        process.phase, process.due, process.served_at = Phase.SERVING, None, now
        self._back_off.ready(now)
        self.reason = ""
        if self._incoming is not None:
            # One that has crashed serves again; what is to replace it loads still.
            return []
        done, self._replacement = self._replacement, None
        commands: list[Command] = []
        if done is not None:
            commands = [Activate(process.version), *(Conclude(one) for one in done.tickets)]
            commands.append(Note("worker_deployed", "info", f"version {process.version} serves"))
        return [*commands, *self._begin_next(now)]

    def retired(self, number: int, now: float) -> list[Command]:
        """The process has let go of the objects, and ends."""
        process = self._processes.get(number)
        if process is None or process.phase is not Phase.RETIRING:
            return []
        process.phase, process.due = Phase.LEAVING, now + self._linger_s + EXIT_MARGIN_S
        lingering = [
            one.number for one in self._processes.values() if one.phase is Phase.LEAVING and one.due is not None
        ]
        commands: list[Command] = [Kill(number) for number in lingering[:-MOST_LINGERING]]
        if process is self._current:
            self._current = None
            commands += self._take_place(now)
        return commands

    def limit_hit(self, number: int, sentence: str) -> list[Command]:
        """The process has exceeded a limit, which `sentence` names."""
        process = self._processes.get(number)
        if process is None or process.is_at_fault:
            return []
        process.is_at_fault, process.reason = True, sentence
        return [Kill(number)]

    def link_ended(self, number: int, sentence: str, now: float) -> list[Command]:
        """The process has closed its link; or does not keep to the protocol, as `sentence` says."""
        process = self._processes.get(number)
        if process is None or process.phase is Phase.LEAVING:
            return []
        if not sentence:
            # It is about to end, and how it does says more.
            process.due = min(process.due or now + EXIT_LIMIT_S, now + EXIT_LIMIT_S)
            return []
        process.reason = process.reason or sentence
        return [Kill(number)]

    def printed(self, number: int, text: str) -> None:
        """The process has printed this line."""
        process = self._processes.get(number)
        if process is not None and process.phase is Phase.LOADING and text.strip():
            process.printed = text.strip()

    def exited(self, number: int, how: str, turn: Turn | None, now: float) -> list[Command]:
        """The process has ended, as `how` says ("status 1", "signal SIGKILL"); `turn` is what it was at."""
        process = self._processes.pop(number, None)
        if process is None:
            return []
        process.was_killed = how == _KILLED and not process.is_at_fault
        how = (
            f"it ended with {how}"
            if process.phase is not Phase.LOADING
            else f"it ended with {how} before it was loaded"
        )
        reason = process.reason or ": ".join(filter(None, (how, process.printed)))
        if process is self._incoming:
            process.reason = reason
            return self._refused(process, now)
        if process is not self._current:
            return []
        self._current = None
        if process.phase is Phase.LEAVING:
            return self._take_place(now)
        if process.phase is Phase.RETIRING:
            # What it did not retire for is not to keep the next one from serving.
            self._judge(process, turn, now)
            said = Note("worker_lost", "warn", f"version {process.version} did not retire in an orderly way: {reason}")
            return [said, *self._take_place(now)]
        return [] if self._is_stopping else self._crashed(process, reason, turn, now)

    def time_passed(self, now: float) -> list[Command]:
        """Do what is due."""
        commands: list[Command] = []
        for process in list(self._processes.values()):
            if process.due is not None and process.due <= now:
                process.due = None
                process.reason = process.reason or too_late(process.phase)
                process.is_at_fault = True
                commands.append(Kill(process.number))
        if self._restart_at is not None and self._restart_at <= now:
            commands += self._spawn_current(now)
        return commands

    # --- Below: one replacement ---

    def _begin(self, replacement: _Replacement, now: float) -> list[Command]:
        self._replacement = replacement
        process = self._incoming = self._new(replacement.version, now)
        return [Spawn(process.number, process.version)]

    def _begin_next(self, now: float) -> list[Command]:
        waiting, self._waiting = self._waiting, None
        return self._begin(waiting, now) if waiting is not None else []

    def _hand_over(self, now: float) -> list[Command]:
        current = self._current
        if current is None:
            return self._take_place(now)
        return self._let_go(current, now, reason="codeUpdated")

    def _take_place(self, now: float) -> list[Command]:
        """Nobody has the objects: the incoming one gets them, where it is there already."""
        process = self._incoming
        if process is None or process.phase is not Phase.LOADED:
            return self._serve_again(now)
        if not self._may_serve:
            return []
        self._incoming, self._current, self._restart_at = None, process, None
        self._version_before, self._version = self._version, process.version
        if self._version_before != self._version:
            # How often another version has failed says nothing about this one.
            self._back_off = BackOff()
        return self._serve(process, now)

    def _serve_again(self, now: float) -> list[Command]:
        """Nobody has the objects, and who was to take them is not there any more."""
        is_wanted = self._version and not self._is_stopping
        return self._spawn_current(now) if is_wanted and self._current is None and self._restart_at is None else []

    def _refused(self, process: Process, now: float) -> list[Command]:
        """The incoming process is none: the current one goes on."""
        self._incoming = None
        process.phase = Phase.LEAVING
        refused, self._replacement = self._replacement, None
        note = f"version {process.version} is refused: {process.reason}"
        return [
            Note("worker_refused", "error", _with_trace(note, process)),
            *(Conclude(one, process.reason, process.traceback) for one in _tickets(refused)),
            *self._begin_next(now),
            *self._serve_again(now),
        ]

    # --- Below: one process ---

    def _new(self, version: str, now: float) -> Process:
        process = Process(number=next(self._numbers), version=version, due=now + LOAD_LIMIT_S)
        self._processes[process.number] = process
        return process

    def _spawn_current(self, now: float) -> list[Command]:
        self._restart_at = None
        self._current = self._new(self._version, now)
        return [Spawn(self._current.number, self._version)]

    def _serve(self, process: Process, now: float) -> list[Command]:
        process.phase, process.due = Phase.STARTING, now + SERVE_LIMIT_S
        blame = self._blame
        is_careful = blame.suspect is not None or blame.wait_s > 0
        return [
            Tell(
                process.number,
                Serve(died_in=blame.died_in, died_before=blame.before, is_after_crash=is_careful, wait_s=blame.wait_s),
            )
        ]

    def _let_go(self, process: Process, now: float, *, reason: str) -> list[Command]:
        match process.phase:
            case Phase.STARTING | Phase.SERVING:
                process.phase, process.due = Phase.RETIRING, now + RETIRE_LIMIT_S + RETIRE_MARGIN_S
                why = "codeUpdated" if reason == "codeUpdated" else "inactive"
                retire = Retire(
                    limit_s=RETIRE_LIMIT_S,
                    linger_s=self._linger_s,
                    reason=why,  # type: ignore[arg-type]
                    is_last=self._is_last,
                )
                return [Tell(process.number, retire)]
            case Phase.LEAVING if self._is_stopping and process.due is not None:
                process.due = min(process.due, now + EXIT_LIMIT_S)
                return []
            case Phase.LOADING | Phase.LOADED:
                # It has nothing.
                process.phase, process.due = Phase.LEAVING, None
                return [Kill(process.number)]
            case _:
                return []

    @property
    def _linger_s(self) -> float:
        return LINGER_AT_END_S if self._is_stopping else LINGER_S

    def _crashed(self, process: Process, reason: str, turn: Turn | None, now: float) -> list[Command]:
        self.restarts += 1
        self.reason = reason
        self._judge(process, turn, now)
        note = f"version {process.version} has crashed: {reason}"
        commands: list[Command] = [Note("worker_crashed", "error", _with_trace(note, process))]
        if self._replacement is not None and self._incoming is None:
            # It had loaded, and then could not serve. Better what was there before.
            commands += [Conclude(one, reason) for one in self._replacement.tickets]
            self._replacement = None
            self._version = self._version_before
            commands += self._begin_next(now)
            if not self._version:
                return commands
        if self._incoming is not None and self._incoming.phase is Phase.LOADED:
            return [*commands, *self._take_place(now)]
        delay_s = self._back_off.delay_after_exit(now)
        if delay_s:
            self._restart_at = now + delay_s
            return commands
        return [*commands, *self._spawn_current(now)]

    def _judge(self, process: Process, turn: Turn | None, now: float) -> None:
        if process.served_at is not None and now - process.served_at >= WELL_AFTER_S:
            self._blame.was_well()
        self._blame.judge(turn, is_at_fault=process.is_at_fault, was_killed=process.was_killed)


def _tickets(replacement: _Replacement | None) -> Sequence[int]:
    return replacement.tickets if replacement is not None else ()


def _with_trace(note: str, process: Process) -> str:
    return "\n".join(filter(None, (note, process.traceback.rstrip())))
