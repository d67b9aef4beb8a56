"""Compiled patterns: their bounds, and wildcards beside Python's `re`."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.rules.meter import Undecided, begin_rule
from holdfast.rules.patterns import (
    MAX_COUNTING_SIZE,
    MAX_GUARDED_CHARS,
    Guard,
    Pattern,
    PatternError,
    Wildcard,
    ascii_lower,
    ascii_upper,
)

BYTES = st.text(st.characters(max_codepoint=0xFF), max_size=12)
# Far above what is measured (0.1 s), so that only another order of magnitude fails.
LIMIT_S = 5.0


@given(BYTES)
def test_case_is_that_of_ascii(text: str) -> None:
    assert ascii_lower(text).encode("latin-1") == text.encode("latin-1").lower()
    assert ascii_upper(text).encode("latin-1") == text.encode("latin-1").upper()


def test_a_pattern_says_what_its_groups_matched() -> None:
    pattern = Pattern("(a)|(b)", with_groups=True)
    assert pattern.first_match("xb\xe9") == (1, 2, ("b", "", "b"))
    assert pattern.first_match("x") is None


@pytest.mark.parametrize(
    "pattern",
    [
        "(a*)*" * 600 + "b",
        "(a|a)" * 600 + "$",
        ".*" * 1900 + "b$",
        "[^a]" * 1000,
        "a" + "*" * 3000,
        "(?i)" + "[a-z&&[^q]]" * 300,
        "a{1000}" * 500,
        "((a{100}){100}){100}",
    ],
    ids=lambda pattern: pattern[:12],
)
def test_a_hostile_pattern_is_refused_or_matches_soon(pattern: str) -> None:
    begin_rule()
    begun = time.thread_time()
    problem = ""
    try:
        Pattern(pattern).is_in("a" * 16_000)
    except PatternError as error:
        problem = str(error)
    except Undecided:
        problem = ""
    assert not problem or problem.startswith("Compiled regex exceeds size limit")
    assert time.thread_time() - begun < LIMIT_S


# Of which patterns are made: each is one, and they are alike in both engines however they stand together.
PIECES = (
    *(
        "a",
        "b",
        ".",
        "^",
        "$",
        "(?m)",
        "(?s)",
        "(?i)",
        "(?-i)",
        "(?U)",
        "(?i:A)",
        "(?s:.)",
        "(?m:^)",
        "(?m:$)",
        "(?-s:.)",
    ),
    *("[ab]", "[^a]", "[^a\\n]", "\\d", "\\w", "\\s", "\\b", "\\B", "\\A", "\\z", "\\n", "\\x00", "\\xff", "é"),
    *(
        "(a|b)",
        "(?:ab|a)",
        "(|a)",
        "a*",
        "a+?",
        "b?",
        "(ab)*",
        "(a|b){2}",
        "[ab]{1,3}",
        ".{2,}",
        "(a*)+",
        "|",
        "x{0}",
        "A",
    ),
)


@settings(max_examples=300)
@given(
    st.lists(st.sampled_from(PIECES), max_size=7).map("".join),
    st.text("aAbB\n1_ \x00\xe9\xc3\xa9\xff", max_size=10),
)
def test_the_automaton_matches_where_re2_does(source: str, value: str) -> None:
    try:
        pattern = Pattern(source)
    except PatternError:
        return
    begin_rule()
    assert pattern.is_in(value) is (pattern._compiled.search(value.encode("latin-1")) is not None)


def test_what_the_automaton_does_not_take_is_matched_by_re2() -> None:
    nested = Pattern("a" + "*" * 3000 + "b")
    assert nested.is_in("xaab")
    assert not nested.is_in("xaa")
    assert Guard.of((nested,)) is None


PATTERNS = ("a", "(?i)B", "^x", "y$", "(?-s)q.r", "", "[^a]{2}", "\\bz", "a|b", "(?i:K)|(l)", "é")


@given(
    st.lists(st.sampled_from(PATTERNS), min_size=1),
    st.text("aAbBxyzqr\n kKlL\xe9\xc3\xa9", max_size=8),
)
def test_a_guard_says_no_only_for_what_no_pattern_matches(sources: list[str], value: str) -> None:
    begin_rule()
    patterns = tuple(map(Pattern, sources))
    guard = Guard.of(patterns)
    assert guard is not None
    assert guard.may_match(value) is any(pattern.is_in(value) for pattern in patterns)
    assert guard.may_match(value * MAX_GUARDED_CHARS + "#" * (MAX_GUARDED_CHARS + 1))


def test_patterns_that_are_too_large_together_have_no_guard() -> None:
    large = tuple(Pattern(f"{letter}[a-f]{{900}}") for letter in "ghijklmnopqr")
    assert Guard.of(large[:2]) is not None
    assert Guard.of(large) is None


@pytest.mark.parametrize("source", ["a{1000}", ".{0,255}a.{0,255}", "[a-f0-9]{64}", "(?:[a-z]+|[0-9]*)" * 100])
def test_a_pattern_may_count_so_far_and_be_long(source: str) -> None:
    assert Pattern(source).size <= MAX_COUNTING_SIZE or "{" not in source


@pytest.mark.parametrize(
    "source",
    [
        "(?:ab{1,9}c?){1,100}(?:d|ef|g){1,900}",
        "a.{1,1000}b.{1,300}",
        "(?:[a-z]b?[0-9]c?){600}",
        "[ab]{0,900}x[ab]{0,900}y",
    ],
)
def test_a_pattern_that_counts_further_is_refused(source: str) -> None:
    with pytest.raises(PatternError, match=r"exceeds size limit: counting makes it [\d,]+ steps, 2,500 are allowed"):
        Pattern(source)


def test_two_patterns_are_the_same_if_they_say_the_same() -> None:
    assert Pattern("a+") == Pattern("a+")
    assert Pattern("a+") != Pattern("a*")


@given(st.lists(st.text("aAbB\xe9*\\", max_size=3), min_size=1, max_size=4), st.text("aAbB\xe9*\\", max_size=10))
def test_a_wildcard_covers_what_its_regular_expression_would(texts: list[str], value: str) -> None:
    source = "*".join(text.replace("\\", "\\\\").replace("*", "\\*") for text in texts)
    if "**" in source.replace("\\\\", "").replace("\\*", ""):
        return
    equivalent = ".*?".join(f"({re.escape(text)})".replace("(", "").replace(")", "") for text in texts)
    for strict in (True, False):
        flags = re.DOTALL if strict else re.DOTALL | re.IGNORECASE
        expected = re.fullmatch(equivalent.encode("latin-1"), value.encode("latin-1"), flags) is not None
        assert Wildcard(source, strict=strict).covers(value) is expected


def test_each_star_is_as_short_as_it_can_be_and_keeps_its_case() -> None:
    assert Wildcard("*.*", strict=True).captures("A.b.C") == ("A", "b.C")
    assert Wildcard("/x/*/y", strict=False).captures("/X/Abc/Y") == ("Abc",)
    assert Wildcard("a*a", strict=True).captures("a") is None
    assert Wildcard("abc", strict=True).captures("abc") == ()
    assert Wildcard("*", strict=True).captures("") == ("",)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("a**b", "wildcard contains a double star"),
        ("a\\b", "invalid wildcard: wildcard syntax error at position 1: invalid escape sequence"),
        ("ab\\", "position 2: incomplete escape sequence at the end of the wildcard"),
    ],
)
def test_a_wrong_wildcard_is_refused(source: str, problem: str) -> None:
    with pytest.raises(PatternError, match=re.escape(problem)):
        Wildcard(source, strict=True)


def test_a_hostile_wildcard_takes_linear_time() -> None:
    begun = time.thread_time()
    assert not Wildcard("*a" * 1900 + "b", strict=False).covers("a" * 16_000)
    assert not Wildcard("*" + "a" * 2000 + "b*c", strict=False).covers("a" * 16_000)
    assert time.thread_time() - begun < LIMIT_S
