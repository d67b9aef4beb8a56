"""Spare processes: forked from one that has loaded what all of ours need, before it knows anything, and told later what to be.

What processes have loaded before they part, they share: a process that is started as a program of its own has ten megabytes of Python to
itself. So those that are started first are forked; each that comes later is a program as ever, of the files that are there then.

Law 1: a spare is forked while its parent has one thread, no secret and no descriptor of anybody's; it keeps its end of a socket pair and the
standard three, and closes everything else.
Law 2: it becomes one thing, once: the `main` of a module, with exactly the environment, the arguments and the descriptors that it is told.
Law 3: one that is not told anything ends when its parent does, or lets go of it.
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import NoReturn

import msgspec

# What one message carries of descriptors (SCM_MAX_FD), with some to spare.
MAX_DESCRIPTORS = 240
_STANDARD = (0, 1, 2)


class Becoming(msgspec.Struct, frozen=True, kw_only=True):
    """What a spare is to be. `numbers`: what its descriptors are to be numbered, in the order they are sent; the first three are the standard ones."""

    module: str
    arguments: tuple[str, ...]
    environment: dict[str, str]
    numbers: tuple[int, ...]
    directory: str | None = None


class Spare:
    """A process of ours that waits; by `forked`."""

    def __init__(self, pid: int, link: socket.socket) -> None:
        self.pid = pid
        self._link: socket.socket | None = link

    def become(
        self,
        module: str,
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str],
        output: int,
        descriptors: Sequence[int] = (),
        directory: str | None = None,
    ) -> bool:
        """Have it run `main` of `module` with these descriptors under their own numbers, the null device as input, `output` as output and error.

        False where it cannot: it has ended, was taken, or there are too many descriptors.
        """
        link, self._link = self._link, None
        if link is None:
            return False
        told = Becoming(
            module=module,
            arguments=tuple(arguments),
            environment=dict(environment),
            numbers=(*_STANDARD, *descriptors),
            directory=directory,
        )
        with link:
            return len(told.numbers) < MAX_DESCRIPTORS and _tell(link, told, output, descriptors)

    def move(self, above: int) -> list[int]:
        """Number our end of it `above` or higher; which number that is, if there is one."""
        if self._link is None:
            return []
        self._link = socket.socket(fileno=_moved(self._link.detach(), above))
        return [self._link.fileno()]

    def close(self) -> None:
        """Let go of it, where it was not taken: it ends."""
        if self._link is not None:
            self._link.close()
            self._link = None


# The spare of this process, where it was a spare itself and was forked with one.
_own: list[Spare] = []


def own() -> Spare | None:
    """The spare that this process was given at its fork, once."""
    return _own.pop() if _own else None


def forked(*, has_one_of_its_own: bool = False, is_leader: bool = False) -> Spare:
    """Fork a spare. `is_leader`: of a session of its own. `has_one_of_its_own`: it forks one first, a leader. Raises OSError."""
    ours, childs = socket.socketpair()
    with childs:
        if (pid := os.fork()) == 0:
            _guarded(lambda: _wait(childs.detach(), has_one_of_its_own=has_one_of_its_own, is_leader=is_leader))
    return Spare(pid, ours)


def _tell(link: socket.socket, told: Becoming, output: int, descriptors: Sequence[int]) -> bool:
    message = os.memfd_create("holdfast-spare")
    null = os.open(os.devnull, os.O_RDONLY)
    try:
        os.pwrite(message, msgspec.msgpack.encode(told), 0)
        socket.send_fds(link, [b"\0"], [message, null, output, output, *descriptors])
    except OSError:
        return False
    finally:
        os.close(message)
        os.close(null)
    return True


# --- In the spare ---


def _guarded(action: Callable[[], int]) -> NoReturn:
    """Run what the process is now, and end as Python would. Nothing of the parent's, above on the stack, is gone through."""
    status = 1
    try:
        status = action()
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
        if isinstance(error.code, str):
            sys.stderr.write(f"{error.code}\n")
    except BaseException:  # noqa: BLE001  the end of a process
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                if stream is not None:  # None: closed before Python started
                    stream.flush()
        os._exit(status)


def _wait(descriptor: int, *, has_one_of_its_own: bool, is_leader: bool) -> int:
    # Whoever ends everything from a terminal means the parent.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _close_all_but((*_STANDARD, descriptor))
    _own.clear()
    if is_leader:
        os.setsid()
    if has_one_of_its_own:
        _own.append(forked(is_leader=True))
    with socket.socket(fileno=descriptor) as link:
        said, received, _, _ = socket.recv_fds(link, 1, MAX_DESCRIPTORS + 4)
    if not said:
        return 0
    told = _heard(received)
    _take(received[1:], told.numbers)
    return _run(told)


def _heard(received: Sequence[int]) -> Becoming:
    with os.fdopen(os.dup(received[0]), "rb") as message:
        message.seek(0)
        return msgspec.msgpack.decode(message.read(), type=Becoming)


def _take(received: Sequence[int], numbers: Sequence[int]) -> None:
    """Give what was received its numbers, and close everything else but what leads to a spare of our own."""
    above = max(*numbers, *received) + 1
    moved = [_moved(one, above) for one in received]
    _close_all_but((*moved, *(number for one in _own for number in one.move(above))))
    for descriptor, number in zip(moved, numbers, strict=True):
        os.dup2(descriptor, number)
        os.close(descriptor)


def _moved(descriptor: int, above: int) -> int:
    """Another number for a descriptor; the one it had is closed."""
    number = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, above)
    os.close(descriptor)
    return number


def _run(told: Becoming) -> int:
    if told.directory is not None:
        os.chdir(told.directory)
    os.environ.clear()
    os.environ.update(told.environment)
    sys.argv = ["", *told.arguments]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    return int(import_module(told.module).main() or 0)


def _close_all_but(kept: Sequence[int]) -> None:
    for descriptor in [int(path.name) for path in Path("/proc/self/fd").iterdir()]:
        if descriptor not in kept:
            # The one of the listing itself is closed already.
            with suppress(OSError):
                os.close(descriptor)
