"""The Unix socket on which edges take what scripts fetch: bound once by the supervisor, as TCP listeners are.

Law 1: every edge of a supervisor inherits it, so that what scripts fetch finds one while edges are replaced.
Law 2: nobody but this user may connect (mode 0600): who can, asks as a script.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from holdfast.errors import SetupError, reason_of
from holdfast.model.data_dir import has_room_for_worker_sockets, workers_dir, workers_egress_socket
from holdfast.workers.host.sockets import bound

TOO_LONG_FOR_WORKERS = "there are no Workers: the path of the data directory is too long for their sockets"


def listens(path: Path) -> bool:
    """Whether somebody listens at `path`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.setblocking(False)  # noqa: FBT003  socket's own signature
        # EAGAIN: somebody does, and has many waiting (unix(7)).
        return asking.connect_ex(str(path)) in {0, errno.EAGAIN}


@contextmanager
def egress_listener(data_dir: Path) -> Iterator[int]:
    """The descriptor of a socket that listens in `data_dir`; -1 where the path has no room for one. Raises SetupError."""
    if not has_room_for_worker_sockets(data_dir.absolute()):
        yield -1
        return
    try:
        workers_dir(data_dir).mkdir(parents=True, mode=0o700, exist_ok=True)
    except OSError as error:
        raise SetupError(f"the data directory {data_dir} cannot be used: {reason_of(error)}") from error
    path = workers_egress_socket(data_dir.absolute())
    with bound(path) as listener:
        yield listener.fileno()
    with suppress(OSError):
        path.unlink()
