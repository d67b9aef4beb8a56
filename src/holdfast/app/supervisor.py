"""The supervisor: `supervision`'s commands carried out on real processes, and what happens to them fed back.

Law 1: it decides nothing (that is `supervision`) and holds no data of a client. It uses neither the core nor a web
framework, so it has little that could fail; and all it needs it imports at its start, for a release may change
the files of its installation.
Law 2: listening sockets are its own, all the time: while a child is being replaced, connections wait in the kernel's queue.
Law 3: it sleeps in the kernel until a signal, a word of a child or of somebody who asks, or the next moment that is due.
Law 4: every child is reaped, also those of others that fall to it as process 1 of a container.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from holdfast.app import lifeline
from holdfast.app.child_process import ChildProcess, ChildSpec
from holdfast.app.commands import (
    Announce,
    CloseListeners,
    Command,
    Conclude,
    Finish,
    Notify,
    Record,
    Say,
    Send,
    Start,
    Tell,
)
from holdfast.app.desk_messages import AskRelease, Done, Progress, Question, Taken
from holdfast.app.front_desk import FrontDesk
from holdfast.app.last_words import LastWords
from holdfast.app.releasing import HANDOVER_LIMIT_S, ReleasePlan
from holdfast.app.service_manager import ServiceManager
from holdfast.app.supervision import Supervision
from holdfast.errors import SetupError, reason_of
from holdfast.event_log import EventLog

ENDING_SIGNALS = (signal.SIGTERM, signal.SIGINT)
RELEASE_SIGNAL = signal.SIGHUP


def supervise(
    specs: Sequence[ChildSpec],
    *,
    close_listeners: Callable[[str], None],
    announce: Callable[[Sequence[str]], None],
    log: EventLog,
    plan: ReleasePlan,
    data_dir: Path,
) -> int:
    """Keep children of the roles `specs` running until it is asked to end; then the exit status, 0.

    They are stopped in their order; `close_listeners` is called with a role's name. SIGTERM drains, SIGINT stops, SIGHUP
    releases; people ask for the same by the socket in `data_dir`. The signal that kills ends this process too. For the main
    thread of a process of its own. Raises SetupError when a child cannot be started at all, and with a child's sentence when
    its first start finds the configuration wrong.
    """
    # Whoever had hang-ups ignored (nohup) wants none to end anything.
    heeds_terminal = signal.getsignal(RELEASE_SIGNAL) is not signal.SIG_IGN and _has_terminal()
    with _signals() as wakeup, selectors.DefaultSelector() as selector:
        desk = FrontDesk(data_dir, selector, log)
        outside = _Outside(close_listeners, announce, log, desk, ServiceManager(os.environ))
        supervisor = _Supervisor(specs, wakeup, selector, outside, plan, heeds_terminal=heeds_terminal)
        desk.open()
        try:
            finish = supervisor.run()
        finally:
            desk.close()
    if finish.by_signal is not None:
        signal.signal(finish.by_signal, signal.SIG_DFL)
        os.kill(os.getpid(), finish.by_signal)
    if finish.sentence:
        raise SetupError(finish.sentence)
    return finish.status


@dataclass(frozen=True, slots=True)
class _Outside:
    """Whom a supervisor tells what, besides its children."""

    close_listeners: Callable[[str], None]
    announce: Callable[[Sequence[str]], None]
    log: EventLog
    desk: FrontDesk
    manager: ServiceManager

    def tell(self, command: Announce | CloseListeners | Record | Say | Conclude | Notify) -> None:
        match command:
            case Announce():
                self.announce(command.lines)
            case CloseListeners():
                self.close_listeners(command.role)
            case Record():
                self.log.write(command.event, command.fields)
            case Say():
                self.desk.say(command.ticket, Progress(line=f"{command.line}{_until(command.until)}"))
            case Conclude():
                self.desk.say(command.ticket, Done(sentence=command.sentence))
            case Notify():
                self.manager.notify(command.lines)


class _Supervisor:
    def __init__(
        self,
        specs: Sequence[ChildSpec],
        wakeup: socket.socket,
        selector: selectors.BaseSelector,
        outside: _Outside,
        plan: ReleasePlan,
        *,
        heeds_terminal: bool,
    ) -> None:
        self._specs = {spec.limits.name: spec for spec in specs}
        self._plan = plan
        self._supervision = Supervision([spec.limits for spec in specs], plan)
        self._processes: dict[int, ChildProcess] = {}
        self._wakeup, self._selector, self._outside = wakeup, selector, outside
        self._heeds_terminal = heeds_terminal
        self._finish: Finish | None = None

    def run(self) -> Finish:
        self._selector.register(self._wakeup, selectors.EVENT_READ)
        self._carry_out(self._supervision.begin(time.monotonic()))
        while self._finish is None:
            self._selector.select(self._until_next_moment())
            self._take_signals()
            self._take_messages()
            self._take_questions()
            self._reap()
            self._carry_out(self._supervision.time_passed(time.monotonic()))
        return self._finish

    def _until_next_moment(self) -> float | None:
        moment = self._supervision.next_moment()
        return None if moment is None else max(0.0, moment - time.monotonic())

    def _take_signals(self) -> None:
        with suppress(BlockingIOError):
            for number in self._wakeup.recv(4096):
                if number in ENDING_SIGNALS:
                    self._carry_out(self._supervision.end_asked(signal.Signals(number), time.monotonic()))
                elif number == RELEASE_SIGNAL:
                    self._hang_up()

    def _hang_up(self) -> None:
        """SIGHUP: a release; or the terminal in which this was started has been closed, which ends it as Ctrl-C there would."""
        now = time.monotonic()
        if self._heeds_terminal and not _has_terminal():
            self._heeds_terminal = False
            self._carry_out(self._supervision.end_asked(signal.SIGINT, now))
        else:
            self._carry_out(self._supervision.release_asked(None, "", now))

    def _take_messages(self) -> None:
        for number, process in list(self._processes.items()):
            self._hear(number, process)

    def _hear(self, number: int, process: ChildProcess) -> None:
        for message in lifeline.messages_of(process.lifeline):
            match message:
                case lifeline.Prepared():
                    self._carry_out(self._supervision.child_prepared(number, time.monotonic()))
                case lifeline.Ready():
                    self._carry_out(self._supervision.child_ready(number, message.lines, time.monotonic()))
                case lifeline.Retiring():
                    self._carry_out(self._supervision.child_retiring(number, message.connections, time.monotonic()))
                case lifeline.Failed():
                    self._supervision.child_failed(number, message.sentence)
        if not process.last_words.pass_on():
            self._let_be(process.last_words)
            process.last_words.close()
        # A child that has let go of its lifeline, and lives, would be readable for ever.
        if _is_at_end(process.lifeline):
            self._let_be(process.lifeline)

    def _let_be(self, end: socket.socket | LastWords) -> None:
        """Hear no more of it."""
        with suppress(KeyError, ValueError):  # not there, or closed already
            self._selector.unregister(end)

    def _take_questions(self) -> None:
        for ticket, question in self._outside.desk.asked():
            self._outside.desk.say(ticket, Taken(pid=os.getpid(), limit_s=self._limit_of(question)))
            now = time.monotonic()
            if isinstance(question, AskRelease):
                self._carry_out(self._supervision.release_asked(ticket, question.python, now))
            else:
                self._carry_out(self._supervision.drain_asked(ticket, now))

    def _limit_of(self, question: Question) -> float:
        """How long it takes at most: a release may wait for another, and have control started twice."""
        limits = [spec.limits for spec in self._specs.values()]
        if isinstance(question, AskRelease):
            return 2 * sum(one.start_limit_s + one.stop_limit_s for one in limits) + HANDOVER_LIMIT_S
        return self._plan.retire("drain").longest_s + 2 * sum(one.stop_limit_s for one in limits)

    def _reap(self) -> None:
        for pid, status in _ended_children():
            found = next(((number, one) for number, one in self._processes.items() if one.pid == pid), None)
            if found is None:
                continue
            number, process = found
            self._hear(number, process)  # its last words
            self._supervision.child_printed(number, process.last_words.last_line())
            self._let_be(process.lifeline)
            self._let_be(process.last_words)
            process.close(status)
            del self._processes[number]
            self._carry_out(self._supervision.child_exited(number, status, time.monotonic()))

    def _carry_out(self, commands: Iterable[Command]) -> None:
        for command in commands:
            match command:
                case Start():
                    # One that cannot be started ends all, also those whose turn it would be next.
                    if self._supervision.is_to_be_started(command.child):
                        self._start(command)
                case Send():
                    if (process := self._processes.get(command.child)) is not None:
                        process.send(command.number)
                case Tell():
                    if (process := self._processes.get(command.child)) is not None:
                        process.tell(command.word)
                case Finish():
                    self._finish = command
                case _:
                    self._outside.tell(command)

    def _start(self, command: Start) -> None:
        number, spec = command.child, self._specs[command.role]
        try:
            process = ChildProcess(spec, python=command.python, is_successor=command.is_successor)
        except OSError as error:
            reason = f"{command.python}: {reason_of(error)}" if command.python else reason_of(error)
            self._carry_out(self._supervision.child_not_started(number, reason, time.monotonic()))
            return
        self._processes[number] = process
        for end in (process.lifeline, process.last_words):
            self._selector.register(end, selectors.EVENT_READ)
        self._carry_out(self._supervision.child_started(number, process.pid))


def _until(moment: float | None) -> str:
    """When that is, for a person who reads a clock."""
    if moment is None:
        return ""
    at = time.localtime(time.time() + moment - time.monotonic())
    return f", until {time.strftime('%Y-%m-%d %H:%M:%S', at)} at the latest"


def _has_terminal() -> bool:
    """Whether there is a terminal that can send this process signals."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def _is_at_end(end: socket.socket) -> bool:
    try:
        return not end.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True


def _ended_children() -> Iterator[tuple[int, int]]:
    """(process id, exit status or negative signal) of each child that has ended; they are reaped."""
    with suppress(ChildProcessError):
        while True:
            pid, wait_status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            yield pid, os.waitstatus_to_exitcode(wait_status)


@contextmanager
def _signals() -> Iterator[socket.socket]:
    """A socket that has a byte for each signal that asks for something, and for each child that ends. The handlers are put
    back after."""
    reading, writing = socket.socketpair()
    numbers = (*ENDING_SIGNALS, RELEASE_SIGNAL, signal.SIGCHLD)
    with reading, writing:
        reading.setblocking(False)  # noqa: FBT003  socket's own signature
        writing.setblocking(False)  # noqa: FBT003
        # A full pipe still wakes us, and children are reaped at every turn.
        descriptor = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
        # A handler must be there for Python to write the byte.
        handlers = {number: signal.signal(number, lambda *_: None) for number in numbers}
        mask = signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)
        try:
            yield reading
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            for number, handler in handlers.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(descriptor)
