"""The inspecting half of the native module, driven as the rules drive it."""

import re
import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast._native import Pattern, PhraseSet, Screen, is_xss, sqli_fingerprint, transform

# What one scan of a hostile 32 KiB value may take here, where other tests run beside it; alone it is below 20 ms.
PATIENCE_S = 2.0

Asked = tuple[str, str | Sequence[bytes]]


@pytest.mark.parametrize(
    ("names", "value", "transformed"),
    [
        (["none", "urlDecodeUni", "LOWERCASE"], b"A%u2019%41+", b"a'a "),
        (["lowercase", "none"], b"ABC", b"ABC"),
        ([], b"a\x00\xff", b"a\x00\xff"),
        (["htmlEntityDecode", "removeNulls"], b"&lt;scr&#0;ipt&gt;", b"<script>"),
        (["sha1", "hexEncode"], b"", b"da39a3ee5e6b4b0d3255bfef95601890afd80709"),
    ],
)
def test_transformations_are_applied_in_their_order(names: list[str], value: bytes, transformed: bytes) -> None:
    assert transform(names, value) == transformed


def test_an_unknown_transformation_is_refused_by_its_name() -> None:
    with pytest.raises(ValueError, match='names: "rot13" is not a transformation of SecLang'):
        transform(["rot13"], b"")


def test_libinjection_knows_an_injection_and_a_script_from_a_name() -> None:
    assert sqli_fingerprint(b"1' or '1'='1") == b"s&sos"
    assert sqli_fingerprint(b"O'Reilly") is None
    assert is_xss(b"<script>")
    assert not is_xss(b"a < b")


def test_a_pattern_gives_the_match_and_its_groups() -> None:
    pattern = Pattern(r"(\w+)=(\d+)?(;)?")
    assert pattern.is_linear
    assert pattern.search(b"a b=;") == (b"b=;", b"b", b"", b";")
    assert pattern.search(b"a b") is None
    assert Pattern("SELECT", ignore_case=True).is_match(b"select")
    assert not Pattern("SELECT").is_match(b"select")
    assert Pattern("[\N{LEFT SINGLE QUOTATION MARK}]").is_match(b"\x98")


def test_a_pattern_that_is_not_linear_says_so_and_matches_as_pcre_does() -> None:
    pattern = Pattern(r"a++(?!b)(c)\1")
    assert not pattern.is_linear
    assert pattern.search(b"ab aacc") == (b"aacc", b"c")
    assert not pattern.is_match(b"aac")


@pytest.mark.parametrize("pattern", ["(a", "*", "[z-a]", "(?R)", r"\u0041", "(?:(?:a{1000}){1000}){1000}"])
def test_a_pattern_that_cannot_be_compiled_is_refused_with_a_sentence(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"^the pattern "):
        Pattern(pattern)


def test_a_phrase_is_given_as_it_stands_in_the_value() -> None:
    phrases = PhraseSet([b"select", b"sel", b""])
    assert phrases.first(b"x SeLeCt") == b"SeLeCt"
    assert phrases.first(b"") is None


def test_a_screen_names_tests_by_their_number_over_all_groups() -> None:
    screen = Screen([(0, ["lowercase"], [("rx", "abc"), ("pm", [b"x"])]), (1, [], [("sqli", ""), ("xss", "")])])
    assert screen.scan([[b"ABC", b"y"], [b"1' or '1'='1"]]) == [0, 2]
    assert screen.scan([(), (b"<script>",)]) == [3]
    assert screen.scan([]) == []
    assert {name: figure for name, figure in screen.statistics().items() if name != "memory_bytes"} == {
        "tests": 4,
        "sets": 2,
        "chains": 2,
    }


@pytest.mark.parametrize(
    ("test", "complaint"),
    [
        (("rx", "("), "test 1: the pattern has a group"),
        (("rx", [b"a"]), 'test 1: "rx" takes a pattern'),
        (("pm", "a"), 'test 1: "pm" takes phrases'),
        (("eq", ""), 'test 1: expected "rx", "pm", "sqli" or "xss", got "eq"'),
    ],
)
def test_a_test_that_makes_no_sense_is_refused_by_its_number(test: Asked, complaint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(complaint)):
        Screen([(0, [], [("rx", "a"), test])])


WORDS = st.sampled_from([b"or ", b"1", b"'", b"=", b"SELECT", b"<a", b"%41", b"%27", b"&lt;", b"\x00", b"xx", b"ab"])
VALUES = st.lists(st.lists(WORDS, max_size=6).map(b"".join), max_size=3)
PATTERNS = ["a", "(?i)select", r"<\w+", "a(?!b)", r"(.)\1", "'|%", "^o", "$"]
CHAINS = [[], ["lowercase"], ["urlDecode"], ["htmlEntityDecode", "lowercase"], ["removeNulls", "urlDecodeUni"]]


@given(VALUES)
def test_a_screen_misses_nothing_that_a_pattern_finds(values: list[bytes]) -> None:
    screen = Screen([(0, chain, [("rx", pattern) for pattern in PATTERNS]) for chain in CHAINS])
    asked = [(chain, Pattern(pattern)) for chain in CHAINS for pattern in PATTERNS]
    holding = {
        number
        for number, (chain, pattern) in enumerate(asked)
        if any(pattern.is_match(transform(chain, value)) for value in values)
    }
    found = set(screen.scan([values]))
    assert holding <= found
    assert all(not asked[number][1].is_linear for number in found - holding)


@given(st.binary(max_size=40))
def test_python_s_own_engine_agrees_on_bytes(value: bytes) -> None:
    for pattern in (rb"[^\x00-\x7f]+", rb"(\w)(\W)?", rb"\b\d{1,3}\b", rb"a|\xff(.)"):
        found = re.search(pattern, value, re.DOTALL)
        groups = None if found is None else (found[0], *(group or b"" for group in found.groups()))
        assert Pattern(pattern.decode("ascii")).search(value) == groups


def test_a_hostile_value_is_scanned_in_bounded_time() -> None:
    shapes = ["(?i)union.{1,40}select.{1,40}from", "[ab]*a[ab]{14}x", r"\b\w{1,20}\s*\(.{0,60}\)", "(?:[\"'`].*?){8}"]
    screen = Screen([(0, chain, [("rx", shape) for shape in shapes]) for chain in CHAINS])
    value = (
        bytes(b"ab '\"(unionselectfrom"[number * number % 20] for number in range(32_768)) + b"union x select x from"
    )
    start = time.thread_time()
    found = screen.scan([[value]])
    assert time.thread_time() - start < PATIENCE_S
    assert 0 in found
