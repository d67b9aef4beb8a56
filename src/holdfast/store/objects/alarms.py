"""The alarms of all objects of a script: who is to be looked at, and when. `metadata.sqlite` beside the objects' files.

Law 1: this is an index. The truth is in the objects' files (`alarm_cell.py`): a row here may be too early, never too late, and can be
       made again from those files (`rebuild`).
Law 2: a row that promises something (`is_durable`) is on the disk when `put` returns. Others may come late after a power cut, which
       makes them too early, and no more than that.
Law 3: any thread may call. Those that write at the same time are brought to the disk together: one of them does it for all. Those that
       read wait for no disk: they have a connection of their own.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections import deque
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from holdfast.store.objects.alarm_cell import Alarm
from holdfast.store.objects.errors import StorageBroken, StorageError, is_critical, text_of
from holdfast.store.objects.identity import Identity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

FILE_NAME = "metadata.sqlite"
BUSY_TIMEOUT_S = 5.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS _cf_ALARM (
    class_name TEXT NOT NULL, object_id TEXT NOT NULL, object_name TEXT,
    scheduled_ms INTEGER NOT NULL, retry_count INTEGER NOT NULL, next_ms INTEGER NOT NULL,
    PRIMARY KEY (class_name, object_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS _cf_ALARM_by_time ON _cf_ALARM (next_ms);
"""
# The `user_version` of a table that was built to its end, as the last word of that transaction.
COMPLETE = 1
_PUT = "INSERT OR REPLACE INTO _cf_ALARM VALUES (?, ?, ?, ?, ?, ?)"
_DELETE = "DELETE FROM _cf_ALARM WHERE class_name = ? AND object_id = ?"


class AlarmRow(NamedTuple):
    """An object that is to be looked at from `next_ms` on (ms of Unix time)."""

    class_name: str
    object_id: str
    object_name: str | None
    scheduled_ms: int
    retry_count: int
    next_ms: int


class _Change:
    """What one caller wants written; `is_done` when it is, or when it failed."""

    __slots__ = ("_alarm", "_identity", "error", "is_done", "is_durable")

    def __init__(self, identity: Identity, alarm: Alarm | None, *, is_durable: bool) -> None:
        self._identity, self._alarm = identity, alarm
        self.is_durable, self.is_done = is_durable, False
        self.error: StorageError | None = None

    def statement(self) -> tuple[str, tuple[str | int | None, ...]]:
        alarm, whose = self._alarm, self._identity
        if alarm is None:
            return _DELETE, (whose.class_name, whose.object_id)
        return _PUT, (*whose, alarm.scheduled_ms, alarm.retry_count, alarm.next_ms)


