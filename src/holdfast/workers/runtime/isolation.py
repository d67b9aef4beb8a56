"""What keeps user code to its own: no inherited secrets, no other programs, no files of Holdfast's.

This holds back mistakes of one's own code, and is no wall against code that means harm: it runs as the same user in a process that can
call the C library. Memory, files and processor time are limited by the host (`workers.host.launch`), before this process begins.

Law 1: of the environment nothing is left but what a program needs to run at all.
Law 2: nothing below the data directory, nor where its sockets are, can be opened, listed, connected to or moved but what is this script's own.
Law 3: no other program is started.
Law 4: whatever asks for a module by its name gets none of Holdfast's, but Holdfast. (An `import` of user code: `loading.py`.)
"""

from __future__ import annotations

import _posixsubprocess
import faulthandler
import importlib.util
import os
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar
from urllib.parse import unquote

from holdfast.model.data_dir import local_home, supervisor_socket, worker_sockets_dir

Given = ParamSpec("Given")
Found = TypeVar("Found")

# Whose modules nobody else gets, and where its code is; the SDK's modules have names that user code knows.
PACKAGE = __name__.partition(".")[0]
_CODE = f"{Path(__file__).parents[2]}/"
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
        "shutil.move",
        "shutil.rmtree",
        "sqlite3.connect",
    }
)
_CONNECTS = frozenset({"socket.bind", "socket.connect", "socket.sendto"})
# What SQLite is told instead of a file.
_NO_FILES = frozenset({"", ":memory:"})
_MOVES = frozenset({"os.remove", "os.rename", "os.rmdir", "shutil.move", "shutil.rmtree"})
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
    """An audit hook that raises PermissionError for what user code may not do. `own`: what of `data_dir`, and of where its sockets are, is
    the script's.
    """

    def __init__(self, data_dir: Path, own: Iterable[Path]) -> None:
        # What is beside the data directory of `holdfast up` is that command's own.
        socket = supervisor_socket(data_dir.parent)
        beside = (socket, socket.with_suffix(".lock")) if data_dir == local_home(data_dir.parent) else ()
        self._inside = _real(data_dir, worker_sockets_dir(data_dir), *beside)
        self._own = _real(*own)

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Judge one event."""
        if event in _PATHS:
            for path in arguments[: 2 if event in _TWO_PATHS else 1]:
                if self._is_foreign(path, moves=event in _MOVES):
                    raise PermissionError(f"{event}: {path!r} is not of this Worker")
        elif event in _STARTS:
            raise PermissionError(f"{event}: a Worker cannot start other programs")
        elif event in _CONNECTS and self._is_foreign(arguments[1]):
            raise PermissionError(f"{event}: {arguments[1]!r} is not of this Worker")

    def _is_foreign(self, path: object, *, moves: bool = False) -> bool:
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
        if moves and any(kept.startswith(full) for kept in self._inside):
            # With a directory all that is in it goes.
            return True
        return full.startswith(self._inside) and not full.startswith(self._own)


def _real(*paths: Path) -> tuple[str, ...]:
    # As what is asked for: however the data directory was named.
    return tuple(os.path.realpath(path).rstrip("/") + "/" for path in paths)


def _refuse_fork(*_: object) -> int:
    raise PermissionError("fork_exec: a Worker cannot start other programs")


def _for_us(find: Callable[Given, Found]) -> Callable[Given, Found]:
    """`find` something by the name of a module, its first argument; what is Holdfast's only for Holdfast."""

    @wraps(find)
    def found(*args: Given.args, **kwargs: Given.kwargs) -> Found:
        name = str(args[0] if args else kwargs.get("name"))
        full = f"{args[1] if len(args) > 1 else kwargs.get('package')}{name}" if name.startswith(".") else name
        if full.partition(".")[0] == PACKAGE and not sys._getframe(1).f_code.co_filename.startswith(_CODE):  # noqa: SLF001  who asks
            raise ModuleNotFoundError(f"No module named '{full}'", name=full)
        return find(*args, **kwargs)

    return found


def _alone(connect: Callable[Given, sqlite3.Connection]) -> Callable[Given, sqlite3.Connection]:
    """`connect` for one file: `ATTACH` and `VACUUM INTO` open others without telling audit hooks."""

    @wraps(connect)
    def connected(*args: Given.args, **kwargs: Given.kwargs) -> sqlite3.Connection:
        connection = connect(*args, **kwargs)
        connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        return connection

    return connected


def confine(data_dir: Path, own: Iterable[Path]) -> None:
    """From now on, for good."""
    importlib.import_module = _for_us(importlib.import_module)
    importlib.util.find_spec = _for_us(importlib.util.find_spec)
    alone: Any = _alone(sqlite3.connect)
    sqlite3.connect = sqlite3.dbapi2.connect = alone
    # `multiprocessing` calls it without telling audit hooks.
    _posixsubprocess.fork_exec = _refuse_fork
    sys.addaudithook(Refusal(data_dir, own))
