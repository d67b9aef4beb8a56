"""How a complaint is printed."""

import pytest

from holdfast.rules.errors import NotKnownHere, ParseError


@pytest.mark.parametrize(
    ("text", "start", "end", "printed"),
    [
        ("abc def", 4, 7, "Filter parsing error (1:5):\nabc def\n    ^^^ why"),
        ("abc", 3, 3, "Filter parsing error (1:4):\nabc\n   ^ why"),
        ("a\nbc\nd", 3, 6, "Filter parsing error (2:2):\nbc\n ^ why"),
        ("é eq", 2, 4, "Filter parsing error (1:4):\né eq\n   ^^ why"),
    ],
)
def test_the_line_is_shown_with_carets_below_counted_in_bytes(text: str, start: int, end: int, printed: str) -> None:
    assert str(ParseError.at(text, start, end, "why")) == printed


def test_the_same_fits_on_one_line() -> None:
    error = NotKnownHere.at('http.hots eq "a"', 0, 9, "unknown identifier")
    assert error.sentence == 'Filter parsing error (1:1): http.hots eq "a" ^^^^^^^^^ unknown identifier'
    assert (error.line, error.column, error.width, error.reason) == (1, 1, 9, "unknown identifier")


def test_a_text_that_is_itself_the_fault_is_not_shown_in_full() -> None:
    assert str(ParseError.of_whole("x" * 5000, "too long")).splitlines()[1] == "x" * 80 + "…"
    assert str(ParseError.of_whole("a\nb", "odd")).splitlines()[1] == "a…"
    assert str(ParseError.of_whole("\ud800", "odd")).splitlines()[1] == "?"
