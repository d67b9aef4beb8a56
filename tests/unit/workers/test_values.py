"""Values in bytes and back."""

import datetime as dt
import math
from collections.abc import Callable
from contextlib import suppress
from http import HTTPMethod, HTTPStatus
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.workers.sdk.buffers import ArrayBuffer
from holdfast.workers.sdk.web.dates import Date
from holdfast.workers.values import MAX_DEPTH, DataCloneError, JsDict, JsList, decode, encode

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=-(2**300), max_value=2**300)
    | st.floats(allow_nan=False)
    | st.text(st.characters())
    | st.binary()
    | st.datetimes(timezones=st.none() | st.just(dt.UTC))
)
KEYS = st.text() | st.integers() | st.booleans() | st.binary() | st.tuples(st.integers(), st.text())
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text(), inner)
        | st.dictionaries(KEYS, inner)
        | st.sets(st.integers() | st.text() | st.tuples(st.integers()))
    ),
    max_leaves=30,
)


@given(VALUES)
def test_what_is_decoded_equals_what_was_encoded(value: object) -> None:
    assert decode(encode(value)) == value


def test_bytes_come_back_with_the_names_that_they_have_in_javascript() -> None:
    found = decode(encode({"a": b"x", "b": [b"y", {"c": b"z"}]}))
    assert [one.to_bytes() for one in (found.a, found.b[0], found.b[1].c, decode(encode(b"w")))] == [
        b"x",
        b"y",
        b"z",
        b"w",
    ]
    assert decode(encode(found)) == found


@given(st.lists(VALUES, min_size=1, max_size=3))
def test_what_was_one_object_is_one_object_again(parts: list[object]) -> None:
    found = decode(encode([parts, {"again": parts}, parts]))
    assert found[0] is found[1]["again"] is found[2]
    assert found[0] == parts


@given(
    st.binary(max_size=200)
    | st.binary(max_size=200).map(b"\x01".__add__)
    | st.binary(max_size=200).map(b"\x02".__add__)
)
def test_no_bytes_make_decode_raise_anything_but_its_own_error(data: bytes) -> None:
    with suppress(DataCloneError):
        decode(data)


@given(VALUES.map(encode), st.data())
def test_damaged_bytes_are_another_value_or_an_error(encoded: bytes, data: st.DataObject) -> None:
    damaged = bytearray(encoded)
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with suppress(DataCloneError):
        decode(bytes(damaged[: data.draw(st.integers(0, len(damaged)))]))


def test_a_circle_is_a_circle_again() -> None:
    circle: list[Any] = ["x"]
    circle.append({"back": circle})
    found = decode(encode(circle))
    assert found[1]["back"] is found


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ((1, (2, "x")), [1, [2, "x"]]),
        (bytearray(b"ab"), b"ab"),
        (memoryview(b"ab"), b"ab"),
        (frozenset({1}), {1}),
        ({1: {2: 3}}, {1: {2: 3}}),
        ([HTTPStatus.OK, HTTPMethod.GET, ArrayBuffer(b"x")], [200, "GET", b"x"]),
        (HTTPStatus.OK, 200),
        (Date.new(0), dt.datetime(1970, 1, 1, tzinfo=dt.UTC)),
        ("\ud800", "\ud800"),
        ({"\udfff": 1}, {"\udfff": 1}),
        (2**64, 2**64),
        (-(2**63) - 1, -(2**63) - 1),
    ],
)
def test_a_value_comes_back_as_its_nearest_kind(value: object, found: object) -> None:
    decoded = decode(encode(value))
    assert (decoded, type(decoded)) == (found, type(decode(encode(found))))


def test_a_fold_of_the_clock_is_kept() -> None:
    again = dt.datetime(2026, 11, 1, 1, 30, fold=1)  # noqa: DTZ001 - the hour that comes twice, by no zone's clock
    assert (decode(encode(again)), decode(encode(again)).fold) == (again, 1)


def test_floats_that_are_no_numbers_are_kept() -> None:
    assert math.isnan(decode(encode(math.nan)))
    assert decode(encode([math.inf, -0.0])) == [math.inf, 0.0]


