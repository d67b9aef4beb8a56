"""What an expression looks at: named as it says it, and short however long what a client sent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.edge.firewall.readings import MAX_READINGS, MAX_VALUE_CHARS, readings_of, shown, values_of
from holdfast.rules.context import EvaluationContext
from holdfast.rules.parser import parse
from tests.unit.requests import a_request

CONTEXT = EvaluationContext(a_request(path="/caf\xe9", headers=[("Origin", "https://a"), ("X", "1"), ("x", "2")]))


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("true", ()),
        (
            'http.host eq "a" and http.request.method eq "GET"',
            (("http.host", "example.com"), ("http.request.method", "GET")),
        ),
        ('http.host eq "a" or http.host eq "b"', (("http.host", "example.com"),)),
        ("ip.src in {10.0.0.0/8}", (("ip.src", "203.0.113.7"),)),
        ("ssl and cf.edge.server_port eq 1", (("ssl", "true"), ("cf.edge.server_port", "8443"))),
        ('http.request.headers["origin"][0] eq "x"', (('http.request.headers["origin"][0]', "https://a"),)),
        ('http.request.headers["none"][0] eq "x"', ()),
        ('any(http.request.headers["x"][*] eq "x")', (('http.request.headers["x"][*]', "1, 2"),)),
        ('any(http.request.headers.names[*] eq "x")', (("http.request.headers.names[*]", "Origin, X, x"),)),
        ('lower(raw.http.request.uri.path) eq "x"', (("raw.http.request.uri.path", "/café"),)),
        ('lower(http.request.uri.path) eq "x"', (("http.request.uri.path", "/caf%C3%A9"),)),
    ],
)
def test_values_are_those_that_were_looked_at(expression: str, values: tuple[tuple[str, str], ...]) -> None:
    assert values_of(readings_of(parse(expression)), CONTEXT) == values


SECRETS = [("Cookie", "session=s3cret"), ("Authorization", "Bearer s3cret"), ("X", "seen")]


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ('http.cookie contains "a"', "*** (14 characters)"),
        ('http.request.cookies["session"][0] eq "a"', "*** (6 characters)"),
        ('any(http.request.cookies["session"][*] eq "a")', "*** (1 values)"),
        ('http.request.headers["authorization"][0] eq "a"', "*** (13 characters)"),
        ('any(http.request.headers.values[*] eq "a")', "*** (3 values)"),
        ('any(http.request.headers[*][*] eq "a")', "cookie: *** (1 values), authorization: *** (1 values), x: seen"),
        ('http.request.headers["x"][0] eq "a"', "seen"),
    ],
)
def test_what_a_client_proves_itself_with_is_not_shown(expression: str, text: str) -> None:
    context = EvaluationContext(a_request(headers=SECRETS))
    ((_, value),) = values_of(readings_of(parse(expression)), context)
    assert value == text


def test_there_is_a_bound_to_how_many() -> None:
    many = " or ".join(f'http.request.headers["h{number}"][0] eq "x"' for number in range(MAX_READINGS + 9))
    assert len(readings_of(parse(many))) == MAX_READINGS


_SCALARS = st.text(st.characters(max_codepoint=0xFF), max_size=2000) | st.integers() | st.booleans()
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=9) | st.dictionaries(st.text(max_size=9), inner, max_size=9)
)


@given(_VALUES)
def test_whatever_a_value_is_it_is_shown_short(value: object) -> None:
    # What is no UTF-8 is escaped, with four characters a byte.
    assert len(shown(value)) <= 4 * (MAX_VALUE_CHARS + 1)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ((4, 3405803783), "203.0.113.7"),
        ((6, 1), "::1"),
        ({"a": ["1", "2"]}, "a: 1, 2"),
        ("\xff", "\\xff"),
        (False, "false"),
        (7, "7"),
        ([], ""),
    ],
)
def test_each_type_has_its_text(value: object, text: str) -> None:
    assert shown(value) == text
