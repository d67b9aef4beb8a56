"""`holdfast release` and `holdfast drain`: ask the supervisor of a data directory, and say how it goes.

Law 1: the exit status is 0 when it is done, 1 when it could not be, with the supervisor's sentence, and 2 when no supervisor
is there to be asked.
Law 2: every wait has a limit; the supervisor says how long it may take.
"""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

from holdfast.app.desk_messages import (
    MAX_MESSAGE_BYTES,
    AskDrain,
    AskRelease,
    Done,
    Progress,
    Question,
    Taken,
    answer_in,
    encoded,
)
from holdfast.app.front_desk import reachable
from holdfast.errors import SetupError, UnavailableError, UsageError, reason_of
from holdfast.model.data_dir import supervisor_socket
from holdfast.standard_output import write_lines

# How long a supervisor may take to say that it has understood. It does nothing that takes long.
TAKEN_LIMIT_S = 10.0
# The longest path that the system takes (PATH_MAX of limits.h, without the NUL).
MAX_PATH_BYTES = 4095
# What it may be late, on a machine that has other things to do.
_SLACK_S = 10.0


class NotReleasedError(UnavailableError):
    """What was asked for could not be done: the supervisor's sentence."""


def run_release(data_dir: Path, *, python: Path | None, waits: bool) -> int:
    """Have the edge and control replaced; the exit status. Raises HoldfastError."""
    # Not resolved: the interpreter of a virtual environment is a link, and knows by its name where it is.
    absolute = str(python.absolute()) if python else ""
    if len(os.fsencode(absolute)) > MAX_PATH_BYTES:
        raise UsageError("--python", f"{absolute[:40]}…", f"a path of at most {MAX_PATH_BYTES} bytes")
    return ask(data_dir, AskRelease(python=absolute), waits=waits)


def run_drain(data_dir: Path, *, waits: bool) -> int:
    """Have all end with the clients there are; the exit status. Raises HoldfastError."""
    return ask(data_dir, AskDrain(), waits=waits)


def ask(data_dir: Path, question: Question, *, waits: bool) -> int:
    """Ask, print how it goes, and return when it is done, or with `waits` False when it has begun."""
    with _connected(data_dir) as connection:
        connection.settimeout(TAKEN_LIMIT_S)
        _send(connection, question)
        deadline = time.monotonic() + TAKEN_LIMIT_S
        while True:
            match answer_in(_received(connection, deadline)):
                case Taken(limit_s=limit_s):
                    deadline = time.monotonic() + limit_s + _SLACK_S
                case Progress(line=line):
                    write_lines([line], lost="how it goes could not be written, and it goes on")
                    if not waits:
                        return 0
                case Done(sentence=""):
                    return 0
                case Done(sentence=sentence):
                    raise NotReleasedError(sentence)
                case None:
                    pass  # a newer supervisor says more than we know


def _connected(data_dir: Path) -> socket.socket:
    path = supervisor_socket(data_dir)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        with reachable(path) as name:
            connection.connect(name)
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        connection.close()
        raise SetupError(
            f"nothing runs on the data directory {data_dir}: start `holdfast run` or `holdfast up`, or name another by --data"
        ) from None
    except OSError as error:
        connection.close()
        raise SetupError(f"the supervisor cannot be asked by {path}: {reason_of(error)}") from error
    return connection


def _send(connection: socket.socket, question: Question) -> None:
    try:
        connection.send(encoded(question))
    except OSError as error:
        raise UnavailableError(f"the supervisor has gone: {reason_of(error)}") from error


def _received(connection: socket.socket, deadline: float) -> bytes:
    connection.settimeout(max(0.01, deadline - time.monotonic()))
    try:
        packet = connection.recv(MAX_MESSAGE_BYTES)
    except TimeoutError:
        raise UnavailableError("the supervisor does not answer") from None
    except OSError as error:
        raise UnavailableError(f"the supervisor has gone: {reason_of(error)}") from error
    if not packet:
        raise UnavailableError("the supervisor has ended before it was done")
    return packet
