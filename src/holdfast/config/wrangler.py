"""A Worker's project, read as it is: a directory with wrangler.toml, wrangler.json or wrangler.jsonc, such a file, or one `.py`.

Law 1: a project is read whole or refused with one sentence; nothing of it is run.
Law 2: the directory of the entry module is the root of imports, unless `base_dir` names one above it, and no file outside of that goes
along, by a link neither. Both are where the configuration says, which may be beside its own directory (`main = "../src/worker.py"`).
Law 3: what is set for development (`.dev.vars`, `.env`) is kept apart, and never shown.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from holdfast.config.wrangler_keys import Modules, in_environment, modules_of, settings_of
from holdfast.config.wrangler_modules import check_bounds, collect_modules, collect_vendored
from holdfast.config.wrangler_table import Table
from holdfast.config.wrangler_text import FILES, read_configuration, read_inline
from holdfast.config.wrangler_variables import read_variables, variable_files
from holdfast.errors import SetupError, UsageError
from holdfast.model.worker_script import MAX_NAME_CHARS, WorkerSettings

# Wrangler's own, for a directory that has a module and no `main`.
_USUAL_MAINS = (
    "src/entry.py",
    "src/main.py",
    "src/index.py",
    "src/worker.py",
    "entry.py",
    "main.py",
    "index.py",
    "worker.py",
)
# Of a configuration, whatever it is called.
_SUFFIXES = frozenset(Path(name).suffix for name in FILES)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerProject:
    """A project. `files` are its modules by path below the root of imports, with "/"; `dev_variables` secrets for development.

    `configuration` is the file that said so, None where there was none; `watched` are the directories, and files, that a change may be in.
    """

    settings: WorkerSettings
    files: Mapping[str, bytes] = field(repr=False)
    dev_variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    configuration: Path | None = None
    watched: tuple[Path, ...] = ()
    warnings: tuple[str, ...] = ()


def read_worker(path: Path, env: str | None = None) -> WorkerProject:
    """The project at `path`, in the environment `env`. Raises SetupError or UsageError."""
    if path.suffix == ".py":
        return _of_module(path, env)
    file = path if path.is_file() and path.suffix in _SUFFIXES else _configuration_in(path)
    if file is None:
        if not _usual_main(path):
            raise UsageError(
                "Worker", str(path), f"a directory with {', '.join(FILES)} or a module such as worker.py in it"
            )
        return _of_table({}, path, None, env)
    return _of_table(read_configuration(file), file.parent, file, env)


def _configuration_in(directory: Path) -> Path | None:
    if not directory.is_dir():
        raise UsageError("Worker", str(directory), f"a directory, a .py file or one of {', '.join(FILES)}")
    return next((directory / name for name in FILES if (directory / name).is_file()), None)


def _of_module(file: Path, env: str | None) -> WorkerProject:
    values = in_environment(read_inline(file), env, str(file))
    table = Table(values, str(file), "tool.wrangler.")
    modules = modules_of(table, file.name)
    if modules.main != file.name:
        table.refuse("main", f"{file.name}, the file that this is written in, or nothing")
    settings, warnings = settings_of(table, main=file.name, default_name=_name_of(file.stem))
    files = collect_modules(file.parent, file.name, (), find=False)
    return WorkerProject(
        settings=settings,
        files=files,
        dev_variables=read_variables(file.parent, env),
        configuration=file if values else None,
        watched=(file, *variable_files(file.parent, env)),
        warnings=warnings,
    )


def _of_table(values: Mapping[str, Any], directory: Path, file: Path | None, env: str | None) -> WorkerProject:
    where = str(file or directory)
    table = Table(in_environment(values, env, where), where)
    modules = modules_of(table, _usual_main(directory))
    root, main = _root_of(table, directory, modules)
    settings, warnings = settings_of(table, main=main, default_name=_name_of(directory.resolve().name))
    links: list[Path] = []
    files = collect_modules(root, main, modules.rules, find=modules.find, left_out=links)
    files |= collect_vendored(directory, modules.excludes)
    check_bounds(files, directory)
    return WorkerProject(
        settings=settings,
        files=files,
        dev_variables=read_variables(directory, env),
        configuration=file,
        warnings=(
            *_unnamed(values, env, where),
            *warnings,
            *(f"{one}: left out, being a link to a directory" for one in links),
        ),
        watched=tuple(dict.fromkeys((directory, root))) if not _is_below(root, directory) else (directory,),
    )


def _unnamed(values: Mapping[str, Any], env: str | None, where: str) -> tuple[str, ...]:
    """What there is to be said where a project has environments, and none is named: as wrangler, that it is meant is not sure."""
    known = values.get("env")
    if env is not None or not isinstance(known, dict) or not known:
        return ()
    return (
        f"{where}: env: none of its environments ({', '.join(sorted(known))}) is named by --env: the top level counts",
    )


def _usual_main(directory: Path) -> str:
    found = next((name for name in _USUAL_MAINS if (directory / name).is_file()), None)
    return found or ""


def _root_of(table: Table, directory: Path, modules: Modules) -> tuple[Path, str]:
    """The root of imports, and the entry module below it."""
    main = _meant(table, "main", directory, modules.main)
    if not main.is_file():
        raise SetupError(f"{table.key_of('main')}: there is no file {directory / modules.main}")
    root = _meant(table, "base_dir", directory, modules.base_dir) if modules.base_dir else main.parent
    if not main.is_relative_to(root):
        table.refuse("base_dir", f"a directory that {modules.main} is below of")
    return root, main.relative_to(root).as_posix()


def _meant(table: Table, key: str, directory: Path, text: str) -> Path:
    """The file or directory that is meant by `text`: one that is written as below the project is there, whatever links say."""
    project = directory.resolve()
    written = Path(os.path.normpath(project / text))
    real, within = written.resolve(), project if written.is_relative_to(project) else written.parent.resolve()
    if not real.is_relative_to(within):
        table.refuse(key, f"no link that leads out of {within}")
    return real


def _is_below(path: Path, directory: Path) -> bool:
    return path.resolve().is_relative_to(directory.resolve())


def _name_of(text: str) -> str:
    """A name made of a file's or directory's."""
    return re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-")[:MAX_NAME_CHARS] or "worker"
