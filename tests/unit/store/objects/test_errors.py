"""What SQLite's errors become."""

import sqlite3

import pytest

from holdfast.store.objects.errors import StorageBroken, StorageError, codes_of, is_critical, text_of

CODES = {
    "SQLITE_ERROR": 1,
    "SQLITE_CONSTRAINT_UNIQUE": 2067,
    "SQLITE_IOERR_FSYNC": 1034,
    "SQLITE_CORRUPT": 11,
    "SQLITE_CORRUPT_VTAB": 267,
    "SQLITE_FULL": 13,
    "unknown": 3091,
}


def error_of(text: str, name: str | None) -> sqlite3.Error:
    error = sqlite3.OperationalError(text)
    if name is not None:
        error.sqlite_errorname = name
        error.sqlite_errorcode = CODES[name]
    return error


@pytest.mark.parametrize(
    ("name", "text", "critical"),
    [
        ("SQLITE_ERROR", "x: SQLITE_ERROR", False),
        ("SQLITE_CONSTRAINT_UNIQUE", "x: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_UNIQUE)", False),
        ("SQLITE_IOERR_FSYNC", "x: SQLITE_IOERR (extended: SQLITE_IOERR_FSYNC)", True),
        ("SQLITE_CORRUPT", "x: SQLITE_CORRUPT", True),
        ("SQLITE_CORRUPT_VTAB", "x: SQLITE_CORRUPT (extended: SQLITE_CORRUPT_VTAB)", False),
        ("SQLITE_FULL", "x: SQLITE_FULL", False),
        ("unknown", "x: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_DATATYPE)", False),
        (None, "x", False),
    ],
)
def test_the_text_names_the_reason_as_workerd_does(name: str | None, text: str, critical: bool) -> None:
    error = error_of("x", name)
    assert (text_of(error), is_critical(error)) == (text, critical)


def test_an_error_without_a_reason_has_no_codes() -> None:
    assert codes_of(error_of("x", None)) == ("", "")


def test_a_broken_file_is_a_kind_of_storage_error() -> None:
    error = StorageBroken("x", code="SQLITE_IOERR")
    assert isinstance(error, StorageError)
    assert (str(error), error.code) == ("x", "SQLITE_IOERR")
