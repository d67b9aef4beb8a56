"""docs/object-storage.md and the code it describes: its limits are the code's, its example runs, its calls are there.

Law: the code is the authority; a number in the document that the code does not have is a complaint.
"""

import re
import sqlite3

import pytest

from holdfast.store.objects import file, regulation, schema
from holdfast.workers import values
from holdfast.workers.durable import storage, storage_keys, storage_sql
from tests.meta.tree import ROOT

TEXT = (ROOT / "docs" / "object-storage.md").read_text(encoding="utf-8")
UNITS = {"": 1, "bytes": 1, "MiB": 2**20, "GB": 10**9}

LIMITS = {
    "keys in one call": storage_keys.MAX_PAIRS,
    "a key and its value together": storage_keys.MAX_PAIR_BYTES,
    "levels of a value within each other": values.MAX_DEPTH,
    "one object's file": schema.MAX_DATABASE_BYTES,
    "a query": regulation.MAX_QUERY_BYTES,
    "bindings of a query, columns of a table": regulation.LIMITS[sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER],
    "a string, BLOB or row in SQL": regulation.LIMITS[sqlite3.SQLITE_LIMIT_LENGTH],
    "a journal that a cursor keeps which is not read to its end": file.MAX_JOURNAL_BYTES,
}


def rows_below(heading: str) -> list[list[str]]:
    """The rows of the table below a heading, without its head."""
    section = TEXT.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_limits_are_those_of_the_code() -> None:
    found = {}
    for name, value, _ in rows_below("Limits"):
        number, _, unit = value.replace(",", "").partition(" ")
        found[name] = int(number) * UNITS[unit]
    assert found == LIMITS
    assert regulation.LIMITS[sqlite3.SQLITE_LIMIT_COLUMN] == regulation.LIMITS[sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER]


@pytest.mark.parametrize("heading", ["Keys and values", "SQL"])
def test_the_calls_are_there(heading: str) -> None:
    rows = [row for row in rows_below(heading) if len(row) == 2]
    calls = {call for row in rows for call in re.findall(r"`(?:kv\.)?(\w+)", row[0])}
    assert calls
    for call in calls:
        assert hasattr(storage.Storage, call), call


def test_every_name_has_its_alias() -> None:
    for kind in (
        storage.Storage,
        storage.Transaction,
        storage_sql.SqlStorage,
        storage_sql.SqlCursor,
        storage_sql.RawCursor,
    ):
        for name in [name for name in dir(kind) if not name.startswith("_") and name != name.lower()]:
            assert hasattr(kind, re.sub(r"[A-Z]", lambda found: f"_{found[0].lower()}", name)), name


def test_the_example_is_python() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    compile(example, "docs/object-storage.md", "exec")