def test_objects_and_arrays_answer_to_names_and_to_py() -> None:
    found = decode(encode({"name": "a", "in": [{"x": 1}]}))
    assert (type(found), type(found["in"]), type(found["in"][0])) == (JsDict, JsList, JsDict)
    assert (found.name, found["in"][0].x, found["in"].to_py()) == ("a", 1, [{"x": 1}])
    assert decode(encode(found)) == found


@pytest.mark.parametrize("error", [ValueError("x"), KeyError("k"), Exception(), OSError(2, "gone")])
def test_an_exception_of_a_builtin_class_comes_back_as_one(error: Exception) -> None:
    found = decode(encode(error))
    assert (type(found), found.args, str(found)) == (type(error), error.args, str(error))


def test_an_exception_of_another_class_keeps_its_name_and_text() -> None:
    class Odd(Exception):
        pass

    assert str(decode(encode(Odd("why")))) == "Odd: why"


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda: [{"a": test_a_circle_is_a_circle_again}],
            r"of type function could not be cloned\. \(at value\[0\]\['a'\]\)",
        ),
        (object, "of type object could not be cloned"),
        (lambda: {"x": 1j}, r"1j of type complex could not be cloned\. \(at value\['x'\]\)"),
        (lambda: {frozenset({1}): 1}, "within a set or a key"),
        (lambda: {dt.date(2026, 1, 1): 1}, "of type date could not be cloned"),
        (lambda: 10**5000, "An int of 16610 bits could not be cloned"),
        (KeyboardInterrupt, "of type KeyboardInterrupt could not be cloned"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_its_place(make: Callable[[], object], text: str) -> None:
    with pytest.raises(DataCloneError, match=text):
        encode(make())


def _nested(levels: int, wrap: Callable[[object], object]) -> object:
    value: object = 1
    for _ in range(levels):
        value = wrap(value)
    return value


@pytest.mark.parametrize("wrap", [lambda v: [v], lambda v: {"a": v}, lambda v: {1: v}, lambda v: [v, {1}]])
def test_depth_has_a_limit_on_both_ways(wrap: Callable[[object], object]) -> None:
    deepest = _nested(MAX_DEPTH - 2, wrap)
    assert decode(encode(deepest)) == deepest
    with pytest.raises(DataCloneError, match="nested deeper than 256 levels"):
        encode(_nested(MAX_DEPTH + 1, wrap))
    with pytest.raises(DataCloneError, match=r"nested deeper|recursion"):
        decode(b"\x01" + b"\x91" * 100_000 + b"\xc0")


def test_a_key_that_is_a_deep_tuple_is_refused() -> None:
    with pytest.raises(DataCloneError, match="nested deeper"):
        encode({_nested(MAX_DEPTH + 1, lambda v: (v,)): 1})


def test_a_value_over_the_limit_is_refused_with_both_numbers() -> None:
    with pytest.raises(DataCloneError, match="103 bytes could not be cloned: at most 102"):
        encode("x" * 100, limit_bytes=102)
    assert len(encode("x" * 99, limit_bytes=102)) == 102


@given(st.datetimes(timezones=st.none() | st.sampled_from([dt.UTC, dt.timezone(dt.timedelta(hours=-7))])))
def test_a_kept_date_has_javascripts_names_and_stays_a_datetime(moment: dt.datetime) -> None:
    back = decode(encode({"at": moment, "more": {moment: 1}}))
    assert back["at"] == moment
    assert isinstance(back["at"], Date)
    assert (back["at"].tzinfo, back["at"].microsecond) == (moment.tzinfo, moment.microsecond)
    assert moment in back["more"]


def test_a_kept_date_tells_its_time_as_javascript_does() -> None:
    back = decode(encode(dt.datetime(2026, 11, 26, 9, tzinfo=dt.UTC)))
    assert (back.getTime(), back.toISOString()) == (1_795_683_600_000, "2026-11-26T09:00:00.000Z")
