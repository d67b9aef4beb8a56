"""Plain values that answer to JavaScript's names: equal to the plain ones, copied with their cycles."""

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.workers.sdk.buffers import ArrayBuffer, Uint8Array
from holdfast.workers.sdk.values import JsDict, JsList, as_js, options_of

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(PLAIN)
def test_a_value_is_equal_to_what_it_was_made_of(value: Any) -> None:
    assert as_js(value) == value


def test_containers_are_copied_and_what_they_share_is_shared_again() -> None:
    inner: dict[str, Any] = {"x": (1, b"b")}
    outer: list[Any] = [inner, inner]
    outer.append(outer)
    copy = as_js(outer)
    assert copy[0] is copy[1] is not inner
    assert copy[2] is copy
    assert isinstance(copy[0].x[1], ArrayBuffer)
    assert as_js(inner).to_py() == {"x": [1, b"b"]}
    other = object()
    assert as_js(other) is other


def test_bytes_of_every_kind_have_javascripts_names() -> None:
    frozen, mutable, viewed = as_js([b"a", bytearray(b"b"), memoryview(b"c")])
    assert [type(one) for one in (frozen, mutable, viewed)] == [ArrayBuffer, Uint8Array, ArrayBuffer]
    assert [one.to_bytes() for one in (frozen, mutable, viewed)] == [b"a", b"b", b"c"]


def test_a_dictionary_has_its_keys_as_attributes() -> None:
    value = JsDict(a=1)
    value.b = 2
    assert (value["b"], value.a, value.object_keys(), value.object_values()) == (2, 1, ["a", "b"], [1, 2])
    assert (value.object_entries(), value.as_object_map() is value, value.as_py_json() is value) == (
        [("a", 1), ("b", 2)],
        True,
        True,
    )
    del value.b
    for attempt in (lambda: value.b, lambda: delattr(value, "b")):
        with pytest.raises(AttributeError, match="b"):
            attempt()


def test_a_list_has_what_is_called_most() -> None:
    items: JsList[int] = JsList([1, 2])
    seen: list[int] = []
    items.forEach(seen.append)
    assert (items.push(3), items.length, items.includes(2), items.indexOf(9), items.at(-1), items.at(9)) == (
        3,
        3,
        True,
        -1,
        3,
        None,
    )
    assert (items.join("-"), items.to_py(), items.object_values(), seen) == ("1-2-3", [1, 2, 3], [1, 2, 3], [1, 2])


@pytest.mark.parametrize("init", [{"status": 404}, [("status", 404)], SimpleNamespace(status=404), JsDict(status=404)])
def test_options_come_in_every_shape_and_keywords_win(init: object) -> None:
    assert options_of(init, {}) == {"status": 404}
    assert options_of(init, {"status": 500, "x": 1}) == {"status": 500, "x": 1}
    assert options_of(None, {"x": 1}) == {"x": 1}
