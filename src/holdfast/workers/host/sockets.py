"""The listening sockets of scripts: bound once by the host, inherited by each of a script's processes, handed to the next host.

Law 1: nobody but this user may connect: a socket's file has the mode 0600 from its first moment.
Law 2: while a script is replaced, and while a host is, whoever connects waits in the kernel's queue.
Law 3: a successor asks its predecessor for them; where that does not answer in time it binds its own in their place.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from holdfast.errors import SetupError, reason_of
from holdfast.model.data_dir import (
    worker_channel_socket,
    worker_http_socket,
    worker_sockets_dir,
    workers_dir,
    workers_host_socket,
)
from holdfast.model.worker_host_messages import Answer, Inherit, Inherited
from holdfast.model.worker_messages import LineReader, WorkerLinkError, line

# As many as the kernel allows (net.core.somaxconn cuts it).
BACKLOG = 4096
# How long the host before may take with each step of handing over.
HANDOVER_LIMIT_S = 5.0
_MODE, _DIRECTORY_MODE = 0o600, 0o700
_PAIR = 2
_KEY_BYTES = 64


@dataclass(frozen=True, slots=True)
class ScriptSockets:
    """What the processes of one script listen on. The holder closes them."""

    http: socket.socket
    channel: socket.socket

    def close(self) -> None:
        """Let go of them."""
        self.http.close()
        self.channel.close()


def make_directories(data_dir: Path) -> None:
    """Make what files and sockets of scripts lie in, for this user alone. Raises SetupError."""
    for directory in (workers_dir(data_dir), worker_sockets_dir(data_dir)):
        try:
            directory.mkdir(parents=True, mode=_DIRECTORY_MODE, exist_ok=True)
            found = directory.lstat()
        except OSError as error:
            raise SetupError(f"the directory {directory} cannot be used: {reason_of(error)}") from error
        # In a directory that all may write to, somebody else may have been first.
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
            raise SetupError(f"the directory {directory} is not this user's alone")


def bound(path: Path) -> socket.socket:
    """A Unix socket that listens at `path`, where nothing else stands any more. Raises SetupError."""
    beside = path.with_name(f".{path.name}.new")
    try:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    except OSError as error:
        raise SetupError(f"cannot listen on {path}: {reason_of(error)}") from error
    try:
        with suppress(FileNotFoundError):
            beside.unlink()
        # Before `bind`: on Linux the file's mode is the socket's (unix(7)).
        os.fchmod(listener.fileno(), _MODE)
        listener.bind(str(beside))
        listener.listen(BACKLOG)
        beside.replace(path)
    except OSError as error:
        listener.close()
        raise SetupError(f"cannot listen on {path}: {reason_of(error)}") from error
    listener.setblocking(False)  # noqa: FBT003  socket's own signature
    return listener


def bound_for(data_dir: Path, key: str) -> ScriptSockets:
    """New sockets of a script, whose directory is there. Raises SetupError."""
    path = worker_http_socket(data_dir, key)
    try:
        path.parent.mkdir(mode=_DIRECTORY_MODE, exist_ok=True)
    except OSError as error:
        raise SetupError(f"the directory {path.parent} cannot be used: {reason_of(error)}") from error
    http = bound(path)
    try:
        return ScriptSockets(http, bound(worker_channel_socket(data_dir, key)))
    except SetupError:
        http.close()
        raise


def unlink_of(data_dir: Path, key: str) -> None:
    """Nobody listens for a script any more: leave no files that say otherwise."""
    for path in (worker_http_socket(data_dir, key), worker_channel_socket(data_dir, key)):
        with suppress(OSError):
            path.unlink()


def hand_over(connection: socket.socket, held: Mapping[str, ScriptSockets]) -> None:
    """Answer `Inherit`: give copies of all to the successor. `connection` has a time limit. Raises OSError."""
    connection.sendall(line(Inherited(scripts=len(held))))
    for key, pair in held.items():
        # One packet each: the kernel does not join what carries descriptors (unix(7), SCM_RIGHTS).
        socket.send_fds(connection, [key.encode()], [pair.http.fileno(), pair.channel.fileno()])


def inherited(data_dir: Path) -> dict[str, ScriptSockets]:
    """What the host before has, by key; {} where there is none that answers."""
    got: dict[str, ScriptSockets] = {}
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(HANDOVER_LIMIT_S)
        with suppress(OSError, WorkerLinkError, ValueError):
            connection.connect(str(workers_host_socket(data_dir)))
            connection.sendall(line(Inherit()))
            for key, pair in _received(connection):
                got[key] = pair  # noqa: PERF403  what came before an error is kept
    return got


def _received(connection: socket.socket) -> Iterator[tuple[str, ScriptSockets]]:
    reader: LineReader[Answer] = LineReader(Answer)
    answer: Answer | None = None
    while answer is None:
        # Byte by byte: what follows the line carries descriptors.
        data = connection.recv(1)
        if not data:
            return
        answer = next(iter(reader.feed(data)), None)
    for _ in range(answer.scripts if isinstance(answer, Inherited) else 0):
        key, descriptors, _flags, _address = socket.recv_fds(connection, _KEY_BYTES, _PAIR)
        for descriptor in descriptors:
            # Python does not ask the kernel for it.
            os.set_inheritable(descriptor, False)  # noqa: FBT003  os's own signature
        if len(descriptors) != _PAIR:
            for descriptor in descriptors:
                os.close(descriptor)
            return
        http, channel = (socket.socket(fileno=descriptor) for descriptor in descriptors)
        yield key.decode("ascii", "replace"), ScriptSockets(http, channel)
