"""The file of one object: opened when first needed, written in transactions that the first write begins and `commit` ends.

Law 1: what `commit` returned from is on the disk (WAL, `synchronous=FULL`); of what came after, either all or nothing is found again.
Law 2: nothing is written outside a transaction: the first write begins one, `on_write` is told once until it has ended.
Law 3: nested transactions are savepoints, and end in the reverse of the order they began in; while one is open, nothing commits.
Law 4: where SQLite ends a transaction by itself (`ON CONFLICT ROLLBACK`, a full disk), more is lost than the caller knows of: the file is
       broken then (`errors.py`), as it is when a commit fails.
Law 5: one thread at a time (a lock): `commit` and `close` may be called by another thread than the statements.

A file that was never written does not exist; reading it finds nothing and makes nothing. Statements of ours begin with a space, those of
user code never do (`sql.py`), so that no compiled statement of one is found by the text of the other.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from weakref import WeakSet, ref

from holdfast.store.objects import functions, schema
from holdfast.store.objects.alarm_cell import AlarmCell
from holdfast.store.objects.errors import StorageBroken, StorageError, codes_of, is_critical, text_of
from holdfast.store.objects.new_file import NewFile, is_to_be_made
from holdfast.store.objects.regulation import Regulation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import TypeAlias

    from holdfast.store.objects.alarm_cell import AlarmIndex
    from holdfast.store.objects.identity import Identity

    Parameter: TypeAlias = str | bytes | bytearray | memoryview | int | float | None

Result = TypeVar("Result")
Given = ParamSpec("Given")

# How long a write waits for a reader from outside (a backup, an operator's shell) that holds the file's lock.
BUSY_TIMEOUT_S = 1.0
# The journal is cut to this when it has been copied into the file, so that one large transaction does not keep its room for ever.
JOURNAL_BYTES = 1024 * 1024
# A statement that reads and was not taken to its end keeps the journal from being begun again. Beyond this size such statements
# are closed; it is looked at after so many commits. Precedent: other databases' "snapshot too old".
MAX_JOURNAL_BYTES = 64 * 1024 * 1024
COMMITS_BETWEEN_LOOKS = 64
CURSOR_LOST = "SQL cursor was closed: it was not read to its end while the object wrote more than {} MiB."
# The original's words.
CURSOR_DELETED = "SQLite query was canceled because the database was deleted."
# So many cursors are remembered, or twice as many as user code has, before those are looked for that it has no more.
REMEMBERED_CURSORS = 256
# Pages kept in memory for each open file. Precedent: SQLite's own 2,000 KiB; here a process may have a thousand files open.
CACHE_KIB = 1024
# Compiled statements kept for each open file: ours are a dozen, the rest is for user code's.
CACHED_STATEMENTS = 64


class ObjectFile:
    """Storage of one object.

    `on_write` is called when a transaction gets its first write, `before_write` before each, `on_nested` when a nested transaction has begun,
    `on_rollback` when writes were forgotten, the file being open: those of the nested transaction `depth`, or, where that is 0, all.
    `writes` counts statements that write.
    """

    def __init__(self, path: Path, *, identity: Identity | None = None, alarms: AlarmIndex | None = None) -> None:
        self.path, self.identity = path, identity
        self.on_write: Callable[[], None] | None = None
        self.before_write: Callable[[], None] | None = None
        self.on_nested: Callable[[], None] | None = None
        self.on_rollback: Callable[[], None] | None = None
        self.alarm = AlarmCell(self, alarms)
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._cursors: list[ref[sqlite3.Cursor]] = []
        # Those that the last `delete_all` closed.
        self._deleted: WeakSet[sqlite3.Cursor] | None = None
        self._most_cursors = REMEMBERED_CURSORS
        self._new: NewFile | None = None
        self._regulation = Regulation()
        self._broken: StorageBroken | None = None
        self._depth = 0
        self.writes = self._commits = 0
        self._is_named = self._is_dirty = self._is_hooked = self._has_room = False

    @classmethod
    def open(cls, path: Path, *, identity: Identity | None = None, alarms: AlarmIndex | None = None) -> ObjectFile:
        """The file of an object at `path`, which need not be there yet. Nothing is opened before it is needed."""
        return cls(path, identity=identity, alarms=alarms)

    @property
    def is_dirty(self) -> bool:
        """Whether something was written that no commit has brought to the disk."""
        return self._is_dirty

    @property
    def changed_rows(self) -> int:
        """How many rows statements have changed since the file was opened, those of ours and what was undone among them."""
        return self._connection.total_changes if self._connection is not None else 0

    @property
    def depth(self) -> int:
        """How many nested transactions are open."""
        return self._depth

    @property
    def exists(self) -> bool:
        """Whether there is anything to read. Raises StorageBroken if that cannot be known."""
        if self._connection is not None:
            return True
        try:
            return self.path.exists()
        except OSError as error:
            raise self._break(error) from error

    def read(self, sql: str, parameters: Sequence[Parameter] = ()) -> sqlite3.Cursor:
        """Run a statement of ours that reads. Raises StorageError."""
        with self._lock:
            return self._execute(sql, parameters)

    def write(self, sql: str, parameters: Sequence[Parameter] = ()) -> sqlite3.Cursor:
        """Run a statement of ours that writes, within the transaction. Raises StorageError."""
        with self._lock:
            self.begin_write()
            return self._execute(sql, parameters)

    def run_regulated(self, sql: str, parameters: Sequence[Parameter], *, may_write: bool) -> sqlite3.Cursor:
        """Run one statement of user code; one that writes needs `begin_write` first.

        Raises StorageError; sqlite3.ProgrammingError where the bindings do not fit.
        """
        with self._lock:
            self._connected()
            with self._regulation.enforced(may_write=may_write):
                cursor = self._execute(sql, parameters)
            self._keep(cursor)
            return cursor

    def run_conditional(self, sql: str, parameters: Sequence[Parameter]) -> sqlite3.Cursor:
        """Run a statement of user code that changes the schema, or finds that it need not: then there is nothing to commit.

        Only where no transaction is open. Raises as `run_regulated`.
        """
        with self._lock:
            self._execute(" BEGIN IMMEDIATE")
            try:
                before = self._schema_version()
                cursor = self.run_regulated(sql, parameters, may_write=True)
                is_changed = self._schema_version() != before
            except BaseException:
                self.rollback()
                raise
            if is_changed:
                self.begin_write()
            else:
                self._execute(" COMMIT")
            return cursor

    def fetch(self, cursor: sqlite3.Cursor) -> Any:  # noqa: ANN401 - a row, of whatever the query asked for
        """The next row of a statement of user code, or None. Raises StorageError."""
        return self._fetch(cursor, sqlite3.Cursor.fetchone)

    def fetch_all(self, cursor: sqlite3.Cursor) -> list[Any]:
        """The rows that are left. Raises StorageError."""
        rows: list[Any] = self._fetch(cursor, sqlite3.Cursor.fetchall)
        return rows

    def _fetch(self, cursor: sqlite3.Cursor, fetch: Callable[[sqlite3.Cursor], Any]) -> Any:  # noqa: ANN401 - as `fetch`
        with self._lock, self._regulation.enforced(may_write=False):
            try:
                return self._guarded(fetch, cursor)
            except sqlite3.ProgrammingError as error:
                is_deleted = self._deleted is not None and cursor in self._deleted
                raise StorageError(
                    CURSOR_DELETED if is_deleted else CURSOR_LOST.format(MAX_JOURNAL_BYTES >> 20)
                ) from error

    def begin_write(self) -> None:
        """Begin a transaction unless one is open, and tell the hooks. Raises StorageError."""
        with self._lock:
            self.writes += 1
            if not self._is_dirty:
                if not self._connected().in_transaction:
                    self._execute(" BEGIN IMMEDIATE")
                self._is_dirty = True
                if self.on_write is not None:
                    self.on_write()
            if not self._is_named:
                self._write_name()
            if self.before_write is not None and not self._is_hooked:
                self._is_hooked = True
                try:
                    self.before_write()
                finally:
                    self._is_hooked = False

    def commit(self) -> None:
        """Bring everything that was written to the disk; blocks for the disk. Nothing to do is no error.

        Raises StorageError while a nested transaction is open, StorageBroken if it cannot be done: then nothing of it is kept.
        """
        with self._lock:
            self._check()
            if not self._is_dirty:
                return
            if self._depth:
                raise StorageError("a nested transaction is open: it must end before anything is committed")
            try:
                if self._new is not None:
                    self._new.sync()
                self.alarm.before_commit()
                connection = self._connected()
                connection.execute(" COMMIT")
            except (OSError, sqlite3.Error, StorageError) as error:
                raise self._break(error) from error
            self._is_dirty = False
            self._tidy(connection)

    def rollback(self) -> None:
        """Forget everything since the last commit, nested transactions too. A file that is broken has done so."""
        with self._lock:
            if self._broken is not None:
                return
            if self._connection is not None and self._connection.in_transaction:
                self._execute(" ROLLBACK")
            self._depth, self._is_dirty, self._has_room = 0, False, False
            self._rolled_back()

    def begin_nested(self) -> int:
        """Begin a transaction within the one that is open (or to be opened), and return its depth, from 1 on."""
        with self._lock:
            if not self._connected().in_transaction:
                self._execute(" BEGIN")
            self._execute(f" SAVEPOINT _cf_{self._depth + 1}")
            self._depth += 1
            if self.on_nested is not None:
                self.on_nested()
            return self._depth

    def end_nested(self, depth: int, *, keep: bool) -> None:
        """End the innermost nested transaction, which is the one of `depth`: its writes become the outer one's, or are forgotten."""
        with self._lock:
            self._check()
            if depth != self._depth:
                raise StorageError(
                    f"transactions end innermost first: {self._depth} are open, number {depth} was to end"
                )
            if not keep:
                self._execute(f" ROLLBACK TO _cf_{depth}")
                self._rolled_back()
            self._execute(f" RELEASE _cf_{depth}")
            self._depth -= 1
            if self._depth == 0 and not self._is_dirty:
                self._execute(" COMMIT")

    def delete_all(self) -> None:
        """Delete everything of user code: keys, tables, views, indexes; the alarm stays. Raises StorageError within a nested one.

        Cursors of user code that were not read to their end are closed: SQLite drops no table that is read.
        """
        with self._lock:
            if self._depth:
                raise StorageError("Cannot call deleteAll() within a transaction")
            if not self.exists:
                return
            self._deleted = WeakSet(filter(None, (kept() for kept in self._cursors)))
            self._close_cursors()
            self.begin_write()
            depth = self.begin_nested()
            try:
                schema.drop_everything(self._execute)
            except BaseException:
                self.end_nested(depth, keep=False)
                raise
            self.end_nested(depth, keep=True)
            self._has_room = True

    @property
    def total_changes(self) -> int:
        """Rows that were inserted, updated or deleted since the file was opened, by triggers too."""
        return self._connection.total_changes if self._connection is not None else 0

    def database_size(self) -> int:
        """Bytes in use, without pages that are free. 0 before the first write."""
        if not self.exists:
            return 0
        pages = self.read(
            " SELECT page_count - freelist_count FROM pragma_page_count, pragma_freelist_count"
        ).fetchone()[0]
        return int(pages) * schema.PAGE_BYTES

    def close(self) -> None:
        """Forget what was not committed, move the journal into the file, and let go of it. Whatever comes after raises StorageBroken."""
        with self._lock:
            self._broken = self._broken or StorageBroken(
                "This object's storage is closed: the object is no longer active."
            )
            self._drop_connection()

    def _tidy(self, connection: sqlite3.Connection) -> None:
        """What is better done after a commit, and no part of it: if it fails, the commit stands all the same."""
        with suppress(StorageError):
            # The table of alarms says too early a time then, which is corrected when it has come.
            self.alarm.after_commit()
        if self._has_room:
            self._has_room = False
            with suppress(sqlite3.Error):
                # Not by `execute`, which would take one step, and free one page.
                connection.executescript("PRAGMA incremental_vacuum")
        self._commits += 1
        if self._commits % COMMITS_BETWEEN_LOOKS == 0:
            self._shorten_journal()

    def _shorten_journal(self) -> None:
        """Close what keeps the journal growing, if it has grown."""
        with suppress(FileNotFoundError):
            if self.path.with_name(f"{self.path.name}-wal").stat().st_size > MAX_JOURNAL_BYTES:
                self._close_cursors()

    def _schema_version(self) -> int:
        version: int = self._execute(" PRAGMA schema_version").fetchone()[0]
        return version

    def _keep(self, cursor: sqlite3.Cursor) -> None:
        """Remember a cursor of user code for as long as user code has it."""
        if len(self._cursors) >= self._most_cursors:
            self._cursors = [kept for kept in self._cursors if kept() is not None]
            self._most_cursors = max(REMEMBERED_CURSORS, 2 * len(self._cursors))
        self._cursors.append(ref(cursor))

    def _close_cursors(self) -> None:
        """What is read no further keeps neither the journal nor, once the connection is closed, the file."""
        cursors, self._cursors = self._cursors, []
        for kept in cursors:
            if (cursor := kept()) is not None:
                cursor.close()

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None or self._broken is not None:
            self._check()
            self._connection = self._connect()
        return self._connection

    def _connect(self) -> sqlite3.Connection:
        try:
            if is_to_be_made(self.path):
                self._new = NewFile(self.path)
            connection = sqlite3.connect(
                self.path,
                timeout=BUSY_TIMEOUT_S,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=CACHED_STATEMENTS,
            )
        except (OSError, sqlite3.Error) as error:
            raise self._break(error) from error
        try:
            self._prepare(connection)
        except (sqlite3.Error, StorageBroken) as error:
            connection.close()
            raise self._break(error) from error
        # SQLite takes any bytes for text; what is no UTF-8 is shown as such, as workerd does.
        connection.text_factory = partial(str, encoding="utf-8", errors="replace")
        functions.install(connection)
        self._regulation.install(connection)
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute(" PRAGMA synchronous = FULL").close()
        connection.execute(" PRAGMA foreign_keys = ON").close()
        # No temporary files: where user code runs there is no place for them.
        connection.execute(" PRAGMA temp_store = MEMORY").close()
        connection.execute(f" PRAGMA cache_size = -{CACHE_KIB}").close()
        connection.execute(f" PRAGMA journal_size_limit = {JOURNAL_BYTES}").close()
        connection.execute(f" PRAGMA max_page_count = {schema.MAX_DATABASE_BYTES // schema.PAGE_BYTES}").close()
        schema.check_version(connection, self.path)
        self._is_named = self.identity is None or self._has_name(connection)

    @staticmethod
    def _has_name(connection: sqlite3.Connection) -> bool:
        return connection.execute(" SELECT 1 FROM _cf_METADATA WHERE key = 'id'").fetchone() is not None

    def _write_name(self) -> None:
        self._is_named = True
        if self.identity is not None:
            rows = zip(("class", "id", "name"), self.identity, strict=True)
            for row in rows:
                self._execute(" INSERT OR REPLACE INTO _cf_METADATA VALUES (?, ?)", row)

    def _execute(self, sql: str, parameters: Sequence[Parameter] = ()) -> sqlite3.Cursor:
        return self._guarded(self._connected().execute, sql, parameters)

    def _guarded(self, act: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs) -> Result:
        """What `act` returns, its errors as they are told here."""
        connection = self._connected()
        was_open = connection.in_transaction
        try:
            return act(*args, **kwargs)
        except sqlite3.ProgrammingError:
            raise
        except sqlite3.Error as error:
            if is_critical(error) or (was_open and not connection.in_transaction):
                raise self._break(error) from error
            raise StorageError(text_of(error), code=codes_of(error)[0]) from error

    def _check(self) -> None:
        if self._broken is not None:
            raise self._broken

    def _break(self, error: Exception) -> StorageBroken:
        """No operation succeeds after this. Returns what to raise."""
        if self._broken is None:
            text = text_of(error) if isinstance(error, sqlite3.Error) else str(error)
            self._broken = error if isinstance(error, StorageBroken) else StorageBroken(f"{self.path.name}: {text}")
        self._drop_connection()
        return self._broken

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        self._is_dirty, self._depth = False, 0
        if connection is not None:
            self._close_cursors()
            connection.close()
        if self._new is not None:
            self._new.close()
            self._new = None

    def _rolled_back(self) -> None:
        self._is_named = self.identity is None or self._connection is None or self._has_name(self._connection)
        self.alarm.rolled_back()
        if self.on_rollback is not None:
            self.on_rollback()
