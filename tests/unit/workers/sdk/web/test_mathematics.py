"""`js.Math`. What is expected is what workerd says of the same."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.workers.sdk.web.mathematics import Math
from holdfast.workers.sdk.web.numbers import Number

NAN, INF = math.nan, math.inf
FUNCTIONS = [name for name in dir(Math) if callable(getattr(Math, name)) and not name.startswith("_")]


@pytest.mark.parametrize(
    ("name", "given_", "expected"),
    [
        ("round", [(0.5,), (1.5,), (2.5,), (-0.5,), (-1.5,), (0.49999999999999994,), (NAN,), (INF,)], [1, 2, 3, 0, -1, 0, NAN, INF]),
        ("floor", [(1.9,), (-1.1,), ("2.5",), (-INF,), (None,)], [1, -2, 2, -INF, 0]),
        ("max", [(), (1, 2), (1, NAN), ("5", 2), (True, 0)], [-INF, 2, NAN, 5, 1]),
        ("min", [(), (1, 2), ("x", 2)], [INF, 1, NAN]),
        ("sqrt", [(9,), (-1,), (INF,)], [3, NAN, INF]),
        ("log", [(1,), (0,), (-1,), (INF,)], [0, -INF, NAN, INF]),
        ("log1p", [(0,), (-1,), (-2,)], [0, -INF, NAN]),
        ("pow", [(2, 10), (2, 0.5), (-8, 1 / 3), (0, -1), (-0.0, -1), (10, 400), (-10, 401), (NAN, 0), (1, INF), (2, -1)],
         [1024, 2**0.5, NAN, INF, -INF, INF, -INF, 1, NAN, 0.5]),
        ("sign", [(-3,), (0,), (2.5,), (NAN,)], [-1, 0, 1, NAN]),
        ("hypot", [(3, 4), (), (INF, NAN)], [5, 0, INF]),
        ("exp", [(0,), (1000,)], [1, INF]),
        ("sinh", [(1000,), (-1000,)], [INF, -INF]),
        ("acos", [(2,)], [NAN]),
        ("sin", [(INF,)], [NAN]),
        ("atanh", [(1,), (-1,), (2,)], [INF, -INF, NAN]),
        ("abs", [("-3",), (-2.5,)], [3, 2.5]),
        ("fround", [(1.1,), (1e300,)], [1.100000023841858, INF]),
        ("imul", [(0xFFFFFFFF, 5), (3, 4)], [-5, 12]),
        ("clz32", [(1,), (0,), (-1,), (NAN,)], [31, 32, 0, 32]),
    ],
)  # fmt: skip
def test_it_counts_as_javascript_does(name: str, given_: list[tuple[Any, ...]], expected: list[float]) -> None:
    found = [getattr(Math, name)(*arguments) for arguments in given_]
    assert list(map(repr, map(float, found))) == list(map(repr, map(float, expected)))


def test_what_is_whole_is_an_index() -> None:
    whole = (Math.floor(1.9), Math.ceil(1.1), Math.round(1.5), Math.trunc(-1.5), Math.sign(-2.5), Math.pow(2, 3))
    assert ["abc"[number] for number in (Math.floor(0.5), Math.round(1.4))] == ["a", "b"]  # type: ignore[index]  # ints
    assert {type(number) for number in whole} == {int}
    assert 0 <= Math.random() < 1


@given(
    st.sampled_from(FUNCTIONS),
    st.lists(st.one_of(st.floats(), st.integers(), st.none(), st.text()), min_size=2, max_size=2),
)
def test_no_number_raises(name: str, values: list[Any]) -> None:
    arguments = {"random": 0, "max": 2, "min": 2, "pow": 2, "hypot": 2, "atan2": 2, "imul": 2}.get(name, 1)
    result = getattr(Math, name)(*values[:arguments])
    assert isinstance(result, (int, float))
    assert isinstance(Number(result), (int, float))
