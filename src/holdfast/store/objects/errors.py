"""What storage of an object says when it cannot do what it was asked.

Law 1: after a StorageError the object goes on: that one operation did not happen, all else stands.
Law 2: after a StorageBroken it does not: nothing since the last commit is kept, and every further operation of that file raises
       the same again. The object must be reset, and its file opened anew.
"""

from __future__ import annotations

import sqlite3

# Primary codes are the low byte of a code. By number, for the standard library does not know the names of all that SQLite has.
_PRIMARY = {
    getattr(sqlite3, name): name
    for name in (
        "SQLITE_ERROR", "SQLITE_INTERNAL", "SQLITE_PERM", "SQLITE_ABORT", "SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_NOMEM",
        "SQLITE_READONLY", "SQLITE_INTERRUPT", "SQLITE_IOERR", "SQLITE_CORRUPT", "SQLITE_NOTFOUND", "SQLITE_FULL",
        "SQLITE_CANTOPEN", "SQLITE_PROTOCOL", "SQLITE_SCHEMA", "SQLITE_TOOBIG", "SQLITE_CONSTRAINT", "SQLITE_MISMATCH",
        "SQLITE_MISUSE", "SQLITE_NOLFS", "SQLITE_AUTH", "SQLITE_RANGE", "SQLITE_NOTADB",
    )
}  # fmt: skip
_NEWER = {3091: "SQLITE_CONSTRAINT_DATATYPE"}
_UNKNOWN = "unknown"

# After these, what SQLite holds in memory is not to be relied on, whatever became of the transaction.
_CRITICAL = frozenset({"SQLITE_CORRUPT", "SQLITE_IOERR", "SQLITE_NOTADB", "SQLITE_CANTOPEN", "SQLITE_READONLY"})
# A broken index of full-text search: that table is at fault, not the file.
_OF_ONE_TABLE = "SQLITE_CORRUPT_VTAB"


class StorageError(Exception):
    """An operation that did not happen. `code` is SQLite's name for the reason (`SQLITE_CONSTRAINT`), "" if it was not SQLite's."""

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class StorageBroken(StorageError):
    """What was written since the last commit is lost: the object must be reset."""


def codes_of(error: sqlite3.Error) -> tuple[str, str]:
    """SQLite's names for the reason, primary and extended: `("SQLITE_CONSTRAINT", "SQLITE_CONSTRAINT_UNIQUE")`; ("", "") if none."""
    number = getattr(error, "sqlite_errorcode", None)
    if number is None:
        return "", ""
    primary = _PRIMARY.get(number & 0xFF, _UNKNOWN)
    name = str(getattr(error, "sqlite_errorname", _UNKNOWN))
    return primary, name if name != _UNKNOWN else _NEWER.get(number, primary)


def is_critical(error: sqlite3.Error) -> bool:
    """Whether the connection must not be used any more."""
    primary, extended = codes_of(error)
    return primary in _CRITICAL and extended != _OF_ONE_TABLE


def text_of(error: sqlite3.Error) -> str:
    """The text with the names of the reason, as workerd has it: `no such table: t: SQLITE_ERROR`."""
    primary, extended = codes_of(error)
    if not primary:
        return str(error)
    return f"{error}: {primary}" + (f" (extended: {extended})" if extended != primary else "")
