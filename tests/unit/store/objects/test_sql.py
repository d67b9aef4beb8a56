"""SQL of user code: statements, bindings, rows, errors."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.store.objects import sql
from holdfast.store.objects.errors import StorageBroken, StorageError
from holdfast.store.objects.file import ObjectFile
from holdfast.store.objects.sql import run


@pytest.fixture
def file(tmp_path: Path) -> Iterator[ObjectFile]:
    opened = ObjectFile.open(tmp_path / "x.sqlite")
    run(opened, "CREATE TABLE t (id INTEGER PRIMARY KEY, v)")
    yield opened
    opened.close()


def test_rows_are_taken_one_by_one_and_counted(file: ObjectFile) -> None:
    run(file, "INSERT INTO t (v) VALUES ('a'), ('b'), ('c')")
    rows = run(file, "SELECT id, v, v FROM t")
    assert rows.columns == ["id", "v", "v"]
    assert (rows.next(), rows.rows_read, rows.rest(), rows.rows_read) == (
        (1, "a", "a"),
        1,
        [(2, "b", "b"), (3, "c", "c")],
        3,
    )
    assert (rows.next(), rows.rest(), rows.rows_read) == (None, [], 3)


def test_several_statements_run_in_order_and_the_last_has_the_rows(file: ObjectFile) -> None:
    rows = run(file, "INSERT INTO t (v) VALUES (1); DELETE FROM t WHERE v = 9; SELECT v FROM t WHERE v = ?", (1,))
    assert rows.rest() == [(1,)]


@pytest.mark.parametrize("value", [None, 0, -(2**63), 2**63 - 1, 1.5, "x", "", "a\0b", b"\0\xff", b""])
def test_a_binding_comes_back_as_it_was(file: ObjectFile, value: sql.Binding) -> None:
    assert run(file, "SELECT ?", (value,)).rest() == [(value,)]


@pytest.mark.parametrize(
    ("value", "found"), [(True, 1), (False, 0), (bytearray(b"x"), b"x"), (memoryview(b"x"), b"x"), (float("nan"), None)]
)
def test_a_binding_comes_back_as_what_sqlite_has(file: ObjectFile, value: sql.Binding, found: object) -> None:
    assert run(file, "SELECT ?", (value,)).rest() == [(found,)]


def test_rows_written_are_those_that_changed_by_triggers_too(file: ObjectFile) -> None:
    run(file, "CREATE TABLE log (x); CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO log VALUES (new.v); END")
    assert run(file, "INSERT INTO t (v) VALUES (1), (2)").rows_written == 4
    assert run(file, "DELETE FROM log").rows_written == 2
    assert run(file, "SELECT 1").rows_written == 0
    assert run(file, "CREATE TABLE more (x)").rows_written == 0


def test_a_statement_that_returns_rows_has_ended_at_once(file: ObjectFile) -> None:
    rows = run(file, "INSERT INTO t (v) VALUES (1), (2), (3) RETURNING id")
    file.commit()
    assert (rows.next(), rows.rest(), rows.rows_written) == ((1,), [(2,), (3,)], 3)


def test_readers_begin_no_transaction_and_writers_do(file: ObjectFile) -> None:
    file.commit()
    for query in (
        "SELECT * FROM t",
        "PRAGMA table_list",
        "EXPLAIN DELETE FROM t",
        "WITH a AS (SELECT 1) SELECT * FROM a",
    ):
        run(file, query).rest()
        assert not file.is_dirty, query
    run(file, "WITH a AS (SELECT 1) INSERT INTO t (v) SELECT * FROM a")
    assert file.is_dirty


@pytest.mark.parametrize(
    "query",
    [
        "CREATE TABLE IF NOT EXISTS t (id)",
        "create unique index if not exists i on t (v)",
        "DROP TABLE IF EXISTS nowhere",
        "CREATE TABLE IF NOT EXISTS t (id); CREATE INDEX IF NOT EXISTS i ON t (v); SELECT * FROM t",
    ],
)
def test_what_is_there_already_is_not_written(file: ObjectFile, query: str) -> None:
    run(file, "CREATE UNIQUE INDEX i ON t (v)")
    file.commit()
    writes = file.writes
    run(file, query).rest()
    assert (file.is_dirty, file.writes) == (False, writes)
    # Nor is the file held.
    other = ObjectFile.open(file.path)
    run(other, "INSERT INTO t (v) VALUES (1)")
    other.close()


@pytest.mark.parametrize(
    "query",
    [
        "CREATE TABLE IF NOT EXISTS other (id)",
        "CREATE TABLE IF NOT EXISTS t (id); CREATE TABLE IF NOT EXISTS other (id)",
        "CREATE TABLE IF NOT EXISTS other AS SELECT 1",
        "DROP TABLE IF EXISTS t",
    ],
)
def test_what_is_not_there_yet_is_written(file: ObjectFile, query: str) -> None:
    file.commit()
    told: list[str] = []
    file.before_write = lambda: told.append("write")
    run(file, query)
    assert (file.is_dirty, told) == (True, ["write"])
    file.commit()


@pytest.mark.parametrize(
    ("query", "bindings"),
    [
        ("CREATE TEMPORARY TABLE IF NOT EXISTS other (id)", ()),
        ("CREATE TABLE IF NOT EXISTS _cf_other (id)", ()),
        ("CREATE TABLE IF NOT EXISTS", ()),
        ("CREATE TABLE IF NOT EXISTS other (id)", (1,)),
    ],
)
def test_what_is_refused_leaves_nothing_to_commit(
    file: ObjectFile, query: str, bindings: tuple[sql.Binding, ...]
) -> None:
    file.commit()
    with pytest.raises(StorageError):
        run(file, query, bindings)
    assert not file.is_dirty
    run(file, "SELECT * FROM t").rest()


def test_a_table_that_was_made_within_a_transaction_goes_with_it(file: ObjectFile) -> None:
    file.commit()
    depth = file.begin_nested()
    run(file, "CREATE TABLE IF NOT EXISTS other (id)")
    file.end_nested(depth, keep=False)
    with pytest.raises(StorageError, match="no such table: other"):
        run(file, "SELECT * FROM other")


def test_a_cursor_that_is_not_drained_keeps_its_table_and_closing_frees_it(file: ObjectFile) -> None:
    run(file, "INSERT INTO t (v) VALUES (1), (2), (3)")
    rows = run(file, "SELECT * FROM t")
    rows.next()
    with pytest.raises(StorageError, match="database table is locked: SQLITE_LOCKED"):
        run(file, "DROP TABLE t")
    file.commit()
    rows.close()
    assert rows.next() is None
    run(file, "DROP TABLE t")


def test_a_cursor_sees_its_rows_through_a_commit(file: ObjectFile) -> None:
    run(file, "INSERT INTO t (v) VALUES (1), (2)")
    rows = run(file, "SELECT v FROM t")
    assert rows.next() == (1,)
    run(file, "INSERT INTO t (v) VALUES (3)")
    file.commit()
    assert rows.rest()[0] == (2,)


@pytest.mark.parametrize(
    ("query", "bindings", "text"),
    [
        ("SELECT ?", (), sql.WRONG_NUMBER),
        ("SELECT ?", (1, 2), sql.WRONG_NUMBER),
        ("SELECT 1", (1,), sql.WRONG_NUMBER),
        ("SELECT ?; SELECT ?", (1,), sql.ONLY_THE_LAST),
        ("", (), sql.NO_STATEMENT),
        ("-- nothing", (), sql.NO_STATEMENT),
        ("BEGIN TRANSACTION", (), sql.USE_THE_API),
        ("COMMIT", (), sql.USE_THE_API),
        ("SAVEPOINT a", (), sql.USE_THE_API),
        ("SELECT * FROM nowhere", (), "no such table: nowhere: SQLITE_ERROR"),
        ("SELEC 1", (), 'near "SELEC": syntax error: SQLITE_ERROR'),
        ("PRAGMA user_version", (), "not authorized: SQLITE_AUTH"),
        ("SELECT * FROM _cf_KV", (), "access to _cf_KV.key is prohibited: SQLITE_AUTH"),
        ("ALTER TABLE t RENAME TO _cf_t", (), "not authorized: SQLITE_AUTH"),
        (
            "INSERT INTO t VALUES (1, 1), (1, 1)",
            (),
            "UNIQUE constraint failed: t.id: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_PRIMARYKEY)",
        ),
        ("SELECT ?", (2**63,), "a binding cannot be stored: Python int too large to convert to SQLite INTEGER"),
        ("SELECT ?", ("\ud800",), "a binding cannot be stored: 'utf-8' codec can't encode"),
        ("SELECT ?", ({},), "binding 1: expected None, bool, int, float, str or bytes, got dict"),
        ("SELECT 1\0", (), "the query contains a null character"),
        ("SELECT abs(-9223372036854775808)", (), "integer overflow: SQLITE_ERROR"),
    ],
)
def test_errors_are_in_workerds_words(
    file: ObjectFile, query: str, bindings: tuple[sql.Binding, ...], text: str
) -> None:
    with pytest.raises(StorageError) as caught:
        run(file, query, bindings)
    assert str(caught.value).startswith(text)
    assert not isinstance(caught.value, StorageBroken)


def test_an_error_while_rows_are_taken_is_told_then(file: ObjectFile) -> None:
    run(file, "INSERT INTO t (v) VALUES (1), (-9223372036854775808)")
    rows = run(file, "SELECT abs(v) FROM t")
    with pytest.raises(StorageError, match="integer overflow"):
        rows.rest()


def test_what_ran_before_the_error_stands(file: ObjectFile) -> None:
    with pytest.raises(StorageError, match="no such table"):
        run(file, "INSERT INTO t (v) VALUES (1); INSERT INTO nowhere VALUES (1)")
    assert run(file, "SELECT v FROM t").rest() == [(1,)]


def test_text_that_is_no_unicode_is_shown_as_such(file: ObjectFile) -> None:
    assert run(file, "SELECT CAST(x'61ff' AS TEXT)").rest() == [("a\ufffd",)]


def test_a_column_of_a_strict_table_says_what_it_cannot_store(file: ObjectFile) -> None:
    run(file, "CREATE TABLE s (a INT) STRICT")
    with pytest.raises(StorageError) as caught:
        run(file, "INSERT INTO s VALUES ('x')")
    assert str(caught.value) == (
        "cannot store TEXT value in INT column s.a: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_DATATYPE)"
    )


def test_functions_of_newer_sqlite_are_there(file: ObjectFile) -> None:
    assert run(file, "SELECT concat('a', 1), unhex('61')").rest() == [("a1", b"a")]


def test_a_cursor_of_a_closed_file_says_so(file: ObjectFile) -> None:
    run(file, "INSERT INTO t (v) VALUES (1), (2)")
    rows = run(file, "SELECT * FROM t")
    file.close()
    with pytest.raises(StorageBroken, match="no longer active"):
        rows.next()


def test_a_long_query_runs_as_a_short_one_does(file: ObjectFile) -> None:
    assert run(file, f"SELECT 1 -- {'x' * 90_000}").rest() == [(1,)]
