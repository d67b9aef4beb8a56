"""Errors of expressions that came in one line, printed as the rules print them themselves."""

import pytest

from holdfast.client.verbs.filter_error import filter_error_lines
from holdfast.rules.compile import compile_expression
from holdfast.rules.errors import ParseError


@pytest.mark.parametrize(
    "expression",
    [
        'http.hos eq "a"',
        'ssl and\n  http.hos   eq "a"',
        'http.host eq "^/a^^ (" and xx',
        'http.host eq "ü" and x',
        "ssl and",
        "",
    ],
)
def test_an_error_in_one_line_is_printed_as_it_was(expression: str) -> None:
    with pytest.raises(ParseError) as error:
        compile_expression(expression)
    said = f"'x' is not valid: {error.value.sentence}"
    assert filter_error_lines(said, expression) == str(error.value).split("\n")


@pytest.mark.parametrize(
    "message",
    [
        "",
        "The zone is busy",
        "Filter parsing error (1:1): another ^ reason",
        "Filter parsing error (9:1): ssl ^ reason",
        "Filter parsing error (1:1): ssl without a pointer",
    ],
)
def test_what_is_no_such_error_is_left_to_others(message: str) -> None:
    assert filter_error_lines(message, "ssl") is None
