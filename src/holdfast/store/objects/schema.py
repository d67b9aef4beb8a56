"""What is in the file of an object before user code puts anything there, and how such a file comes about.

Law: its version is a row of its own; a file of a newer version is refused, never guessed at.

| table | what |
|---|---|
| `_cf_KV` | the key-value API: the key, and the value in bytes (as in workerd, whose values are V8's) |
| `_cf_METADATA` | `version`, `class`, `id`, `name`, `alarm`: whose file this is, and when it is to be woken |
| `_cf_OWED` | events of WebSockets whose handlers wrote, which must not run again, and what they sent, until edges have it; made when there is
something first |
| `_cf_HANDLED`, `_cf_OUTBOX` | the same as an earlier version kept it: empty once it was taken over |
"""

from __future__ import annotations

import functools
import sqlite3
from typing import TYPE_CHECKING

from holdfast.store.objects.errors import StorageBroken

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

VERSION = 1
# 10 GB an object, as documented for the original.
MAX_DATABASE_BYTES = 10 * 10**9
PAGE_BYTES = 4096

_SCHEMA = """
PRAGMA page_size = 4096;
PRAGMA auto_vacuum = INCREMENTAL;
CREATE TABLE _cf_KV (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;
CREATE TABLE _cf_METADATA (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE _cf_HANDLED (sid INTEGER, seq INTEGER, PRIMARY KEY (sid, seq)) WITHOUT ROWID;
INSERT INTO _cf_METADATA VALUES ('version', 1);
"""
OWN_TABLES = ("_cf_KV", "_cf_METADATA", "_cf_HANDLED", "_cf_OUTBOX", "_cf_OWED")

# SQLite file format §1.3: the read and write versions are 2 for a file in WAL mode. Set here, it costs a new file no more
# than its bytes; `PRAGMA journal_mode` would be a transaction of its own.
_FORMAT_VERSIONS = slice(18, 20)
_WAL = b"\x02\x02"
# §1.3.19: which SQLite wrote it last. Left out, so that the bytes are the same under every SQLite.
_LIBRARY_VERSION = slice(96, 100)


@functools.cache
def empty_file() -> bytes:
    """The bytes of an object's file without an object: `_SCHEMA` in WAL mode, some 20 KiB."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        connection.executescript(_SCHEMA)
        content = bytearray(connection.serialize())
    finally:
        connection.close()
    content[_FORMAT_VERSIONS] = _WAL
    content[_LIBRARY_VERSION] = bytes(4)
    return bytes(content)


def check_version(connection: sqlite3.Connection, path: Path) -> None:
    """Raise StorageBroken unless this version can use the file. Raises sqlite3.Error for what is no database."""
    try:
        row = connection.execute(" SELECT value FROM _cf_METADATA WHERE key = 'version'").fetchone()
    except sqlite3.OperationalError as error:
        raise StorageBroken(f"{path}: expected the file of an object, found another database ({error})") from error
    if row is None or row[0] != VERSION:
        found = "none" if row is None else row[0]
        raise StorageBroken(f"{path}: expected format version {VERSION}, found {found}: a newer Holdfast wrote it")


def drop_everything(execute: Callable[[str], sqlite3.Cursor]) -> None:
    """Drop what user code made and empty `_cf_KV`, within the transaction that is open. What events and alarms left stays."""
    # Tables go in any order: a foreign key that points nowhere meanwhile is looked at when all are gone.
    execute(" PRAGMA defer_foreign_keys = ON").close()
    # Virtual tables first: their own tables go with them, and cannot go before.
    for what, condition in (
        ("TABLE", "type = 'table' AND sql LIKE 'CREATE VIRTUAL%'"),
        ("VIEW", "type = 'view'"),
        ("TABLE", f"type = 'table' AND name <> 'sqlite_sequence' AND name NOT IN {OWN_TABLES}"),
    ):
        for (name,) in execute(f" SELECT name FROM sqlite_schema WHERE {condition}").fetchall():  # noqa: S608 - ours
            quoted = name.replace('"', '""')
            execute(f' DROP {what} "{quoted}"').close()
    if execute(" SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence'").fetchone():
        execute(" DELETE FROM sqlite_sequence").close()
    execute(" DELETE FROM _cf_KV").close()
