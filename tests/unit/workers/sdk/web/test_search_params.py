"""URLSearchParams: pairs in order, written and read the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.workers.sdk.web.search_params import MAX_PAIRS, URLSearchParams, pairs_of_query

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)


@given(st.lists(st.tuples(TEXTS, TEXTS)))
def test_parameters_that_are_written_are_read_the_same(pairs: list[tuple[str, str]]) -> None:
    assert list(URLSearchParams.new(str(URLSearchParams(pairs)))) == pairs or any(not a and not b for a, b in pairs)


def test_parameters_have_what_the_platform_has() -> None:
    params = URLSearchParams.new("?a=1&b=2&a=3+4&c")
    assert (params.get("a"), params.getAll("a"), params.get("x"), params.has("c")) == ("1", ["1", "3 4"], None, True)
    assert (params.has("a", "3 4"), params.has("a", "9"), params.size) == (True, False, 4)
    params.set("a", "9")
    params.append("d", "ü&=")
    params.delete("b")
    assert params.toString() == "a=9&c=&d=%C3%BC%26%3D"
    params.append("a", "8")
    params.delete("a", "9")
    params.sort()
    assert params.entries() == list(params) == [("a", "8"), ("c", ""), ("d", "ü&=")]
    assert (params.keys(), params.values(), len(params), bool(URLSearchParams())) == (
        ["a", "c", "d"],
        ["8", "", "ü&="],
        3,
        True,
    )
    assert ("a" in params, "z" in params) == (True, False)
    assert (params["a"], dict(params)) == ("8", {"a": "8", "c": "", "d": "ü&="})
    with pytest.raises(KeyError, match="z"):
        params["z"]
    assert URLSearchParams({"x": "1"}).toString() == "x=1"
    assert URLSearchParams(URLSearchParams("x=1")).toString() == "x=1"
    assert repr(params) == "URLSearchParams('a=8&c=&d=%C3%BC%26%3D')"


def test_a_query_of_very_many_pairs_is_cut() -> None:
    assert len(pairs_of_query("&".join("a=1" for _ in range(MAX_PAIRS + 5)))) == MAX_PAIRS
