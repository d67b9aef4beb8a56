"""The file before anybody wrote into it."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from holdfast.store.objects import schema
from holdfast.store.objects.errors import StorageBroken


def made(path: Path) -> Path:
    path.write_bytes(schema.empty_file())
    return path


def test_an_empty_file_is_a_right_database_in_wal_mode(tmp_path: Path) -> None:
    path = made(tmp_path / "x.sqlite")
    assert path.stat().st_size <= 6 * schema.PAGE_BYTES
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)
        assert connection.execute("PRAGMA page_size").fetchone() == (schema.PAGE_BYTES,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        # What is owed comes when there is something to be put there, and its former table not any more.
        assert (*(name for (name,) in tables), "_cf_OUTBOX", "_cf_OWED") == schema.OWN_TABLES
        schema.check_version(connection, path)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ("DROP TABLE _cf_METADATA", "expected the file of an object, found another database"),
        ("DELETE FROM _cf_METADATA", "expected format version 1, found none"),
        ("UPDATE _cf_METADATA SET value = 9", "expected format version 1, found 9: a newer Holdfast wrote it"),
    ],
)
def test_a_file_of_another_version_is_refused(tmp_path: Path, change: str, text: str) -> None:
    path = made(tmp_path / "x.sqlite")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(change)
        with pytest.raises(StorageBroken, match=text):
            schema.check_version(connection, path)


def test_everything_is_dropped_but_what_is_ours(tmp_path: Path) -> None:
    path = made(tmp_path / "x.sqlite")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(
            "CREATE TABLE t (x); INSERT INTO _cf_KV VALUES ('a', 'b'); INSERT INTO _cf_HANDLED VALUES (1, 2)"
        )
        schema.drop_everything(connection.execute)
        assert connection.execute("SELECT count(*) FROM _cf_KV").fetchone() == (0,)
        assert connection.execute("SELECT * FROM _cf_HANDLED").fetchall() == [(1, 2)]
        assert connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 't'").fetchone() == (0,)
