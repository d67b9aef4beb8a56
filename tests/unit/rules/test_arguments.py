"""What a call is refused for, before anything is computed."""

import pytest

from holdfast.rules.arguments import defaults, prepared, problem_with, result_type
from holdfast.rules.functions import FUNCTIONS
from holdfast.rules.patterns import Pattern
from holdfast.rules.syntax_tree import Argument, FieldAccess, Indexed, Literal
from holdfast.rules.value_types import BYTES, BYTES_ARRAY, INT, IP, ValueType


def a_field(type_: ValueType) -> Indexed:
    """Some field of a type."""
    return Indexed(FieldAccess("f", type_), (), type_)


@pytest.mark.parametrize(
    ("name", "earlier", "argument", "problem"),
    [
        ("lower", [], a_field(BYTES), None),
        (
            "lower",
            [],
            Literal("x", BYTES),
            "invalid kind of argument #0: expected argument of kind Field, but got Literal",
        ),
        ("lower", [], a_field(INT), "invalid type of argument #0: expected value of type Bytes, but got Int"),
        ("concat", [a_field(BYTES)], Literal("x", BYTES), None),
        (
            "concat",
            [a_field(BYTES)],
            a_field(INT),
            "invalid type of argument #1: expected value of type Bytes, but got Int",
        ),
        ("concat", [a_field(BYTES_ARRAY)], a_field(BYTES_ARRAY), None),
        (
            "coalesce",
            [],
            a_field(BYTES_ARRAY),
            "invalid type of argument #0: expected value of type {Bool, Int, Ip, Bytes}, but got Array<Bytes>",
        ),
        (
            "split",
            [a_field(BYTES), Literal(".", BYTES)],
            Literal(129, INT),
            'invalid value of argument #2: invalid argument: "expected 1 to 128, got 129"',
        ),
        (
            "regex_replace",
            [a_field(BYTES)],
            Literal("\xff", BYTES),
            'invalid value of argument #1: invalid argument: "expected a regular expression in UTF-8"',
        ),
    ],
)
def test_an_argument_is_checked_in_this_order(
    name: str, earlier: list[Argument], argument: Argument, problem: str | None
) -> None:
    assert problem_with(FUNCTIONS[name], earlier, argument) == problem


def test_a_constant_is_prepared_and_what_is_left_out_has_a_default() -> None:
    pattern = prepared(FUNCTIONS["regex_replace"], 1, Literal("a", BYTES))
    assert pattern == Pattern("a", with_groups=True)
    assert prepared(FUNCTIONS["join"], 1, Literal(",", BYTES)) == ","
    assert defaults(FUNCTIONS["is_timed_hmac_valid_v0"], 4) == [0, ""]
    assert defaults(FUNCTIONS["substring"], 2) == [None]
    assert defaults(FUNCTIONS["concat"], 2) == []


def test_some_results_have_the_type_of_the_first_argument() -> None:
    assert result_type(FUNCTIONS["coalesce"], [a_field(IP), a_field(IP)]) == IP
    assert result_type(FUNCTIONS["len"], [a_field(BYTES)]) == INT
