"""The composition root: `holdfast up`, from options to exit status.

Law 1: whatever can be wrong with the options is found before the first `ready:` line, and is one sentence.
Law 2: the main thread owns signals and the certificate watch, and sleeps in the kernel between them.
Law 3: SIGTERM and SIGINT end it cleanly; a second one meets the default disposition, and ends it at once.
Law 4: an edge that was started is stopped, whatever is raised: its threads call Python, and must end before it does.
Law 5: nobody has to listen. A stdout that is closed, full or broken costs the `ready:` lines and nothing else.
"""

from __future__ import annotations

import os
import resource
import secrets
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.config import SslMode, UpOptions
from holdfast.edge.policy import Policy
from holdfast.edge.snapshot import Snapshot, compile_snapshot
from holdfast.errors import SetupError
from holdfast.event_log import EventLog
from holdfast.listeners import BoundAddress, bind_all
from holdfast.served_certificates import ServedCertificates

if TYPE_CHECKING:
    from holdfast._native import Edge

# How long requests in flight and the closing handshakes of tunnels may take when the edge stops.
STOP_GRACE_S = 5.0
# How often certificate files are looked at.
WATCH_INTERVAL_S = 1.0
# Descriptors kept for everything that is no connection: listeners, logs, files being read, Python's own.
RESERVED_DESCRIPTORS = 200
# Most descriptors asked of a machine that sets no bound: the kernel's own default bound (fs.nr_open).
MAX_DESCRIPTORS = 1024 * 1024

_STDIN_FD, _STDOUT_FD, _STDERR_FD = 0, 1, 2
_ENDING_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def run_up(options: UpOptions) -> int:
    """Serve until SIGTERM or SIGINT; then the exit status, 0. For the main thread of a process of its own.

    Raises HoldfastError, a sentence, when it cannot start.
    """
    # Blocked before any thread is made, so that every thread inherits it and only `_wait` takes them.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING_SIGNALS)
    hold_standard_descriptors()
    max_connections = connection_limit(raise_descriptor_limit())
    with log_descriptor(options.log_file) as log_fd:
        events = EventLog(log_fd)
        policy = Policy(_snapshot(options))
        certificates = ServedCertificates.of_files(options, events)
        bound = bind_all(options.listen, options.tls_listen, sockets_each=options.threads)
        if options.tls_listen and certificates is None:
            # Only now: a port in use must not leave a new authority behind.
            certificates = ServedCertificates.local(options, events)
        edge = _started(options, bound, policy, certificates, log_fd=log_fd, max_connections=max_connections)
        try:
            announce(bound, str(options.origin))
            _wait(edge, certificates)
        finally:
            _let_the_next_signal_kill()
            edge.stop(grace_s=STOP_GRACE_S)
    return 0


def hold_standard_descriptors() -> None:
    """Open the null device as stdin, stdout or stderr where that is closed: what we open next, a listener or the log,
    would get its number, and be written to by whoever means the stream."""
    for descriptor in (_STDIN_FD, _STDOUT_FD, _STDERR_FD):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest number that is free, which is this one (POSIX, open).
            os.open(os.devnull, os.O_RDWR)


def raise_descriptor_limit() -> int:
    """Raise the soft limit of open files to the hard one (a process needs no privilege for it); the soft limit now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else hard
    # Some kernels and sandboxes refuse the hard limit; what we have then bounds the connections.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return MAX_DESCRIPTORS if soft == resource.RLIM_INFINITY else soft


def connection_limit(descriptors: int) -> int:
    """How many client connections fit into `descriptors`: each may hold two, its own and the origin's."""
    connections = (descriptors - RESERVED_DESCRIPTORS) // 2
    if connections < 1:
        raise SetupError(
            f"the limit of open files is {descriptors}, and the edge needs more than {RESERVED_DESCRIPTORS + 1}"
        )
    return connections


@contextmanager
def log_descriptor(file: Path | None) -> Iterator[int]:
    """Where records go: `file`, appended to, or stderr. Raises SetupError when the file cannot be opened."""
    if file is None:
        yield _STDERR_FD
        return
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise SetupError(f"--log: cannot append to {file}: {(error.strerror or str(error)).lower()}") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def announce(bound: Iterable[BoundAddress], origin: str) -> None:
    """One `ready:` line on stdout for each address, with its real port. If they cannot be written, stderr says so."""
    lines = [f"ready: {'wss' if one.is_tls else 'ws'}://{one.address} -> {origin}\n" for one in bound]
    if sys.stdout is None:  # closed before Python started
        _say_lines_are_lost("stdout is closed")
        return
    try:
        sys.stdout.writelines(lines)
        sys.stdout.flush()
    except (OSError, ValueError) as error:
        _say_lines_are_lost((getattr(error, "strerror", None) or str(error)).lower())
        _let_stdout_go()


def _say_lines_are_lost(reason: str) -> None:
    sentence = f"holdfast up: the ready lines cannot be written, serving goes on: {reason}\n"
    with suppress(OSError):
        os.write(_STDERR_FD, sentence.encode("utf-8", "backslashreplace"))


def _let_stdout_go() -> None:
    """Python flushes stdout once more at its end: what failed to be written goes to the null device then."""
    with suppress(OSError, ValueError), Path(os.devnull).open("wb") as null:
        os.dup2(null.fileno(), sys.stdout.fileno())


def _snapshot(options: UpOptions) -> Snapshot:
    try:
        ca_pem = options.origin_ca.read_bytes() if options.origin_ca else None
        return compile_snapshot(
            options.origin,
            # Of this process, not of the data directory: two edges in a row on one machine may share that.
            instance=secrets.token_hex(8),
            verify_origin=options.ssl is SslMode.STRICT,
            origin_ca_pem=ca_pem,
        )
    except OSError as error:
        raise SetupError(f"--origin-ca: cannot read {options.origin_ca}: {(error.strerror or '').lower()}") from error
    except ValueError as error:
        raise SetupError(f"the origin {options.origin} cannot be used: {error}") from error


def _started(
    options: UpOptions,
    bound: list[BoundAddress],
    policy: Policy,
    certificates: ServedCertificates | None,
    *,
    log_fd: int,
    max_connections: int,
) -> Edge:
    # Loaded here and not with this module: `holdfast connect` and `--version` do without the core.
    from holdfast._native import Edge  # noqa: PLC0415

    try:
        edge = Edge(
            listeners=[(descriptor, one.is_tls) for one in bound for descriptor in one.descriptors],
            threads=options.threads,
            # The boundary says `object`; what Rust passes are the values that the two take.
            decide=policy.decide,
            answer=policy.answer,
            certificates=certificates.native() if certificates else (),
            log_fd=log_fd,
            max_connections=max_connections,
        )
        edge.start()
    except (ValueError, OSError) as error:
        raise SetupError(f"the edge cannot start: {error}") from error
    return edge


def _wait(edge: Edge, certificates: ServedCertificates | None) -> None:
    """Sleep until an ending signal; meanwhile pass on certificates that were replaced."""
    if certificates is None:
        signal.sigwait(_ENDING_SIGNALS)
        return
    while signal.sigtimedwait(_ENDING_SIGNALS, WATCH_INTERVAL_S) is None:
        certificates.poll(edge)


def _let_the_next_signal_kill() -> None:
    """Undo what we did to the ending signals: whoever sends a second one does not want to wait for the grace."""
    for number in _ENDING_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING_SIGNALS)
