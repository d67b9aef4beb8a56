"""Load a script: import its main module, and see what is in it.

User code has an import system of its own: the SDK first, then the main module's directory, then what is installed. What it may not
import is Holdfast: modules under the root of the code are run with an `__import__` that does not know it.

Law 1: a script that does not load raises LoadError with the user's own traceback: our frames and the import system's are left out.
Law 2: nothing of the script is run but its modules' top level.
Law 3: whether the script waits in place is known before its first handler: modules are asked as they are imported, the script's own that
have not been before as well.
"""

from __future__ import annotations

import builtins
import importlib.machinery
import importlib.util
import os
import re
import sys
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType, ModuleType, TracebackType
from typing import Any

from holdfast.model.worker_messages import CLASS_NOT_EXPORTED
from holdfast.workers.sdk import importing, in_place
from holdfast.workers.sdk.entrypoints import (
    DurableObject,
    WorkerEntrypoint,
    exported_classes,
    fetch_of,
    global_handlers,
    handler_of,
)

PACKAGE = "holdfast"
DEFAULT = "Default"
# Names that are the SDK's in every script.
_SDK = frozenset({"workers", "js", "pyodide", "asgi"})
# What of an entrypoint is a handler; all else that it has is called by others.
HANDLERS = ("fetch", "scheduled", "queue", "email", "tail")
# Dependencies that were put beside the code, as the original's tools do.
VENDORED = "python_modules"
# Code that was written for a newer Python than this one says so by its syntax.
READ_BY = (
    f"a script runs in the Python that Holdfast runs in, {sys.version_info.major}.{sys.version_info.minor} here; "
    "the original's have 3.12 to 3.14"
)
HOW_TO_ADD = (
    "{name!r} is neither in the script nor installed beside Holdfast: put the package that has it into python_modules, beside "
    "the wrangler file: pip install --target python_modules NAME"
)


class LoadError(Exception):
    """The script does not load. `str` is a sentence, `trace` the traceback of user code, "" where there is none."""

    def __init__(self, message: str, trace: str = "") -> None:
        super().__init__(message)
        self.trace = trace


