"""SQL of user code: several statements in one text, the bindings and the rows being those of the last.

Law 1: a statement that writes has ended when `run` returns: its rows are in memory, no commit waits for them. A statement that reads is
       taken a row at a time, one row ahead; until its last row was taken it keeps its table from being dropped.
Law 2: transactions are the API's: BEGIN, SAVEPOINT and the like are refused with workerd's words.
Law 3: what SQLite is given begins with no space; statements of ours do (`file.py`).

Errors are StorageError, in workerd's words, but for the offset it adds, which the standard library does not tell.
"""

from __future__ import annotations

import functools
import sqlite3
from typing import TYPE_CHECKING, TypeAlias

from holdfast.store.objects.errors import StorageError
from holdfast.store.objects.regulation import MAX_QUERY_BYTES
from holdfast.store.objects.statements import Kind, Statement, split

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.store.objects.file import ObjectFile

Binding: TypeAlias = str | bytes | bytearray | memoryview | int | float | None
Row: TypeAlias = tuple[str | bytes | int | float | None, ...]

USE_THE_API = (
    "To execute a transaction, please use the state.storage.transaction() or state.storage.transactionSync() APIs instead of the "
    "SQL BEGIN TRANSACTION or SAVEPOINT statements. The JavaScript API is safer because it will automatically roll back on "
    "exceptions, and because it interacts correctly with Durable Objects' automatic atomic write coalescing."
)
WRONG_NUMBER = "Wrong number of parameter bindings for SQL query."
ONLY_THE_LAST = "When executing multiple SQL statements in a single call, only the last statement can have parameters."
NO_STATEMENT = "SQL code did not contain a statement."
NOT_AUTHORIZED = "not authorized: SQLITE_AUTH"

# Texts whose parts are kept: as many as a busy object has, each of a length that is worth it.
KNOWN_QUERIES = 256
MAX_KNOWN_QUERY = 4096
_BINDABLE = frozenset({str, bytes, int, float, type(None), bool, bytearray, memoryview})


class Rows:
    """The rows of a statement, as they are taken. `columns`: their names, the same one twice where the query gives it twice."""

    __slots__ = ("_cursor", "_file", "_left", "columns", "rows_read", "rows_written")

    def __init__(self, file: ObjectFile, cursor: sqlite3.Cursor, rows_written: int, left: list[Row] | None) -> None:
        self._file, self._cursor = file, cursor
        self._left = left
        self.columns = [column[0] for column in cursor.description or ()]
        self.rows_read, self.rows_written = 0, rows_written

    def next(self) -> Row | None:
        """The next row; None after the last. Raises StorageError."""
        if self._left is None:
            row: Row | None = self._file.fetch(self._cursor)
        else:
            row = self._left.pop() if self._left else None
        self.rows_read += row is not None
        return row

    def rest(self) -> list[Row]:
        """All rows that are left. Raises StorageError."""
        if self._left is None:
            rows: list[Row] = self._file.fetch_all(self._cursor)
        else:
            rows, self._left = self._left[::-1], []
        self.rows_read += len(rows)
        return rows

    def close(self) -> None:
        """Take no more rows: the table is free again."""
        self._left = []
        self._cursor.close()


def run(file: ObjectFile, query: str, bindings: Sequence[Binding] = ()) -> Rows:
    """Run the statements of `query`, all but the last to their end. Raises StorageError; what ran before the error stands."""
    statements = _known(query) if len(query) <= MAX_KNOWN_QUERY else _parsed(query)
    for statement in statements[:-1]:
        _run_one(file, statement, (), ONLY_THE_LAST).close()
    return _run_one(file, statements[-1], _checked(bindings), WRONG_NUMBER)


def _run_one(file: ObjectFile, statement: Statement, bindings: Sequence[Binding], on_wrong_number: str) -> Rows:
    if statement.kind is Kind.TRANSACTION:
        raise StorageError(USE_THE_API)
    if statement.names_own:
        raise StorageError(NOT_AUTHORIZED, code="SQLITE_AUTH")
    is_writer = statement.kind is Kind.WRITER
    # What an object's constructor does each time: make its tables if they are not there. If they are, that is no write.
    is_trial = statement.is_conditional and not file.is_dirty and not file.depth
    if is_writer and not is_trial:
        file.begin_write()
    before = file.total_changes
    try:
        if is_trial:
            cursor = file.run_conditional(statement.text, bindings)
        else:
            # What is only explained does not happen, but is judged as if it did.
            cursor = file.run_regulated(statement.text, bindings, may_write=statement.kind is not Kind.READER)
    except sqlite3.ProgrammingError as error:
        raise StorageError(on_wrong_number if "bindings supplied" in str(error) else str(error)) from error
    except (OverflowError, UnicodeEncodeError) as error:
        raise StorageError(f"a binding cannot be stored: {error}") from error
    if not is_writer:
        return Rows(file, cursor, 0, None)
    rows = file.fetch_all(cursor)[::-1] if cursor.description else []
    return Rows(file, cursor, file.total_changes - before, rows)


def _checked(bindings: Sequence[Binding]) -> Sequence[Binding]:
    """The bindings, each of a type that SQLite has (a bool is 1 or 0). Raises StorageError naming the one that is not."""
    if _BINDABLE.issuperset(map(type, bindings)):
        return bindings
    for number, binding in enumerate(bindings, 1):
        if not isinstance(binding, (str, bytes, bytearray, memoryview, int, float)) and binding is not None:
            raise StorageError(
                f"binding {number}: expected None, bool, int, float, str or bytes, got {type(binding).__name__}"
            )
    return bindings


def _parsed(query: str) -> list[Statement]:
    if len(query.encode(errors="surrogatepass")) > MAX_QUERY_BYTES:
        raise StorageError("statement too long: SQLITE_TOOBIG", code="SQLITE_TOOBIG")
    if not (statements := split(query)):
        raise StorageError(NO_STATEMENT)
    return statements


_known = functools.lru_cache(KNOWN_QUERIES)(_parsed)
