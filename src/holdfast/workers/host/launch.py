"""`python -m holdfast.workers.host.launch HOST MEMORY_MB`: what a script's process does before it is one.

Law 1: it ends with its host: the kernel sends SIGKILL when that is gone (prctl(2), PR_SET_PDEATHSIG), also where user code hangs.
Law 2: its limits are set before any user code runs, and are hard: it cannot raise them again.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from importlib import import_module

RUNTIME = "holdfast.workers.runtime.__main__"
# prctl(2), of linux/prctl.h; Python has no name for it.
_PR_SET_PDEATHSIG = 1
# Each object that is in memory has three files open, each request one socket.
MAX_FILES = 65_536
# What a process may map that is its own (RLIMIT_DATA: stacks and arenas that are reserved count too): beyond it an allocation fails
# at once, where the host's look at the resident size would come too late.
DATA_FACTOR, DATA_MARGIN_MB = 4, 1024


def main() -> int:
    """Be a script's process; its exit status."""
    host, memory_mb = (int(text) for text in sys.argv[1:3])
    end_with(host)
    limit(memory_mb)
    del sys.argv[1:]
    # Nothing of it is loaded before the limits are there.
    return int(import_module(RUNTIME).main())


def end_with(host: int) -> None:
    """Have the kernel end this process with its parent, the process `host`."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != host:
        # It was gone before the kernel knew.
        os.kill(os.getpid(), signal.SIGKILL)


def limit(memory_mb: int) -> None:
    """Set what this process, and those that it starts, may have."""
    data = (memory_mb * DATA_FACTOR + DATA_MARGIN_MB) * 1024 * 1024
    for kind, most in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_DATA, data), (resource.RLIMIT_NOFILE, MAX_FILES)):
        _, hard = resource.getrlimit(kind)
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (value, value))


if __name__ == "__main__":
    raise SystemExit(main())
