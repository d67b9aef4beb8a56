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
import importlib.util
import os
import posix
import re
import sqlite3
import sys
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar
from urllib.parse import unquote

from holdfast.model.data_dir import local_home, worker_sockets_dir

Given = ParamSpec("Given")
Found = TypeVar("Found")

# Whose modules nobody else gets, and where its code is; the SDK's modules have names that user code knows.
PACKAGE = __name__.partition(".")[0]
CODE = f"{Path(__file__).parents[2]}/"
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
# Where among the arguments of an event its paths are, and, behind each, the descriptor of the directory that it is seen from.
_PATHS: dict[str, tuple[tuple[int, int | None], ...]] = {
    "open": ((0, None),),
    "os.chdir": ((0, None),),
    "os.chmod": ((0, 2),),
    "os.chown": ((0, 3),),
    "os.getxattr": ((0, None),),
    "os.link": ((0, 2), (1, 3)),
    "os.listdir": ((0, None),),
    "os.listxattr": ((0, None),),
    "os.mkdir": ((0, 2),),
    "os.mkfifo": ((0, 1),),
    "os.mknod": ((0, 1),),
    "os.open": ((0, 1),),
    "os.remove": ((0, 1),),
    "os.removexattr": ((0, None),),
    "os.rename": ((0, 2), (1, 3)),
    "os.rmdir": ((0, 1),),
    "os.scandir": ((0, None),),
    "os.setxattr": ((0, None),),
    "os.symlink": ((0, 2), (1, 2)),
    "os.truncate": ((0, None),),
    "os.utime": ((0, 3),),
    "shutil.move": ((0, None),),
    "shutil.rmtree": ((0, 1),),
    "sqlite3.connect": ((0, None),),
}
_CONNECTS = frozenset({"socket.bind", "socket.connect", "socket.sendmsg", "socket.sendto"})
# Where the arguments of `sqlite3.connect` name the class.
_FACTORY = 5
# What lists the current directory where it is told of none.
_LISTS = frozenset({"os.listdir", "os.scandir"})
# What SQLite is told instead of a file.
_NO_FILES = frozenset({"", ":memory:"})
_MOVES = frozenset({"os.remove", "os.rename", "os.rmdir", "shutil.move", "shutil.rmtree"})
# What tells audit hooks nothing, or not all that matters.
_UNTOLD = ("mkfifo", "mknod", "open")


def scrub_environment(environ: dict[str, str] | os._Environ[str] = os.environ) -> None:
    """Take away what is no program's business; a worker has `env`."""
    for name in list(environ):
        if name not in KEPT:
            del environ[name]


class Refusal:
    """An audit hook that raises PermissionError for what user code may not do. `own`: what of `data_dir`, and of where its sockets are, is
    the script's.
    """

    def __init__(self, data_dir: Path, own: Iterable[Path]) -> None:
        # Scripts of `holdfast up` are in a directory of the command's data; all of that is no script's.
        whole = data_dir.parent if data_dir == local_home(data_dir.parent) else data_dir
        self._inside = _real(whole, worker_sockets_dir(data_dir))
        self._own = _real(*own)

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Judge one event."""
        if event in _PATHS:
            for place, directory in _PATHS[event]:
                path = "." if arguments[place] is None and event in _LISTS else arguments[place]
                seen_from = None if directory is None else arguments[directory]
                if self._is_foreign(path, seen_from, moves=event in _MOVES):
                    raise PermissionError(f"{event}: {path!r} is not of this Worker")
        elif event in _STARTS:
            raise PermissionError(f"{event}: a Worker cannot start other programs")
        elif event in _CONNECTS and self._is_foreign(arguments[1]):
            raise PermissionError(f"{event}: {arguments[1]!r} is not of this Worker")

    def _is_foreign(self, path: object, seen_from: object = None, *, moves: bool = False) -> bool:
        if not isinstance(path, str | bytes | os.PathLike) or path in _NO_FILES:
            # A descriptor, an address: what is open is open.
            return False
        text = os.fsdecode(path)
        if "\0" in text:
            # An abstract socket, or nothing that could be opened.
            return False
        if text.startswith("file:"):
            text = _path_of_uri(text)
        full = os.path.realpath(os.path.join(_directory(seen_from), text)) + "/"  # noqa: PTH118  as it was asked for
        if moves and any(kept.startswith(full) for kept in self._inside):
            # With a directory all that is in it goes.
            return True
        return full.startswith(self._inside) and not full.startswith(self._own)


def _path_of_uri(uri: str) -> str:
    """The file that SQLite opens for `file:/path?mode=ro`, `file:///path`, `file://localhost/path#fragment`."""
    path = re.split("[?#]", uri.removeprefix("file:"), maxsplit=1)[0]
    if path.startswith("//"):
        path = "/" + path[2:].partition("/")[2]
    return unquote(path)


def _directory(descriptor: object) -> str:
    """Where `descriptor` is open; "" for none (-1 or None, as audit hooks are told)."""
    if not isinstance(descriptor, int) or descriptor < 0:
        return ""
    try:
        return str(Path(f"/proc/self/fd/{descriptor}").readlink())
    except OSError:
        return ""  # it is none, as whoever uses it is told at once


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
        if full.partition(".")[0] == PACKAGE and not sys._getframe(1).f_code.co_filename.startswith(CODE):  # noqa: SLF001  who asks
            raise ModuleNotFoundError(f"No module named '{full}'", name=full)
        return find(*args, **kwargs)

    return found


class Connection(sqlite3.Connection):
    """One file alone: `ATTACH` and `VACUUM INTO` open others without telling audit hooks."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  SQLite's
        super().__init__(*args, **kwargs)
        self.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)


def _alone(connect: Callable[Given, sqlite3.Connection]) -> Callable[Given, sqlite3.Connection]:
    """`connect` for one file, whatever class the connection is to have."""

    @wraps(connect)
    def connected(*args: Given.args, **kwargs: Given.kwargs) -> sqlite3.Connection:
        if len(args) <= _FACTORY:
            kwargs.setdefault("factory", Connection)
        connection = connect(*args, **kwargs)
        connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        return connection

    return connected


def _told(name: str, refusal: Refusal) -> Callable[..., Any]:
    """The function `name` of the system's, judged as the event `os.<name>` first."""
    function = getattr(os, name)

    @wraps(function)
    def judged(path: Any, *args: Any, dir_fd: int | None = None, **kwargs: Any) -> Any:  # noqa: ANN401  the system's
        refusal(f"os.{name}", (path, dir_fd))
        return function(path, *args, dir_fd=dir_fd, **kwargs)

    return judged


def confine(data_dir: Path, own: Iterable[Path]) -> None:
    """From now on, for good."""
    refusal = Refusal(data_dir, own)
    importlib.__import__ = _for_us(importlib.__import__)
    importlib.import_module = _for_us(importlib.import_module)
    importlib.util.find_spec = _for_us(importlib.util.find_spec)
    connect = _alone(sqlite3.connect)
    for module in (sqlite3, sqlite3.dbapi2):
        vars(module).update(connect=connect, Connection=Connection)
    for name in _UNTOLD:
        judged = _told(name, refusal)
        if getattr(os, name) in os.supports_dir_fd:
            os.supports_dir_fd.add(judged)
        setattr(os, name, judged)
        setattr(posix, name, judged)
    # `multiprocessing` calls it without telling audit hooks.
    _posixsubprocess.fork_exec = _refuse_fork
    sys.addaudithook(refusal)
