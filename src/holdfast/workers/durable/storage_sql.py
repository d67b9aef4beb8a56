# ruff: noqa: N802 - JavaScript's names
"""`ctx.storage.sql` and its cursors, as user code has them.

Law 1: a row is a dict whose columns are attributes too; a column that the query has twice is there once, with the last value. `raw()` has all.
Law 2: BLOB is `bytes`, INTEGER an int of up to 64 bits, a bool is bound as 1 or 0. The original has 2^53 and 'true': its limits are
       JavaScript's, and ported code that kept to them finds nothing changed.
Law 3: `rowsRead` counts rows that were taken, `rowsWritten` rows that changed: the standard library tells no more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from holdfast.store.objects.errors import StorageError
from holdfast.store.objects.sql import Binding, Row, Rows, run
from holdfast.workers.durable.storage_keys import StorageHost, translated, translating
from holdfast.workers.sdk.buffers import ArrayBuffer
from holdfast.workers.sdk.errors import JsException, JsTypeError
from holdfast.workers.sdk.sending import well_formed
from holdfast.workers.values import JsDict, JsList

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from holdfast.store.objects.file import ObjectFile

NO_RESULTS = "Expected exactly one result from SQL query, but got no results."
MULTIPLE_RESULTS = "Expected exactly one result from SQL query, but got multiple results."


class SqlStorage:
    """SQL on the object's own database."""

    stays_as = "SqlStorage"

    __slots__ = ("_file", "_host")

    def __init__(self, file: ObjectFile, host: StorageHost) -> None:
        self._file, self._host = file, host

    def exec(self, query: str, *bindings: Binding) -> SqlCursor:
        """Run the statements of `query`; the bindings and the cursor are the last one's. Raises JsException."""
        if not isinstance(query, str):
            raise JsTypeError(f"exec(): expected the text of a query, got {type(query).__name__}")
        self._host.check()
        changes = self._file.writes
        # Texts of a client's JSON may hold halves of surrogate pairs, which UTF-8 has not.
        bound = [well_formed(one) if type(one) is str else one for one in bindings]
        try:
            rows = run(self._file, well_formed(query), bound)
        except StorageError as error:
            raise translated(error, self._host) from error
        finally:
            # Statements before the one that failed stand.
            if self._file.writes != changes:
                self._host.wrote()
        return SqlCursor(rows, self._host)

    @property
    def databaseSize(self) -> int:
        """Bytes of the database."""
        self._host.check()
        with translating(self._host):
            return self._file.database_size()

    database_size = databaseSize


class _Taken:
    """What both kinds of cursors share: the rows of a statement, taken one by one."""

    __slots__ = ("_host", "_rows")

    def __init__(self, rows: Rows, host: StorageHost) -> None:
        self._rows, self._host = rows, host

    def _next(self) -> Row | None:
        try:
            return self._rows.next()
        except StorageError as error:
            raise translated(error, self._host) from error

    def _rest(self) -> list[Row]:
        try:
            return self._rows.rest()
        except StorageError as error:
            raise translated(error, self._host) from error

    @property
    def columnNames(self) -> JsList[str]:
        """The columns' names in order, one that is there twice twice."""
        return JsList(self._rows.columns)

    @property
    def rowsRead(self) -> int:
        """How many rows were taken so far."""
        return self._rows.rows_read

    @property
    def rowsWritten(self) -> int:
        """How many rows the statement inserted, updated or deleted, by triggers too."""
        return self._rows.rows_written

    column_names, rows_read, rows_written = columnNames, rowsRead, rowsWritten


class SqlCursor(_Taken):
    """The rows of a query as dicts. Iterating takes them one by one; what was taken does not come again."""

    stays_as = "Cursor"

    __slots__ = ()

    def __iter__(self) -> Iterator[JsDict]:
        return self

    def __next__(self) -> JsDict:
        if (row := self._next()) is None:
            raise StopIteration
        return self._object(row)

    def next(self) -> JsDict:
        """As JavaScript's iterators: `{done: False, value: row}`, then `{done: True}`."""
        row = self._next()
        return JsDict(done=True, value=None) if row is None else JsDict(done=False, value=self._object(row))

    def toArray(self) -> JsList[JsDict]:
        """All rows that are left."""
        columns = self._rows.columns
        return JsList([JsDict(zip(columns, _richer(row), strict=True)) for row in self._rest()])

    def one(self) -> JsDict:
        """The only row. Raises JsException if there is none, or more than one."""
        if (row := self._next()) is None:
            raise JsException(NO_RESULTS)
        if self._next() is not None:
            self._rows.close()
            raise JsException(MULTIPLE_RESULTS)
        return self._object(row)

    def raw(self) -> RawCursor:
        """The same rows as lists of their values."""
        return RawCursor(self._rows, self._host)

    to_array = toArray

    def _object(self, row: Row) -> JsDict:
        return JsDict(zip(self._rows.columns, _richer(row), strict=True))


class RawCursor(_Taken):
    """The rows of a query as lists. It shares its rows with the cursor it was made of."""

    stays_as = "RawIterator"

    __slots__ = ()

    def __iter__(self) -> Iterator[JsList[Any]]:
        return self

    def __next__(self) -> JsList[Any]:
        if (row := self._next()) is None:
            raise StopIteration
        return JsList(_richer(row))

    def next(self) -> JsDict:
        """As JavaScript's iterators."""
        row = self._next()
        return JsDict(done=True, value=None) if row is None else JsDict(done=False, value=JsList(_richer(row)))

    def toArray(self) -> JsList[JsList[Any]]:
        """All rows that are left."""
        return JsList([JsList(_richer(row)) for row in self._rest()])

    to_array = toArray


def _richer(row: Row) -> Sequence[Any]:
    """The values of a row, BLOBs with the names that bytes have in JavaScript."""
    return [ArrayBuffer(one) if type(one) is bytes else one for one in row] if bytes in map(type, row) else row