@dataclass(frozen=True, slots=True)
class Script:
    """What was loaded. `objects` and `entrypoints` by class name, `functions` the older style's global handlers."""

    module: ModuleType
    root: Path
    objects: Mapping[str, type] = field(default_factory=dict)
    entrypoints: Mapping[str, type] = field(default_factory=dict)
    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)

    @property
    def default(self) -> type | None:
        """The class that answers requests."""
        return self.entrypoints.get(DEFAULT)

    @property
    def fetch(self) -> object:
        """The function that answers requests, None where there is none."""
        return self.functions.get("on_fetch") if self.default is None else fetch_of(self.default)

    @property
    def handlers(self) -> tuple[str, ...]:
        """What the default entrypoint answers to."""
        if self.default is not None:
            return tuple(name for name in HANDLERS if callable(handler_of(self.default, name)))
        return tuple(name.removeprefix("on_") for name in self.functions if name.removeprefix("on_") in HANDLERS)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of all exported classes."""
        return (*self.entrypoints, *self.objects)


def load(code_dir: Path, main: str, *, wanted: Sequence[str] = (), kept: Iterable[str] = ()) -> Script:
    """Import the script whose entry module is `main` below `code_dir`. `wanted` are names of Durable Object classes that its
    bindings name, `kept` those of classes that have objects. Raises LoadError.
    """
    path = (code_dir / main).resolve()
    if not path.is_file():
        raise LoadError(f"main: expected a file of the script, got {main!r}")
    if path.suffix != ".py":
        raise LoadError(f"main: expected a Python file, got {main!r}")
    root = path.parent
    _use(code_dir.resolve(), root)
    module = _imported(path)
    if in_place.Wanted.on_stacks is None and _waits_in_place(code_dir.resolve()):
        in_place.want()
    try:
        classes, functions = exported_classes(module), global_handlers(module)
    except (TypeError, ValueError) as error:
        raise LoadError(str(error)) from error
    script = Script(
        module,
        root,
        objects={name: one for name, one in classes.items() if issubclass(one, DurableObject)},
        entrypoints={name: one for name, one in classes.items() if issubclass(one, WorkerEntrypoint)},
        functions=functions,
    )
    _check(script, main, wanted, kept)
    return script


def user_trace(error: BaseException, root: Path) -> str:
    """The traceback of an exception of user code: from its first frame below `root` on; all of it where there is none. Its files are
    named as the project has them, for whoever looks there finds a copy. Raises nothing."""
    try:
        return _brief(_shown(error, _from_user(error.__traceback__, root) or error.__traceback__), root)
    except BaseException as why:  # noqa: BLE001  its class is user code, and so is what it may hold
        return f"{type(error).__name__}: an exception that cannot be shown ({type(why).__name__})"


def user_stack(frame: FrameType | None, root: Path) -> str:
    """Where the code stands, as `user_trace` shows it."""
    stack = list(traceback.walk_stack(frame))[::-1]
    first = next((at for at, (one, _) in enumerate(stack) if one.f_code.co_filename.startswith(f"{root}/")), 0)
    shown = traceback.StackSummary.extract(iter(stack[first:]), limit=-MAX_FRAMES)
    kept = [one for one in shown if not one.filename.startswith(_OURS)]
    lines = traceback.StackSummary.from_list(kept or list(shown)).format()
    return _brief("".join(("Traceback (most recent call last):\n", *lines)).rstrip(), root)


def _brief(trace: str, root: Path) -> str:
    return trace.replace(f'File "{root}/', 'File "')


_OURS = (f"{Path(__file__).parents[2]}/", "<frozen import")
# How a traceback names an error of the SDK: user code knows it as `TypeError`, `DOMException`, `JsException`.
_OUR_NAME = re.compile(rf"^{PACKAGE}\.[\w.]+\.(?:Js(?=\w+Error))?(\w+)(?=:|$)", re.MULTILINE)
# Of a recursion without end the last frames say enough.
MAX_FRAMES = 50


def _from_user(trace: TracebackType | None, root: Path) -> TracebackType | None:
    """From the first frame below `root` on; None where there is none."""
    prefix = f"{root}/"
    while trace is not None and not trace.tb_frame.f_code.co_filename.startswith(prefix):
        trace = trace.tb_next
    return trace


def _shown(error: BaseException, trace: TracebackType | None) -> str:
    told = traceback.TracebackException(type(error), error, trace, limit=-MAX_FRAMES)
    # The import system's frames and ours are no news to anybody, where there are others.
    kept = [frame for frame in told.stack if not frame.filename.startswith(_OURS)]
    told.stack = traceback.StackSummary.from_list(kept or list(told.stack))
    return _OUR_NAME.sub(r"\1", "".join(told.format()).rstrip())


def _check(script: Script, main: str, wanted: Sequence[str], kept: Iterable[str]) -> None:
    for name in wanted:
        if name not in script.objects:
            there = ", ".join(sorted(script.objects)) or "none"
            raise LoadError(
                f"durable_objects: the class {name!r} is not exported by {main}; expected one of its classes that derive "
                f"from DurableObject ({there})"
            )
    for name in kept:
        if name not in script.objects:
            raise LoadError(
                f"{CLASS_NOT_EXPORTED} '{name}' which is depended on by existing Durable Objects. If you want to delete them, "
                f"use a 'deleted_classes' migration; if the class has another name now, 'renamed_classes'"
            )
    if not script.classes and not script.functions:
        raise LoadError(f"{main} exports no handler: expected a class Default(WorkerEntrypoint)")


def _imported(path: Path) -> ModuleType:
    """The main module, run. By its file: its name may be one that is taken already, by the standard library or the SDK."""
    root = path.parent
    name = path.stem if path.stem not in sys.modules and path.stem not in _SDK else f"main_{path.stem}"
    loader = _UserLoader(name, str(path))
    spec = importlib.util.spec_from_loader(name, loader)
    if spec is None:
        raise LoadError(f"main: {path.name} cannot be loaded")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        loader.exec_module(module)
    except BaseException as error:
        sentence = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        sentence = "; ".join((sentence, *getattr(error, "__notes__", ())))
        trace = _brief(_shown(error, _from_user(error.__traceback__, root)), root)
        raise LoadError(" ".join(sentence.split()), trace) from error
    return module


# --- The private import system ---


def _use(code_dir: Path, root: Path) -> None:
    """Search user code first, ours never."""
    importing.install()
    vendored = [path for path in (root / VENDORED, code_dir / VENDORED) if path.is_dir()]
    found = [str(path) for path in dict.fromkeys((root, code_dir, *vendored))]
    sys.path[:] = [
        importing.USER_PATH,
        *found,
        *(path for path in sys.path if path not in {"", importing.USER_PATH, *found}),
    ]
    sys.path_hooks.insert(0, _hook(code_dir))
    # Of all others it is known already what is in them, and to read a directory again takes as much memory as it has names.
    for path in [path for path in sys.path_importer_cache if _is_within(path, code_dir)]:
        del sys.path_importer_cache[path]
    # Written byte code would be somebody's to clean up, and is not shared between versions.
    sys.dont_write_bytecode = True


def _waits_in_place(code_dir: Path) -> bool:
    """Whether a module of the script's own, which a handler may import, names `run_sync`."""
    return any(_is_named_in(path) for path in _own(code_dir))


