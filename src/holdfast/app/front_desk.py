"""The supervisor's socket, `supervisor.sock` in the data directory: where people ask for a release or a drain.

Law 1: only its owner can reach it. One supervisor has it in a directory, the first; another goes on without, and says so.
Law 2: nobody who asks is waited for: one who reads nothing, or says something else, is let go, and what he asked for goes on.
Law 3: at most MAX_ASKING wait for an answer at once, and as many have not asked yet, of whom the oldest go.
"""

from __future__ import annotations

import itertools
import os
import selectors
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from holdfast.app.data_lock import DataLock, holder_of
from holdfast.app.desk_messages import MAX_MESSAGE_BYTES, Answer, Done, Question, encoded, question_in
from holdfast.errors import SetupError, reason_of
from holdfast.event_log import EventLog
from holdfast.model.data_dir import MAX_SOCKET_PATH_BYTES, supervisor_socket

MAX_ASKING = 16
_ROLE = "supervisor"


class FrontDesk:
    """Open it, wait for the selector, and take what was `asked`. Who asks is known by a ticket."""

    def __init__(self, data_dir: Path, selector: selectors.BaseSelector, log: EventLog) -> None:
        self._data_dir, self._selector, self._log = data_dir, selector, log
        self._tickets = itertools.count(1)
        self._asking: dict[int, socket.socket] = {}
        self._silent: dict[int, socket.socket] = {}
        self._lock: DataLock | None = None
        self._listener: socket.socket | None = None

    def open(self) -> None:
        """Listen. Where that cannot be, a record says why: signals do the same."""
        try:
            self._lock = _only_one(self._data_dir)
            self._listener = _listening(supervisor_socket(self._data_dir))
        except (SetupError, OSError) as error:
            reason = reason_of(error) if isinstance(error, OSError) else str(error)
            self._log.write(
                "supervisor_warning",
                {"reason": f"nobody can ask this supervisor by the data directory, only by signals: {reason}"},
            )
            self.close()
            return
        self._selector.register(self._listener, selectors.EVENT_READ)

    def close(self) -> None:
        """Listen no more, and let go of all who ask."""
        for ticket in (*self._silent, *self._asking):
            self._let_go(ticket)
        if self._listener is not None:
            with suppress(OSError):
                supervisor_socket(self._data_dir).unlink()
            with suppress(KeyError):
                self._selector.unregister(self._listener)
            self._listener.close()
            self._listener = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def asked(self) -> Iterator[tuple[int, Question]]:
        """(ticket, what is asked) since the last call."""
        self._welcome()
        for ticket, connection in list(self._silent.items()):
            packet = _packet(connection)
            if packet is None:
                continue
            question = question_in(packet)
            if question is None:
                self.say(ticket, Done(sentence="this supervisor does not understand what it is asked"))
                continue
            if len(self._asking) >= MAX_ASKING:
                self.say(ticket, Done(sentence=f"{MAX_ASKING} others wait for an answer already"))
                continue
            self._asking[ticket] = self._silent.pop(ticket)
            yield ticket, question
        for ticket, connection in list(self._asking.items()):
            # Nothing is expected but the end.
            if _packet(connection) is not None:
                self._let_go(ticket)

    def say(self, ticket: int, answer: Answer) -> None:
        """Say it to whoever has this ticket, if he is there still."""
        connection = self._asking.get(ticket) or self._silent.get(ticket)
        if connection is None:
            return
        try:
            connection.send(encoded(answer))
        except OSError:  # gone, or has read nothing for long
            self._let_go(ticket)
            return
        if isinstance(answer, Done):
            self._let_go(ticket)

    def _welcome(self) -> None:
        while self._listener is not None:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # BlockingIOError: nobody more
                return
            connection.setblocking(False)  # noqa: FBT003  socket's own signature
            if len(self._silent) >= MAX_ASKING:
                self._let_go(next(iter(self._silent)))
            self._silent[next(self._tickets)] = connection
            self._selector.register(connection, selectors.EVENT_READ)

    def _let_go(self, ticket: int) -> None:
        connection = self._asking.pop(ticket, None) or self._silent.pop(ticket, None)
        if connection is not None:
            with suppress(KeyError):
                self._selector.unregister(connection)
            connection.close()


def _only_one(data_dir: Path) -> DataLock:
    """The lock of whoever has the socket. Raises SetupError."""
    lock = DataLock(data_dir, _ROLE)
    if lock.try_to_take():
        return lock
    lock.close()
    raise SetupError(f"process {holder_of(data_dir, _ROLE)} has the data directory {data_dir} already")


@contextmanager
def reachable(path: Path) -> Iterator[str]:
    """A name for the socket at `path` that is as short as the system wants it."""
    if len(os.fsencode(path)) <= MAX_SOCKET_PATH_BYTES:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


def _listening(path: Path) -> socket.socket:
    """Raises OSError. What is left of an earlier supervisor, which ended without a word, is removed."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
    # The supervisor has one thread: nobody else makes a file meanwhile.
    mask = os.umask(0o177)
    try:
        with reachable(path) as name:
            listener.bind(name)
        listener.listen(MAX_ASKING)
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(mask)
    return listener


def _packet(connection: socket.socket) -> bytes | None:
    """The next packet; b"" at the end, None where there is none now."""
    try:
        return connection.recv(MAX_MESSAGE_BYTES)
    except BlockingIOError:
        return None
    except OSError:
        return b""
