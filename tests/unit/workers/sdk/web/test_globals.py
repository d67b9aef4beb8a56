"""JavaScript's own objects on plain Python values."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.workers.runtime.sockets import WebSocketPair
from holdfast.workers.sdk.errors import DOMException, JsSyntaxError, JsTypeError
from holdfast.workers.sdk.web import globals as web_globals
from holdfast.workers.sdk.web.dates import Date
from holdfast.workers.sdk.web.globals import JSON, Array, Map, Object, Set, structuredClone

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(PLAIN)
def test_json_that_is_written_is_read_the_same(value: Any) -> None:
    assert JSON.parse(JSON.stringify(value)) == value


@given(PLAIN)
def test_json_that_is_written_fast_is_the_same(value: Any) -> None:
    looked_at = json.dumps(web_globals._json_value(value, 0), ensure_ascii=False, separators=(",", ":"))
    assert JSON.stringify(value) == looked_at


@pytest.mark.parametrize("value", [1.0, -0.0, 1e16, [1e21], {2.0: 1}, "1.0", "1e+5", [0.05, 1.05, 10.0], {"a.0": 2.5}])
def test_numbers_are_written_as_javascript_writes_them(value: Any) -> None:
    looked_at = json.dumps(web_globals._json_value(value, 0), ensure_ascii=False, separators=(",", ":"))
    assert JSON.stringify(value) == looked_at


def test_json_is_written_as_javascript_writes_it() -> None:
    value = {"a": [1.0, float("nan"), (True, None)], "d": Date.new(0), "p": datetime(2026, 1, 1, tzinfo=UTC), 5: "ü"}
    assert JSON.stringify(value) == (
        '{"a":[1,null,[true,null]],"d":"1970-01-01T00:00:00.000Z","p":"2026-01-01T00:00:00+00:00","5":"ü"}'
    )
    assert JSON.stringify({True: 1, None: 2, 3.0: 3, "a": 4}) == '{"true":1,"null":2,"3":3,"a":4}'
    assert JSON.stringify([1], None, 2) == "[\n  1\n]"
    assert JSON.parse('{"a": {"b": 1}}').a.b == 1


def test_json_is_well_formed_whatever_halves_of_characters_a_text_has() -> None:
    pair = "\ud83d" + "\ude00"
    assert JSON.stringify({"\ud800": f"a\udfff{pair}\ud83dé"}) == '{"\\ud800":"a\\udfff\U0001f600\\ud83dé"}'


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


def test_maps_and_sets_are_gone_through_as_javascript_goes() -> None:
    seen: list[Any] = []
    Map.new([("a", 1)]).forEach(lambda value, key, whole: seen.append((value, key, whole.size)))
    Set.new([5]).forEach(seen.append)
    assert seen == [(1, "a", 1), 5]
    assert (Set.new([5]).entries(), Set.new([5]).keys()) == ([(5, 5)], [5])
    assert (Map.new([("a", 1)]).to_py(), Map.new([("a", 1)]).as_object_map(), Set.new([5]).to_py()) == (
        {"a": 1},
        {"a": 1},
        {5},
    )


def test_objects_are_made_and_grouped() -> None:
    assert (Object.create(None), Object.seal("x"), Object.getOwnPropertyNames({"a": 1})) == ({}, "x", ["a"])
    assert Object.groupBy([1, 2, 3], lambda item: "odd" if item % 2 else "even") == {"odd": [1, 3], "even": [2]}