def _own(code_dir: Path) -> Iterator[Path]:
    for directory, below, names in os.walk(code_dir):
        # Packages may be many and large; of those each is asked when it is imported.
        below[:] = [name for name in below if name != VENDORED]
        yield from (Path(directory, name) for name in names if name.endswith(".py"))


def _is_named_in(path: Path) -> bool:
    try:
        source = path.read_bytes()
        # Few have the name, and to compile takes a hundred times as long.
        with warnings.catch_warnings(action="ignore"):
            return b"run_sync" in source and in_place.is_named_in(compile(source, path, "exec", dont_inherit=True))
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        # It cannot be imported either.
        return False


class _UserLoader(importlib.machinery.SourceFileLoader):
    """Runs a module with builtins of its own."""

    def get_code(self, fullname: str) -> CodeType | None:
        """What it runs; it is asked whether it waits in place."""
        code = super().get_code(fullname)
        if code is not None and in_place.Wanted.on_stacks is None and in_place.is_named_in(code):
            in_place.want()
        return code

    def exec_module(self, module: ModuleType) -> None:
        """Run its top level."""
        module.__dict__["__builtins__"] = _USER_BUILTINS
        try:
            super().exec_module(module)
        except SyntaxError as error:
            if not hasattr(error, "__notes__"):
                error.add_note(READ_BY)
            raise


def _hook(code_dir: Path) -> Callable[[str], importlib.machinery.FileFinder]:
    def finder(path: str) -> importlib.machinery.FileFinder:
        if not _is_within(path, code_dir):
            raise ImportError(f"{path} is not of the script", path=path)
        return importlib.machinery.FileFinder(
            path,
            (importlib.machinery.ExtensionFileLoader, importlib.machinery.EXTENSION_SUFFIXES),
            (_UserLoader, importlib.machinery.SOURCE_SUFFIXES),
            (importlib.machinery.SourcelessFileLoader, importlib.machinery.BYTECODE_SUFFIXES),
        )

    return finder


def _is_within(path: str, directory: Path) -> bool:
    return path == str(directory) or path.startswith(f"{directory}/")


def _import(
    name: str,
    globals: Mapping[str, object] | None = None,  # noqa: A002 - as the builtin names them
    locals: Mapping[str, object] | None = None,  # noqa: A002
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> ModuleType:
    """`__import__` as user code has it."""
    if level == 0 and (name == PACKAGE or name.startswith(f"{PACKAGE}.")):
        raise ModuleNotFoundError(f"No module named '{name}'", name=name)
    try:
        module = builtins.__import__(name, globals, locals, fromlist or (), level)
    except ModuleNotFoundError as error:
        if level == 0 and error.name == name.partition(".")[0] and not hasattr(error, "__notes__"):
            error.add_note(HOW_TO_ADD.format(name=error.name))
        raise
    if level == 0 and name in _SDK:
        _check_has(module, fromlist or ())
    return module


def _check_has(module: ModuleType, names: Sequence[str]) -> None:
    """Say of what the SDK has not what the SDK says of it, rather than where it lies."""
    for name in names:
        try:
            if name != "*":
                getattr(module, name)
        except AttributeError as error:
            raise ImportError(str(error), name=module.__name__) from None


_USER_BUILTINS: dict[str, Any] = {**vars(builtins), "__import__": _import}
