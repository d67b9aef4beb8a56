"""Computed results, beside the documentation's own examples and Python's libraries."""

import base64
import hmac
import time
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import quote, unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.rules import function_bodies as bodies
from holdfast.rules.meter import Undecided
from holdfast.rules.patterns import Pattern, Wildcard

BYTES = st.text(st.characters(max_codepoint=0xFF))
# Far above what is measured (0.04 s), so that only another order of magnitude fails.
LIMIT_S = 5.0
NOW = 1_484_063_800


@pytest.mark.parametrize(
    ("text", "template"),
    [
        ("", ("",)),
        ("/a", ("/a",)),
        ("${1}-${8}", ("", 1, "-", 8, "")),
        ("$$x$${1}", ("", "$x", "${1}")),
        ("a$$", ("a", "$")),
    ],
)
def test_a_replacement_has_texts_and_references(text: str, template: bodies.Template) -> None:
    assert bodies.template_of(text) == template


@pytest.mark.parametrize("text", ["$", "$1", "${9}", "${0}", "${12}", "${1", "a$b", "$$$"])
def test_any_other_dollar_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="in a replacement"):
        bodies.template_of(text)


@pytest.mark.parametrize(
    ("source", "pattern", "replacement", "result"),
    [
        ("/foo/bar", "/bar$", "/baz", "/foo/baz"),
        ("/x", "^/y$", "/mumble", "/x"),
        ("/foo", "^/FOO$", "/x", "/foo"),
        ("/a/a", "/a", "/b", "/b/a"),
        ("/b", "^/b$", "/b$$", "/b$"),
        ("/foo/a/path", "^/foo/([^/]*)/(.*)$", "/bar/${2}/${1}", "/bar/path/a"),
        ("\xc3\xa9", "é", "e", "e"),
    ],
)
def test_a_regular_expression_is_replaced_as_documented(
    source: str, pattern: str, replacement: str, result: str
) -> None:
    assert bodies.regex_replace(source, Pattern(pattern, with_groups=True), bodies.template_of(replacement)) == result


def test_a_wildcard_is_replaced_if_it_covers_all() -> None:
    wildcard = Wildcard("/apps/*/login", strict=False)
    template = bodies.template_of("/${1}/login${2}")
    assert bodies.wildcard_replace("/Apps/calendar/login", wildcard, template) == "/calendar/login"
    assert bodies.wildcard_replace("/x/apps/a/login", wildcard, template) == "/x/apps/a/login"


@pytest.mark.parametrize(
    ("source", "flags", "decoded"),
    [
        ("John%20Doe", "", "John Doe"),
        ("John+Doe", "", "John Doe"),
        ("%E4%BD", "", "\xe4\xbd"),
        ("%2520", "", "%20"),
        ("%2520", "r", " "),
        ("%%3230", "r", "#0"),
        ("%2B", "r", " "),
        ("%zz%4", "r", "%zz%4"),
        ("%u2601", "u", "\xe2\x98\x81"),
        ("%u2601%41+%uD800%u1", "u", "\xe2\x98\x81A %uD800%u1"),
        ("%25u2601", "ur", "\xe2\x98\x81"),
        ("%25u2601", "u", "%u2601"),
        ("%u2601", "", "%u2601"),
    ],
)
def test_urls_are_decoded(source: str, flags: str, decoded: str) -> None:
    assert bodies.url_decode(source, flags) == decoded


@given(st.text(st.sampled_from("%%%+0123456789abcdefABCDEFguU \x00\xff"), max_size=20))
def test_decoding_once_is_what_the_standard_library_does(source: str) -> None:
    expected = unquote_to_bytes(source.replace("+", " ").encode("latin-1")).decode("latin-1")
    assert bodies.url_decode(source, "") == expected


def _decoded_until_nothing_changes(source: str) -> str:
    while (decoded := unquote_to_bytes(source.replace("+", " ").encode("latin-1")).decode("latin-1")) != source:
        source = decoded
    return source


@given(st.text("%25413+zu", max_size=20))
def test_decoding_on_a_stack_is_decoding_again_and_again(source: str) -> None:
    assert bodies.url_decode(source, "r") == _decoded_until_nothing_changes(source)


@pytest.mark.parametrize(
    ("names", "left"),
    [(("country",), "order=asc"), (("order", "country"), ""), (("search",), "order=asc&country=GB"), (("ord",), None)],
)
def test_arguments_are_removed_from_a_query(names: tuple[str, ...], left: str | None) -> None:
    query = "order=asc&country=GB"
    assert bodies.remove_query_args(query, *names) == (query if left is None else left)


def test_an_argument_is_removed_each_time_it_stands_there() -> None:
    assert bodies.remove_query_args("category=Foo&order=desc&category=Bar&category", "category") == "order=desc"


JSON = '{"company": "holdfast", "product": {"id": 356, "f": 42.0}, "ids": [123, 456], "ok": true, "é": "ü", "s": "\\ud800"}'


