"""Constants. What each looks like in an expression is in `cases/`; here are their values."""

import ipaddress
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.rules import literals
from holdfast.rules.errors import ParseError

Reader = Callable[[str, int], tuple[object, int]]


@pytest.mark.parametrize(
    ("read", "text", "value", "rest"),
    [
        (literals.byte_string, '"a\\"\\\\\\x41\\101"x', 'a"\\AA', "x"),
        (literals.byte_string, '"é"', "\xc3\xa9", ""),
        (literals.byte_string, 'r"a\\n"', "a\\n", ""),
        (literals.byte_string, 'r#"a"b"# c', 'a"b', " c"),
        (literals.byte_string, "01:2e:f3;", "\x01\x2e\xf3", ";"),
        (literals.byte_string, "c2:b4710c", "\xc2\xb4", "710c"),
        (literals.text_string, '""', "", ""),
        (literals.integer, "42 ", 42, " "),
        (literals.integer, "-42", -42, ""),
        (literals.integer, "0x1F", 31, ""),
        (literals.integer, "010", 8, ""),
        (literals.integer, "9223372036854775807", 2**63 - 1, ""),
        (literals.integer, "-9223372036854775808", -(2**63), ""),
        (literals.integer_range, "1..9}", (1, 9), "}"),
        (literals.integer_range, "5", (5, 5), ""),
        (literals.address, "1.2.3.4 ", (4, 0x01020304), " "),
        (literals.address, "::1", (6, 1), ""),
        (literals.address_range, "10/8", ((4, 10 << 24), (4, (11 << 24) - 1)), ""),
        (literals.address_range, "fe80::/10", ((6, 0xFE80 << 112), (6, (0xFEC0 << 112) - 1)), ""),
        (literals.address_range, "1.1.1.1..1.1.1.3", ((4, 0x01010101), (4, 0x01010103)), ""),
    ],
)
def test_a_constant_is_its_value(read: Reader, text: str, value: object, rest: str) -> None:
    found, end = read(text, 0)
    assert (found, text[end:]) == (value, rest)


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (literals.byte_string, '"a'),
        (literals.byte_string, '"\\n"'),
        (literals.byte_string, "01"),
        (literals.byte_string, 'r#"a"'),
        (literals.integer, "09"),
        (literals.integer, "9223372036854775808"),
        (literals.integer_range, "2..1"),
        (literals.address, "1.2.3"),
        (literals.address_range, "10.0.0.1/8"),
        (literals.address_range, "10.0.0.0/33"),
        (literals.address_range, "10.0.0.2..10.0.0.1"),
        (literals.address_range, "1.1.1.1..::1"),
    ],
)
def test_what_is_none_is_refused(read: Reader, text: str) -> None:
    with pytest.raises(ParseError):
        read(text, 0)


@given(st.text())
def test_a_quoted_string_is_the_utf_8_of_its_text(text: str) -> None:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    assert literals.quoted_string(quoted, 0) == (text.encode().decode("latin-1"), len(quoted))


@given(st.ip_addresses())
def test_every_address_is_read(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    assert literals.address(str(address), 0)[0] == (address.version, int(address))


@given(st.ip_addresses(v=4), st.integers(0, 32))
def test_every_network_is_read(address: ipaddress.IPv4Address, length: int) -> None:
    network = ipaddress.ip_network((address, length), strict=False)
    expected = ((4, int(network[0])), (4, int(network[-1])))
    assert literals.address_range(str(network), 0)[0] == expected


@pytest.mark.parametrize(
    ("text", "source", "end"),
    [('"a\\"b[\\"]c"x', 'a"b[\\"]c', 11), ('"[a\\]b"]"', '[a\\]b"]', 9), ('r"\\d"', "\\d", 5)],
)
def test_a_pattern_keeps_its_own_escapes(text: str, source: str, end: int) -> None:
    assert literals.regex_source(text, 0)[:2] == (source, end)


def test_a_set_has_no_commas() -> None:
    assert literals.set_of("{ 1 2..3\n}", 0, literals.integer_range) == ([(1, 1), (2, 3)], 10)
    assert literals.set_of("{}", 0, literals.integer_range) == ([], 2)
    with pytest.raises(ParseError, match="expected digit"):
        literals.set_of("{1, 2}", 0, literals.integer_range)


@pytest.mark.parametrize("text", ["fe80::1%eth0", "1.2.3.04", "", "x"])
def test_what_is_no_address_is_none(text: str) -> None:
    assert literals.parse_address(text) is None
