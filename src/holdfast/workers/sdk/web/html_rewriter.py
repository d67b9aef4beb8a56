"""`js.HTMLRewriter`: a document changed while it goes by, by functions of user code for what selectors choose.

Law 1: what nobody changes goes out character for character; a change is seen by nobody but who reads the answer.
Law 2: a token is shown to its handlers in the order in which they were given, before the next one is read.
Law 3: what is held is one token and the elements that are open, at most MAX_OPEN_ELEMENTS of them.

An element is open until an end tag of its name, or of one that it is in: end tags that the standard implies are not there, as with the
original's (lol-html). Where the end tag of one ends others too, each has what was put at its own end, and none changes the end tag of another;
the original has the innermost's alone, on the tag that is there. What handlers raise breaks the body off, and is told in the log.

Source: Cloudflare, "HTMLRewriter"; lol-html.
"""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from holdfast.workers.sdk.errors import BodyUsedError, JsException, JsTypeError
from holdfast.workers.sdk.web.bodies import Payload
from holdfast.workers.sdk.web.callbacks import members_of, settled
from holdfast.workers.sdk.web.headers import Headers
from holdfast.workers.sdk.web.html_elements import (
    Comment,
    Doctype,
    DocumentEnd,
    Element,
    EndTag,
    TextChunk,
)
from holdfast.workers.sdk.web.html_tokens import Kind, Token, Tokenizer
from holdfast.workers.sdk.web.response import Response
from holdfast.workers.sdk.web.selectors import Selector, State
from holdfast.workers.sdk.web.streams import ReadableStream

if TYPE_CHECKING:
    from holdfast.workers.sdk.response import FetchResponse

Handler: TypeAlias = Callable[[Any], object]

# Elements that are open at once; beyond it the body is broken off. A page whose paragraphs are never closed has thousands.
MAX_OPEN_ELEMENTS = 65_536
# HTML §13.1.2: these have no end tag.
VOID = frozenset(
    {"area", "base", "basefont", "bgsound", "br", "col", "embed", "frame", "hr", "img", "input", "keygen", "link", "meta",
     "param", "source", "track", "wbr"}
)  # fmt: skip
_FOREIGN = frozenset({"svg", "math"})
# HTML §13.2.6: what is in these is HTML again.
_HTML_IN_FOREIGN = frozenset({"foreignobject", "desc", "title", "annotation-xml", "mi", "mo", "mn", "ms", "mtext"})
_ELEMENT_HANDLERS = ("element", "comments", "text")
_DOCUMENT_HANDLERS = ("doctype", "comments", "text", "end")


@dataclass(slots=True)
class _Rule:
    selector: Selector
    handlers: Mapping[str, Handler]


class HTMLRewriter:
    """Give it handlers, then answers: `HTMLRewriter().on("a", handler).transform(response)`."""

    def __init__(self) -> None:
        self._rules: list[_Rule] = []
        self._document: list[Mapping[str, Handler]] = []

    @classmethod
    def new(cls) -> HTMLRewriter:
        """As `js.HTMLRewriter.new()`."""
        return cls()

    def on(self, selector: str, handlers: object = None, **given: object) -> HTMLRewriter:
        """For elements that `selector` chooses: `element(element)`, `comments(comment)` and `text(chunk)` of an object, a mapping or
        keywords, plain or async. TypeError for a selector that cannot be read.
        """
        self._rules.append(_Rule(Selector(str(selector)), _found(handlers, given, _ELEMENT_HANDLERS)))
        return self

    def onDocument(self, handlers: object = None, **given: object) -> HTMLRewriter:  # noqa: N802 - the platform's name
        """For the whole document: `doctype(doctype)`, `comments(comment)`, `text(chunk)` and `end(end)`."""
        self._document.append(_found(handlers, given, _DOCUMENT_HANDLERS))
        return self

    def transform(self, response: Response | FetchResponse) -> Response:
        """The same answer with its body rewritten as it is read. TypeError for what is no answer, or has been read."""
        answer = getattr(response, "js_object", None)
        if not isinstance(answer, Response):
            raise JsTypeError(f"transform(response): expected a Response, got {type(response).__name__}")
        if answer.bodyUsed:
            raise BodyUsedError
        headers = Headers(answer.headers)
        headers.delete("content-length")
        source = answer.payload.move().readable
        payload = Payload(None)
        if source is not None:
            pages = _Page(self._rules, self._document).rewritten(source, _charset(headers.get("content-type")))
            payload = Payload(ReadableStream(pages))
        made = Response.received(answer.status, answer.statusText, headers, payload, answer.url)
        made.cf, made.redirected, made.encodeBody = answer.cf, answer.redirected, answer.encodeBody
        return made

    on_document = onDocument


