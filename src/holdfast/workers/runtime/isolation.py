"""What keeps user code to its own: no inherited secrets, no other programs, no files of Holdfast's.

This holds back mistakes of one's own code, and is no wall against code that means harm: it runs as the same user in a process that can
call the C library. Memory, files and processor time are limited by the host (`workers.host.launch`), before this process begins.

Law 1: of the environment nothing is left but what a program needs to run at all.
Law 2: nothing below the data directory can be opened, listed or connected to but what is this script's own.
Law 3: no other program is started.
"""

from __future__ import annotations

import _posixsubprocess
import faulthandler
import os
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

KEPT = frozenset(
    {"PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "PYTHONHASHSEED"}
)
_STARTS = frozenset(
    {
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.posix_spawn",
        "os.spawn",
        "os.startfile",
        "os.system",
        "pty.spawn",
        "subprocess.Popen",
    }
)
_PATHS = frozenset(
    {
        "open",
        "os.chmod",
        "os.chown",
        "os.link",
        "os.listdir",
        "os.mkdir",
        "os.remove",
        "os.rename",
        "os.rmdir",
        "os.scandir",
        "os.symlink",
        "os.truncate",
        "os.utime",
        "sqlite3.connect",
    }
)
_CONNECTS = frozenset({"socket.bind", "socket.connect", "socket.sendto"})
# What SQLite is told instead of a file.
_NO_FILES = frozenset({"", ":memory:"})
# How many of an event's arguments are paths.
_TWO_PATHS = frozenset({"os.link", "os.rename", "os.symlink"})


def scrub_environment(environ: dict[str, str] | os._Environ[str] = os.environ) -> None:
    """Take away what is no program's business; a worker has `env`."""
    for name in list(environ):
        if name not in KEPT:
            del environ[name]


def tell_hangs() -> None:
    """Have SIGPROF print where the code stands and end the process: the host sends it where user code hangs."""
    faulthandler.enable(file=2)
    faulthandler.register(signal.SIGPROF, file=2, all_threads=False, chain=True)


class Refusal:
    """An audit hook that raises PermissionError for what user code may not do. `own`: what of `data_dir` is the script's."""

    def __init__(self, data_dir: Path, own: Iterable[Path]) -> None:
        self._inside = f"{data_dir}".rstrip("/") + "/"
        self._own = tuple(f"{path}/" for path in own)

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Judge one event."""
        if event in _PATHS:
            for path in arguments[: 2 if event in _TWO_PATHS else 1]:
                if self._is_foreign(path):
                    raise PermissionError(f"{event}: {path!r} is not of this Worker")
        elif event in _STARTS:
            raise PermissionError(f"{event}: a Worker cannot start other programs")
        elif event in _CONNECTS and self._is_foreign(arguments[1]):
            raise PermissionError(f"{event}: {arguments[1]!r} is not of this Worker")

    def _is_foreign(self, path: object) -> bool:
        if not isinstance(path, str | bytes | os.PathLike) or path in _NO_FILES:
            # A descriptor, an address: what is open is open.
            return False
        text = os.fsdecode(path)
        if "\0" in text:
            # An abstract socket, or nothing that could be opened.
            return False
        if text.startswith("file:"):
            # As SQLite is told of a file with options: `file:/path?mode=ro`.
            text = unquote(text.removeprefix("file:").partition("?")[0])
        full = os.path.realpath(text) + "/"
        return full.startswith(self._inside) and not full.startswith(self._own)


def _refuse_fork(*_: object) -> int:
    raise PermissionError("fork_exec: a Worker cannot start other programs")


def confine(data_dir: Path, own: Iterable[Path]) -> None:
    """From now on, for good."""
    # `multiprocessing` calls it without telling audit hooks.
    _posixsubprocess.fork_exec = _refuse_fork
    sys.addaudithook(Refusal(data_dir, own))