class AlarmTable:
    """The table, open. `on_change` is called after each change that others may see, in the thread that made it."""

    def __init__(self, connection: sqlite3.Connection, reader: sqlite3.Connection, path: Path) -> None:
        self.on_change: Callable[[], None] | None = None
        self._path = path
        self._connection = connection
        self._lock = threading.Lock()
        self._reader = reader
        self._reader_lock = threading.Lock()
        self._waiting: deque[_Change] = deque()

    @classmethod
    def open(
        cls,
        path: Path,
        files: Callable[[], Iterable[Path]] | None = None,
        named: Callable[[Path, str], str] | None = None,
    ) -> AlarmTable:
        """Open the table, made if it is not there (0600). Raises StorageBroken naming the file.

        With `files`, which finds all objects' files, a table that is not there, or is no database any more, is made again of
        them; one of no use is kept beside it (`.broken`). `named` gives what the class of a file is called, of the file and what is written
        in it: that is the name of before where the object came from another script.
        """
        try:
            table = cls._opened(path)
        except sqlite3.DatabaseError as error:
            if files is None or not is_critical(error):
                raise _unopened(path, error) from error
            _set_aside(path)
            return cls.open(path, files, named)
        except OSError as error:
            raise _unopened(path, error) from error
        if files is not None and not table.is_complete():
            table.rebuild(files(), named)
        return table

    @classmethod
    def _opened(cls, path: Path) -> AlarmTable:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = _connected(path)
        try:
            connection.executescript(f"PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; {_SCHEMA}")
        except sqlite3.Error:
            connection.close()
            raise
        return cls(connection, _connected(path), path)

    def is_complete(self) -> bool:
        """Whether all alarms of all objects are in here: not before it was built once."""
        is_complete: bool = self._read("PRAGMA user_version").fetchone()[0] == COMPLETE
        return is_complete

    def put(self, identity: Identity, alarm: Alarm | None, *, is_durable: bool = True) -> None:
        """What the table says of an object from now on; None: nothing. Raises StorageError."""
        change = _Change(identity, alarm, is_durable=is_durable)
        self._waiting.append(change)
        with self._lock:
            if not change.is_done:
                self._write_all()
        if change.error is not None:
            raise change.error
        self._announce()

    def delete(self, class_name: str, object_id: str) -> None:
        """The table says nothing of that object any more."""
        self.put(Identity(class_name, object_id), None, is_durable=False)

    def due(self, now_ms: int, limit: int) -> list[AlarmRow]:
        """At most `limit` objects to look at by now, the earliest first."""
        with self._reader_lock:
            rows = self._read("SELECT * FROM _cf_ALARM WHERE next_ms <= ? ORDER BY next_ms LIMIT ?", (now_ms, limit))
            return [AlarmRow(*row) for row in rows]

    def next_ms(self, after_ms: int | None = None) -> int | None:
        """When the next object is to be looked at, of those after that time. None: none is."""
        with self._reader_lock:
            after_ms = -1 if after_ms is None else after_ms
            rows = self._read("SELECT min(next_ms) FROM _cf_ALARM WHERE next_ms > ?", (after_ms,))
            found: int | None = rows.fetchone()[0]
            return found

    def retries(self) -> list[AlarmRow]:
        """All objects whose alarm has failed and is to be tried again."""
        with self._reader_lock:
            return [AlarmRow(*row) for row in self._read("SELECT * FROM _cf_ALARM WHERE retry_count > 0")]

    def retry_of(self, class_name: str, object_id: str) -> AlarmRow | None:
        """The same of this object, if its alarm has."""
        with self._reader_lock:
            found = self._read(
                "SELECT * FROM _cf_ALARM WHERE class_name = ? AND object_id = ? AND retry_count > 0",
                (class_name, object_id),
            ).fetchone()
            return None if found is None else AlarmRow(*found)

    def rebuild(self, files: Iterable[Path], named: Callable[[Path, str], str] | None = None) -> int:
        """Make the table again from the objects' files, when it was lost; how many alarms were found. Raises StorageError."""
        rows = list(_alarms_in(files, named or _as_written))
        with self._lock:
            self._execute("PRAGMA synchronous = FULL")
            self._execute("BEGIN IMMEDIATE")
            try:
                self._execute("DELETE FROM _cf_ALARM")
                for row in rows:
                    self._execute(_PUT, row)
                self._execute(f"PRAGMA user_version = {COMPLETE}")
                self._execute("COMMIT")
            except StorageError:
                self._roll_back()
                raise
        self._announce()
        return len(rows)

    def close(self) -> None:
        """Let go of the file."""
        with self._lock, self._reader_lock:
            self._reader.close()
            self._connection.close()

    def _write_all(self) -> None:
        """Write what waits, one's own change and those of whoever waits for the lock meanwhile, in one transaction."""
        changes = [self._waiting.popleft() for _ in range(len(self._waiting))]
        error: StorageError | None = None
        try:
            is_durable = any(change.is_durable for change in changes)
            self._execute(f"PRAGMA synchronous = {'FULL' if is_durable else 'NORMAL'}")
            self._execute("BEGIN IMMEDIATE")
            for change in changes:
                self._execute(*change.statement())
            self._execute("COMMIT")
        except StorageError as failed:
            error = failed
            self._roll_back()
        for change in changes:
            change.is_done, change.error = True, error

    def _roll_back(self) -> None:
        with suppress(sqlite3.Error):
            self._connection.rollback()

    def _execute(self, sql: str, parameters: Sequence[str | int | None] = ()) -> sqlite3.Cursor:
        return self._run(self._connection, sql, parameters)

    def _read(self, sql: str, parameters: Sequence[str | int | None] = ()) -> sqlite3.Cursor:
        return self._run(self._reader, sql, parameters)

    def _run(self, connection: sqlite3.Connection, sql: str, parameters: Sequence[str | int | None]) -> sqlite3.Cursor:
        try:
            return connection.execute(sql, parameters)
        except sqlite3.Error as error:
            kind = StorageBroken if is_critical(error) else StorageError
            raise kind(f"{self._path.name}: {text_of(error)}") from error

    def _announce(self) -> None:
        if self.on_change is not None:
            self.on_change()


def _connected(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)


def _unopened(path: Path, error: Exception) -> StorageBroken:
    text = text_of(error) if isinstance(error, sqlite3.Error) else str(error)
    return StorageBroken(f"{path}: the table of alarms cannot be opened: {text}")


def _set_aside(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).replace(path.with_name(f"{path.name}.broken{suffix}"))


def move_alarms(source: Path, target: Path, class_name: str, to: str) -> None:
    """What the table `source` says of a class is in the table `target` from now on, about the class `to`. Where either is not there, or of no
    use, `target` is made again of the files when it is opened next. Who has it open is not told. Raises StorageError."""
    if not target.exists():
        return
    try:
        with closing(_connected(target)) as into:
            rows = _rows_of(source, class_name)
            if rows is None:
                into.execute("PRAGMA user_version = 0")
                return
            into.execute("BEGIN IMMEDIATE")
            into.executemany(_PUT, [(to, *row[1:]) for row in rows])
            into.execute("COMMIT")
    except sqlite3.Error as error:
        raise StorageError(f"{target.name}: {text_of(error)}") from error


def _rows_of(path: Path, class_name: str) -> list[tuple[Any, ...]] | None:
    """Rows of a class; None where the table does not have them all."""
    if not path.exists():
        return None
    try:
        with closing(_connected(path)) as connection:
            if connection.execute("PRAGMA user_version").fetchone()[0] != COMPLETE:
                return None
            return connection.execute("SELECT * FROM _cf_ALARM WHERE class_name = ?", (class_name,)).fetchall()
    except sqlite3.Error:
        return None


def _as_written(_path: Path, class_name: str) -> str:
    return class_name


def _alarms_in(files: Iterable[Path], named: Callable[[Path, str], str]) -> Iterator[AlarmRow]:
    for path in files:
        # A file that is no object's, or of no use, has no alarm to be found; whoever opens it will say so.
        kept: dict[str, Any] = {}
        with suppress(sqlite3.Error), closing(_connected(path)) as connection:
            kept = dict(connection.execute("SELECT key, value FROM _cf_METADATA"))
        if "alarm" in kept and "id" in kept:
            alarm = Alarm(*json.loads(kept["alarm"]))
            whose = (named(path, kept["class"]), kept["id"], kept.get("name"))
            yield AlarmRow(*whose, alarm.scheduled_ms, alarm.retry_count, alarm.next_ms)
