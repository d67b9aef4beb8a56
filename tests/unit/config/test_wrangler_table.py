"""Values of a configuration's table: of the type that was asked for, or refused by name."""

from collections.abc import Callable
from typing import Any

import pytest

from holdfast.config.wrangler_table import Table
from holdfast.errors import UsageError

VALUES = {
    "text": "a",
    "flag": True,
    "number": 5,
    "texts": ["a", "b"],
    "table": {"inner": 1},
    "tables": [{"one": "x"}, {"two": "y"}],
}


def table(values: dict[str, Any] | None = None) -> Table:
    return Table(VALUES if values is None else values, "wrangler.toml")


def test_each_type_is_taken_as_it_is() -> None:
    one = table()
    assert one.text("text") == "a"
    assert one.flag("flag") is True
    assert one.number("number", 1, least=0, most=9) == 5
    assert one.texts("texts") == ("a", "b")
    assert one.table("table").number("inner", 0, least=0, most=9) == 1
    assert [t.text("one") + t.text("two") for t in one.tables("tables")] == ["x", "y"]
    assert one.warnings() == []


def test_what_is_not_there_is_the_default() -> None:
    one = table({})
    assert (one.text("a", "b"), one.flag("a", default=True), one.texts("a", ("c",))) == ("b", True, ("c",))
    assert one.number("a", 7, least=0, most=9) == 7
    assert one.tables("a") == []
    assert list(one.table("a").items()) == []


@pytest.mark.parametrize(
    ("values", "take", "sentence"),
    [
        ({"a": 1}, lambda t: t.text("a"), "wrangler.toml: a: expected a text in quotes, got '1'"),
        ({"a": "yes"}, lambda t: t.flag("a"), "wrangler.toml: a: expected true or false, got 'yes'"),
        ({"a": True}, lambda t: t.number("a", 1, least=1, most=9), "a: expected a number from 1 to 9, got 'True'"),
        ({"a": 10}, lambda t: t.number("a", 1, least=1, most=9), "a: expected a number from 1 to 9, got '10'"),
        ({"a": "x"}, lambda t: t.texts("a"), "a: expected a list of texts in quotes, got 'x'"),
        ({"a": ["x", 1]}, lambda t: t.texts("a"), "a: expected a list of texts in quotes"),
        ({"a": []}, lambda t: t.table("a"), "a: expected a table"),
        ({"a": {"b": 1}}, lambda t: t.table("a").text("b"), "wrangler.toml: a.b: expected a text in quotes, got '1'"),
        ({"a": {}}, lambda t: t.tables("a"), "a: expected a list of tables"),
        ({"a": [{"b": 1}]}, lambda t: t.tables("a")[0].text("b"), "a[0].b: expected a text in quotes, got '1'"),
        ({}, lambda t: t.needed_text("a", "a name"), "a: expected a name, got nothing"),
        ({"a": "x" * 500}, lambda t: t.flag("a"), "…"),
    ],
)
def test_another_type_is_refused_with_key_value_and_what_was_expected(
    values: dict[str, Any], take: Callable[[Table], object], sentence: str
) -> None:
    with pytest.raises(UsageError) as caught:
        take(table(values))
    assert sentence in str(caught.value)
    assert len(str(caught.value)) < 400


def test_what_nobody_took_is_told_with_its_whole_key() -> None:
    one = table({"a": 1, "b": {"c": 2, "d": 3}, "e": [{"f": 4}]})
    one.table("b").raw("c")
    one.tables("e")
    assert one.warnings() == [
        "wrangler.toml: a: not known here, and passed over",
        "wrangler.toml: b.d: not known here, and passed over",
        "wrangler.toml: e[0].f: not known here, and passed over",
    ]
