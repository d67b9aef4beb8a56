"""What each operator says of a value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.rules.context import Facts, Place
from holdfast.rules.meter import begin_rule
from holdfast.rules.seclang.errors import SecLangError
from holdfast.rules.seclang.macros import parse_text
from holdfast.rules.seclang.operator_syntax import parse_operator
from holdfast.rules.seclang.operators import MAX_KNOWN_PATTERNS, MAX_PATTERN_BYTES, compile_operator, number_in
from holdfast.rules.seclang.patterns import PatternCache
from tests.unit.rules.seclang.running import WHERE, transaction

FILES = {"w.data": b"alpha\nbeta", "ips.data": b"10.0.0.0/8\n::1"}


def asked(text: str, value: bytes, **tx: bytes) -> tuple[bytes, ...] | None:
    operator = parse_operator(WHERE, text, FILES)
    test = compile_operator(WHERE, operator, parse_text(operator.argument), PatternCache())
    state = transaction(facts=Facts(place=Place(country="DE")))
    state.tx.update({name.encode(): given for name, given in tx.items()})
    return test(state, value)


HOLDS = [
    ("@rx ^a(b)?", b"ab"),
    ("@rx a.c$", b"a\nc"),
    ("@pm x alpha", b"an ALPHA"),
    ("@pmFromFile w.data", b"alphabeta"),
    ("@contains b c", b"ab cd"),
    ("@containsWord ab", b"x-ab."),
    ("@containsWord ab", b"abc ab"),
    ("@beginsWith a", b"ab"),
    ("@endsWith b", b"ab"),
    ("@streq ab", b"ab"),
    ("@strmatch b", b"abc"),
    ("@within a,b", b"b"),
    ("@within a,b", b""),
    ("@eq 5", b" 5x"),
    ("@eq 0", b"none"),
    ("@ge 5", b"5"),
    ("@gt 5", b"6"),
    ("@le 5", b"5"),
    ("@lt 5", b"-6"),
    ("@ipMatch 10.0.0.0/8,::1", b"10.9.9.9"),
    ("@ipMatch 192.0.2.1", b"192.0.2.1"),
    ("@ipMatch ::1", b"[::1]"),
    ("@ipMatchFromFile ips.data", b"::1"),
    ("@validateByteRange 32-126,9", b"a\x80"),
    ("@validateUrlEncoding", b"%4"),
    ("@validateUtf8Encoding", b"\xc3("),
    ("@detectSQLi", b"1' or '1'='1"),
    ("@detectXSS", b"<script>alert(1)</script>"),
    ("@geoLookup", b"203.0.113.7"),
    ("@unconditionalMatch", b""),
    ("!@streq a", b"b"),
    ("!@rbl dnsbl.example", b"10.0.0.1"),
]
DOES_NOT = [
    ("@rx ^a$", b"ab"),
    ("@rx a", b"A"),
    ("@pm alpha beta", b"alph"),
    ("@contains ab", b"a b"),
    ("@containsWord ab", b"abc _ab"),
    ("@streq ab", b"AB"),
    ("@within abc", b"d"),
    ("@eq 5", b"6"),
    ("@lt 5", b"5"),
    ("@ipMatch 10.0.0.0/8", b"::1"),
    ("@ipMatch 10.0.0.0/8", b"not an address"),
    ("@validateByteRange 1-255", b"abc"),
    ("@validateByteRange 32-126", b""),
    ("@validateUrlEncoding", b"%41 b"),
    ("@validateUtf8Encoding", "\u20ac".encode()),
    ("@detectSQLi", b"a plain sentence"),
    ("@detectXSS", b"a plain sentence"),
    ("@geoLookup", b"198.51.100.1"),
    ("@noMatch", b"a"),
    ("@rbl dnsbl.example", b"10.0.0.1"),
    ("!@contains a", b"a"),
]


@pytest.mark.parametrize(("text", "value"), HOLDS)
def test_it_holds(text: str, value: bytes) -> None:
    assert asked(text, value) is not None


@pytest.mark.parametrize(("text", "value"), DOES_NOT)
def test_it_does_not_hold(text: str, value: bytes) -> None:
    assert asked(text, value) is None


@pytest.mark.parametrize(
    ("text", "value", "captured"),
    [
        ("@rx a(b)(c)?", b"xab", (b"ab", b"b", b"")),
        ("@pm beta", b"x BETA y", (b"BETA",)),
        ("@detectSQLi", b"1' or '1'='1", (b"s&sos",)),
        ("!@rx a", b"b", ()),
    ],
)
def test_what_it_found_is_captured(text: str, value: bytes, captured: tuple[bytes, ...]) -> None:
    assert asked(text, value) == captured


def test_an_argument_may_be_filled_in_by_the_request() -> None:
    assert asked("@gt %{tx.limit}", b"6", limit=b"5") is not None
    assert asked("@gt %{tx.limit}", b"6", limit=b"7") is None
    assert asked("@endsWith .%{REQUEST_HEADERS.Host}", b"a.example.com") is not None


def test_a_pattern_may_be_completed_by_the_request() -> None:
    assert asked("@rx ^%{tx.types}$", b"a/b", types=b"a/b|c/d") is not None
    assert asked("@rx ^(?:%{tx.types})$", b"c/de", types=b"a/b|c/d") is None
    assert asked("@rx %{tx.broken}", b"(", broken=b"(") is None
    assert asked("!@rx %{tx.broken}", b"(", broken=b"(") == ()
    assert asked("@rx %{tx.long}", b"a", long=b"a|" * MAX_PATTERN_BYTES) is None


def test_patterns_of_requests_are_kept_for_a_few() -> None:
    operator = parse_operator(WHERE, "@rx ^%{tx.x}$", FILES)
    test = compile_operator(WHERE, operator, parse_text(operator.argument), PatternCache())
    for number in range(MAX_KNOWN_PATTERNS + 2):
        state = transaction()
        state.tx[b"x"] = b"%d" % number
        assert test(state, b"%d" % number) is not None
        assert test(state, b"x") is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("@rx (", "expected another argument ("),
        ("@ipMatch 10.0.0.0/99", "does not appear to be an IPv4 or IPv6 network"),
        ("@validateByteRange a-b", "'a-b' is no range of bytes such as 32-126"),
        ("@validateByteRange 5-999", "'5-999' is no range of bytes from 0 to 255"),
    ],
)
def test_an_argument_that_cannot_be_used_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(SecLangError) as raised:
        asked(text, b"")
    assert sentence in str(raised.value)


@given(st.binary(max_size=60), st.sampled_from([text for text, _ in HOLDS]))
def test_an_operator_and_its_negation_are_never_of_one_mind(value: bytes, text: str) -> None:
    opposite = text.removeprefix("!") if text.startswith("!") else f"!{text}"
    assert (asked(text, value) is None) is not (asked(opposite, value) is None)


@pytest.mark.parametrize(
    ("text", "number"), [(b"12ab", 12), (b" +7", 7), (b"-3", -3), (b"", 0), (b"x1", 0), (b"9" * 40, 10**18 - 1)]
)
def test_a_number_is_what_a_text_begins_with(text: bytes, number: int) -> None:
    assert number_in(text) == number


@pytest.mark.parametrize("text", ["@rx (a*)*\\1b", "!@rx (a*)*\\1b"])
def test_where_nobody_knows_whether_a_pattern_matches_the_test_holds(text: str) -> None:
    begin_rule()
    value = b"a" * 2_000 + b"xb"
    assert asked(text, value) in ((), (value,))
