"""What SQL of user code may do, and what not."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.store.objects import sql
from holdfast.store.objects.errors import StorageError
from holdfast.store.objects.file import ObjectFile
from holdfast.store.objects.regulation import is_own_name


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectFile]:
    opened = ObjectFile.open(tmp_path_factory.mktemp("sql") / "x.sqlite")
    sql.run(
        opened,
        "CREATE TABLE t (x, y); CREATE INDEX i ON t (x); INSERT INTO t VALUES (1, 2); CREATE VIEW v AS SELECT x FROM t",
    )
    yield opened
    opened.close()


@pytest.mark.parametrize(
    "query",
    [
        "SELECT x FROM t",
        "SELECT * FROM v",
        "SELECT upper('a'), json_extract('{}', '$.a'), sqrt(2), '{}' -> '$'",
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT sum(i) FROM n",
        "SELECT value FROM json_each('[1, 2]')",
        "SELECT name FROM pragma_table_info('t')",
        "CREATE TABLE a (x); INSERT INTO a VALUES (1); UPDATE a SET x = 2; DELETE FROM a; DROP TABLE a",
        "ALTER TABLE t RENAME COLUMN y TO z; ALTER TABLE t ADD COLUMN w; ALTER TABLE t DROP COLUMN w; ALTER TABLE t RENAME COLUMN z TO y",
        "CREATE TABLE b (x); ALTER TABLE b RENAME TO c; DROP TABLE c",
        "CREATE TRIGGER tr AFTER INSERT ON t BEGIN DELETE FROM t WHERE x = 9; END; DROP TRIGGER tr",
        "CREATE VIRTUAL TABLE f USING fts5 (text); INSERT INTO f VALUES ('a b'); SELECT highlight(f, 0, '<', '>') FROM f WHERE f MATCH 'a'",
        "CREATE VIRTUAL TABLE g USING fts5 (text); INSERT INTO g (g) VALUES ('optimize'); DROP TABLE g",
        "CREATE VIRTUAL TABLE r USING rtree (id, a, b); INSERT INTO r VALUES (1, 2, 3); SELECT id FROM r WHERE a > 1; DROP TABLE r",
        "REINDEX; ANALYZE; PRAGMA optimize",
        "PRAGMA table_list",
        "PRAGMA table_info(t)",
        "PRAGMA table_xinfo('t')",
        "PRAGMA index_list(t)",
        "PRAGMA index_info(i)",
        "PRAGMA foreign_keys",
        "PRAGMA defer_foreign_keys = on",
        "PRAGMA case_sensitive_like = 'False'",
        "PRAGMA quick_check",
        "PRAGMA quick_check(10)",
        "PRAGMA data_version",
        "PRAGMA page_size",
        "PRAGMA foreign_key_check",
        "PRAGMA foreign_key_list(t)",
        "SELECT name FROM sqlite_schema",
    ],
)
def test_what_is_allowed_runs(file: ObjectFile, query: str) -> None:
    sql.run(file, query).rest()


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM _cf_KV",
        "SELECT * FROM _CF_kv",
        "INSERT INTO _cf_KV VALUES ('a', 'b')",
        "UPDATE _cf_METADATA SET value = 2",
        "DELETE FROM _cf_HANDLED",
        "DROP TABLE _cf_KV",
        "CREATE TABLE _cf_mine (x)",
        "CREATE VIEW _cf_view AS SELECT 1",
        "CREATE INDEX _cf_index ON t (x)",
        "CREATE INDEX mine ON _cf_KV (value)",
        "CREATE TRIGGER mine AFTER INSERT ON _cf_KV BEGIN SELECT 1; END",
        "CREATE TRIGGER mine2 AFTER INSERT ON t BEGIN INSERT INTO _cf_KV VALUES ('a', 'b'); END; INSERT INTO t VALUES (1, 2)",
        "ALTER TABLE t RENAME TO _cf_t",
        "ALTER TABLE _cf_KV ADD COLUMN x",
        "CREATE VIRTUAL TABLE _cf_f USING fts5 (x)",
        "CREATE VIRTUAL TABLE d USING dbstat",
        "CREATE VIRTUAL TABLE d USING fts3 (x)",
        "CREATE TEMP TABLE tt (x)",
        "CREATE TEMP VIEW tv AS SELECT 1",
        "ATTACH 'x.db' AS x",
        "DETACH main",
        "VACUUM",
        "VACUUM INTO 'copy.db'",
        "PRAGMA user_version",
        "PRAGMA user_version = 3",
        "PRAGMA writable_schema = on",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA synchronous = OFF",
        "PRAGMA page_size = 512",
        "PRAGMA data_version = 1",
        "PRAGMA foreign_keys = maybe",
        "PRAGMA table_info(_cf_KV)",
        "PRAGMA table_info",
        "PRAGMA optimize('x')",
        "PRAGMA max_page_count = 1000000000",
        "SELECT load_extension('x')",
        "SELECT sqlite_version()",
        "SELECT readfile('/etc/passwd')",
        "SELECT * FROM pragma_user_version",
        "SELECT * FROM dbstat",
        "SELECT sql FROM sqlite_stmt",
        "UPDATE sqlite_schema SET sql = ''",
    ],
)
def test_what_is_not_allowed_is_refused(file: ObjectFile, query: str) -> None:
    with pytest.raises(
        StorageError,
        match=r"not authorized|prohibited|no such (function|table|module)|may not be modified|cannot VACUUM",
    ):
        sql.run(file, query).rest()
    assert sql.run(file, "SELECT count(*) FROM sqlite_schema WHERE name LIKE '~_cf~_%' ESCAPE '~'").rest()[0][0] == 3


@pytest.mark.parametrize(
    ("query", "bindings", "text"),
    [
        (f"SELECT {'(' * 120}1{')' * 120}", (), "Expression tree is too large|parser stack overflow"),
        (f"SELECT {', '.join(['1'] * 101)}", (), "too many columns in result set"),
        (" UNION ALL ".join(["SELECT 1"] * 6), (), "too many terms in compound SELECT"),
        (f"SELECT {', '.join(['?'] * 101)}", tuple(range(101)), "too many (SQL variables|columns)"),
        ("SELECT 'x' LIKE ?", ("a" * 51,), "LIKE or GLOB pattern too complex"),
        ("SELECT length(?)", ("a" * (4 * 1024 * 1024 + 1),), "too big|TOOBIG"),
        ("SELECT zeroblob(5000000)", (), "string or blob too big: SQLITE_TOOBIG"),
        ("SELECT 1 -- " + "x" * 100_000, (), "statement too long: SQLITE_TOOBIG"),
    ],
)
def test_limits_are_sqlites_for_sql_of_others(
    file: ObjectFile, query: str, bindings: tuple[sql.Binding, ...], text: str
) -> None:
    with pytest.raises(StorageError, match=text):
        sql.run(file, query, bindings).rest()


def test_a_reader_that_turns_out_to_write_is_refused(file: ObjectFile) -> None:
    with pytest.raises(StorageError, match="not authorized"):
        file.run_regulated("DELETE FROM t", (), may_write=False)


def test_virtual_tables_are_read_after_the_file_was_opened_anew(tmp_path: Path) -> None:
    rows: list[sql.Row] = []
    for query in (
        "CREATE VIRTUAL TABLE f USING fts5 (text); INSERT INTO f VALUES ('a b')",
        "SELECT count(*) FROM f WHERE f MATCH 'a'",
    ):
        file = ObjectFile.open(tmp_path / "x.sqlite")
        rows = sql.run(file, query).rest()
        file.commit()
        file.close()
    assert rows == [(1,)]


def test_statements_of_ours_are_not_found_by_the_text_of_a_users(tmp_path: Path) -> None:
    file = ObjectFile.open(tmp_path / "x.sqlite")
    ours = " SELECT value FROM _cf_METADATA WHERE key = 'version'"
    assert file.read(ours).fetchone() == (1,)
    for text in (ours, ours.strip()):
        with pytest.raises(StorageError, match="prohibited"):
            sql.run(file, text)
    file.close()


@pytest.mark.parametrize(
    ("name", "is_own"), [("_cf_", True), ("_CF_x", True), ("_cf", False), ("x_cf_", False), ("", False)]
)
def test_names_of_ours_are_told_in_any_case(name: str, is_own: bool) -> None:
    assert is_own_name(name) is is_own
