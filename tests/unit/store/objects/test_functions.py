"""SQL functions of newer SQLite, in whatever this machine has."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.store.objects import functions


@pytest.fixture(scope="module")
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as opened:
        functions.install(opened)
        yield opened


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("unhex('0Aff')", b"\x0a\xff"),
        ("unhex('')", b""),
        ("unhex('0')", None),
        ("unhex('0x')", None),
        ("unhex(NULL)", None),
        ("unhex('0a-ff', '-')", b"\x0a\xff"),
        ("unhex('0-a', '-')", None),
        ("unhex('0a', NULL)", None),
        ("octet_length('é')", 2),
        ("octet_length(x'0000')", 2),
        ("octet_length(12)", 2),
        ("octet_length(1.0)", 3),
        ("octet_length(NULL)", None),
        ("concat('a', NULL, 1, 2.0, 1e300, x'62')", "a12.01.0e+300b"),
        ("concat(NULL)", ""),
        ("concat(-1e999)", "-Inf"),
        ("concat_ws('-', 'a', NULL, 'b')", "a-b"),
        ("concat_ws(NULL, 'a')", None),
        ("concat_ws('-', NULL)", ""),
        ("(SELECT string_agg(column1, ';') FROM (VALUES ('a'), (NULL), (2), ('')))", "a;2;"),
        ("(SELECT string_agg(column1, ';') FROM (VALUES (NULL)))", None),
    ],
)
def test_a_function_gives_what_its_documentation_says(
    connection: sqlite3.Connection, expression: str, found: object
) -> None:
    assert connection.execute(f"SELECT {expression}").fetchone() == (found,)


@given(
    st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(2**63), 2**63 - 1)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0"))
)
def test_a_values_text_is_sqlites(value: str | float) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        (text,) = connection.execute("SELECT CAST(? AS TEXT)", (value,)).fetchone()
    if isinstance(value, float):
        # SQLite rounds to its 15 digits in its own way.
        assert float(functions.text_of(value)) == pytest.approx(float(text), rel=1e-14)
    else:
        assert functions.text_of(value) == text


@given(st.binary())
def test_unhex_undoes_hex(data: bytes) -> None:
    assert functions.unhex(data.hex()) == data


def test_none_takes_the_place_of_one_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 99))
    with closing(sqlite3.connect(":memory:")) as connection:
        functions.install(connection)
        names = {name for (name,) in connection.execute("SELECT name FROM pragma_function_list WHERE builtin = 0")}
    assert not names & {"unhex", "concat", "concat_ws", "octet_length", "string_agg"}