def _found(handlers: object, given: dict[str, object], names: tuple[str, ...]) -> Mapping[str, Handler]:
    member = members_of(handlers, given)
    return {name: one for name in names if callable(one := member(name))}


def _charset(content_type: str | None) -> str:
    """The name of a codec that Python has; UTF-8 where none is said, or one that nobody knows."""
    _, found, rest = (content_type or "").lower().partition("charset=")
    try:
        return codecs.lookup(rest.split(";")[0].strip().strip('"') if found else "utf-8").name
    except (LookupError, ValueError):
        return "utf-8"


@dataclass(slots=True)
class _Open:
    """An element that is open, or the document around all."""

    name: str
    element: Element | None = None
    states: list[State | None] = field(default_factory=list)
    rules: tuple[_Rule, ...] = ()
    turns_foreign: bool = False
    children: int = 0
    of_type: Counter[str] = field(default_factory=Counter)


class _Page:
    """One document going by."""

    def __init__(self, rules: list[_Rule], document: list[Mapping[str, Handler]]) -> None:
        self._rules, self._document = list(rules), list(document)
        self._tokens = Tokenizer()
        self._open = [_Open("", states=[None] * len(self._rules))]
        self._names: Counter[str] = Counter()
        self._foreign: list[str] = []
        self._hidden = 0
        self._is_in_text = False

    async def rewritten(self, source: ReadableStream, charset: str) -> AsyncIterator[bytes]:
        """The document's bytes, changed."""
        decoder = codecs.getincrementaldecoder(charset)("replace")
        try:
            async for chunk in source.chunks():
                if made := await self._fed(decoder.decode(chunk)):
                    yield made.encode(charset, "xmlcharrefreplace")
        except BaseException:
            # Whoever feeds it is told, also where handlers fail.
            await source.abandon(None)
            raise
        rest = await self._fed(decoder.decode(b"", final=True), is_last=True)
        if rest:
            yield rest.encode(charset, "xmlcharrefreplace")

    async def _fed(self, text: str, *, is_last: bool = False) -> str:
        self._tokens.feed(text)
        if is_last:
            self._tokens.finish()
        out: list[str] = []
        while (token := self._tokens.next()) is not None:
            await self._passed(token, out)
        if is_last:
            await self._ended(out)
        return "".join(out)

    async def _passed(self, token: Token, out: list[str]) -> None:
        if token.kind is Kind.TEXT:
            self._is_in_text = True
            await self._shown("text", TextChunk(token.raw), out)
            return
        await self._text_ends(out)
        match token.kind:
            case Kind.START:
                await self._starts(token, out)
            case Kind.END:
                await self._ends(token, out)
            case Kind.COMMENT:
                await self._shown("comments", Comment(token.raw), out)
            case Kind.DOCTYPE:
                await self._shown("doctype", Doctype(token.raw), out)
            case _:
                self._put(token.raw, out)

    @property
    def _is_foreign(self) -> bool:
        return bool(self._foreign) and self._foreign[-1] != ""

    async def _text_ends(self, out: list[str]) -> None:
        if self._is_in_text:
            self._is_in_text = False
            await self._shown("text", TextChunk("", is_last=True), out)

    async def _shown(self, what: str, token: TextChunk | Comment | Doctype, out: list[str]) -> None:
        # Of the document first: it was there first.
        for handlers in (*self._document, *(rule.handlers for rule in self._applying())):
            if what in handlers:
                await settled(handlers[what](token))
        self._put(token.render(), out)

    def _applying(self) -> list[_Rule]:
        if len(self._open) == 1:
            return []
        applying = {id(rule): rule for one in self._open if one.rules for rule in one.rules}
        return [rule for rule in self._rules if id(rule) in applying]

    async def _starts(self, token: Token, out: list[str]) -> None:
        parent = self._open[-1]
        parent.children += 1
        parent.of_type[token.name] += 1
        foreign = token.name if token.name in _FOREIGN else self._foreign[-1] if self._foreign else ""
        is_empty = token.is_self_closing if foreign else token.name in VOID
        element = Element(
            token,
            position=parent.children,
            position_of_type=parent.of_type[token.name],
            can_have_content=not is_empty,
            foreign=foreign,
        )
        chosen: list[_Rule] = []
        states: list[State | None] = []
        for rule, above in zip(self._rules, parent.states, strict=True):
            is_chosen, state = rule.selector.enter(element, above)
            states.append(state)
            if is_chosen:
                chosen.append(rule)
        for rule in chosen:
            if "element" in rule.handlers:
                await settled(rule.handlers["element"](element))
        self._put(element.render_start(), out)
        if is_empty:
            self._put(element.render_after(), out)
        else:
            self._opened(_Open(token.name, element, states, tuple(chosen)))

    def _opened(self, one: _Open) -> None:
        if len(self._open) > MAX_OPEN_ELEMENTS:
            raise JsException(f"HTMLRewriter: expected at most {MAX_OPEN_ELEMENTS} elements that are open at once")
        self._open.append(one)
        self._names[one.name] += 1
        if one.element is not None and one.element.hides_content:
            self._hidden += 1
        if one.name in _FOREIGN:
            self._foreign.append(one.name)
        elif one.name in _HTML_IN_FOREIGN and self._foreign:
            self._foreign.append("")
            one.turns_foreign = True
        self._tokens.is_foreign = self._is_foreign

    def _closed(self) -> _Open:
        one = self._open.pop()
        self._names[one.name] -= 1
        if one.element is not None and one.element.hides_content:
            self._hidden -= 1
        if one.name in _FOREIGN or one.turns_foreign:
            self._foreign.pop()
        self._tokens.is_foreign = self._is_foreign
        return one

    async def _ends(self, token: Token, out: list[str]) -> None:
        if not self._names[token.name]:
            self._put(token.raw, out)
            return
        while True:
            is_its_own = self._open[-1].name == token.name
            await self._end_of_one(token.raw if is_its_own else "", out)
            if is_its_own:
                return

    async def _end_of_one(self, raw: str, out: list[str]) -> None:
        """End the innermost element, by its end tag or by another's ("")."""
        element = self._open[-1].element
        if element is None:
            return
        tag = EndTag(element, raw)
        if element.end_handler is not None:
            await settled(element.end_handler(tag))
        # What was appended is content of ours: it is shown where the element's own content is hidden.
        appended = element.render_end()
        self._closed()
        self._put(appended, out)
        self._put(tag.render(), out)
        self._put(element.render_after(), out)

    async def _ended(self, out: list[str]) -> None:
        await self._text_ends(out)
        # What is open still has no end, and nothing is put there.
        self._hidden = 0
        end = DocumentEnd()
        for handlers in self._document:
            if "end" in handlers:
                await settled(handlers["end"](end))
        self._put(end.render(), out)

    def _put(self, text: str, out: list[str]) -> None:
        if text and not self._hidden:
            out.append(text)
