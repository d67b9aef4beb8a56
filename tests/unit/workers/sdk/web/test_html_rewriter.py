"""HTMLRewriter, beside what workerd said of the same documents and the same changes (`html_rewriter.jsonl`), and what is ours alone."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.workers.sdk.errors import JsException, JsTypeError
from holdfast.workers.sdk.ffi import create_proxy
from holdfast.workers.sdk.response import Response
from holdfast.workers.sdk.web import html_rewriter
from holdfast.workers.sdk.web.html_rewriter import HTMLRewriter
from holdfast.workers.sdk.web.response import Response as WebResponse
from holdfast.workers.sdk.web.streams import ReadableStream

CASES = [json.loads(line) for line in Path(__file__).with_name("html_rewriter.jsonl").read_text("utf-8").splitlines()]
METHODS = {
    "keep": "removeAndKeepContent", "inner": "setInnerContent", "set": "setAttribute", "unset": "removeAttribute", "end": "onEndTag",
}  # fmt: skip


def _do(token: Any, name: str, *arguments: Any) -> None:
    if name == "end":
        token.onEndTag(lambda tag: _do(tag, *arguments))
    elif name in {"tag", "text"}:
        setattr(token, {"tag": "tagName"}.get(name, name), *arguments)
    else:
        getattr(token, METHODS.get(name, name))(*arguments)


def _handlers(changes: Mapping[str, list[list[Any]]]) -> dict[str, Any]:
    def handler(kind: str) -> Any:
        def handle(token: Any) -> None:
            if kind != "text" or token.text:
                for change in changes[kind]:
                    _do(token, *change)

        return handle

    return {kind: handler(kind) for kind in changes}


def _rewriter(case: Mapping[str, Any]) -> HTMLRewriter:
    rewriter = HTMLRewriter.new()
    for selector, changes in case["rules"]:
        rewriter.on(selector, _handlers(changes))
    return rewriter.onDocument(_handlers(case["document"])) if "document" in case else rewriter


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_a_document_is_changed_as_workerd_changes_it(case: Mapping[str, Any]) -> None:
    if case["gives"] is None:
        with pytest.raises(JsTypeError):
            await _rewriter(case).transform(WebResponse(case["html"])).text()
    else:
        assert await _rewriter(case).transform(WebResponse(case["html"])).text() == case["gives"]


async def _pieces(data: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


@given(
    st.lists(st.sampled_from([*"<>/!-=\"' aé\n", "<p>", "</p>", "<!--", "-->", "<script>", "</script", "<svg>", "<br/>"]), max_size=30),
    st.integers(1, 9),
)  # fmt: skip
async def test_a_document_that_nobody_changes_is_the_same_however_it_is_chopped(parts: list[str], size: int) -> None:
    data = "".join(parts).encode()
    shown = HTMLRewriter().on("*", element=lambda _e: None, text=lambda _t: None, comments=lambda _c: None)
    assert await shown.transform(WebResponse(ReadableStream(_pieces(data, size)))).text() == data.decode()


@given(st.integers(1, 30))
async def test_changes_do_not_depend_on_how_it_is_chopped(size: int) -> None:
    case = {"html": CASES[0]["html"], "rules": [["p", {"element": [["append", "+"]], "comments": [["remove"]]}]]}
    whole = await _rewriter(case).transform(WebResponse(case["html"])).text()
    source = ReadableStream(_pieces(case["html"].encode(), size))
    assert await _rewriter(case).transform(WebResponse(source)).text() == whole


class _Counts:
    seen = ""

    async def element(self, element: Any) -> None:
        self.seen += element.tagName
        assert list(element.attributes) == [["id", "a"]]
        assert (element.hasAttribute("ID"), element.getAttribute("id"), element.getAttribute("q")) == (True, "a", None)

    def text(self, chunk: Any) -> None:
        self.seen += f"({chunk.text}{'.' if chunk.lastInTextNode else ''})"


async def test_handlers_are_objects_plain_or_async_and_may_be_proxies() -> None:
    counts = _Counts()
    answer = Response("<p id=a>x<!--y-->z</p>", headers={"content-length": "22", "x-a": "b"})
    made = HTMLRewriter.new().on("p", create_proxy(counts)).transform(answer)
    assert await made.text() == "<p id=a>x<!--y-->z</p>"
    assert counts.seen == "p(x)(.)(z)(.)"
    assert (made.headers.get("content-length"), made.headers.get("x-a")) == (None, "b")
    assert answer.js_object.bodyUsed


async def test_the_first_of_two_attributes_counts_and_a_changed_comment_may_not_end_itself() -> None:
    assert (
        await HTMLRewriter()
        .on("p", element=lambda e: e.setAttribute("b", e.getAttribute("a")))
        .transform(WebResponse("<p a=1 A=2>"))
        .text()
        == '<p a=1 b="1">'
    )
    rewriter = HTMLRewriter().onDocument(comments=lambda comment: setattr(comment, "text", "a-->b"))
    with pytest.raises(JsTypeError, match="closing sequence"):
        await rewriter.transform(WebResponse("<!-- -->")).text()


async def test_an_end_tag_that_ends_several_changes_none_of_the_others() -> None:
    rewriter = HTMLRewriter().on("li", element=lambda element: element.append("+").after("-"))
    assert await rewriter.transform(WebResponse("<ul><li>1<li>2</ul>")).text() == "<ul><li>1<li>2+-+-</ul>"


async def test_an_answer_keeps_its_charset_and_what_it_cannot_write_becomes_a_reference() -> None:
    rewriter = HTMLRewriter().on("p", element=lambda element: element.append("ü€"))
    answer = WebResponse("<p>é</p>".encode("latin-1"), headers={"content-type": "text/html; charset=ISO-8859-1"})
    assert bytes(await rewriter.transform(answer).bytes()) == "<p>éü&#8364;</p>".encode("latin-1")
    unknown = WebResponse("<p>é</p>", headers={"content-type": "text/html; charset=nonsense"})
    assert await rewriter.transform(unknown).text() == "<p>éü€</p>"


async def test_what_a_handler_raises_breaks_the_body_off_and_whoever_feeds_it_is_told() -> None:
    told: list[object] = []

    def fails(_element: object) -> None:
        raise LookupError("of user code")

    source = ReadableStream(_pieces(b"<p>" * 10, 3), told.append)
    with pytest.raises(LookupError, match="of user code"):
        await HTMLRewriter().on("p", element=fails).transform(WebResponse(source)).text()
    assert told == [None]


async def test_elements_that_are_open_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html_rewriter, "MAX_OPEN_ELEMENTS", 3)
    with pytest.raises(JsException, match="at most 3 elements"):
        await HTMLRewriter().transform(WebResponse("<a>" * 4)).text()


async def test_what_is_no_answer_or_has_been_read_is_refused() -> None:
    wrong: Any = "text"
    with pytest.raises(JsTypeError, match="expected a Response, got str"):
        HTMLRewriter().transform(wrong)
    answer = WebResponse("x")
    await answer.text()
    with pytest.raises(JsTypeError, match="already used"):
        HTMLRewriter().transform(answer)
    assert HTMLRewriter().transform(WebResponse(None, status=204)).body is None
