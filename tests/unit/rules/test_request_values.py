"""Headers, cookies, queries and addresses, as a client may send them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.request import Request
from holdfast.rules import request_values as values
from tests.unit.requests import TLS, a_request

BYTES = st.text(st.characters(max_codepoint=0xFF), max_size=30)


def with_headers(*headers: tuple[str, str]) -> Request:
    return a_request(headers=headers)


def with_query(query: str, path: str = "/") -> Request:
    return Request("r", "GET", "https", "a.test", path, query, "HTTP/1.1", (), "::1", 1, 443, TLS, False)  # noqa: FBT003


def test_headers_are_grouped_by_their_lower_case_names() -> None:
    request = with_headers(("B", "1"), ("a", "2"), ("b", "3"))
    assert values.header_map(request) == {"b": ["1", "3"], "a": ["2"]}
    assert list(values.header_map(request)) == ["b", "a"]
    assert values.header_names(request) == ["B", "a", "b"]
    assert values.header_values(request) == ["1", "2", "3"]


@given(st.lists(st.tuples(st.sampled_from(["Cookie", "cookie", "X", "x"]), BYTES)))
def test_the_lines_of_one_header_are_those_of_the_map(headers: list[tuple[str, str]]) -> None:
    request = with_headers(*headers)
    for name in ("cookie", "x", "y"):
        assert values.lines_of(request, name) == values.header_map(request).get(name)


def test_one_header_is_one_text() -> None:
    headers = values.header_map(
        with_headers(("X-Forwarded-For", "1.1.1.1"), ("x-forwarded-for", "2.2.2.2"), ("Referer", "a"))
    )
    assert values.header(headers, "x-forwarded-for") == "1.1.1.1, 2.2.2.2"
    assert [values.header(headers, name) for name in ("referer", "origin")] == ["a", ""]


@pytest.mark.parametrize(
    ("lines", "cookies"),
    [
        (("a=1; b=2",), {"a": ["1"], "b": ["2"]}),
        (("a=1", "a=2"), {"a": ["1", "2"]}),
        (("a%20b=c%20d",), {"a b": ["c%20d"]}),
        (("app=x=y; %61pp=z",), {"app": ["x=y", "z"]}),
        (("bare; =1;; ;",), {"bare": [""], "": ["1"]}),
        # An escape ends where its name does, and what it stands for parts no names.
        (("a%; 61=b; %3B%=c; %zz=d", "%0A=e"), {"a%": [""], "61": ["b"], ";%": ["c"], "%zz": ["d"], "\n": ["e"]}),
        ((), {}),
    ],
)
def test_cookies_are_grouped_by_their_decoded_names(lines: tuple[str, ...], cookies: dict[str, list[str]]) -> None:
    headers = values.header_map(with_headers(*(("Cookie", line) for line in lines)))
    assert values.cookie_map(headers) == cookies
    assert values.cookie(headers) == "; ".join(lines)


@pytest.mark.parametrize(
    ("query", "arguments"),
    [
        ("a=1&b=2&a=3", [("a", "1"), ("b", "2"), ("a", "3")]),
        ("a&b=&=c", [("a", ""), ("b", ""), ("", "c")]),
        ("a=b=c&&%41=+", [("a", "b=c"), ("%41", "+")]),
        ("", []),
    ],
)
def test_arguments_come_as_they_are(query: str, arguments: list[tuple[str, str]]) -> None:
    request = with_query(query)
    assert values.arguments(request) == arguments
    assert values.argument_names(request) == [name for name, _ in arguments]
    assert values.argument_values(request) == [value for _, value in arguments]
    assert list(values.argument_map(request)) == list(dict(arguments))


def test_a_uri_has_its_query_if_there_is_one() -> None:
    assert values.uri(with_query("a=1"), "/x") == "/x?a=1"
    assert values.full_uri(with_query(""), "/x") == "https://a.test/x"


@pytest.mark.parametrize(
    ("path", "extension"),
    [
        ("/foo", ""),
        ("/foo.mp3", "mp3"),
        ("/.mp3", ""),
        ("/.foo.mp3", "mp3"),
        ("/foo.tar.bz2", "bz2"),
        ("/foo.", ""),
        ("/foo.MP3", "mp3"),
        ("/a.b/c", ""),
        ("*", ""),
    ],
)
def test_a_path_has_an_extension(path: str, extension: str) -> None:
    assert values.extension(with_query(""), path) == extension


@pytest.mark.parametrize(
    ("line", "languages"),
    [
        ("en", ["en"]),
        ("en;q=0.5, nl, de ; q=0.9", ["nl", "de", "en"]),
        ("a, b, c", ["a", "b", "c"]),
        ("a;q=0, b;q=x, c;q=2, d;q=nan, e;x=1", ["e"]),
        (" , ;q=1,", []),
        ("", []),
    ],
)
def test_languages_come_by_their_weight(line: str, languages: list[str]) -> None:
    assert values.accepted_languages({"accept-language": [line]}) == languages


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("203.0.113.7", (4, 0xCB007107)),
        ("::1", (6, 1)),
        ("::ffff:1.2.3.4", (6, 0xFFFF01020304)),
        ("1.2.3", None),
        ("1.2.3.4.5", None),
        ("1.2.3.256", None),
        ("x", None),
        ("", None),
        (":", None),
    ],
)
def test_the_client_has_an_address(text: str, address: tuple[int, int] | None) -> None:
    assert values.client_address(a_request(client_ip=text)) == address


def test_the_ray_comes_without_its_place() -> None:
    assert values.ray_id(a_request(ray="230b030023ae2822-LOC")) == "230b030023ae2822"


def test_tls_is_named_as_the_fields_have_it() -> None:
    assert values.tls_version(a_request()) == "TLSv1.3"
    assert values.tls_cipher(a_request()) == "AEAD-AES256-GCM-SHA384"
    assert values.tls_version(a_request(scheme="http")) == ""
    assert values.tls_cipher(a_request(scheme="http")) == ""


@given(st.lists(st.tuples(st.sampled_from(["Cookie", "Accept-Language", "X"]), BYTES)), BYTES)
def test_whatever_the_client_sent_there_is_a_value(headers: list[tuple[str, str]], text: str) -> None:
    request = with_headers(*headers)
    by_name = values.header_map(request)
    for found in (
        by_name,
        values.cookie_map(by_name),
        values.accepted_languages(by_name),
        values.header_names(request),
    ):
        assert len(found) <= len(request.headers) + sum(map(len, values.header_values(request)))
    assert values.argument_map(with_query(text)).keys() == set(values.argument_names(with_query(text)))
