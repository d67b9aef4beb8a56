"""SQL as workerd answers it: its answers to `workerd_sql.json`, one statement after the other on one database, and ours.

Recorded from npm's workerd 1.20261117.1 (compatibility date 2026-11-01), which tells errors with the place in the text; Python does not.

Law: where ours is another answer, the difference stands here with its reason; a difference that is gone is a complaint too.
"""

import json
import re
from pathlib import Path
from typing import Any

from holdfast.store.objects.file import ObjectFile
from holdfast.workers.durable.storage_sql import SqlStorage
from holdfast.workers.sdk.errors import JsException
from tests.unit.workers.durable.storage_host import Host

CASES: list[dict[str, Any]] = json.loads(Path(__file__).with_name("workerd_sql.json").read_text(encoding="utf-8"))
PLACE = re.compile(r" at offset \d+")

OURS_ARE_THERE = "our tables are there from the start, and refused; workerd's come with the first key"
MORE_FUNCTIONS = "a function of SQLite's that workerd leaves out"
NOT_SO_LARGE = "SQLite refuses it when it is made, newer ones when it is used"
INTEGERS = "an int stays one, and has 64 bits"
DIFFERENCES = {
    "select * from _cf_KV": OURS_ARE_THERE,
    "select * from _CF_kv": OURS_ARE_THERE,
    "drop table _cf_KV": OURS_ARE_THERE,
    "create index i on _cf_KV (key)": OURS_ARE_THERE,
    "insert into _cf_KV values ('a','b')": OURS_ARE_THERE,
    "insert into t (v) values ('trig')": OURS_ARE_THERE,
    "select sqrt(4), ceil(1.5), log10(100), power(2,3), ceiling(1.2)": MORE_FUNCTIONS,
    "select soundex('a')": MORE_FUNCTIONS,
    "select load_extension('x')": "the function is named",
    "select timediff('2020-01-01','2020-01-02')": "a function of newer SQLite",
    "select zeroblob(5000000)": NOT_SO_LARGE,
    "select * from dbstat limit 1": "it is refused, not missing",
    "select count(*) from sqlite_stmt": "it is refused, not missing",
    "select 9007199254740993": INTEGERS,
    "select typeof(?) [1]": INTEGERS,
    "select ? [true]": "a bool is 1 or 0",
    "select 1e999": "infinity is a float, JSON has none",
    "select 1;;;select 2;; ": "empty statements are passed over",
}
# There or not with the version of this machine's SQLite, and how it was built.
OF_THE_LIBRARY = {"select timediff('2020-01-01','2020-01-02')", "select soundex('a')", "select zeroblob(5000000)"}


def key_of(case: dict[str, Any]) -> str:
    return f"{case['query']} {json.dumps(case['bindings'])}" if "bindings" in case else str(case["query"])


def answer_of(sql: SqlStorage, case: dict[str, Any]) -> dict[str, Any]:
    """What we answer, in the words of the file."""
    asked: dict[str, Any] = {name: case[name] for name in ("query", "bindings") if name in case}
    try:
        cursor = sql.exec(case["query"], *case.get("bindings", ()))
        rows = [[{} if isinstance(value, bytes) else value for value in row] for row in cursor.raw()]
    except JsException as error:
        return {**asked, "error": f"{error.name}: {error.message}"}
    return {**asked, "columns": cursor.columnNames, "rows": rows}


def test_answers_are_workerds_or_differ_for_a_reason(tmp_path: Path) -> None:
    file = ObjectFile.open(tmp_path / "x.sqlite")
    sql = SqlStorage(file, Host(file))
    differing = {}
    for case in CASES:
        wanted = {**case, "error": PLACE.sub("", case["error"])} if "error" in case else case
        if (found := answer_of(sql, case)) != wanted:
            differing[key_of(case)] = (wanted, found)
    file.close()
    unexplained = {key: both for key, both in differing.items() if key not in DIFFERENCES}
    assert unexplained == {}
    assert DIFFERENCES.keys() - differing.keys() - OF_THE_LIBRARY == set()


def test_every_difference_is_of_a_case_that_is_there() -> None:
    assert DIFFERENCES.keys() <= {key_of(case) for case in CASES}
    assert len(CASES) > 120
    assert len({key_of(case) for case in CASES}) > 115
