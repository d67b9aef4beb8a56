"""Elements and their like as handlers get them, each alone."""

from __future__ import annotations

import pytest

from holdfast.workers.sdk.errors import JsTypeError
from holdfast.workers.sdk.web.html_elements import Comment, DocumentEnd, Element, TextChunk, written
from holdfast.workers.sdk.web.html_tokens import Tokenizer


def element(html: str, *, can_have_content: bool = True) -> Element:
    tokenizer = Tokenizer()
    tokenizer.feed(html)
    token = tokenizer.next()
    assert token is not None
    return Element(token, can_have_content=can_have_content)


def test_content_is_text_unless_it_says_that_it_is_html() -> None:
    assert written("<a>&", None, {}) == "&lt;a&gt;&amp;"
    assert written("<a>", {"html": True}, {}) == written("<a>", None, {"html": True}) == "<a>"
    with pytest.raises(JsTypeError, match="content as text, got int"):
        written(5, None, {})


def test_an_element_that_nobody_changes_is_written_as_it_was() -> None:
    assert element("<A  b='c'  d >").render_start() == "<A  b='c'  d >"


def test_a_changed_attribute_leaves_the_others_as_they_were() -> None:
    changed = element("<A  b='c'  d >").setAttribute("D", 'x"y').removeAttribute("nothing")
    assert changed.render_start() == "<A b='c' d=\"x&quot;y\">"
    assert (changed.tag_name, changed.get_attribute("B"), changed.namespaceURI) == (
        "a",
        "c",
        "http://www.w3.org/1999/xhtml",
    )


def test_one_without_an_end_has_no_content() -> None:
    void = element("<br>", can_have_content=False).append("a").prepend("b").setInnerContent("c").after("d")
    assert (void.render_start(), void.render_after(), void.hides_content) == ("<br>", "d", False)
    with pytest.raises(JsTypeError, match="No end tag"):
        void.onEndTag(lambda _tag: None)


@pytest.mark.parametrize("name", ["", "1a", "a b", "a>"])
def test_a_name_that_cannot_be_written_is_refused(name: str) -> None:
    with pytest.raises(JsTypeError, match="expected the name of an element"):
        element("<a>").tagName = name
    if name != "1a":
        with pytest.raises(JsTypeError, match="expected the name of an attribute"):
            element("<a>").setAttribute(name, "x")


def test_what_is_removed_says_so() -> None:
    for token in (TextChunk("a"), Comment("<!--a-->"), element("<a>")):
        assert not token.removed
        assert token.before("1").after("2").remove().removed
    assert TextChunk("a").before("1").replace("b").after("2").render() == "1b2"
    assert DocumentEnd().append("<").append("<", html=True).render() == "&lt;<"
