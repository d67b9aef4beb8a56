"""`ctx.storage.sql` and its cursors."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from holdfast.store.objects.file import ObjectFile
from holdfast.store.objects.sql import Binding
from holdfast.workers.durable.storage_sql import MULTIPLE_RESULTS, NO_RESULTS, SqlStorage
from holdfast.workers.sdk.errors import JsException
from holdfast.workers.values import JsDict
from tests.unit.workers.durable.storage_host import Host


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    file = ObjectFile.open(tmp_path / "x.sqlite")
    yield Host(file)
    file.close()


@pytest.fixture
def sql(host: Host) -> SqlStorage:
    found = SqlStorage(host.file, host)
    found.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO t (name) VALUES ('a'), ('b'), ('c')")
    return found


def test_rows_are_dicts_with_attributes(sql: SqlStorage) -> None:
    rows = list(sql.exec("SELECT * FROM t WHERE id < ?", 3))
    assert rows == [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]
    assert (type(rows[0]), rows[1].name) == (JsDict, "b")


def test_halves_of_surrogate_pairs_are_kept_as_replacement_characters(sql: SqlStorage) -> None:
    sql.exec("INSERT INTO t (name) VALUES (?)", "a\ud800b")
    assert sql.exec("SELECT name, '\ud800' AS other FROM t WHERE id = 4").one() == {
        "name": "a\ufffdb",
        "other": "\ufffd",
    }


def test_a_cursor_gives_each_row_once_by_whatever_way(sql: SqlStorage) -> None:
    cursor = sql.exec("SELECT id, name FROM t")
    assert cursor.next() == {"done": False, "value": {"id": 1, "name": "a"}}
    assert cursor.raw().next() == {"done": False, "value": [2, "b"]}
    assert cursor.toArray() == [{"id": 3, "name": "c"}]
    assert (cursor.next(), cursor.raw().next()) == ({"done": True, "value": None},) * 2
    assert (list(cursor), cursor.to_array(), cursor.raw().toArray()) == ([], [], [])


def test_a_cursor_is_an_iterator(sql: SqlStorage) -> None:
    cursor = sql.exec("SELECT id FROM t")
    raw = cursor.raw()
    assert (next(cursor), next(raw), next(cursor), next(cursor, None), next(raw, None)) == (
        {"id": 1},
        [2],
        {"id": 3},
        None,
        None,
    )


def test_what_comes_answers_to_javascripts_names(sql: SqlStorage) -> None:
    rows = sql.exec("SELECT id, name, x'61' AS data FROM t").toArray()
    assert (rows.length, rows.to_py()[0], rows.map(lambda row: row.name)) == (
        3,
        {"id": 1, "name": "a", "data": b"a"},
        ["a", "b", "c"],
    )
    raw = sql.exec("SELECT name, x'61' FROM t").raw()
    assert (next(raw).to_py(), raw.next().value.at(-1).to_bytes(), raw.toArray().to_py()) == (
        ["a", b"a"],
        b"a",
        [["c", b"a"]],
    )
    assert sql.exec("SELECT id, name FROM t").columnNames.to_py() == ["id", "name"]


def test_raw_rows_keep_columns_of_one_name(sql: SqlStorage) -> None:
    query = "SELECT 1 AS x, 2 AS x"
    assert sql.exec(query).columnNames == ["x", "x"]
    assert sql.exec(query).raw().column_names == ["x", "x"]
    assert (sql.exec(query).raw().toArray(), list(sql.exec(query).raw())) == ([[1, 2]], [[1, 2]])
    assert sql.exec(query).one() == {"x": 2}


@pytest.mark.parametrize(("condition", "text"), [("id = 9", NO_RESULTS), ("id > 1", MULTIPLE_RESULTS)])
def test_one_is_exactly_one(sql: SqlStorage, condition: str, text: str) -> None:
    with pytest.raises(JsException) as caught:
        sql.exec(f"SELECT * FROM t WHERE {condition}").one()
    assert caught.value.message == text
    assert sql.exec("SELECT name FROM t WHERE id = 1").one().name == "a"
    sql.exec("DROP TABLE t")


def test_rows_are_counted(sql: SqlStorage) -> None:
    cursor = sql.exec("SELECT * FROM t")
    cursor.next()
    assert (cursor.rowsRead, cursor.rowsWritten) == (1, 0)
    cursor.toArray()
    assert (cursor.rows_read, cursor.rows_written) == (3, 0)
    assert sql.exec("UPDATE t SET name = 'x'").rowsWritten == 3


def test_values_are_pythons(sql: SqlStorage) -> None:
    bindings: list[Binding] = [True, 2**53 + 1, b"\0", None, 1.5]
    row = sql.exec("SELECT ? AS a, ? AS b, ? AS c, ? AS d, ? AS e", *bindings).one()
    assert list(row.values()) == [1, 2**53 + 1, b"\0", None, 1.5]
    assert (isinstance(row.c, bytes), row.c.to_bytes(), row.c.tobytes(), row.c.tolist()) == (True, b"\0", b"\0", [0])


@pytest.mark.parametrize("query", ["INSERT INTO t VALUES (1, 'x')", "INSERT INTO t (name) VALUES ('d'); SELEC"])
def test_the_instance_is_told_of_writes_before_an_error(sql: SqlStorage, host: Host, query: str) -> None:
    host.told.clear()
    with pytest.raises(JsException):
        sql.exec(query)
    assert host.told == ["wrote"]


@pytest.mark.parametrize(
    ("act", "text"),
    [
        (lambda sql: sql.exec("BEGIN"), "Error: To execute a transaction, please use the state.storage.transaction()"),
        (lambda sql: sql.exec("SELECT ?"), "Error: Wrong number of parameter bindings for SQL query."),
        (lambda sql: sql.exec(7), "exec(): expected the text of a query, got int"),
        (
            lambda sql: sql.exec(
                "SELECT abs(-9223372036854775808 + id) FROM (SELECT 1 AS id UNION SELECT 0 ORDER BY 1 DESC)"
            ).toArray(),
            "integer overflow",
        ),
        (
            lambda sql: list(
                sql.exec("SELECT abs(-9223372036854775808 + id) FROM (SELECT 1 AS id UNION SELECT 0 ORDER BY 1 DESC)")
            ),
            "integer overflow",
        ),
    ],
)
def test_errors_are_javascripts(sql: SqlStorage, act: Callable[[SqlStorage], object], text: str) -> None:
    with pytest.raises(JsException) as caught:
        act(sql)
    assert text in str(caught.value)


def test_the_size_is_that_of_pages_in_use(sql: SqlStorage) -> None:
    before = sql.databaseSize
    sql.exec("INSERT INTO t (name) VALUES (?)", "x" * 100_000)
    assert sql.database_size - before >= 90_000
    assert before % 4096 == 0
