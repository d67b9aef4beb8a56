"""Numbers, and what is read as one. What is expected is what Node 20 says of the same."""

import math
from typing import Any

import pytest

from holdfast.workers.sdk.errors import JsSyntaxError
from holdfast.workers.sdk.web.numbers import (
    BigInt,
    Boolean,
    Number,
    String,
    isFinite,
    isNaN,
    parseFloat,
    parseInt,
)


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
    assert [Number.isSafeInteger(one) for one in (2**53 - 1, 2**53, 1.5)] == [True, False, False]


@pytest.mark.parametrize(
    ("text", "whole", "any_number"),
    [
        ("42px", 42, 42),
        ("0x1F", 31, 0),
        ("  -7.9", -7, -7.9),
        ("+5", 5, 5),
        ("", math.nan, math.nan),
        ("z", math.nan, math.nan),
        ("-", math.nan, math.nan),
        ("1e3", 1, 1000),
        ("Infinity", math.nan, math.inf),
        (10, 10, 10),
    ],
)
def test_a_text_may_begin_with_a_number(text: object, whole: float, any_number: float) -> None:
    said = [parseInt(text), Number.parseInt(text), parseFloat(text), Number.parseFloat(text)]
    assert said == pytest.approx([whole, whole, any_number, any_number], nan_ok=True)


def test_whole_numbers_have_bases() -> None:
    assert [parseInt("1010", 2), parseInt("zz", 36), parseInt("ff", 16), parseInt("0xff", 16), parseInt("12", 0)] == [
        10,
        1295,
        255,
        255,
        12,
    ]
    assert isNaN(parseInt("9", 8))
    assert isNaN(parseInt("-+e", 16))


def test_what_cannot_be_read_as_a_number_is_nan() -> None:
    values: list[object] = ["x", "", None, math.nan, []]
    assert [isNaN(one) for one in values] == [True, False, False, True, True]
    assert [isFinite(one) for one in ("12", math.inf, math.nan, 0)] == [True, False, False, True]


@pytest.mark.parametrize(
    ("value", "is_so"),
    [([], True), ({}, True), ("0", True), (5, True), (b"", True), (None, False), ("", False), (0, False)],
)
def test_what_is_true_in_javascript_is(value: object, *, is_so: bool) -> None:
    assert Boolean(value) is is_so


def test_nan_is_not_true() -> None:
    assert (Boolean(math.nan), Boolean()) == (False, False)


def test_texts_and_large_numbers_are_made() -> None:
    values: list[Any] = [1.0, 1.5, None, True, "a"]
    assert [String(value) for value in values] == ["1", "1.5", "null", "true", "a"]
    numbers = [1e20, 1e21, -1.5e300, 1e-6, 1.5e-5, 1e-7, -2.5e-10, -0.0]
    assert [String(number) for number in numbers] == [
        "100000000000000000000",
        "1e+21",
        "-1.5e+300",
        "0.000001",
        "0.000015",
        "1e-7",
        "-2.5e-10",
        "0",
    ]
    assert (String.fromCharCode(72, 0xD83D, 0xDE00), String.fromCodePoint(72, 0x1F600)) == ("H😀", "H😀")
    assert BigInt("12345678901234567890") == 12345678901234567890
    for value in ("1.5", "x", 0.5):
        with pytest.raises(JsSyntaxError, match="Cannot convert"):
            BigInt(value)
