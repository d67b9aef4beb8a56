"""File descriptors of a process of ours: the standard ones, how many it may have, and the one of its log."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from holdfast.errors import SetupError

STDIN_FD, STDOUT_FD, STDERR_FD = 0, 1, 2

# Descriptors kept for everything that is no connection: listeners, logs, files being read, Python's own.
RESERVED_DESCRIPTORS = 200
# Most descriptors asked of a machine that sets no bound: the kernel's own default bound (fs.nr_open).
MAX_DESCRIPTORS = 1024 * 1024


def hold_standard_descriptors() -> None:
    """Open the null device as stdin, stdout or stderr where that is closed: what we open next, a listener or the log,
    would get its number, and be written to by whoever means the stream."""
    for descriptor in (STDIN_FD, STDOUT_FD, STDERR_FD):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest number that is free, which is this one (POSIX, open). Children are to have it too.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # noqa: FBT003  os's own signature


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
        yield STDERR_FD
        return
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise SetupError(f"--log: cannot append to {file}: {(error.strerror or str(error)).lower()}") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)
