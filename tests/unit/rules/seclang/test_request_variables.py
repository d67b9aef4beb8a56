"""The head of a request as SecLang's variables: arguments taken apart, cookies bounded, nothing that raises."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.rules.context import EvaluationContext, Facts
from holdfast.rules.seclang.request_variables import MAX_PIECES, RequestVariables, as_bytes
from holdfast.rules.seclang.vocabulary import (
    EMPTY_VARIABLES,
    REQUEST_COLLECTIONS,
    REQUEST_VARIABLES,
    RESPONSE_VARIABLES,
)
from tests.unit.rules.seclang.running import a_request

FACTS = Facts(now_ms=1_700_000_000_000, server_ip="192.0.2.9")


def variables(target: str = "/", *headers: tuple[str, str]) -> RequestVariables:
    return RequestVariables(EvaluationContext(a_request(target, *headers), FACTS))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ARGS_COMBINED_SIZE", b"8"),
        ("DURATION", b"00"),
        ("FILES_COMBINED_SIZE", b"0"),
        ("QUERY_STRING", b"a=1%202&b=%zz"),
        ("REMOTE_ADDR", b"203.0.113.7"),
        ("REMOTE_PORT", b"51234"),
        ("REQBODY_PROCESSOR", b""),
        ("REQUEST_BASENAME", b"e f.txt"),
        ("REQUEST_FILENAME", b"/d/e f.txt"),
        ("REQUEST_LINE", b"GET /d/e%20f.txt?a=1%202&b=%zz HTTP/1.1"),
        ("REQUEST_METHOD", b"GET"),
        ("REQUEST_PROTOCOL", b"HTTP/1.1"),
        ("REQUEST_URI", b"/d/e%20f.txt?a=1%202&b=%zz"),
        ("REQUEST_URI_RAW", b"/d/e%20f.txt?a=1%202&b=%zz"),
        ("SERVER_ADDR", b"192.0.2.9"),
        ("SERVER_NAME", b"example.com"),
        ("SERVER_PORT", b"443"),
        ("TIME", b"22:13:20"),
        ("TIME_DAY", b"14"),
        ("TIME_EPOCH", b"1700000000"),
        ("TIME_MON", b"11"),
        ("TIME_WDAY", b"2"),
        ("TIME_YEAR", b"2023"),
        ("UNIQUE_ID", b"230b030023ae2822-LOC"),
        ("URLENCODED_ERROR", b"1"),
    ],
)
def test_a_variable_has_one_value(name: str, value: bytes) -> None:
    assert list(variables("/d/e%20f.txt?a=1%202&b=%zz").pairs(name)) == [(b"", value)]


@pytest.mark.parametrize(
    ("query", "pairs"),
    [
        ("a=1&b=2", [(b"a", b"1"), (b"b", b"2")]),
        ("a", [(b"a", b"")]),
        ("=b", [(b"", b"b")]),
        ("a=b=c&&d", [(b"a", b"b=c"), (b"d", b"")]),
        ("%61%5b%5D=%3Cb%3E+c%2Bd", [(b"a[]", b"<b> c+d")]),
        ("a=%zz%4", [(b"a", b"%zz%4")]),
        ("a=%00", [(b"a", b"\0")]),
    ],
)
def test_arguments_are_taken_apart_and_decoded_once(query: str, pairs: object) -> None:
    found = variables(f"/?{query}")
    assert list(found.pairs("ARGS")) == pairs
    assert list(found.pairs("ARGS_GET")) == pairs
    assert [value for _, value in found.pairs("ARGS_NAMES")] == [name for name, _ in found.pairs("ARGS")]


def test_cookies_come_from_every_cookie_field_as_they_are() -> None:
    found = variables("/", ("Cookie", "a=1; B=%31;c; =x"), ("cookie", "a=2 "))
    assert list(found.pairs("REQUEST_COOKIES")) == [(b"a", b"1"), (b"B", b"%31"), (b"c", b""), (b"a", b"2 ")]
    assert list(found.named("REQUEST_COOKIES", b"b")) == [(b"B", b"%31")]


def test_headers_are_found_by_name_in_any_case() -> None:
    found = variables("/", ("X-One", "caf\xe9"), ("x-one", "2"))
    assert list(found.named("REQUEST_HEADERS", b"x-one")) == [(b"X-One", b"caf\xe9"), (b"x-one", b"2")]
    assert list(found.named("REQUEST_HEADERS", b"x-two")) == []
    assert [name for name, _ in found.pairs("REQUEST_HEADERS_NAMES")][-1] == b"x-one"


@pytest.mark.parametrize(
    ("content_type", "processor"),
    [
        ("application/json", b"JSON"),
        ("Application/problem+JSON; charset=utf-8", b"JSON"),
        ("text/xml", b"XML"),
        ("application/soap+xml", b"XML"),
        ("application/x-www-form-urlencoded", b"URLENCODED"),
        ("multipart/form-data; boundary=x", b"MULTIPART"),
        ("text/plain", b""),
    ],
)
def test_what_would_read_the_body_follows_its_type(content_type: str, processor: bytes) -> None:
    assert list(variables("/", ("Content-Type", content_type)).pairs("REQBODY_PROCESSOR")) == [(b"", processor)]


@pytest.mark.parametrize("name", sorted(REQUEST_COLLECTIONS | REQUEST_VARIABLES | EMPTY_VARIABLES | RESPONSE_VARIABLES))
def test_every_variable_of_a_request_can_be_read(name: str) -> None:
    found = variables("/?a=b", ("Cookie", "c=d"))
    assert bool(found.pairs(name)) is (name in REQUEST_COLLECTIONS | REQUEST_VARIABLES)


def test_without_a_clock_there_is_no_time() -> None:
    found = RequestVariables(EvaluationContext(a_request()))
    assert list(found.pairs("TIME_HOUR")) == []
    assert list(found.pairs("SERVER_ADDR")) == []


def test_beyond_so_many_pieces_the_rest_is_one_more_and_whole() -> None:
    many = MAX_PIECES + 500
    found = variables(
        "/?" + "&".join(f"a{n}={n}" for n in range(many)), ("Cookie", "; ".join(f"c{n}={n}" for n in range(many)))
    )
    arguments, cookies = found.pairs("ARGS"), found.pairs("REQUEST_COOKIES")
    assert len(arguments) == len(cookies) == MAX_PIECES + 1
    assert arguments[-1] == (b"a1000", b"1000&" + b"&".join(b"a%d=%d" % (n, n) for n in range(1001, many)))
    assert cookies[-1][1].endswith(b"c%d=%d" % (many - 1, many - 1))


def test_cookies_of_many_fields_are_bounded_together() -> None:
    fields = [("Cookie", ";".join(f"c{n}={f}" for n in range(100))) for f in range(30)]
    cookies = variables("/", *fields).pairs("REQUEST_COOKIES")
    assert len(cookies) == MAX_PIECES + 1
    assert cookies[-1][1].endswith(b"c99=29")


def test_all_rules_that_ask_share_the_variables_of_a_request() -> None:
    context = EvaluationContext(a_request())
    assert RequestVariables.of(context) is RequestVariables.of(context)


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_request_makes_a_variable_raise(query: str, cookie: str) -> None:
    found = variables(f"/?{query}", ("Cookie", cookie))
    assert all(isinstance(value, bytes) for name in REQUEST_COLLECTIONS for _, value in found.pairs(name))


def test_text_that_is_not_latin_1_is_utf_8() -> None:
    assert (as_bytes("caf\xe9"), as_bytes("\u20ac")) == (b"caf\xe9", "\u20ac".encode())
