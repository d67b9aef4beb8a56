"""URL: read and written by its parts, its parameters with it."""

import pytest

from holdfast.workers.sdk.web.urls import URL


def test_a_url_has_its_parts() -> None:
    url = URL.new("/b/c?x=1#top", "https://example.org:8443/a")
    assert url.href == str(url) == url.toJSON() == "https://example.org:8443/b/c?x=1#top"
    assert (url.protocol, url.host, url.hostname, url.port) == ("https:", "example.org:8443", "example.org", "8443")
    assert (url.pathname, url.search, url.hash, url.origin) == ("/b/c", "?x=1", "#top", "https://example.org:8443")
    assert (URL("mailto:x").origin, URL("file:///x").origin) == ("null", "null")
    assert repr(url) == "URL('https://example.org:8443/b/c?x=1#top')"


@pytest.mark.parametrize(
    ("part", "value", "expected"),
    [
        ("protocol", "http:", "http://h.example/p?q#f"),
        ("protocol", "ftp", "ftp://h.example/p?q#f"),
        ("protocol", "nonsense", "https://h.example/p?q#f"),
        ("host", "other:99", "https://other:99/p?q#f"),
        ("hostname", "other", "https://other/p?q#f"),
        ("hostname", "other:99", "https://h.example/p?q#f"),
        ("host", "not a host", "https://h.example/p?q#f"),
        ("port", "8080", "https://h.example:8080/p?q#f"),
        ("port", 443, "https://h.example/p?q#f"),
        ("port", "x", "https://h.example/p?q#f"),
        ("pathname", "/a b?c", "https://h.example/a%20b%3Fc?q#f"),
        ("pathname", "x/../y", "https://h.example/y?q#f"),
        ("search", "?n=1", "https://h.example/p?n=1#f"),
        ("search", "", "https://h.example/p#f"),
        ("hash", "#g h", "https://h.example/p?q#g%20h"),
        ("hash", "", "https://h.example/p?q"),
        ("username", "me@", "https://me%40@h.example/p?q#f"),
        ("password", "s", "https://:s@h.example/p?q#f"),
        ("href", "http://new/", "http://new/"),
    ],
)
def test_each_part_can_be_set(part: str, value: object, expected: str) -> None:
    url = URL("https://h.example/p?q#f")
    setattr(url, part, value)
    assert url.href == expected


def test_a_url_and_its_parameters_are_one_thing() -> None:
    url = URL("https://h/?a=1")
    params = url.searchParams
    params.append("b", "2")
    assert url.href == "https://h/?a=1&b=2"
    url.search = "?c=3"
    assert (params.get("a"), params.get("c"), url.search_params is params) == (None, "3", True)
    params.delete("c")
    assert url.href == "https://h/"


def test_one_can_ask_whether_it_is_a_url() -> None:
    assert URL.canParse("https://a.b")
    assert not URL.canParse("nonsense")
    assert URL.parse("nonsense") is None
    with pytest.raises(TypeError, match="Invalid URL string"):
        URL("nonsense")
