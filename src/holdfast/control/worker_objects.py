"""Files of objects, as control moves and removes them: whole namespaces, by their directories. Blocking: for a thread.

Law 1: what is to be removed is written down before (`doomed.json` beside the objects), and removed when the database has no such class
any more; so a removal that failed, or that nobody lived to make, is made later.
Law 2: a directory goes out of the way by one renaming, so that nothing that is new meets it half.
Law 3: the objects of a class that moves to another script are taken when the version of the script before that is served has the class no
more: then no process writes them.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
from collections.abc import Collection, Iterable
from pathlib import Path

import msgspec

from holdfast import removal
from holdfast.model.data_dir import (
    worker_active_file,
    worker_dir,
    worker_namespace_dir,
    worker_objects_dir,
    worker_version_dir,
)
from holdfast.model.object_names import namespace_of, unique_key
from holdfast.model.worker_migrations import DurableClass
from holdfast.store.objects.alarms import FILE_NAME, move_alarms

_DOOMED, _REMOVED = "doomed.json", ".removed-"
_UNIQUE_KEY = re.compile(r"[A-Za-z0-9_~-][^/\0]{0,254}")


class NotLetGo(Exception):
    """The script that has the objects serves them still. `str` is a sentence."""


class _Serves(msgspec.Struct, frozen=True):
    """What of a version is asked for here."""

    name: str
    classes: dict[str, DurableClass] = {}


def doom(data_dir: Path, key: str, unique_keys: Iterable[str]) -> None:
    """Write down that these namespaces are to be removed. Raises OSError."""
    file = worker_dir(data_dir, key) / _DOOMED
    beside = file.with_name(f".{_DOOMED}-{secrets.token_hex(4)}")
    try:
        beside.write_text(json.dumps(sorted({*_doomed(file), *unique_keys})), encoding="utf-8")
        beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)


def forget(data_dir: Path, key: str, living: Collection[str]) -> bool:
    """Remove what is doomed and not `living`, and what is left of removals before; whether all of it is gone."""
    file = worker_dir(data_dir, key) / _DOOMED
    left: list[str] = []
    for one in _doomed(file):
        directory = worker_namespace_dir(data_dir, key, one)
        if one in living or not directory.is_dir():
            continue
        try:
            directory.rename(directory.with_name(f"{_REMOVED}{secrets.token_hex(4)}"))
        except OSError:
            left.append(one)
    found = _removed(worker_objects_dir(data_dir, key))
    left += [directory.name for directory in found if not removal.remove(directory)]
    if not left:
        with contextlib.suppress(OSError):
            file.unlink(missing_ok=True)
    return not left


def adopt(data_dir: Path, key: str, name: str, one: DurableClass) -> None:
    """Have the script `name`, with this key, have the objects of a class that came from another script, with their alarms; nothing where it has
    them. Raises NotLetGo, OSError, StorageError."""
    whole = unique_key(name, one.namespace)
    there = worker_namespace_dir(data_dir, one.came_from, whole)
    here = worker_namespace_dir(data_dir, key, whole)
    if not there.is_dir() or here.exists():
        return
    serves = _serves(data_dir, one.came_from)
    if serves is not None and whole in {unique_key(serves.name, kept.namespace) for kept in serves.classes.values()}:
        raise NotLetGo(f"the Worker {serves.name} serves its objects still")
    here.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # First: the alarm of an object that is not here yet is forgotten, and told again with the next try.
    before = whole if serves is None else namespace_of(serves.name, whole)
    move_alarms(
        worker_objects_dir(data_dir, one.came_from) / FILE_NAME,
        worker_objects_dir(data_dir, key) / FILE_NAME,
        before,
        one.namespace,
    )
    there.rename(here)


def _doomed(file: Path) -> list[str]:
    try:
        found = msgspec.json.decode(file.read_bytes(), type=list[str])
    except (OSError, msgspec.DecodeError):
        return []
    return [one for one in found if _UNIQUE_KEY.fullmatch(one)]


def _removed(objects: Path) -> list[Path]:
    try:
        with os.scandir(objects) as entries:
            return [Path(entry.path) for entry in entries if entry.name.startswith(_REMOVED)]
    except OSError:
        return []


def _serves(data_dir: Path, key: str) -> _Serves | None:
    """The version that a script serves; None where that cannot be read. Raises OSError for any reason but that there is none."""
    try:
        version = worker_active_file(data_dir, key).read_text(encoding="ascii").strip()
        text = (worker_version_dir(data_dir, key, version) / "script.json").read_bytes()
    except (FileNotFoundError, UnicodeDecodeError):
        return None
    try:
        return msgspec.json.decode(text, type=_Serves)
    except msgspec.DecodeError:
        return None
