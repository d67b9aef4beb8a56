"""Regular expressions of the original, over RE2: what they match, and what is said of those that are wrong."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.rules.patterns import Pattern, PatternError
from holdfast.rules.regex_classes import RegexFault
from holdfast.rules.regex_dialect import MAX_NESTED_GROUPS, describe, translate
from tests.unit.rules.case_files import Case, cases, verdict_of_the_original

# Pieces that Python's `re` reads as the original does, over bytes.
SHARED = (
    "a",
    "b",
    "[ab]",
    "[^a]",
    "(a|b)",
    "(?:ab)",
    "a*",
    "b+?",
    "a{1,2}",
    ".",
    "^",
    "$(?!\\n)",
    "\\d",
    "\\bA",
    "x?",
    "(?i:b)",
)
PIECES = (
    *(
        "a",
        "é",
        "-",
        "[",
        "]",
        "[ab]",
        "[^a-c]",
        "[[:alpha:]]",
        "[[:foo:]]",
        "[a-c&&b-d]",
        "[a[bc]]",
        "[a--b]",
        "[a~~b]",
    ),
    *("(", ")", "(?:", "(?i)", "(?i:", "(?P<n>", "(?=", "(?<!", "(?s-i)", "(?--", "(?z)", "(?ii)", "(?", "*", "+", "?"),
    *(
        "{2}",
        "{2,}",
        "{,3}",
        "{3,2}",
        "{2,3}?",
        "{",
        "}",
        "{ 2 }",
        "{a}",
        "|",
        "^",
        "$",
        ".",
        "\\d",
        "\\W",
        "\\b",
        "\\A",
    ),
    *(
        "\\x41",
        "\\x{e9}",
        "\\xff",
        "\\u0041",
        "\\U1",
        "\\p{L}",
        "\\pL",
        "\\1",
        "\\-",
        "\\e",
        "\\",
        "[]a]",
        "[^]a]",
        "[a-]",
    ),
    *(
        "[\\d-z]",
        "[a-\\d]",
        "[é]",
        "[z-a]",
        "[\\x{e9}]",
        "[a",
        "\\x4",
        "\\x{}",
        "[\\b]",
        "[&&a]",
        "[a&&]",
        "[a-b-c]",
        " ",
    ),
)
# Where ours is not the original's, by design: said in `cases/unlike_the_original.txt`.
NOT_HERE = "not available here"


def unescaped(value: str) -> str:
    """The bytes of a value in `patterns.txt`."""
    return re.sub(r"\\x([0-9a-f]{2})|\\n", lambda found: chr(int(found[1], 16)) if found[1] else "\n", value)


def reason_of(verdict: str) -> str:
    """The complaint about the pattern, without the picture of the expression around it."""
    return "regex parse error:" + verdict.partition("regex parse error:")[2] if "regex parse" in verdict else verdict


@pytest.mark.parametrize("case", cases("patterns.txt"), ids=str)
def test_a_pattern_matches_what_it_should(case: Case) -> None:
    if case.expected == "refused":
        with pytest.raises(PatternError):
            Pattern(case.given)
        return
    pattern = Pattern(case.given)
    for line in case.expected.splitlines():
        assert pattern.is_in(unescaped(line[2:])) is line.startswith("+"), line


@settings(max_examples=200)
@given(st.lists(st.sampled_from(SHARED), max_size=6).map("".join), st.text("abABx1\n", max_size=8))
def test_what_both_read_alike_matches_as_in_python(pattern: str, value: str) -> None:
    # Python's "$" also stands before a last line end, so it is told not to.
    ours = pattern.replace("$(?!\\n)", "$")
    assert Pattern(ours).is_in(value) is (re.search(pattern.encode(), value.encode()) is not None)


@settings(max_examples=300)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=5).map("".join))
def test_a_wrong_pattern_is_told_as_the_original_tells_it(pattern: str) -> None:
    theirs = reason_of(verdict_of_the_original(f'http.host matches r#"{pattern}"#'))
    ours = "ok"
    try:
        Pattern(pattern)
    except PatternError as error:
        ours = str(error)
    assert ours == theirs or NOT_HERE in ours


@given(st.text())
def test_whatever_the_pattern_only_a_fault_is_raised(pattern: str) -> None:
    fault_at = 0
    try:
        assert translate(pattern).isascii()
    except RegexFault as fault:
        fault_at = fault.start
    assert 0 <= fault_at <= len(pattern)


def test_a_fault_is_drawn_below_the_pattern() -> None:
    assert describe("a(b", RegexFault(1, 2, "unclosed group")) == (
        "regex parse error:\n    a(b\n     ^\nerror: unclosed group"
    )
    assert describe("(?ii)", RegexFault(3, 4, "duplicate flag", also=(2, 3))).splitlines()[2] == "      ^^"
    assert describe("a\n(", RegexFault(2, 3, "unclosed group")) == (
        "regex parse error: unclosed group (character 3 of the pattern)"
    )


@pytest.mark.parametrize(
    ("pattern", "what"),
    [
        ("(" * (MAX_NESTED_GROUPS + 1), "exceeded the maximum number of nested parentheses/brackets (250)"),
        ("a{1001}", "repetition counts above 1000 are not available here"),
        ("(?x)a", "the flag x is not available here"),
        ("(?u)\\p{Greek}", "the flag u is not available here"),
        ("\\b{start}", "word boundaries of this form are not available here"),
        ("\\<a", "word boundaries of this form are not available here"),
    ],
)
def test_what_re2_cannot_do_is_refused_by_name(pattern: str, what: str) -> None:
    with pytest.raises(RegexFault) as caught:
        translate(pattern)
    assert caught.value.what == what
