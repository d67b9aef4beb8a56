"""What storage of an object says when it cannot do what it was asked.

Law 1: after a StorageError the object goes on: that one operation did not happen, all else stands.
Law 2: after a StorageBroken it does not: nothing since the last commit is kept, and every further operation of that file raises
       the same again. The object must be reset, and its file opened anew.
"""

from __future__ import annotations

import sqlite3

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
    extended = str(getattr(error, "sqlite_errorname", ""))
    return "_".join(extended.split("_")[:2]), extended


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
