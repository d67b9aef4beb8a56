"""`holdfast.model.hostname`: names of zones, records and certificates."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.hostname import is_within, parse_hostname


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("example.com", "example.com"),
        ("Chat.Example.COM.", "chat.example.com"),
        ("_sip.example.com", "_sip.example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
    ],
)
def test_a_name_is_lower_case_ascii_without_a_final_dot(text: str, expected: str) -> None:
    assert parse_hostname(text) == expected


def test_a_wildcard_and_a_single_label_are_taken_where_they_are_meant() -> None:
    assert parse_hostname("*.Example.com", wildcard=True) == "*.example.com"
    assert parse_hostname("localhost", single_label=True) == "localhost"


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "localhost",
        "*.example.com",
        "a.*.example.com",
        "-a.example.com",
        "a..example.com",
        "a b.example.com",
        "a/b.example.com",
        "example.com\r\nX: y",
        "example.com\0",
        "127.0.0.1",
        "a" * 64 + ".com",
        "a." * 127 + "com",
        "é" * 300,
        "\ud800.com",
    ],
)
def test_what_is_no_host_name_is_refused_on_one_line(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected a host name") as error:
        parse_hostname(text)
    assert "\n" not in str(error.value)


@given(st.text())
def test_whatever_the_text_a_name_is_its_own_parse(text: str) -> None:
    try:
        name = parse_hostname(text, wildcard=True, single_label=True)
    except ValueError:
        return
    assert name.isascii()
    assert name == name.lower()
    assert parse_hostname(name, wildcard=True, single_label=True) == name


@pytest.mark.parametrize(
    ("name", "zone", "expected"),
    [
        ("example.com", "example.com", True),
        ("a.b.example.com", "example.com", True),
        ("badexample.com", "example.com", False),
        ("example.com", "a.example.com", False),
    ],
)
def test_a_name_is_within_a_zone_at_a_label_boundary(name: str, zone: str, *, expected: bool) -> None:
    assert is_within(name, zone) is expected
