"""The URL standard's parser: its own examples, and that what was written by us is read the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.workers.sdk.web.url_parsing import UrlError, parse, parse_host, parse_port

BASE = "https://example.org/foo/bar?q#f"

# (input, base, what it is), after the URL standard's table of examples and the web platform's urltestdata.
CASES = [
    ("https:example.org", None, "https://example.org/"),
    ("https://////example.com///", None, "https://example.com///"),
    ("https://example.com/././foo", None, "https://example.com/foo"),
    ("hello:world", BASE, "hello:world"),
    ("https:example.org", BASE, "https://example.org/foo/example.org"),
    (
        r"\example\..\demo/.\ ",
        BASE,
        "https://example.org/example/../demo/./".replace("/example/..", "").replace("/./", "/"),
    ),
    ("example", BASE, "https://example.org/foo/example"),
    ("?x", BASE, "https://example.org/foo/bar?x"),
    ("#y", BASE, "https://example.org/foo/bar?q#y"),
    ("", BASE, "https://example.org/foo/bar?q"),
    ("//other/a", BASE, "https://other/a"),
    ("/a/../b/./c/..", BASE, "https://example.org/b/"),
    ("..", BASE, "https://example.org/"),
    ("../../../x", BASE, "https://example.org/x"),
    ("file:///a/../demo", None, "file:///demo"),
    ("https://EXAMPLE.com/../x", None, "https://example.com/x"),
    ("https://user:pa ss@example.org/", None, "https://user:pa%20ss@example.org/"),
    ("https://example.org:443/", None, "https://example.org/"),
    ("http://example.org:443/", None, "http://example.org:443/"),
    ("https://faß.ExAmPlE/", None, "https://fass.example/"),
    ("https://münchen.example/", None, "https://xn--mnchen-3ya.example/"),
    ("http://0x7f.1/", None, "http://127.0.0.1/"),
    ("http://0300.168.0xF0", None, "http://192.168.0.240/"),
    ("http://2130706433", None, "http://127.0.0.1/"),
    ("http://[::1]:80/", None, "http://[::1]/"),
    ("http://[2001:DB8:0:0::1]:8080", None, "http://[2001:db8::1]:8080/"),
    ("  https://a.b/\t\n c ", None, "https://a.b/%20c"),
    ("https://a.b/a b?c d'e#f g`", None, "https://a.b/a%20b?c%20d%27e#f%20g%60"),
    ("https://a.b/ü?ü#ü", None, "https://a.b/%C3%BC?%C3%BC#%C3%BC"),
    ("https://a.b/%2e%2E/x/%2e", None, "https://a.b/x/"),
    ("mailto:x@y.z", None, "mailto:x@y.z"),
    ("non-special://Host:99/x/../y", None, "non-special://Host:99/y"),
    ("data:text/plain,a#b", None, "data:text/plain,a#b"),
    ("web+demo:/.//not-a-host/", None, "web+demo:/.//not-a-host/"),
    ("wss://h/p?t=1", None, "wss://h/p?t=1"),
    ("https://h?x", None, "https://h/?x"),
    ("https://h/\ud800", None, "https://h/%EF%BF%BD"),
]

FAILURES = [
    "",
    "example",
    "/path",
    "https://",
    "https:///",
    "https://ex ample.org/",
    "https://ex%20ample.org/",
    "https://example.com:demo",
    "https://example.com:65536",
    "https://example.com:1234567",
    "http://[www.example.com]/",
    "http://[::1",
    "http://[::1%25eth0]/",
    "http://256.256.256.256",
    "http://1.2.3.4.5",
    "http://0x100000000",
    "http://09.1",
    "https://user@/",
    "https://a:b@c:d/",
    "https://\x7f/",
    "http://ho%00st/",
    "mailto",
    "https://" + "a" * 70 + "ü.example/",
]


@pytest.mark.parametrize(("text", "base", "expected"), CASES)
def test_a_url_is_read_as_the_standard_says(text: str, base: str | None, expected: str) -> None:
    record = parse(text, None if base is None else parse(base))
    assert str(record) == expected


@pytest.mark.parametrize("text", FAILURES)
def test_what_is_no_url_is_refused(text: str) -> None:
    with pytest.raises(UrlError, match="Invalid URL string"):
        parse(text)


def test_an_opaque_base_gives_fragments_only() -> None:
    assert str(parse("#x", parse("mailto:a@b"))) == "mailto:a@b#x"
    with pytest.raises(UrlError):
        parse("x", parse("mailto:a@b"))


@given(st.text(max_size=60) | st.text("htps:/.?#@[]%0123456789abx\\ ", max_size=40).map(lambda rest: f"http://{rest}"))
def test_any_text_is_a_url_or_refused_and_ours_are_read_the_same(text: str) -> None:
    try:
        record = parse(text)
    except UrlError:
        return
    assert str(parse(str(record))) == str(record)


@given(st.text(max_size=30))
def test_any_reference_from_a_base_is_a_url_or_refused(text: str) -> None:
    try:
        record = parse(text, parse(BASE))
    except UrlError:
        return
    assert str(parse(str(record))) == str(record)


def test_ports_and_hosts_by_themselves() -> None:
    assert (parse_port("", "https"), parse_port("443", "https"), parse_port("0443", "http")) == (None, None, 443)
    assert parse_host("a_b", is_special=False) == "a_b"
    with pytest.raises(UrlError):
        parse_host("a b", is_special=False)
