"""What an expression reads, by the name that it has there, and as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.request import Request
from holdfast.rules.context import EvaluationContext, Facts
from holdfast.rules.parser import parse
from holdfast.rules.read_values import MAX_SHOWN_CHARS, readable, shown, values_read_by
from tests.unit.requests import a_request

REQUEST: Request = a_request(
    path="/gr%C3%BCn",
    headers=(("Host", "example.com"), ("X-A", "one"), ("X-A", "two"), ("Cookie", "a=1"), ("X-B", "\xff\xc3\xbc")),
)
CONTEXT = EvaluationContext(REQUEST, Facts(zone_name="example.com"))


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ('http.host eq "a" and http.host ne "b"', {"http.host": "example.com"}),
        ('http.request.headers["x-a"][1] eq "a"', {'http.request.headers["x-a"][1]': "two"}),
        ('any(http.request.headers["x-a"][*] eq "a")', {'http.request.headers["x-a"][*]': "one, two"}),
        ('len(http.request.headers["x-a"]) eq 1', {'http.request.headers["x-a"]': "one, two"}),
        ('http.request.headers["x-none"][0] eq "a"', {'http.request.headers["x-none"][0]': None}),
        ('http.request.headers["x-b"][0] eq "a"', {'http.request.headers["x-b"][0]': "\\xffü"}),
        ("len(http.request.cookies) eq 1", {"http.request.cookies": "a: 1"}),
        ('has_key(http.request.headers, "x-a")', {'http.request.headers["x-a"]': "one, two"}),
        ('has_key(http.request.headers, "x-none")', {'http.request.headers["x-none"]': None}),
        ("ssl or ip.src in {10.0.0.0/8}", {"ssl": "true", "ip.src": "203.0.113.7"}),
        ("cf.edge.server_port eq 80", {"cf.edge.server_port": "8443"}),
        ('not (concat(http.host, http.request.uri.path) eq "a")', {"http.host": "example.com", "http.request.uri.path": "/gr%C3%BCn"}),
        ('http.request.headers["a\\"b"][0] eq "a"', {'http.request.headers["a\\"b"][0]': None}),
        ("true", {}),
    ],
)  # fmt: skip
def test_each_value_is_named_as_in_the_expression_and_read_once(
    expression: str, expected: dict[str, str | None]
) -> None:
    values = values_read_by(parse(expression))
    assert {value.name: value.text(CONTEXT) for value in values} == expected
    assert len(values) == len(expected)


def test_values_come_in_the_order_of_the_text() -> None:
    values = values_read_by(parse('http.host eq "a" or (ssl and http.cookie eq "b")'))
    assert [value.name for value in values] == ["http.host", "ssl", "http.cookie"]


SECRETS = [
    ("Cookie", "session=s3cret"),
    ("Authorization", "Bearer s3cret"),
    ("Proxy-Authorization", "x"),
    ("X", "seen"),
]
MAP = "cookie: *** (1 values); authorization: *** (1 values); proxy-authorization: *** (1 values); x: seen"


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ('http.cookie contains "a"', "*** (14 characters)"),
        ('http.request.cookies["session"][0] eq "a"', "*** (6 characters)"),
        ('any(http.request.cookies["session"][*] eq "a")', "*** (1 values)"),
        ('http.request.headers["authorization"][0] eq "a"', "*** (13 characters)"),
        ('has_key(http.request.headers, "proxy-authorization")', "*** (1 values)"),
        ('any(http.request.headers.values[*] eq "a")', "*** (4 values)"),
        ('any(http.request.headers[*][*] eq "a")', MAP),
        ('any(http.request.headers.names[*] eq "a")', "Cookie, Authorization, Proxy-Authorization, X"),
        ('http.request.headers["x"][0] eq "a"', "seen"),
        ('http.request.headers["authorization"][1] eq "a"', None),
    ],
)
def test_what_a_client_proves_itself_with_is_shown_to_nobody_else(expression: str, text: str | None) -> None:
    context = EvaluationContext(a_request(headers=SECRETS))
    (value,) = values_read_by(parse(expression))
    assert value.shown(context) == text
    assert text is None or "s3cret" not in text
    assert value.is_secret is (text is None or text.startswith("***"))


_SCALARS = st.text(st.characters(max_codepoint=0xFF), max_size=2000) | st.integers() | st.booleans()
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=9) | st.dictionaries(st.text(max_size=9), inner, max_size=9)
)


@given(_VALUES)
def test_whatever_a_value_is_it_is_shown_short(value: object) -> None:
    # What is no UTF-8 is escaped, with four characters a byte.
    assert len(shown(value)) <= 4 * (MAX_SHOWN_CHARS + 1)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ((4, 3405803783), "203.0.113.7"),
        ((6, 1), "::1"),
        ({"a": ["1", "2"], "Cookie": ["x"]}, "a: 1, 2; Cookie: *** (1 values)"),
        ("\xff", "\\xff"),
        (False, "false"),
        (7, "7"),
        ([], ""),
        ("", ""),
    ],
)
def test_each_type_has_its_text(value: object, text: str) -> None:
    assert shown(value) == text


def test_bytes_that_are_no_text_are_shown_as_escapes() -> None:
    assert readable("\xc3\xbc\xff") == "ü\\xff"
