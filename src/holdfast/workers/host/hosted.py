"""One script in the host: `script`'s commands carried out on real processes, and what happens to them fed back.

Law 1: it decides nothing (that is `script`).
Law 2: whatever goes wrong with one script, from its description to its process, is a sentence in that script's log, and concerns no
other.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable

import msgspec

from holdfast.errors import HoldfastError, reason_of
from holdfast.model.worker_host_messages import ScriptStatus
from holdfast.model.worker_messages import (
    Counters,
    Loaded,
    LoadFailed,
    Log,
    LogLevel,
    ProcessMessage,
    Retired,
    Scheduled,
    Serving,
    Turn,
    WorkerLinkError,
)
from holdfast.model.worker_script import ScriptVersion
from holdfast.workers.host import figures, versions
from holdfast.workers.host.beginning import Setting, load_of, surroundings_of
from holdfast.workers.host.commands import Activate, Command, Conclude, Kill, Note, Spawn, Tell
from holdfast.workers.host.ledger import Ledger, heard
from holdfast.workers.host.log_book import LogBook
from holdfast.workers.host.process import ScriptProcess
from holdfast.workers.host.running import Running
from holdfast.workers.host.schedules import Waiting
from holdfast.workers.host.script import Script
from holdfast.workers.host.sockets import ScriptSockets

# How long a process whose code has the loop may take to tell where it stands; a log line, or a stack by the kernel's leave.
TELL_S = 1.0
# What a watch says of events that do not let the loop go.
_OF_TIME = frozenset({"cpu", "blocked"})


class HostedScript:
    """A script with its processes. `changed` is called after each step."""

    def __init__(
        self,
        key: str,
        sockets: ScriptSockets,
        setting: Setting,
        *,
        may_serve: bool,
        changed: Callable[[], None],
    ) -> None:
        self.key, self.sockets, self.log = key, sockets, LogBook(self._noticed)
        self.script = Script(may_serve=may_serve)
        self._setting, self._changed = setting, changed
        self._loop = asyncio.get_running_loop()
        self._running: dict[int, Running] = {}
        self._ledger = Ledger()
        self._tickets: dict[int, asyncio.Future[Conclude]] = {}
        self._numbers = itertools.count(1)
        self._timer: asyncio.TimerHandle | None = None
        self._described: ScriptVersion | None = None
        self._due = Waiting()

    # --- What people ask for ---

    def start(self, version: str) -> None:
        """Serve this version, which has served before."""
        self._carry_out(self.script.start(version, self._loop.time()))

    def replace(self, version: str) -> None:
        """Replace what there is by this version, which served in another host."""
        self._carry_out(self.script.deploy(next(self._numbers), version, self._loop.time()))

    async def deploy(self, version: str) -> Conclude:
        """Replace what there is by this version; how that went."""
        try:
            self._check(version)
        except HoldfastError as error:
            self._ledger.count("deploys_refused")
            return Conclude(0, str(error))
        ticket, future = self._ticket()
        self._carry_out(self.script.deploy(ticket, version, self._loop.time()))
        concluded = await future
        self._ledger.count("deploys_refused" if concluded.error else "deploys_served")
        return concluded

    async def restart(self) -> Conclude:
        """Replace the process by another of the same version; how that went."""
        ticket, concluded = self._ticket()
        self._carry_out(self.script.restart(ticket, self._loop.time()))
        return await concluded

    def allow_serving(self) -> None:
        """No other host has the objects any more."""
        self._carry_out(self.script.allow_serving(self._loop.time()))

    def run(self, due: Scheduled) -> None:
        """Have the process that serves run its handler `scheduled`; the next one, if that comes soon enough."""
        self._due.add(due, self._loop.time())
        self._carry_out([])

    def stop(self, *, is_last: bool = False) -> None:
        """Serve no more; `script.is_over` says when that is so. `is_last`: there is no such script any more."""
        self._carry_out(self.script.stop(self._loop.time(), is_last=is_last))

    def kill(self) -> None:
        """End all processes at once."""
        for running in self._running.values():
            running.process.kill()

    def close(self) -> None:
        """Let go of the sockets; no process lives."""
        if self._timer is not None:
            self._timer.cancel()
        self.sockets.close()

    def status(self) -> ScriptStatus:
        """How it is."""
        script = self.script
        serving = script.serving
        running = self._running.get(serving.number) if serving is not None else None
        named = running.version if running is not None else self._described
        pid = running.process.pid if running is not None else 0
        counters = running.counters if running is not None else Counters()
        return ScriptStatus(
            key=self.key,
            name=named.name if named is not None else "",
            account=named.account if named is not None else "",
            version=script.version,
            serving=serving.version if serving is not None else "",
            state=script.state,
            pid=pid,
            restarts=script.restarts,
            reason=script.reason,
            rss_bytes=(figures.rss_bytes(pid) or 0) if pid else 0,
            cpu_ms=running.cpu_ms_now() if running is not None else 0,
            counters=counters.counters,
            objects=counters.objects,
            busiest=counters.busiest,
            totals=self._totals(),
            classes=self._ledger.classes([one.counters for one in self._running.values()], counters),
        )

    def _totals(self) -> dict[str, int]:
        of_processes = self._ledger.totals([(one.counters, one.cpu_ms_now()) for one in self._running.values()])
        # Lines that do not come out of a process are told by the log itself.
        left_out = of_processes.get("log_lines_left_out", 0) + self.log.lines_left_out
        return {**of_processes, "log_lines": self.log.lines, "log_lines_left_out": left_out}

    def look(self) -> bool:
        """Hold the processes to their limits; whether one is at work."""
        is_any_busy = False
        serving = self.script.serving.number if self.script.serving is not None else 0
        for number, running in list(self._running.items()):
            is_busy, sentence = running.look(self._loop.time(), is_serving=number == serving)
            is_any_busy = is_any_busy or is_busy
            if sentence:
                self._end(running, self.script.limit_hit(number, sentence))
        return is_any_busy

    def _end(self, running: Running, commands: list[Command]) -> None:
        """End a process that has exceeded a limit: one whose code has the loop tells where it stands first."""
        if commands and running.watch.exceeded in _OF_TIME:
            running.process.ask_where()
            self._loop.call_later(TELL_S, self._carry_out, commands)
        else:
            self._carry_out(commands)

    # --- What processes do ---

    def heard(self, number: int, message: ProcessMessage) -> None:
        """As `process.Listener` says."""
        now = self._loop.time()
        match message:
            case Loaded():
                self._carry_out(self.script.loaded(number, now))
            case LoadFailed():
                self._carry_out(self.script.load_failed(number, message.error, message.traceback, now))
            case Serving():
                self._carry_out(self.script.serving_began(number, now))
            case Retired():
                self._carry_out(self.script.retired(number, now))
            case Log() if message.fields.get("where") == "time" and self.script.is_loading(number):
                self.script.stood(number, message.message)
            case Log():
                self.log.write(msgspec.structs.replace(message, version=self._version_of(number)), now)
            case Counters():
                if number in self._running:
                    self._running[number].counters = heard(message)

    def printed(self, number: int, text: str) -> None:
        """As `process.Listener` says."""
        self.script.printed(number, text)
        log = Log(level="log", message=text, ts_ms=_now_ms(), version=self._version_of(number))
        self.log.write(log, self._loop.time())

    def link_ended(self, number: int, sentence: str) -> None:
        """As `process.Listener` says."""
        self._carry_out(self.script.link_ended(number, sentence, self._loop.time()))

    def exited(self, number: int, how: str, turn: Turn | None) -> None:
        """As `process.Listener` says."""
        running, restarts = self._running.pop(number, None), self.script.restarts
        commands = self.script.exited(number, how, turn, self._loop.time())
        if running is not None:
            self._ledger.ended(running.counters, running.cpu_ms)
            if stack := running.process.stack:
                self._told_where(stack, running.version.version)
        if self.script.restarts > restarts:
            why = running.watch.exceeded if running is not None else ""
            self._ledger.count(f"restarts_{why or 'crash'}")
        self._carry_out(commands)

    def _told_where(self, stack: str, version: str) -> None:
        text = f"it was ended here:\n{stack}"
        log = Log(level="error", message=text, ts_ms=_now_ms(), kind="exception", version=version)
        self.log.write(log, self._loop.time())

    # --- Below: commands ---

    def _carry_out(self, commands: list[Command]) -> None:
        serving = self.script.serving
        due = self._due.take(self._loop.time()) if serving is not None else ()
        for command in (*commands, *(Tell(serving.number, one) for one in due if serving is not None)):
            match command:
                case Spawn():
                    self._spawn(command)
                case Tell() | Kill():
                    if (running := self._running.get(command.number)) is not None:
                        _tell(running.process, command)
                case Activate():
                    self._activate(command.version)
                case Conclude():
                    self._conclude(command)
                case Note():
                    self._note(command.event, command.level, command.message)
        self._set_timer()
        self._changed()

    def _conclude(self, command: Conclude) -> None:
        future = self._tickets.pop(command.ticket, None)
        if future is not None and not future.done():
            future.set_result(command)

    def _spawn(self, command: Spawn) -> None:
        number = command.number
        try:
            version = versions.described(self._setting.data_dir, self.key, command.version)
            running = self._started(number, version)
            self._running[number] = running
            running.process.tell(load_of(version, running.process.turn_path, self.sockets, self._setting))
        except (HoldfastError, WorkerLinkError, OSError) as error:
            reason = reason_of(error) if isinstance(error, OSError) else str(error)
            # What it leads to comes after what this is part of.
            self._loop.call_soon(self._not_spawned, number, reason)

    def _not_spawned(self, number: int, reason: str) -> None:
        self._carry_out(self.script.load_failed(number, reason, "", self._loop.time()))
        if (running := self._running.get(number)) is not None:
            running.process.kill()
        else:
            self.exited(number, "no process", None)

    def _started(self, number: int, version: ScriptVersion) -> Running:
        around = surroundings_of(number, version, self.sockets, self._setting)
        self._described = version
        return Running(ScriptProcess(number, around, self), version)

    def _activate(self, version: str) -> None:
        try:
            versions.activate(self._setting.data_dir, self.key, version)
        except OSError as error:
            self._note(
                "worker_failed", "error", f"it cannot be noted that version {version} serves: {reason_of(error)}"
            )

    def _note(self, event: str, level: LogLevel, message: str) -> None:
        self.log.note(Log(level=level, message=message, ts_ms=_now_ms(), kind="host"))
        self._setting.record(event, {"worker": self._name(), "key": self.key, "reason": message})

    def _noticed(self, log: Log) -> None:
        """What a process says of itself, as its host does."""
        said = {"worker": self._name(), "key": self.key, "level": log.level, "reason": log.message}
        self._setting.record("worker_notice", said)

    def _name(self) -> str:
        return self._described.name if self._described is not None else ""

    def _check(self, version: str) -> None:
        self._described = versions.described(self._setting.data_dir, self.key, version)

    def _ticket(self) -> tuple[int, asyncio.Future[Conclude]]:
        ticket = next(self._numbers)
        future = self._tickets[ticket] = self._loop.create_future()
        return ticket, future

    def _version_of(self, number: int) -> str:
        running = self._running.get(number)
        return running.version.version if running is not None else ""

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        moment = self.script.next_moment()
        self._timer = self._loop.call_at(moment, self._time_passed) if moment is not None else None

    def _time_passed(self) -> None:
        self._timer = None
        commands = self.script.time_passed(self._loop.time())
        late = [one.number for one in commands if isinstance(one, Kill) and self.script.is_loading(one.number)]
        for number in late:
            if (running := self._running.get(number)) is not None:
                running.process.ask_where()
        if late:
            self._loop.call_later(TELL_S, self._carry_out, commands)
        else:
            self._carry_out(commands)


def _tell(process: ScriptProcess, command: Tell | Kill) -> None:
    if isinstance(command, Kill):
        process.kill()
    else:
        process.tell(command.message)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
