"""What an expression reads, by the name that it has there, and as text."""

import pytest

from holdfast.model.request import Request
from holdfast.rules.context import EvaluationContext, Facts
from holdfast.rules.parser import parse
from holdfast.rules.read_values import readable, values_read_by
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


@pytest.mark.parametrize(
    ("expression", "is_secret"),
    [
        ('http.cookie eq "a"', True),
        ('any(http.request.cookies["a"][*] eq "a")', True),
        ('http.request.headers["authorization"][0] eq "a"', True),
        ('any(http.request.headers.values[*] eq "a")', True),
        ('any(http.request.headers.names[*] eq "a")', False),
        ('http.request.headers["origin"][0] eq "a"', False),
        ('http.request.uri eq "a"', False),
        ('has_key(http.request.headers, "origin")', False),
        ('has_key(http.request.headers, "cookie")', True),
    ],
)
def test_what_lets_somebody_in_is_secret(expression: str, is_secret: bool) -> None:
    (value,) = values_read_by(parse(expression))
    assert value.is_secret is is_secret
    text, shown = value.text(CONTEXT), value.shown(CONTEXT)
    assert shown == (f"*** ({len(text)} characters)" if text and is_secret else text)


def test_bytes_that_are_no_text_are_shown_as_escapes() -> None:
    assert readable("\xc3\xbc\xff") == "ü\\xff"
