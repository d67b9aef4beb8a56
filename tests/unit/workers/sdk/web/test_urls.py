"""URL and URLSearchParams: read and written by their parts, each seen in the other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.workers.sdk.web.urls import MAX_PAIRS, URL, URLSearchParams, pairs_of_query

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)


@given(st.lists(st.tuples(TEXTS, TEXTS)))
def test_parameters_that_are_written_are_read_the_same(pairs: list[tuple[str, str]]) -> None:
    assert list(URLSearchParams.new(str(URLSearchParams(pairs)))) == pairs or any(not a and not b for a, b in pairs)


def test_parameters_have_what_the_platform_has() -> None:
    params = URLSearchParams.new("?a=1&b=2&a=3+4&c")
    assert (params.get("a"), params.getAll("a"), params.get("x"), params.has("c")) == ("1", ["1", "3 4"], None, True)
    assert (params.has("a", "3 4"), params.has("a", "9"), params.size) == (True, False, 4)
    params.set("a", "9")
    params.append("d", "ü&=")
    params.delete("b")
    assert params.toString() == "a=9&c=&d=%C3%BC%26%3D"
    params.append("a", "8")
    params.delete("a", "9")
    params.sort()
    assert params.entries() == list(params) == [("a", "8"), ("c", ""), ("d", "ü&=")]
    assert (params.keys(), params.values(), len(params), bool(URLSearchParams())) == (
        ["a", "c", "d"],
        ["8", "", "ü&="],
        3,
        True,
    )
    assert ("a" in params, "z" in params) == (True, False)
    assert URLSearchParams({"x": "1"}).toString() == "x=1"
    assert URLSearchParams(URLSearchParams("x=1")).toString() == "x=1"
    assert repr(params) == "URLSearchParams('a=8&c=&d=%C3%BC%26%3D')"


def test_a_query_of_very_many_pairs_is_cut() -> None:
    assert len(pairs_of_query("&".join("a=1" for _ in range(MAX_PAIRS + 5)))) == MAX_PAIRS


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
