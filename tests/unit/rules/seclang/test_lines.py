"""Directives and their words: joined lines, comments, quotes."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.rules.seclang.errors import SecLangError
from holdfast.rules.seclang.lines import MAX_DIRECTIVE_CHARS, directives


def words(text: str) -> list[tuple[int, str, tuple[str, ...]]]:
    return [(one.position.line, one.name, one.words) for one in directives("a.conf", text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("# SecRule\n   # x\n\n", []),
        ("SecRuleEngine On", [(1, "secruleengine", ("On",))]),
        ('  SecMarker "A B"\n', [(1, "secmarker", ("A B",))]),
        ("SecMarker 'A B'\n", [(1, "secmarker", ("A B",))]),
        ('\nSecRule ARGS "@rx a" \\\n  "id:1,\\\n  deny"\nSecMarker x', [
            (2, "secrule", ("ARGS", "@rx a", "id:1,  deny")),
            (5, "secmarker", ("x",)),
        ]),
        ("# a comment \\\n that goes on\nSecMarker x", [(3, "secmarker", ("x",))]),
        (r'SecRule A "a\"b"', [(1, "secrule", ("A", 'a"b'))]),
        (r'SecRule A "[^\\]\\s\d\x5c"', [(1, "secrule", ("A", r"[^\]\s\d\x5c"))]),
        ("SecMarker x \\", [(1, "secmarker", ("x",))]),
    ],
)  # fmt: skip
def test_a_text_is_cut_into_directives_and_words(text: str, expected: object) -> None:
    assert words(text) == expected


def test_a_quote_that_is_not_closed_is_named_where_it_stands() -> None:
    with pytest.raises(SecLangError, match=r"^a\.conf:2: expected a closing \", got '\"id:1'$"):
        words('\nSecAction "id:1')


def test_a_directive_without_an_end_is_refused() -> None:
    with pytest.raises(SecLangError, match=r"expected at most \d+ characters in a directive"):
        words(f"SecAction {'x' * MAX_DIRECTIVE_CHARS}")


@given(st.text(alphabet="aS \"'\\\n#", max_size=60))
def test_any_text_is_words_or_an_error_of_ours(text: str) -> None:
    with suppress(SecLangError):
        assert all(name for _, name, _ in words(text))
