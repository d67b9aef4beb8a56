"""The files of a script's objects: one for each below `<class's unique key>/<id>.sqlite`, opened when something of the object is needed.

Law: nothing is opened before the directory is this process's (`found`). A file that is opened for an object tells the table of alarms of its
alarm; one that is only looked into does not.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from holdfast.store.objects.alarms import AlarmTable
from holdfast.store.objects.file import ObjectFile
from holdfast.store.objects.identity import Identity
from holdfast.workers.durable.services import ObjectClass
from holdfast.workers.durable.storage import Storage


class Files:
    """See above."""

    def __init__(self, name_of: Callable[[ObjectClass, str], str | None]) -> None:
        """`name_of`: the name of an object that is known, by its class and the digits of its id."""
        self._name_of = name_of
        self._directory: Path | None = None
        self._table: AlarmTable | None = None

    def found(self, directory: Path, table: AlarmTable) -> None:
        """They are here, and this is the table of their alarms."""
        self._directory, self._table = directory, table

    def path(self, unique_key: str, digits: str) -> Path:
        """Where an object's file is, or would be."""
        if self._directory is None:
            raise RuntimeError("objects have no directory before start()")
        return self._directory / unique_key / f"{digits}.sqlite"

    def open(self, kind: ObjectClass, digits: str) -> ObjectFile:
        """The file of an object that is in memory."""
        identity = Identity(kind.namespace, digits, self._name_of(kind, digits))
        return ObjectFile.open(self.path(kind.unique_key, digits), identity=identity, alarms=self._table)

    def open_as_it_is(self, kind: ObjectClass, digits: str) -> ObjectFile:
        """The file of an object of which nothing is known yet, to look into."""
        return ObjectFile.open(self.path(kind.unique_key, digits))

    def stored_bytes(self, kind: ObjectClass, digits: str) -> int:
        """How long the file is; 0 where there is none."""
        try:
            return self.path(kind.unique_key, digits).stat().st_size
        except OSError:
            return 0


def storage_of(file: ObjectFile, instance: Any, *, now_ms: Callable[[], int]) -> Storage:  # noqa: ANN401  `instance.Instance`, a StorageHost
    """The storage of an instance, on its file."""
    has_alarm = any(hasattr(instance.place.kind.code, name) for name in ("alarm", "on_alarm"))
    return Storage(file, instance, now_ms=now_ms, has_alarm_handler=has_alarm)
