"""What a child process is given by its supervisor: descriptors that are open already, and its options.

Law 1: one environment variable describes it all, and is read once. What it says is checked against the descriptors: a
child that was given something else than it is told does not start.
Law 2: a child takes no option from anywhere else: when it is started again it is what it was, whatever became of the file.
Law 3: a child sees none of the supervisor's HOLDFAST_ variables but the sealing key's, and nothing of what a service manager
says to the supervisor (sd_notify(3), sd_listen_fds(3)).
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress

import msgspec

from holdfast.app.descriptors import STDERR_FD, STDOUT_FD
from holdfast.app.lifeline import Lifeline
from holdfast.config.run import Config
from holdfast.config.texts import Texts, texts_of
from holdfast.config.up import UpOptions
from holdfast.errors import SetupError, reason_of
from holdfast.listeners import BoundAddress
from holdfast.model.local_worker import LocalWorker

VARIABLE = "HOLDFAST_INHERITED"
_PREFIX = "HOLDFAST_"
_PASSED_ON = frozenset({"HOLDFAST_SECRET_KEY"})
_OF_THE_SERVICE_MANAGER = ("NOTIFY_SOCKET", "LISTEN_", "WATCHDOG_")
_UP, _RUN = "up", "run"
_PAIR = 2


class Inheritance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What one child gets. `command` is what people typed ("holdfast run"), `lifeline` the descriptor of its end.

    `stderr` is the descriptor that its standard output and error are to be, from when it has read this; -1 for those it has.
    `kind` says what `options` are texts of: UpOptions ("up") or Config ("run"). `is_successor`: another child of this role
    lives. `egress` is a Unix socket that listens for what scripts fetch, -1 for none; `worker` the one of `holdfast up --worker`; `kept` the two ends of what a host
    keeps its sockets in (`kept_pair`). What is as usual is left out, so that a version that does not know it can be the next as well.
    """

    command: str
    kind: str
    options: Texts
    listeners: tuple[BoundAddress, ...] = ()
    egress: int = -1
    kept: tuple[int, ...] = ()
    worker: LocalWorker | None = None
    lifeline: int = -1
    stderr: int = -1
    is_successor: bool = False

    @property
    def descriptors(self) -> tuple[int, ...]:
        """All that must stay open in the child, without the lifeline."""
        of_listeners = tuple(descriptor for one in self.listeners for descriptor in one.descriptors)
        return (*of_listeners, *([self.egress] if self.egress >= 0 else []), *self.kept)

    def parsed_options(self) -> UpOptions | Config:
        """The options. Raises UsageError."""
        return UpOptions.parse(self.options) if self.kind == _UP else Config.parse(self.options)

    def environment(
        self, environ: Mapping[str, str], *, lifeline: int, stderr: int = -1, is_successor: bool = False
    ) -> dict[str, str]:
        """`environ` for the child, with VARIABLE in it."""
        kept_back = (_PREFIX, *_OF_THE_SERVICE_MANAGER)
        passed = {n: value for n, value in environ.items() if not n.startswith(kept_back) or n in _PASSED_ON}
        told = msgspec.structs.replace(self, lifeline=lifeline, stderr=stderr, is_successor=is_successor)
        return {**passed, VARIABLE: msgspec.json.encode(told).decode()}


def inheritance_for(
    options: UpOptions | Config,
    *,
    command: str,
    listeners: Sequence[BoundAddress],
    egress: int = -1,
    kept: tuple[int, ...] = (),
    worker: LocalWorker | None = None,
) -> Inheritance:
    """What a child that serves `listeners` is given."""
    kind = _UP if isinstance(options, UpOptions) else _RUN
    return Inheritance(
        command=command,
        kind=kind,
        options=texts_of(options),
        listeners=tuple(listeners),
        egress=egress,
        kept=kept,
        worker=worker,
    )


def inherited(environ: Mapping[str, str]) -> tuple[Inheritance, Lifeline]:
    """What this process was given, checked, and its lifeline. Raises SetupError.

    The descriptors are closed in programs that this process starts.
    """
    try:
        given = msgspec.json.decode(environ.get(VARIABLE, ""), type=Inheritance)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise SetupError(f"{VARIABLE}: expected what a supervisor gives its children: {error}") from error
    numbers = [*given.descriptors, given.lifeline, *([given.stderr] if given.stderr >= 0 else [])]
    if len(set(numbers)) != len(numbers):
        raise SetupError(f"{VARIABLE}: expected each descriptor once, got {sorted(numbers)}")
    for one in given.listeners:
        for descriptor in one.descriptors:
            _check_listener(descriptor, one)
    if given.egress >= 0:
        _check(_is_socket(given.egress), given.egress, "the socket for what scripts fetch")
    for descriptor in given.kept:
        _check(_is_socket(descriptor), descriptor, "an end of the pair that sockets of scripts are kept in")
    _check(len(given.kept) in {0, _PAIR}, len(given.kept), f"one of {_PAIR} ends of that pair")
    _check(_is_socket(given.lifeline), given.lifeline, "the lifeline's socket")
    for descriptor in (*given.descriptors, given.lifeline):
        os.set_inheritable(descriptor, False)  # noqa: FBT003  os's own signature
    if given.stderr >= 0:
        _take_for_the_standard_ones(given.stderr)
    return given, Lifeline(socket.socket(fileno=given.lifeline))


def _take_for_the_standard_ones(descriptor: int) -> None:
    try:
        for standard in (STDOUT_FD, STDERR_FD):
            os.dup2(descriptor, standard)
    except OSError as error:
        raise SetupError(f"{VARIABLE}: descriptor {descriptor} cannot be standard error: {reason_of(error)}") from error
    if descriptor not in {STDOUT_FD, STDERR_FD}:
        os.close(descriptor)


def _check_listener(descriptor: int, said: BoundAddress) -> None:
    expected = f"a socket that listens on {said.address}"
    _check(_is_socket(descriptor), descriptor, expected)
    with socket.socket(fileno=os.dup(descriptor)) as copy:
        is_listening = copy.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        name = copy.getsockname() if copy.family in {socket.AF_INET, socket.AF_INET6} else ("", 0)
    _check(bool(is_listening) and name[1] == said.address.port, descriptor, expected)


def _is_socket(descriptor: int) -> bool:
    with suppress(OSError, OverflowError):
        return stat.S_ISSOCK(os.fstat(descriptor).st_mode)
    return False


def _check(is_so: bool, descriptor: int, expected: str) -> None:
    if not is_so:
        raise SetupError(f"{VARIABLE}: expected descriptor {descriptor} to be {expected}")
