"""The Unix socket on which edges take what scripts fetch: bound once by the supervisor, as TCP listeners are.

Law 1: every edge of a supervisor inherits it, so that what scripts fetch finds one while edges are replaced.
Law 2: nobody but this user may connect (mode 0600): who can, asks as a script.
"""

from __future__ import annotations

import errno
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from holdfast.model.data_dir import workers_dir, workers_egress_socket
from holdfast.workers.host.sockets import bound, make_directories


def listens(path: Path) -> bool:
    """Whether somebody listens at `path`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.setblocking(False)  # noqa: FBT003  socket's own signature
        # EAGAIN: somebody does, and has many waiting (unix(7)).
        return asking.connect_ex(str(path)) in {0, errno.EAGAIN}


@contextmanager
def egress_listener(data_dir: Path) -> Iterator[int]:
    """The descriptor of a socket that listens in `data_dir`. Raises SetupError."""
    make_directories(data_dir)
    path = workers_egress_socket(data_dir)
    with bound(path) as listener:
        yield listener.fileno()
    with suppress(OSError):
        path.unlink()
    if path.parent != workers_dir(data_dir):
        # Nobody else would find it.
        shutil.rmtree(path.parent, ignore_errors=True)
