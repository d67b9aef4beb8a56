"""Texts and bytes, turned into each other as JavaScript does."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.workers.sdk.errors import DOMException, JsRangeError, JsSyntaxError, JsTypeError
from holdfast.workers.sdk.web.texts import (
    TextDecoder,
    TextEncoder,
    atob,
    btoa,
    decodeURI,
    decodeURIComponent,
    encodeURI,
    encodeURIComponent,
)


def test_texts_are_encoded_and_decoded() -> None:
    assert TextEncoder.new().encode("ü\ud800").to_bytes() == b"\xc3\xbc\xef\xbf\xbd"
    assert TextDecoder.new().decode(b"\xef\xbb\xbf\xc3\xbc\xff") == "ü\ufffd"
    assert TextDecoder("latin-1").decode(bytearray(b"\xfc")) == "ü"
    with pytest.raises(JsTypeError, match="Failed to decode"):
        TextDecoder.new("utf-8", {"fatal": True}).decode(b"\xff")
    with pytest.raises(JsRangeError, match="not a valid encoding"):
        TextDecoder("nonsense")


@given(st.text(st.characters(max_codepoint=255)))
def test_base64_is_undone(text: str) -> None:
    assert atob(btoa(text)) == text


def test_a_text_is_encoded_into_what_there_is_room_for() -> None:
    room = bytearray(4)
    assert TextEncoder.new().encodeInto("aü😀", room) == {"read": 2, "written": 3}
    assert room == b"a\xc3\xbc\0"
    assert TextEncoder.new().encodeInto("😀\ud800", bytearray(9)) == {"read": 3, "written": 7}


def test_whole_urls_keep_what_separates_their_parts() -> None:
    assert encodeURI("https://a/ü?x=a b&y=[1]#z%") == "https://a/%C3%BC?x=a%20b&y=%5B1%5D#z%25"
    assert decodeURI("%C3%BC%2F%2f%20") == "ü%2F%2f "
    with pytest.raises(JsSyntaxError):
        decodeURI("%FF")


def test_what_is_no_base64_is_refused() -> None:
    assert btoa(b"\xff") == "/w=="
    assert [atob(text) for text in ("YQ==", "YQ", " Y\nQ\t=\r=", "YWI=", "")] == ["a", "a", "a", "ab", ""]
    for function, text in ((atob, "a*b"), (atob, "YWI/="), (atob, "YQ="), (atob, "YQ==="), (atob, "Y"), (btoa, "☃")):
        with pytest.raises(DOMException) as caught:
            function(text)
        assert caught.value.name == "InvalidCharacterError"


def test_components_of_urls() -> None:
    assert encodeURIComponent("a b/ü!") == "a%20b%2F%C3%BC!"
    assert decodeURIComponent("a%20b%2F%C3%BC!") == "a b/ü!"
    assert encodeURIComponent("\ud83d\ude00") == "%F0%9F%98%80"
    for function, text in (
        (decodeURIComponent, "%ff"),
        (decodeURIComponent, "100%"),
        (decodeURI, "a%2"),
        (decodeURI, "%zz"),
        (encodeURIComponent, "\ud83d"),
        (encodeURI, "\ude00"),
    ):
        with pytest.raises(JsSyntaxError, match="URI malformed") as caught:
            function(text)
        assert caught.value.name == "URIError"


@given(st.text(), st.lists(st.integers(0, 40)), st.booleans())
def test_any_pieces_of_a_text_give_the_text(text: str, cuts: list[int], has_mark: bool) -> None:
    data = (b"\xef\xbb\xbf" if has_mark else b"") + text.lstrip("\ufeff").encode()
    decoder = TextDecoder.new("utf-8", {"fatal": True})
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [data[start:end] for start, end in pairwise(edges)]
    heard = "".join(decoder.decode(piece, {"stream": True}) for piece in pieces)
    assert heard + decoder.decode() == text.lstrip("\ufeff")
    assert decoder.decode(b"again") == "again"


@pytest.mark.parametrize("start", [b"\xef", b"\xef\xbb"])
def test_the_beginning_of_a_mark_alone_is_no_mark(start: bytes) -> None:
    assert TextDecoder().decode(start) == "\ufffd"
    with pytest.raises(JsTypeError):
        TextDecoder("utf-8", {"fatal": True}).decode(start)


def test_a_decoder_leaves_out_one_mark_of_each_text() -> None:
    decoder = TextDecoder()
    assert [decoder.decode(b"\xef\xbb\xbf" * 2 + b"a") for _ in range(2)] == ["\ufeffa"] * 2
    assert [decoder.decode(data, {"stream": True}) for data in (b"\xef\xbb", b"\xbfa", b"\xef\xbb\xbf")] == [
        "",
        "a",
        "\ufeff",
    ]
    assert TextDecoder("utf-8", {"ignoreBOM": True}).decode(b"\xef\xbb\xbfa") == "\ufeffa"


def test_a_character_that_never_becomes_whole_is_told_at_the_end() -> None:
    decoder = TextDecoder.new()
    assert decoder.decode(b"a\xc3", stream=True) == "a"
    assert decoder.decode() == "\ufffd"
    fatal = TextDecoder.new("utf-8", fatal=True)
    assert fatal.decode(b"\xc3", stream=True) == ""
    with pytest.raises(JsTypeError):
        fatal.decode(b"x")
    assert fatal.decode(b"x") == "x"
