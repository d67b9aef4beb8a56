"""HTML in pieces: kinds, names and attributes as the standard's tokenizer has them, and everything given back as it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.workers.sdk.web import html_tokens
from holdfast.workers.sdk.web.html_tokens import Kind, Token, Tokenizer, comment_of, doctype_of


def tokens(*pieces: str) -> list[Token]:
    tokenizer, found = Tokenizer(), []
    for piece in (*pieces, None):
        if piece is None:
            tokenizer.finish()
        else:
            tokenizer.feed(piece)
        while (token := tokenizer.next()) is not None:
            found.append(token)
    return found


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("a<b>c</b >", [("TEXT", "a"), ("START", "<b>"), ("TEXT", "c"), ("END", "</b >")]),
        ("<a b='>' c=\">\">x", [("START", "<a b='>' c=\">\">"), ("TEXT", "x")]),
        ('<a"b>c', [("START", '<a"b>'), ("TEXT", "c")]),
        ("1 < 2", [("TEXT", "1 "), ("TEXT", "<"), ("TEXT", " 2")]),
        ("<!DOCTYPE html>", [("DOCTYPE", "<!DOCTYPE html>")]),
        ("<!--a--b-->c", [("COMMENT", "<!--a--b-->"), ("TEXT", "c")]),
        ("<?x?></ y><!z></>", [("COMMENT", "<?x?>"), ("COMMENT", "</ y>"), ("COMMENT", "<!z>"), ("OTHER", "</>")]),
        ("<script>a<b></scripts></SCRIPT >", [("START", "<script>"), ("TEXT", "a<b></scripts>"), ("END", "</SCRIPT >")]),
        ("<a b='", [("OTHER", "<a b='")]),
        ("<!--", [("OTHER", "<!--")]),
        ("<title>a</tit", [("START", "<title>"), ("TEXT", "a"), ("TEXT", "</tit")]),
    ],
)  # fmt: skip
def test_a_document_is_cut_where_the_standard_cuts_it(html: str, expected: list[tuple[str, str]]) -> None:
    assert [(token.kind.name, token.raw) for token in tokens(html)] == expected


def test_attributes_have_a_name_a_value_and_what_was_written() -> None:
    [token] = tokens("<A b c=d e = 'f g' h=\"'\" =i j=/>")
    assert (token.name, token.written_name, token.is_self_closing) == ("a", "A", False)
    assert token.attributes == [
        ("b", "", "b"), ("c", "d", "c=d"), ("e", "f g", "e = 'f g'"), ("h", "'", "h=\"'\""), ("=i", "", "=i"), ("j", "/", "j=/"),
    ]  # fmt: skip
    assert tokens("<br/>")[0].is_self_closing


@given(st.text(alphabet="<>/!-?=\"'ab \n"), st.integers(1, 5))
def test_pieces_joined_are_the_document(html: str, size: int) -> None:
    pieces = [html[start : start + size] for start in range(0, len(html), size)]
    assert "".join(token.raw for token in tokens(*pieces)) == html
    marked = [
        [token.raw for token in tokens(*cut) if token.kind not in {Kind.TEXT, Kind.OTHER}] for cut in (pieces, [html])
    ]
    assert marked[0] == marked[1]


def test_a_token_that_does_not_end_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html_tokens, "MAX_TOKEN_CHARS", 10)
    tokenizer = Tokenizer()
    tokenizer.feed("<a b='cdefghijklm")
    token = tokenizer.next()
    assert token is not None
    assert (token.kind, token.raw) == (Kind.OTHER, "<a b='cdefghijklm")


def test_in_svg_nothing_is_raw_text() -> None:
    tokenizer = Tokenizer()
    tokenizer.is_foreign = True
    tokenizer.feed("<title><b><![CDATA[<p>]]>")
    found = [tokenizer.next() for _ in range(3)]
    assert [(one.kind, one.name) for one in found if one] == [
        (Kind.START, "title"),
        (Kind.START, "b"),
        (Kind.OTHER, ""),
    ]


@pytest.mark.parametrize(
    ("raw", "text"),
    [("<!-- a -->", " a "), ("<!-->", ""), ("<!--->", ""), ("<!--a--!>", "a"), ("<!x>", "x"), ("<?x?>", "?x?"), ("</ x>", " x")],
)  # fmt: skip
def test_what_is_in_a_comment(raw: str, text: str) -> None:
    assert comment_of(raw) == text


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("<!doctype HTML>", ("html", None, None)),
        ("<!DOCTYPE>", (None, None, None)),
        ('<!DOCTYPE html PUBLIC "-//W3C//DTD" "http://x/y">', ("html", "-//W3C//DTD", "http://x/y")),
        ("<!DOCTYPE html SYSTEM 'about:legacy-compat'>", ("html", None, "about:legacy-compat")),
    ],
)
def test_what_a_doctype_says(raw: str, expected: tuple[str | None, str | None, str | None]) -> None:
    assert doctype_of(raw) == expected
