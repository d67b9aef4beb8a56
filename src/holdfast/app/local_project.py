"""A Worker's project, placed where the host of scripts finds it: for `holdfast up --worker` and `holdfast worker dev`.

Law 1: a version is named by what is in it, so that the same project is the same version, and is written once.
Law 2: a version's directory appears as a whole, or not at all.
Law 3: the objects of a class outlive every version: what a project declares is applied from the beginning each time, which gives the
same names of the same classes.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from holdfast.config.wrangler import WorkerProject, read_worker
from holdfast.errors import SetupError, reason_of
from holdfast.model.data_dir import local_home, worker_key, worker_version_dir
from holdfast.model.local_worker import LOCAL_ACCOUNT, LocalWorker
from holdfast.model.worker_migrations import DurableClass, MigrationError
from holdfast.model.worker_script import ScriptVersion, WorkerSettings, told_of_itself

# Versions that are kept beside the newest: a process of one may still be retiring.
KEPT_VERSIONS = 8
_VERSION_DIGITS = 16
_RUN_BYTES = 8


def placed(path: Path, data_dir: Path, env: str | None = None) -> tuple[LocalWorker, WorkerProject]:
    """Read the project at `path` in its environment `env`, and write it below `data_dir` where that has not been done.

    Raises SetupError, UsageError.
    """
    project = read_worker(path, env)
    settings = project.settings
    worker = LocalWorker(
        key=worker_key(LOCAL_ACCOUNT, settings.name),
        name=settings.name,
        version=_version_of(project),
        crons=settings.crons or (),
    )
    directory = worker_version_dir(local_home(data_dir), worker.key, worker.version)
    if not directory.is_dir():
        _write(directory, project, _described(worker, project))
        _forget_old(directory)
    return worker, project


def placed_all(paths: Sequence[Path], data_dir: Path, env: str | None = None) -> tuple[LocalWorker, tuple[str, ...]]:
    """Read all of these projects, each in its environment `env`, and write them: the first one answers clients, the others are beside it. With it, what there is to be
    said of them. Raises SetupError, UsageError."""
    run = secrets.token_hex(_RUN_BYTES)
    found = [
        (msgspec.structs.replace(worker, run=run), project)
        for worker, project in (placed(path, data_dir, env) for path in paths)
    ]
    names = [worker.name for worker, _ in found]
    for name in names:
        if names.count(name) > 1:
            raise SetupError(f"--worker: two of the projects are called {name!r}; expected names that differ")
    first, *beside = (worker for worker, _ in found)
    projects = {project.settings.name: project.settings for _, project in found}
    warnings = [
        *(warning for _, project in found for warning in project.warnings),
        *(warning for settings in projects.values() for warning in _unserved(settings, projects)),
    ]
    return msgspec.structs.replace(first, beside=tuple(beside)), tuple(warnings)


def _unserved(settings: WorkerSettings, served: Mapping[str, WorkerSettings]) -> Iterator[str]:
    """What this project's bindings name that nobody serves."""
    named = [
        *((f"services: {one.name}", one.service, "") for one in settings.services),
        *((f"durable_objects: {one.name}", one.script_name, one.class_name) for one in settings.durable_objects),
    ]
    for where, script, class_name in named:
        if script and script not in served:
            yield f"the Worker {settings.name}: {where} names the Worker {script!r}, which is not served here: add --worker with its project"
        elif script not in {"", settings.name} and class_name and class_name not in _classes(served[script]):
            there = ", ".join(sorted(_classes(served[script]))) or "none"
            yield f"the Worker {settings.name}: {where} names {class_name!r}, which is no Durable Object class of {script!r}; it has: {there}"


def _described(worker: LocalWorker, project: WorkerProject) -> ScriptVersion:
    settings = project.settings
    now = time.time_ns() // 1_000
    return ScriptVersion(
        key=worker.key,
        name=worker.name,
        account=LOCAL_ACCOUNT,
        version=worker.version,
        main=settings.main,
        compatibility_date=settings.compatibility_date,
        compatibility_flags=settings.compatibility_flags,
        # On this machine only, in a file of the same mode as the one they are from.
        vars={
            **settings.vars,
            **project.dev_variables,
            **told_of_itself(settings.version_metadata, worker.version, tag="", created=now),
        },
        durable_objects=settings.durable_objects,
        services=settings.services,
        classes=_classes(settings),
        limits=settings.limits,
        created_ms=now // 1_000,
    )


def _classes(settings: WorkerSettings) -> dict[str, DurableClass]:
    try:
        return settings.classes_to_try()
    except MigrationError as error:
        raise SetupError(f"the Worker {settings.name}: {error}") from error


def _version_of(project: WorkerProject) -> str:
    digest = hashlib.sha256(msgspec.json.encode(project.settings, order="sorted"))
    for name, text in sorted(project.dev_variables.items()):
        digest.update(f"\0{name}\0{text}".encode())
    for name, content in sorted(project.files.items()):
        digest.update(f"\0{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:_VERSION_DIGITS]


def _write(directory: Path, project: WorkerProject, version: ScriptVersion) -> None:
    beside = directory.with_name(f".{directory.name}-{secrets.token_hex(4)}")
    try:
        directory.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
        code = beside / "code"
        code.mkdir(parents=True, mode=0o700)
        for name, content in project.files.items():
            file = code / name
            file.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
            file.write_bytes(content)
        description = beside / "script.json"
        description.touch(mode=0o600)
        description.write_bytes(msgspec.json.encode(version))
        try:
            beside.rename(directory)
        except OSError:
            # Somebody else has written the same in the meantime.
            if not directory.is_dir():
                raise
    except OSError as error:
        raise SetupError(f"the Worker cannot be written to {directory}: {reason_of(error)}") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _forget_old(newest: Path) -> None:
    versions = [one for one in newest.parent.iterdir() if one != newest and not one.name.startswith(".")]
    for one in _oldest(versions):
        if one.name != _active_beside(newest):
            shutil.rmtree(one, ignore_errors=True)


def _oldest(versions: Sequence[Path]) -> Sequence[Path]:
    by_age = sorted(versions, key=lambda one: one.stat().st_mtime)
    return by_age[: max(0, len(by_age) - KEPT_VERSIONS)]


def _active_beside(version: Path) -> str:
    try:
        return (version.parent.parent / "active").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
