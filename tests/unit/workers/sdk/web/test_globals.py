"""JavaScript's own objects on plain Python values."""

import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.workers.runtime.sockets import WebSocketPair
from holdfast.workers.sdk.errors import DOMException, JsSyntaxError, JsTypeError
from holdfast.workers.sdk.web.dates import Date
from holdfast.workers.sdk.web.globals import JSON, Array, Map, Math, Number, Object, Set, structuredClone

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(PLAIN)
def test_json_that_is_written_is_read_the_same(value: Any) -> None:
    assert JSON.parse(JSON.stringify(value)) == value


def test_json_is_written_as_javascript_writes_it() -> None:
    value = {"a": [1.0, float("nan"), (True, None)], "d": Date.new(0), "p": datetime(2026, 1, 1, tzinfo=UTC), 5: "ü"}
    assert JSON.stringify(value) == (
        '{"a":[1,null,[true,null]],"d":"1970-01-01T00:00:00.000Z","p":"2026-01-01T00:00:00+00:00","5":"ü"}'
    )
    assert JSON.stringify([1], None, 2) == "[\n  1\n]"
    assert JSON.parse('{"a": {"b": 1}}').a.b == 1


def test_what_has_no_json_is_refused() -> None:
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(JsTypeError, match="circular"):
        JSON.stringify(circle)
    with pytest.raises(JsTypeError, match="a object has no JSON"):
        JSON.stringify(object())
    for text in ("{", "NaN", "", "[" * 100_000):
        with pytest.raises(JsSyntaxError):
            JSON.parse(text)


def test_objects_are_taken_apart_and_put_together() -> None:
    assert (Object.keys({"a": 1}), Object.values({"a": 1}), Object.entries({"a": 1})) == (["a"], [1], [("a", 1)])
    assert (Object.keys(["x"]), Object.values(["x"])) == (["0"], ["x"])
    pair = WebSocketPair.new()
    assert Object.values(pair) == [pair[0], pair[1]]
    assert Object.fromEntries([("a", 1), ["b", 2]]) == Object.fromEntries({"a": 1, "b": 2}) == {"a": 1, "b": 2}
    assert Object.fromEntries([("a", 1)]).a == 1
    assert Object.assign({"a": 1}, {"b": 2}) == {"a": 1, "b": 2}
    assert (Object.new(), Object.hasOwn({"a": 1}, "a"), Object.freeze("x")) == ({}, True, "x")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [(1, 1, True), ("a", "a", True), (1, 1.0, False), (1, True, False), ([], [], False), (None, None, True)],
)
def test_object_is_says_whether_two_are_one(one: object, other: object, same: bool) -> None:
    assert Object.is_(one, other) is same
    assert getattr(Object, "is")(one, other) is same


def test_arrays_and_maps() -> None:
    assert (Array.new(1, 2), Array.new(2), Array.of(3), Array.from_("ab", str.upper)) == (
        [1, 2],
        [None, None],
        [3],
        ["A", "B"],
    )
    assert (Array.isArray([]), Array.isArray("x"), getattr(Array, "from")([1])) == (True, False, [1])
    mapping = Map.new([("a", 1)]).set("b", 2)
    assert (mapping.size, mapping.has("b"), mapping.delete("a"), mapping.delete("a"), mapping.entries()) == (
        2,
        True,
        True,
        False,
        [("b", 2)],
    )


def test_numbers_are_rounded_as_javascript_rounds() -> None:
    assert [Math.round(value) for value in (0.5, 1.5, 2.5, -0.5, -1.5)] == [1, 2, 3, 0, -1]
    assert (Math.floor(1.9), Math.max(1, 2), Math.sign(-3), Math.sign(0)) == (1, 2, -1, 0)
    assert 0 <= Math.random() < 1


def test_a_structured_clone_is_a_deep_copy() -> None:
    value = {"a": [1]}
    copy = structuredClone(value)
    copy["a"].append(2)
    assert value == {"a": [1]}
    with pytest.raises(DOMException) as caught:
        structuredClone(_ for _ in [1])
    assert caught.value.name == "DataCloneError"


def test_a_set_is_pythons_with_javascripts_names() -> None:
    one = Set.new([1, 2, 2])
    assert (one.size, one.has(2), one.delete(2), one.delete(2), one.values()) == (2, True, True, False, [1])
    assert one == {1}


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("1234", 1234),
        ("1.5", 1.5),
        (" 7 ", 7),
        ("", 0),
        ("0x10", 16),
        (True, 1),
        (None, 0),
        (2.5, 2.5),
        ("1e3", 1000),
        ("-.5", -0.5),
        ("0o17", 15),
        ("-Infinity", -math.inf),
        ("9" * 5000, math.inf),
    ],
)
def test_what_is_written_as_a_number_is_one(value: object, number: float) -> None:
    assert Number.new(value) == Number(value) == number


@pytest.mark.parametrize("value", ["seven", "1_000", [1, 2], {}, "1 2", "inf", "nan", "-0x1f", "٣"])
def test_what_is_written_otherwise_is_none(value: object) -> None:
    assert Number.isNaN(Number(value))


def test_numbers_are_told_apart() -> None:
    kinds = [(Number.isInteger(one), Number.isFinite(one)) for one in (1, 1.0, 1.5, float("inf"), True, "1")]
    assert kinds == [(True, True), (True, True), (False, True), (False, False), (False, False), (False, False)]