@pytest.mark.parametrize(
    ("keys", "text", "number"),
    [
        (("company",), "holdfast", None),
        (("product", "id"), None, 356),
        (("product", "f"), None, None),
        (("ids", 1), None, 456),
        (("ids", 2), None, None),
        (("ids", -1), None, None),
        (("ids", "0"), None, None),
        (("ok",), None, None),
        (("none",), None, None),
        ((0,), None, None),
        (("\xc3\xa9",), "\xc3\xbc", None),
        (("s",), None, None),
    ],
)
def test_json_is_looked_up_by_a_path(keys: tuple[str | int, ...], text: str | None, number: int | None) -> None:
    document = JSON.encode().decode("latin-1")
    assert bodies.lookup_json_string(document, *keys) == text
    assert bodies.lookup_json_integer(document, *keys) == number


@pytest.mark.parametrize(
    "document", ["", "{", "[" * 16_000, "\xff", "[99999999999999999999]", "[1e400]", '{"a":' * 5000]
)
def test_what_is_no_json_has_nothing(document: str) -> None:
    assert bodies.lookup_json_string(document, 0) is None
    assert bodies.lookup_json_integer(document, 0) is None


@given(BYTES)
def test_base64_is_decoded_as_it_was_encoded(text: str) -> None:
    for flags in ("", "u", "p", "up"):
        assert bodies.decode_base64(bodies.encode_base64(text, flags)) == text


@pytest.mark.parametrize("text", ["a", "a!b=", "ab=c", "\xe9"])
def test_what_is_no_base64_is_missing(text: str) -> None:
    assert bodies.decode_base64(text) is None


@pytest.mark.parametrize(
    ("address", "bits", "network"),
    [
        ((4, 0x710A0002), (24, 24), (4, 0x710A0000)),
        ((4, 0x710A0002), (32, 1), (4, 0x710A0002)),
        ((6, 0x20010000130F << 80 | 7), (24, 24), (6, 0x2001 << 112)),
    ],
)
def test_an_address_has_a_network(address: tuple[int, int], bits: tuple[int, int], network: tuple[int, int]) -> None:
    assert bodies.cidr(address, *bits) == network
    assert bodies.cidr6((4, 1), 8) == (4, 1)


@pytest.mark.parametrize(
    ("value", "text"),
    [(5, "5"), (-1, "-1"), (True, "true"), (False, "false"), ((4, 1), "0.0.0.1"), ((6, 1), "::1")],
)
def test_a_value_is_written(value: bool | int | tuple[int, int], text: str) -> None:
    assert bodies.to_string(value) == text


def signed(message: str, separator: str, timestamp: int, *, url_safe: bool, key: bytes = b"key") -> str:
    mac = hmac.digest(key, f"{message}{timestamp}".encode(), "sha256")
    encoded = base64.urlsafe_b64encode(mac).decode().rstrip("=") if url_safe else quote(base64.b64encode(mac), safe="")
    return f"{message}{separator}{timestamp}-{encoded}"


@pytest.mark.parametrize("url_safe", [True, False])
@pytest.mark.parametrize(
    ("change", "valid"),
    [
        (lambda text: text, True),
        (lambda text: text.replace("cat", "dog"), False),
        (lambda text: text.replace("1484063787", "1484063788"), False),
        (lambda text: text[:-8] + "AAAAAAAA", False),
        (lambda text: text[-60:], False),
        (lambda _: "", False),
        (lambda _: "-" * 100, False),
        (lambda _: "1234567890-" * 100, False),
    ],
)
def test_a_message_is_valid_only_as_it_was_signed(change: Callable[[str], str], valid: bool, url_safe: bool) -> None:
    text = change(signed("/download/cat.jpg", "?verify=", 1_484_063_787, url_safe=url_safe))
    assert bodies.is_timed_hmac_valid("key", text, 100, NOW, 8, "s" if url_safe else "") is valid
    assert bodies.is_timed_hmac_valid("other", text, 100, NOW, 8, "s" if url_safe else "") is False


def test_a_signature_has_its_time() -> None:
    text = signed("/a", "", 1_484_063_787, url_safe=True)
    assert bodies.is_timed_hmac_valid("key", text, 13, NOW, 0, "s")
    assert not bodies.is_timed_hmac_valid("key", text, 12, NOW, 0, "s")


@pytest.mark.parametrize(
    "work",
    [
        lambda: bodies.url_decode("%25" * 5_000 + "41", "ur"),
        lambda: bodies.url_decode("%u0041" * 2_500, "u"),
        lambda: bodies.is_timed_hmac_valid("k", "1234567890-" * 1_500, 1, 1, 0, ""),
        lambda: bodies.remove_query_args("a=b&" * 4_000, "a", "b"),
        lambda: bodies.lookup_json_integer("[" * 16_000, 0),
    ],
)
def test_hostile_input_takes_linear_time(work: Callable[[], object]) -> None:
    begun = time.thread_time()
    with suppress(Undecided):
        work()
    assert time.thread_time() - begun < LIMIT_S
