"""Origins of browsers: spelled one way, and compared as a whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.websocket_origin import is_listed, listed, parse_origin


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("https://example.com", "https://example.com"),
        ("HTTPS://Example.COM", "https://example.com"),
        ("https://example.com:443", "https://example.com"),
        ("http://example.com:80", "http://example.com"),
        ("http://example.com:443", "http://example.com:443"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("http://[0:0::1]", "http://[::1]"),
        ("chrome-extension://abcdefgh", "chrome-extension://abcdefgh"),
        ("https://*.example.com", "https://*.example.com"),
        ("https://*.example.com:8443", "https://*.example.com:8443"),
        ("null", "null"),
    ],
)
def test_an_origin_has_one_spelling(text: str, parsed: str) -> None:
    assert parse_origin(text, wildcard=True) == parsed
    assert parse_origin(parsed, wildcard=True) == parsed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "example.com",
        "//example.com",
        "https://",
        "https://*",
        "https://example.com/",
        "https://example.com/path",
        "https://user@example.com",
        "https://a.*.example.com",
        "https://*example.com",
        "https://exa mple.com",
        "https://example.com:0",
        "https://example.com:99999",
        "https://example.com:port",
        "https://[::1",
        "https://[127.0.0.1]",
        "https://1.2.3",
        "https://example.com\n",
        "Null",
        "https://" + "a." * 200 + "example",
    ],
)
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^expected (an origin such as|a port from 1)"):
        parse_origin(text, wildcard=True)


def test_a_client_says_no_wildcard() -> None:
    with pytest.raises(ValueError, match="expected an origin"):
        parse_origin("https://*.example.com")


@pytest.mark.parametrize(
    ("origin", "is_let_in"),
    [
        ("https://example.com", True),
        ("https://EXAMPLE.com:443", True),
        ("http://example.com", False),
        ("https://example.com:8443", False),
        ("https://www.example.com", False),
        ("https://a.example.net", True),
        ("https://a.b.example.net", True),
        ("https://example.net", False),
        ("https://evilexample.net", False),
        ("https://a.example.net:8443", False),
        ("http://a.example.net", False),
        ("http://x.local:3000", True),
        ("http://x.local", False),
        ("https://*.example.net", False),
        ("https://example.com.evil.test", False),
        ("https://evil.test/.example.net", False),
        ("null", False),
        ("", False),
    ],
)
def test_scheme_host_and_port_must_all_fit(origin: str, is_let_in: bool) -> None:
    exact, below = listed(("https://example.com", "https://*.example.net", "http://*.local:3000"))
    assert is_listed(origin, exact, below) is is_let_in


def test_an_opaque_origin_is_let_in_only_by_its_name() -> None:
    assert is_listed("null", *listed(("null",)))
    assert not is_listed("null", *listed(("https://*.example.com",)))


@given(st.text(st.characters(max_codepoint=0xFF), max_size=60))
def test_whatever_a_client_sends_is_an_answer(origin: str) -> None:
    assert not is_listed(origin, *listed(("https://*.example.com",))) or origin.lower().endswith(".example.com")
