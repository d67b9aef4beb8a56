"""The parsers of settings: each says what it expected, and where."""

from typing import Any

import msgspec
import pytest

from holdfast.model.setting_value import (
    ListOf,
    ObjectOf,
    OneOf,
    Parse,
    SettingError,
    WholeNumber,
    api_value,
    check_members,
)

WORDS = OneOf(("on", "off"), {"zrt": "not here"})
SECONDS = WholeNumber("seconds", 0, 60)
LIST = ListOf(WORDS, 2, "words", '["on"]')
OBJECT = ObjectOf({"a": (SECONDS, 5), "b": (WORDS, "off")}, '{"a": 1}')


@pytest.mark.parametrize(
    ("parse", "value", "expected"),
    [
        (WORDS, "on", "on"),
        (SECONDS, 0, 0),
        (SECONDS, 60.0, 60),
        (LIST, [], []),
        (LIST, ["on", "on"], ["on"]),
        (LIST, ["on", "off"], ["on", "off"]),
        (OBJECT, {"a": 1}, {"a": 1, "b": "off"}),
        (OBJECT, {"b": "on"}, {"a": 5, "b": "on"}),
        (OBJECT, {}, {"a": 5, "b": "off"}),
    ],
)
def test_a_good_value_is_taken_and_what_is_missing_filled_in(parse: Parse, value: Any, expected: Any) -> None:
    assert parse(value) == expected
    assert parse(expected) == expected


@pytest.mark.parametrize(
    ("parse", "value", "said"),
    [
        (WORDS, "maybe", "expected 'on' or 'off', got 'maybe'"),
        (WORDS, ["on"], "expected 'on' or 'off', got ['on']"),
        (WORDS, "zrt", "not here"),
        (SECONDS, 61, "expected a number of seconds from 0 to 60, got 61"),
        (SECONDS, True, "expected a number of seconds from 0 to 60, got True"),
        (SECONDS, float("nan"), "expected a number of seconds from 0 to 60, got nan"),
        (SECONDS, "5", "expected a number of seconds from 0 to 60, got '5'"),
        (SECONDS, 0.5, "expected whole seconds, got 0.5"),
        (LIST, "on", "expected a list of words such as [\"on\"], got 'on'"),
        (LIST, ["on", "on", "on"], "expected at most 2 words, got 3"),
        (LIST, ["on", "x"], "1: expected 'on' or 'off', got 'x'"),
        (OBJECT, None, 'expected an object such as {"a": 1}, got None'),
        (OBJECT, [], 'expected an object such as {"a": 1}, got []'),
        (OBJECT, {"c": 1}, "no such member: 'c'; expected a, b"),
        (OBJECT, {"a": -1}, "a: expected a number of seconds from 0 to 60, got -1"),
        (WORDS, "x" * 500, f"expected 'on' or 'off', got '{'x' * 79}…"),
    ],
)
def test_a_bad_value_is_named_with_its_place_and_what_was_expected(parse: Parse, value: Any, said: str) -> None:
    with pytest.raises(SettingError) as error:
        parse(value)
    assert str(error.value) == said


def test_members_that_nobody_knows_are_refused() -> None:
    check_members({"a": 1}, ("a", "b"))
    with pytest.raises(SettingError, match=r"no such member: 'x'; expected a, b"):
        check_members({"a": 1, "x": 1}, ("a", "b"))


class _Inner(msgspec.Struct, frozen=True, omit_defaults=True):
    number: int = 0


class _Outer(msgspec.Struct, frozen=True, omit_defaults=True):
    inner: _Inner = _Inner()
    words: tuple[str, ...] = ()


def test_a_value_of_the_edge_is_one_of_the_api_with_all_its_members() -> None:
    assert api_value(_Outer()) == {"inner": {"number": 0}, "words": []}
    assert api_value(_Outer(_Inner(3), ("a",))) == {"inner": {"number": 3}, "words": ["a"]}
    assert api_value((_Inner(1),)) == [{"number": 1}]
    assert api_value("on") == "on"
