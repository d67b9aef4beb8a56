"""Header fields: one list, read as JavaScript's Headers and as Python's HTTPMessage, and written back as it came."""

import http.client
import string
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.workers.sdk.errors import JsTypeError
from holdfast.workers.sdk.web.headers import Headers

NAMES = st.text(string.ascii_letters + string.digits + "-", min_size=1, max_size=12)
VALUES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF), max_size=12).map(str.strip)


@given(st.lists(st.tuples(NAMES, VALUES)))
def test_what_came_over_the_wire_goes_back_with_the_same_bytes_for_each_name(pairs: list[tuple[str, str]]) -> None:
    wire = [(name.encode(), value.encode("latin-1")) for name, value in pairs]
    folded: dict[bytes, bytes] = {}
    for name, value in wire:
        key = name.lower()
        folded[key] = value if key not in folded else folded[key] + b", " + value
    written = Headers.from_wire(pair for pair in wire if pair[0].lower() != b"set-cookie").wire()
    folded.pop(b"set-cookie", None)
    assert {name.lower(): value for name, value in written} == folded
    assert {name for name, _ in written} <= {name for name, _ in wire}


@given(st.lists(st.tuples(NAMES, VALUES)))
def test_a_copy_is_equal_and_changes_alone(pairs: list[tuple[str, str]]) -> None:
    first = Headers(pairs)
    second = Headers(first)
    assert first == second
    second.set("x-only-here", "1")
    assert not first.has("x-only-here")


def test_names_compare_without_case_and_go_out_as_they_were_spelled() -> None:
    headers = Headers.new({"X-Auth": "a"})
    headers.append("x-auth", "b")
    assert headers.get("X-AUTH") == "a, b"
    assert headers.wire() == [(b"X-Auth", b"a, b")]
    headers.set("x-AUTH", "c")
    assert headers.wire() == [(b"x-AUTH", b"c")]


def test_cookies_stay_apart_and_everything_else_is_joined() -> None:
    headers = Headers([("Set-Cookie", "a=1"), ("set-cookie", "b=2"), ("Vary", "x"), ("Vary", "y")])
    assert headers.getSetCookie() == headers.getAll("Set-Cookie") == ["a=1", "b=2"]
    assert headers.message().get_all("set-cookie") == ["a=1", "b=2"]
    assert headers.wire() == [(b"Set-Cookie", b"a=1"), (b"Set-Cookie", b"b=2"), (b"Vary", b"x, y")]
    with pytest.raises(JsTypeError, match="Set-Cookie"):
        headers.getAll("vary")


def test_it_is_gone_through_sorted_as_javascript_does() -> None:
    headers = Headers({"B": "2", "A": "1"})
    assert list(headers) == headers.entries() == [("a", "1"), ("b", "2")]
    assert (headers.keys(), headers.values()) == (["a", "b"], ["1", "2"])
    seen: list[tuple[str, ...]] = []
    headers.forEach(lambda value, name: seen.append((name, value)))
    headers.forEach(lambda *given: seen.append(given[:2]))
    assert seen == [("a", "1"), ("b", "2"), ("1", "a"), ("2", "b")]


@pytest.mark.parametrize(
    ("name", "value"),
    [("", "x"), ("a b", "x"), ("a:", "x"), ("ä", "x"), ("a", "x\r\ny"), ("a", "x\0"), ("a\n", "x")],
)
def test_what_cannot_stand_in_a_head_is_refused_where_it_is_set(name: str, value: str) -> None:
    for change in (Headers().set, Headers().append, Headers().message().__setitem__):
        with pytest.raises(JsTypeError, match="Invalid header"):
            change(name, value)


@pytest.mark.parametrize("init", ["text", b"bytes", 5, [("only",)], ["a"]])
def test_what_is_no_list_of_fields_is_refused(init: Any) -> None:
    with pytest.raises(JsTypeError, match="Received unexpected type for headers argument"):
        Headers(init)


def test_values_beyond_latin_1_go_out_in_utf_8() -> None:
    assert Headers({"a": "ü", "b": "☃"}).wire() == [(b"a", b"\xfc"), (b"b", "☃".encode())]


def test_it_is_read_as_http_message_and_what_is_set_there_goes_out() -> None:
    headers = Headers({"Content-Type": "text/plain; charset=utf-8"})
    message = headers.message()
    assert isinstance(message, http.client.HTTPMessage)
    assert isinstance(message, Mapping)
    assert (message["CONTENT-TYPE"], message.get_content_type()) == ("text/plain; charset=utf-8", "text/plain")
    missing: object = message["missing"]
    assert (missing, message.get("missing", "x"), "content-type" in message) == (None, "x", True)
    message["X-New"] = "1"
    message.replace_header("content-type", "text/html")
    message.add_header("Content-Disposition", "attachment", filename="a.txt")
    del message["x-missing"]
    assert dict(headers) == {
        "content-type": "text/html",
        "x-new": "1",
        "content-disposition": 'attachment; filename="a.txt"',
    }
    with pytest.raises(KeyError):
        message.replace_header("missing", "x")
    del message["X-New"]
    assert not headers.has("x-new")
    assert Headers(message) == headers


def test_it_can_be_used_like_a_dictionary() -> None:
    headers = Headers({"a": "1"})
    headers["b"] = "2"
    assert (headers["B"], "b" in headers, len(headers), 5 in headers) == ("2", True, 2, False)
    with pytest.raises(KeyError):
        _ = headers["missing"]
    assert repr(headers) == "Headers([('a', '1'), ('b', '2')])"
    assert headers != {"a": "1"}


def test_a_value_that_is_no_text_is_said_as_javascript_says_it() -> None:
    assert list(Headers({"a": 123, "b": True, "c": False})) == [("a", "123"), ("b", "true"), ("c", "false")]  # type: ignore[arg-type]
