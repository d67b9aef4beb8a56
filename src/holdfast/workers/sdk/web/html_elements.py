"""What handlers of an HTMLRewriter are given: elements, their end tags, comments, text, doctypes and the end of the document.

Law 1: content of user code is text, and written so that it reads as text, unless it says `{"html": True}` (or `html=True`).
Law 2: what comes of an object is what it was, character for character, until something of it is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from holdfast.workers.sdk.errors import JsTypeError
from holdfast.workers.sdk.values import JsList, options_of
from holdfast.workers.sdk.web.html_tokens import Token, comment_of, doctype_of

_HTML = "http://www.w3.org/1999/xhtml"
_NAMESPACES = {"svg": "http://www.w3.org/2000/svg", "math": "http://www.w3.org/1998/Math/MathML"}


class Changeable:
    """Something with a place in the document: content may be put around it, or in its place. Every method gives the object again."""

    def __init__(self, raw: str) -> None:
        self._raw = raw
        self._before: list[str] = []
        self._after: list[str] = []
        self._instead = ""
        self._is_removed = False

    @property
    def removed(self) -> bool:
        """Whether it has been removed or replaced."""
        return self._is_removed

    def before(self, content: object, options: object = None, **given: object) -> Any:  # noqa: ANN401 - this
        """Put content before it, behind what was put there already."""
        self._before.append(written(content, options, given))
        return self

    def after(self, content: object, options: object = None, **given: object) -> Any:  # noqa: ANN401 - this
        """Put content behind it, before what was put there already."""
        self._after.insert(0, written(content, options, given))
        return self

    def replace(self, content: object, options: object = None, **given: object) -> Any:  # noqa: ANN401 - this
        """Put content in its place."""
        self._instead, self._is_removed = written(content, options, given), True
        return self

    def remove(self) -> Any:  # noqa: ANN401 - this
        """Take it away."""
        self._is_removed = True
        return self

    def render(self) -> str:
        """What is written of it."""
        own = self._instead if self._is_removed else self._raw
        return "".join((*self._before, own, *self._after))


class TextChunk(Changeable):
    """A piece of text, as it came; the last one of a text is empty, and says so."""

    def __init__(self, raw: str, *, is_last: bool = False) -> None:
        super().__init__(raw)
        self.lastInTextNode = is_last

    @property
    def text(self) -> str:
        """The characters as they are written in the document."""
        return self._raw


class Comment(Changeable):
    """A comment."""

    @property
    def text(self) -> str:
        """What is in it."""
        return comment_of(self._raw)

    @text.setter
    def text(self, text: str) -> None:
        if "-->" in text or "--!>" in text:
            raise JsTypeError("Comment text shouldn't contain comment closing sequence (`-->`).")
        self._raw = f"<!--{text}-->"


class Doctype(Changeable):
    """The document's type."""

    def __init__(self, raw: str) -> None:
        super().__init__(raw)
        self.name, self.publicId, self.systemId = doctype_of(raw)


class DocumentEnd:
    """The end of the document."""

    def __init__(self) -> None:
        self._content: list[str] = []

    def append(self, content: object, options: object = None, **given: object) -> DocumentEnd:
        """Write content there."""
        self._content.append(written(content, options, given))
        return self

    def render(self) -> str:
        """What is written."""
        return "".join(self._content)


