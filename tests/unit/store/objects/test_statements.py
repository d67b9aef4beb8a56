"""SQL taken apart."""

import sqlite3
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.store.objects.statements import Kind, split

READER, WRITER, TRANSACTION = Kind.READER, Kind.WRITER, Kind.TRANSACTION
TRIGGER = "CREATE TRIGGER t AFTER INSERT ON x BEGIN DELETE FROM y; UPDATE y SET a = 1; END"


@pytest.mark.parametrize(
    ("query", "texts"),
    [
        ("", []),
        (" ; ;-- x\n;/* y */", []),
        ("SELECT 1", ["SELECT 1"]),
        ("SELECT 1;", ["SELECT 1"]),
        ("SELECT 1; SELECT 2 ; ", ["SELECT 1", "SELECT 2"]),
        (
            "SELECT ';', \";\", `;`, [;] -- ;\n /* ; */; SELECT 2",
            ["SELECT ';', \";\", `;`, [;] -- ;\n /* ; */", "SELECT 2"],
        ),
        ("SELECT 'it''s;'; SELECT 2", ["SELECT 'it''s;'", "SELECT 2"]),
        (f"{TRIGGER}; SELECT 1", [TRIGGER, "SELECT 1"]),
        (f"EXPLAIN {TRIGGER}; SELECT 1", [f"EXPLAIN {TRIGGER}", "SELECT 1"]),
        (f"EXPLAIN QUERY PLAN {TRIGGER};SELECT 1", [f"EXPLAIN QUERY PLAN {TRIGGER}", "SELECT 1"]),
        (
            "create temp trigger t after insert on x begin select 1; end; select 2",
            ["create temp trigger t after insert on x begin select 1; end", "select 2"],
        ),
        ("CREATE TABLE trigger_end (x); SELECT 1", ["CREATE TABLE trigger_end (x)", "SELECT 1"]),
        ("SELECT 'open; SELECT 2", ["SELECT 'open; SELECT 2"]),
        ("SELECT 1 /* open; SELECT 2", ["SELECT 1 /* open; SELECT 2"]),
    ],
)
def test_statements_end_where_sqlite_ends_them(query: str, texts: list[str]) -> None:
    assert [statement.text for statement in split(query)] == texts


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ("select 1", READER),
        ("VALUES (1)", READER),
        ("EXPLAIN DELETE FROM x", Kind.EXPLANATION),
        ("PRAGMA table_list", READER),
        ("PRAGMA foreign_keys = ON", READER),
        ("PRAGMA optimize", WRITER),
        ("PRAGMA main.Optimize(2)", WRITER),
        ("WITH a AS (SELECT 1) SELECT * FROM a", READER),
        ("WITH a AS (SELECT 1) INSERT INTO x SELECT * FROM a", WRITER),
        ("/* SELECT */ INSERT INTO x VALUES (1)", WRITER),
        ("REPLACE INTO x VALUES (1)", WRITER),
        ("CREATE TABLE x (y)", WRITER),
        ("VACUUM", WRITER),
        ("nonsense", WRITER),
        ("(SELECT 1)", WRITER),
        ("begin", TRANSACTION),
        ("COMMIT", TRANSACTION),
        ("END TRANSACTION", TRANSACTION),
        ("-- x\nSAVEPOINT a", TRANSACTION),
        ("RELEASE a", TRANSACTION),
        ("ROLLBACK TO a", TRANSACTION),
    ],
)
def test_a_statement_is_told_by_its_words(query: str, kind: Kind) -> None:
    assert [statement.kind for statement in split(query)] == [kind]


@pytest.mark.parametrize(
    ("query", "names_own"),
    [
        ("ALTER TABLE x RENAME TO _cf_KV2", True),
        ('alter table x rename to "_CF_x"', True),
        ("ALTER TABLE x RENAME TO '_cf_x'", True),
        ("ALTER TABLE x RENAME TO [_cf_x]", True),
        ("ALTER TABLE x RENAME TO y", False),
        ("SELECT '_cf_x'", False),
    ],
)
def test_a_new_name_of_ours_is_seen(query: str, names_own: bool) -> None:
    assert split(query)[0].names_own is names_own


@given(st.text(st.sampled_from("SELECT'\"`[];-/*\n BEGINDTRc"), max_size=60))
def test_no_text_is_lost_and_complete_statements_are_sqlites(query: str) -> None:
    texts = [statement.text for statement in split(query)]
    rest = query
    for text in texts:
        assert text == text.strip()
        assert text in rest
        rest = rest[rest.index(text) + len(text) :]
    if texts and len(texts) == 1 and query.rstrip().endswith(";") and sqlite3.complete_statement(query):
        assert query.strip().startswith(texts[0]) or texts[0] in query


@pytest.mark.parametrize("part", ["'';", "';", ";", "/*", "--", "CREATE TRIGGER x;", '""', "[", "a", "''"])
def test_time_is_linear_in_the_text(part: str) -> None:
    started = time.process_time()
    split(part * (100_000 // len(part)))
    assert time.process_time() - started < 2
