"""Percent-encoding taken off, beside Python's own and beside passes that are repeated."""

from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.rules.percent_decoding import decoded, decoded_fully, decoded_with_unicode

BYTES = st.text(st.characters(max_codepoint=0xFF), max_size=30) | st.text("%u0256bB+4", max_size=40)


@given(BYTES)
def test_it_is_taken_off_once_as_python_does(text: str) -> None:
    assert decoded(text) == unquote_to_bytes(text.encode("latin-1")).decode("latin-1")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%u0041%42", "AB"),
        ("%u20ac", "\xe2\x82\xac"),
        ("%ud800%uDFFF", "%ud800%uDFFF"),
        ("%u004%u%%4%", "%u004%u%%4%"),
        ("%U0041", "%U0041"),
        ("%2541", "%41"),
        ("no escape", "no escape"),
    ],
)
def test_unicode_is_taken_off_once(text: str, expected: str) -> None:
    assert decoded_with_unicode(text) == expected


@given(BYTES, st.booleans())
def test_it_is_taken_off_until_nothing_is_left(text: str, unicode: bool) -> None:
    passed, before = text.replace("+", " "), ""
    while passed != before:
        before, passed = passed, (decoded_with_unicode if unicode else decoded)(passed).replace("+", " ")
    assert decoded_fully(text, unicode=unicode) == passed


@pytest.mark.parametrize("unicode", [False, True])
@pytest.mark.parametrize(
    "text",
    ["%25" * 5_000, "%" + "25" * 8_000 + "41", "%2" * 8_000 + "5" * 8_000, "%u0025u0041" * 1_500, "%" * 16_000],
    ids=lambda text: text[:6],
)
def test_nesting_takes_no_more_steps_than_there_are_characters(text: str, unicode: bool) -> None:
    """Each character is put down once, and each escape that is decoded takes away more than it puts down."""
    found = decoded_fully(text, unicode=unicode)
    assert len(found) <= len(text)
    assert decoded_fully(found, unicode=unicode) == found
