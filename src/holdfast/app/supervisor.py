"""The supervisor: `supervision`'s commands carried out on real processes, and what happens to them fed back.

Law 1: it decides nothing (that is `supervision`) and holds no data of a client. It imports neither the core nor a web
framework, so it is small and has little that could fail.
Law 2: listening sockets are its own, all the time: while a child is being replaced, connections wait in the kernel's queue.
Law 3: it sleeps in the kernel until a signal, a word of a child, or the next moment that is due.
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

from holdfast.app import lifeline
from holdfast.app.child_process import ChildProcess, ChildSpec
from holdfast.app.supervision import (
    Announce,
    CloseListeners,
    Command,
    Finish,
    Record,
    Send,
    Start,
    Supervision,
)
from holdfast.errors import SetupError, reason_of
from holdfast.event_log import EventLog

ENDING_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def supervise(
    specs: Sequence[ChildSpec],
    *,
    close_listeners: Callable[[], None],
    announce: Callable[[Sequence[str]], None],
    log: EventLog,
) -> int:
    """Keep the children of `specs` running until SIGTERM or SIGINT; then the exit status, 0.

    They are stopped in their order. For the main thread of a process of its own. A second signal ends this process by
    that signal. Raises SetupError when a child cannot be started at all, and with a child's sentence when its first start
    finds the configuration wrong.
    """
    with _signals() as wakeup, selectors.DefaultSelector() as selector:
        supervisor = _Supervisor(specs, wakeup, selector, close_listeners=close_listeners, announce=announce, log=log)
        finish = supervisor.run()
    if finish.by_signal is not None:
        signal.signal(finish.by_signal, signal.SIG_DFL)
        os.kill(os.getpid(), finish.by_signal)
    if finish.sentence:
        raise SetupError(finish.sentence)
    return finish.status


class _Supervisor:
    def __init__(
        self,
        specs: Sequence[ChildSpec],
        wakeup: socket.socket,
        selector: selectors.BaseSelector,
        *,
        close_listeners: Callable[[], None],
        announce: Callable[[Sequence[str]], None],
        log: EventLog,
    ) -> None:
        self._specs = {spec.limits.name: spec for spec in specs}
        self._supervision = Supervision([spec.limits for spec in specs])
        self._processes: dict[str, ChildProcess] = {}
        self._wakeup, self._selector = wakeup, selector
        self._close_listeners, self._announce, self._log = close_listeners, announce, log
        self._finish: Finish | None = None

    def run(self) -> Finish:
        self._selector.register(self._wakeup, selectors.EVENT_READ)
        self._carry_out(self._supervision.begin(time.monotonic()))
        while self._finish is None:
            self._selector.select(self._until_next_moment())
            self._take_signals()
            self._take_messages()
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

    def _take_messages(self) -> None:
        for name, process in list(self._processes.items()):
            self._hear(name, process)

    def _hear(self, name: str, process: ChildProcess) -> None:
        for message in lifeline.messages_of(process.lifeline):
            if isinstance(message, lifeline.Ready):
                self._carry_out(self._supervision.child_ready(name, message.lines, time.monotonic()))
            else:
                self._supervision.child_failed(name, message.sentence)
        # A child that has let go of its lifeline, and lives, would be readable for ever.
        if _is_at_end(process.lifeline):
            with suppress(KeyError):
                self._selector.unregister(process.lifeline)

    def _reap(self) -> None:
        for pid, status in _ended_children():
            process = next((one for one in self._processes.values() if one.pid == pid), None)
            if process is None:
                continue
            self._hear(process.name, process)  # its last words
            with suppress(KeyError):
                self._selector.unregister(process.lifeline)
            process.close(status)
            del self._processes[process.name]
            self._carry_out(self._supervision.child_exited(process.name, status, time.monotonic()))

    def _carry_out(self, commands: Iterable[Command]) -> None:
        for command in commands:
            match command:
                case Start():
                    # One that cannot be started ends all, also those whose turn it would be next.
                    if not self._supervision.is_ending:
                        self._start(self._specs[command.child])
                case Send():
                    if (process := self._processes.get(command.child)) is not None:
                        process.send(command.number)
                case Announce():
                    self._announce(command.lines)
                case CloseListeners():
                    self._close_listeners()
                case Record():
                    self._log.write(command.event, command.fields)
                case Finish():
                    self._finish = command

    def _start(self, spec: ChildSpec) -> None:
        name = spec.limits.name
        try:
            process = ChildProcess(spec)
        except OSError as error:
            self._carry_out(self._supervision.child_not_started(name, reason_of(error), time.monotonic()))
            return
        self._processes[name] = process
        self._selector.register(process.lifeline, selectors.EVENT_READ)
        self._supervision.child_started(name, process.pid)


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
    """A socket that has a byte for each ending signal, and for each child that ends. The handlers are put back after."""
    reading, writing = socket.socketpair()
    numbers = (*ENDING_SIGNALS, signal.SIGCHLD)
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
