"""The Unix socket on which edges take what scripts fetch: bound once by the supervisor, as TCP listeners are.

Law 1: every edge of a supervisor inherits it, so that what scripts fetch finds one while edges are replaced.
Law 2: one supervisor has it at a time: whoever comes while another is there waits for that to end, and is refused where it does not.
Law 3: nobody but this user may connect (mode 0600): who can, asks as a script.
"""

from __future__ import annotations

import errno
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from holdfast.app.data_lock import LIMIT_S, DataLock
from holdfast.model.data_dir import workers_dir, workers_egress_socket
from holdfast.workers.host.sockets import bound, make_directories

# As the sentence of a lock has it: "a running supervisor of Workers".
_ROLE = "workers-supervisor"


def listens(path: Path) -> bool:
    """Whether somebody listens at `path`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.setblocking(False)  # noqa: FBT003  socket's own signature
        # EAGAIN: somebody does, and has many waiting (unix(7)).
        return asking.connect_ex(str(path)) in {0, errno.EAGAIN}


@contextmanager
def egress_listener(data_dir: Path, *, limit_s: float = LIMIT_S) -> Iterator[int]:
    """The descriptor of a socket that listens in `data_dir`. Says so where it waits for somebody else. Raises SetupError."""
    path = workers_egress_socket(data_dir)
    with closing(DataLock(data_dir, _ROLE)) as lock:
        lock.take(
            limit_s=limit_s,
            waits=lambda sentence: _say(f"{sentence}: waiting {limit_s:.0f} s for it to end"),
            else_do=": end that one, or give this one a directory of its own with --data",
        )
        make_directories(data_dir)
        with bound(path) as listener:
            yield listener.fileno()
        with suppress(OSError):
            path.unlink()
        if path.parent != workers_dir(data_dir):
            # Nobody else would find it.
            shutil.rmtree(path.parent, ignore_errors=True)


def _say(sentence: str) -> None:
    sys.stderr.write(f"holdfast: {sentence}\n")
    sys.stderr.flush()
