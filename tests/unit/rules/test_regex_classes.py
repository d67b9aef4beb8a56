"""Character classes as sets of bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.rules.meter import begin_rule
from holdfast.rules.patterns import Pattern
from holdfast.rules.regex_classes import ALL_BYTES, MAX_NESTED_CLASSES, ClassReader, RegexFault, byte_class, read_escape


def members(pattern: str, *, ignore_case: bool = False) -> str:
    """The bytes of a class, as text."""
    later: list[RegexFault] = []
    chosen, end = ClassReader(pattern, ignore_case, later).read(0)
    assert (end, later) == (len(pattern), [])
    return "".join(chr(byte) for byte in range(256) if chosen >> byte & 1)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("[abc]", "abc"),
        ("[a-e]", "abcde"),
        ("[]-]", "-]"),
        ("[a-c[x-z]]", "abcxyz"),
        ("[a-e&&[^bd]]", "ace"),
        ("[a-e--b-d]", "ae"),
        ("[a-c~~b-d]", "ad"),
        ("[[:digit:]]", "0123456789"),
        ("[\\x41\\u0042]", "AB"),
        ("[a&&b]", ""),
        ("[--a]", "-a"),
    ],
)
def test_a_class_is_a_set_of_bytes(pattern: str, expected: str) -> None:
    assert members(pattern) == expected


def test_ignoring_case_comes_before_negating() -> None:
    assert members("[aB]", ignore_case=True) == "ABab"
    assert not set("ABab") & set(members("[^aB]", ignore_case=True))


@given(st.integers(0, ALL_BYTES))
def test_re2_reads_the_very_set(chosen: int) -> None:
    # `[^...]` of the original over the bytes of the set leaves the others; both ways through RE2.
    literal = "".join(f"\\x{byte:02x}" for byte in range(256) if chosen >> byte & 1)
    pattern = Pattern(f"(?i)^(?-i:[{literal or 'a&&b'}])$")
    # As if each set were a rule: what matching costs is counted.
    begin_rule()
    assert all(pattern.is_in(chr(byte)) is bool(chosen >> byte & 1) for byte in range(256))


def test_a_set_is_written_as_ranges() -> None:
    assert byte_class(0b1110) == "(?-i:[\\x01-\\x03])"
    assert byte_class(0) == "(?-i:[^\\x00-\\xff])"


@pytest.mark.parametrize(
    ("pattern", "start", "end", "what"),
    [
        ("[a", 0, 1, "unclosed character class"),
        ("[^]", 0, 3, "unclosed character class"),
        ("[b-a]", 1, 4, "invalid character class range, the start must be <= the end"),
        ("[a-\\d]", 3, 5, "invalid range boundary, must be a literal"),
        ("[\\b]", 1, 3, "invalid escape sequence found in character class"),
        ("[" * (MAX_NESTED_CLASSES + 1), 32, 33, "character classes nested more than 32 deep are not available here"),
    ],
)
def test_a_wrong_class_is_pointed_at(pattern: str, start: int, end: int, what: str) -> None:
    with pytest.raises(RegexFault) as caught:
        ClassReader(pattern, ignore_case=False, later=[]).read(0)
    assert (caught.value.start, caught.value.end, caught.value.what) == (start, end, what)


def test_a_character_that_is_no_byte_is_told_after_syntax() -> None:
    later: list[RegexFault] = []
    ClassReader("[é]", ignore_case=False, later=later).read(0)
    assert [(fault.start, fault.end, fault.what) for fault in later] == [(1, 2, "Unicode not allowed here")]


@pytest.mark.parametrize(
    ("escape", "data"),
    [("\\n", b"\n"), ("\\.", b"."), ("\\xe9", b"\xe9"), ("\\x{e9}", b"\xc3\xa9"), ("\\u20ac", "€".encode())],
)
def test_an_escape_is_bytes(escape: str, data: bytes) -> None:
    found = read_escape(escape, 0, [])
    assert (found.data, found.end) == (data, len(escape))


@pytest.mark.parametrize(
    ("escape", "what"),
    [
        ("\\", "incomplete escape sequence, reached end of pattern prematurely"),
        ("\\1", "backreferences are not supported"),
        ("\\q", "unrecognized escape sequence"),
        ("\\xg0", "invalid hexadecimal digit"),
        ("\\x{}", "hexadecimal literal empty"),
        ("\\x{110000}", "hexadecimal literal is not a Unicode scalar value"),
        ("\\p{L", "incomplete escape sequence, reached end of pattern prematurely"),
    ],
)
def test_a_wrong_escape_is_told(escape: str, what: str) -> None:
    with pytest.raises(RegexFault) as caught:
        read_escape(escape, 0, [])
    assert caught.value.what == what