class Element(Changeable):
    """An element, as its start tag tells it."""

    def __init__(
        self, token: Token, *, position: int = 1, position_of_type: int = 1, can_have_content: bool = True, foreign: str = ""
    ) -> None:  # fmt: skip
        super().__init__(token.raw)
        self.name = token.name
        self.position, self.position_of_type = position, position_of_type
        # The first of a name counts (HTML §13.2.5.33).
        self.values: dict[str, str] = {}
        self._written: dict[str, str] = {}
        for name, value, raw in token.attributes:
            if name.lower() not in self.values:
                self.values[name.lower()], self._written[name.lower()] = value, raw
        self.end_handler: Callable[[EndTag], object] | None = None
        self.hides_content = False
        self._can_have_content = can_have_content
        self._foreign = foreign
        self._name_as_written = token.written_name
        self._is_self_closing = token.is_self_closing and not can_have_content
        self._is_changed = self._is_renamed = False
        self._first: list[str] = []
        self._last: list[str] = []

    @property
    def tagName(self) -> str:  # noqa: N802 - the platform's name
        """Its name, in small letters. It may be changed."""
        return self.name

    @tagName.setter
    def tagName(self, name: str) -> None:  # noqa: N802 - the platform's name
        if not name or not name[0].isascii() or not name[0].isalpha() or any(char in " \t\n\f\r/>" for char in name):
            raise JsTypeError(f"tagName: expected the name of an element, got {name!r}")
        self.name = self._name_as_written = name
        self._is_changed = self._is_renamed = True

    @property
    def attributes(self) -> Iterator[JsList[str]]:
        """(name, value) pairs."""
        return iter([JsList(pair) for pair in self.values.items()])

    @property
    def namespaceURI(self) -> str:  # noqa: N802 - the platform's name
        """That of HTML; of SVG or MathML in those."""
        return _NAMESPACES.get(self._foreign, _HTML)

    def getAttribute(self, name: str) -> str | None:  # noqa: N802 - the platform's name
        """The value as it is written in the document, or None."""
        return self.values.get(name.lower())

    def hasAttribute(self, name: str) -> bool:  # noqa: N802 - the platform's name
        """Whether it has it."""
        return name.lower() in self.values

    def setAttribute(self, name: str, value: object) -> Element:  # noqa: N802 - the platform's name
        """Set it. TypeError for a name that cannot be written."""
        if not name or any(char in " \t\n\f\r/>=\"'" for char in name):
            raise JsTypeError(f"setAttribute(name, value): expected the name of an attribute, got {name!r}")
        self.values[name.lower()] = str(value)
        self._written[name.lower()] = f'{name.lower()}="{str(value).replace(chr(34), "&quot;")}"'
        self._is_changed = True
        return self

    def removeAttribute(self, name: str) -> Element:  # noqa: N802 - the platform's name
        """Take it away."""
        if self.values.pop(name.lower(), None) is not None:
            self._is_changed = True
        return self

    def prepend(self, content: object, options: object = None, **given: object) -> Element:
        """Put content into it, before all that is there."""
        if self._can_have_content:
            self._first.insert(0, written(content, options, given))
        return self

    def append(self, content: object, options: object = None, **given: object) -> Element:
        """Put content into it, behind all that is there."""
        if self._can_have_content:
            self._last.append(written(content, options, given))
        return self

    def setInnerContent(self, content: object, options: object = None, **given: object) -> Element:  # noqa: N802
        """Put content in the place of all that is in it."""
        if self._can_have_content:
            self._first, self._last, self.hides_content = [written(content, options, given)], [], True
        return self

    def replace(self, content: object, options: object = None, **given: object) -> Element:
        """Put content in its place, and that of all that is in it."""
        super().replace(content, options, **given)
        return self.remove()

    def remove(self) -> Element:
        """Take it away with all that is in it."""
        self._is_removed = self.hides_content = True
        self._first, self._last = [], []
        return self

    def removeAndKeepContent(self) -> Element:  # noqa: N802 - the platform's name
        """Take its tags away."""
        self._is_removed = True
        return self

    def onEndTag(self, handler: Callable[[EndTag], object]) -> Element:  # noqa: N802 - the platform's name
        """Call `handler(end_tag)` where it ends. TypeError for one that has no end tag."""
        if not self._can_have_content:
            raise JsTypeError("Parser error: No end tag.")
        # As on the original, the last one counts.
        self.end_handler = handler
        return self

    tag_name, namespace_uri = tagName, namespaceURI
    get_attribute, has_attribute, set_attribute, remove_attribute = (
        getAttribute,
        hasAttribute,
        setAttribute,
        removeAttribute,
    )
    set_inner_content, remove_and_keep_content, on_end_tag = setInnerContent, removeAndKeepContent, onEndTag

    def render_start(self) -> str:
        """What is written where it starts, of its first content too."""
        own = self._instead if self._is_removed else self._start_tag()
        return "".join((*self._before, own, *self._first))

    def render_end(self) -> str:
        """What is written before its end tag."""
        return "".join(self._last)

    def render_after(self) -> str:
        """What is written behind its end."""
        return "".join(self._after)

    def render_end_tag(self, raw: str) -> str:
        """Its end tag, which is `raw` in the document."""
        return "" if self._is_removed else f"</{self.name}>" if raw and self._is_renamed else raw

    def _start_tag(self) -> str:
        if not self._is_changed:
            return self._raw
        values = "".join(f" {self._written[name]}" for name in self.values)
        close = "" if not self._is_self_closing else " /" if values else "/"
        return f"<{self._name_as_written}{values}{close}>"


class EndTag(Changeable):
    """Where an element ends. `raw` "" where another's end tag ended it."""

    def __init__(self, element: Element, raw: str) -> None:
        super().__init__(element.render_end_tag(raw))
        self.name = element.name


def written(content: object, options: object, given: dict[str, object]) -> str:
    """Content as it is written into the document. TypeError for what is no text."""
    if not isinstance(content, str):
        raise JsTypeError(f"HTMLRewriter takes content as text, got {type(content).__name__}")
    if options_of(options, given).get("html"):
        return content
    return content.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
