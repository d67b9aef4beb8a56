"""HTML cut into tokens as it comes, for rewriting: tags, comments, doctypes and the text between them, each with the characters it was.

Law 1: the tokens' `raw` joined are the document, whatever it is and however it was chopped; nothing raises.
Law 2: a token comes as soon as it is complete; text does not wait for its end. What is incomplete is looked at once, not again with each piece.
Law 3: what is held is at most one markup token, of MAX_TOKEN_CHARS; a longer one is text.

No tree is built: tags that the standard implies are not there, as with the original's rewriter (lol-html).

Source: WHATWG HTML §13.2.5 "Tokenization".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum

# Longest tag or comment; beyond it, it is passed on as text. Precedent: lol-html gives a whole document 3 MiB.
MAX_TOKEN_CHARS = 1024 * 1024
# Elements whose content is text, up to their own end tag (HTML §13.2.5.1, §13.2.6.4.4).
RAW_TEXT = frozenset(
    {"script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes", "noscript", "plaintext"}
)

_NAME = re.compile(r"[^\s/>]+")
_ATTRIBUTE = re.compile(r"""([^\s/>][^\s/>=]*)(?:\s*=\s*("[^"]*"|'[^']*'|[^\s>]*))?""")
# Where a tag may end, or a value in quotes begins.
_TAG_STOP = re.compile(r"""=\s*(["'])|>""")
_COMMENT_END = re.compile(r"--!?>")
_DOCTYPE = re.compile(
    r"""<!doctype\s*([^\s>]*)(?:\s+(?:public\s*(?:"([^"]*)"|'([^']*)')\s*|system\s*)(?:"([^"]*)"|'([^']*)')?)?""",
    re.IGNORECASE,
)


class Kind(Enum):
    """What a token is. OTHER is passed on and shown to nobody: CDATA, and a tag that the document ends in."""

    TEXT, START, END, COMMENT, DOCTYPE, OTHER = range(6)


@dataclass(slots=True)
class Token:
    """A piece of a document. `name` is a tag's, in small letters; `attributes` are (name, value, as written)."""

    kind: Kind
    raw: str
    name: str = ""
    written_name: str = ""
    attributes: list[tuple[str, str, str]] = field(default_factory=list)
    is_self_closing: bool = False


def comment_of(raw: str) -> str:
    """What is in a comment, or in what is taken for one: `<!x>`, `<?x>`, `</ x>` (HTML §13.2.5.41)."""
    if raw in {"<!-->", "<!--->"}:
        return ""
    if not raw.startswith("<!--"):
        return raw[1 if raw.startswith("<?") else 2 : -1]
    return raw.removeprefix("<!--").removesuffix(">").removesuffix("!").removesuffix("--")


def doctype_of(raw: str) -> tuple[str | None, str | None, str | None]:
    """Name, public and system identifier of a doctype; None where it has none."""
    found = _DOCTYPE.match(raw)
    if found is None:
        return None, None, None
    name, *ids = found.groups()
    public, system = ids[0] or ids[1], ids[2] or ids[3]
    return name.lower() or None, public, system


class Tokenizer:
    """Takes pieces, gives tokens. `is_foreign` is set by whoever follows the elements: inside `svg` and `math` nothing is raw text."""

    def __init__(self) -> None:
        self.is_foreign = False
        self._buffer = ""
        self._at = 0
        self._looked = 0
        self._quote = ""
        self._raw_name = ""
        self._is_final = False

    def feed(self, text: str) -> None:
        """More of the document; then ask `next` until it gives None."""
        self._looked -= self._at
        self._buffer, self._at = self._buffer[self._at :] + text, 0

    def finish(self) -> None:
        """There is no more."""
        self._is_final = True

    def next(self) -> Token | None:
        """The next token, None where more is needed."""
        if self._at >= len(self._buffer):
            return None
        token = self._raw_text() if self._raw_name else self._token()
        if token is None and (self._is_final or len(self._buffer) - self._at > MAX_TOKEN_CHARS):
            # What never ended is passed on as it is.
            return self._taken(Kind.TEXT if self._raw_name else Kind.OTHER, len(self._buffer))
        return token

    def _taken(self, kind: Kind, end: int, name: str = "") -> Token:
        token = Token(kind, self._buffer[self._at : end], name)
        self._at = end
        self._looked, self._quote = end, ""
        return token

    def _token(self) -> Token | None:
        found = self._buffer.find("<", self._at)
        if found != self._at:
            return self._taken(Kind.TEXT, found if found >= 0 else len(self._buffer))
        ahead = self._buffer[self._at : self._at + len("<!doctype")].lower()
        if ahead.startswith("<!"):
            return self._declaration(ahead)
        mark, after = ahead[1:2], ahead[2:3]
        if mark.isascii() and mark.isalpha():
            return self._tag(Kind.START, 1)
        if mark == "/" and after.isascii() and after.isalpha():
            return self._tag(Kind.END, 2)
        if mark == "?" or (mark == "/" and after):
            return self._until(Kind.OTHER if after == ">" and mark == "/" else Kind.COMMENT)
        # Two characters tell what it is: "<" alone, or with anything else behind it, is text.
        return None if mark in {"", "/"} and not self._is_final else self._taken(Kind.TEXT, self._at + 1)

    def _declaration(self, ahead: str) -> Token | None:
        if ahead.startswith("<!--"):
            return self._until_comment_ends()
        if ahead == "<!doctype":
            return self._until(Kind.DOCTYPE)
        if self.is_foreign and ahead == "<![cdata[":
            return self._until(Kind.OTHER, "]]>")
        if len(ahead) < len("<!doctype") and ("<!--".startswith(ahead) or "<!doctype".startswith(ahead)):
            # Nothing else begins so, and ends.
            return None
        return self._until(Kind.COMMENT)

    def _until_comment_ends(self) -> Token | None:
        found = _COMMENT_END.search(self._buffer, max(self._at + 2, self._looked))
        if found is None:
            self._looked = max(self._at + 2, len(self._buffer) - 3)
            return None
        return self._taken(Kind.COMMENT, found.end())

    def _until(self, kind: Kind, closing: str = ">") -> Token | None:
        found = self._buffer.find(closing, max(self._at, self._looked))
        if found < 0:
            self._looked = max(self._at, len(self._buffer) - len(closing) + 1)
            return None
        return self._taken(kind, found + len(closing))

    def _tag(self, kind: Kind, prefix: int) -> Token | None:
        end = self._tag_end()
        if end is None:
            return None
        token = self._taken(kind, end)
        named = _NAME.match(token.raw, prefix)
        inside = token.raw[named.end() if named else prefix : -1]
        token.written_name = named.group() if named else ""
        token.name = token.written_name.lower()
        if kind is Kind.START:
            for found in _ATTRIBUTE.finditer(inside):
                token.attributes.append((found[1], _unquoted(found[2] or ""), found[0]))
            # In `a=b/` it is of the value.
            token.is_self_closing = inside.endswith("/") and not (
                token.attributes and token.attributes[-1][2][-1] == "/"
            )
            if token.name in RAW_TEXT and not self.is_foreign:
                self._raw_name = token.name
        return token

    def _tag_end(self) -> int | None:
        """Behind the ">" that ends the tag here: one that is in no quoted value."""
        at = max(self._at + 1, self._looked)
        while True:
            if self._quote:
                closed = self._buffer.find(self._quote, at)
                if closed < 0:
                    self._looked = len(self._buffer)
                    return None
                at, self._quote = closed + 1, ""
            stop = _TAG_STOP.search(self._buffer, at)
            if stop is None:
                # The quote of `= "` may still come.
                bare = self._buffer.rstrip()
                self._looked = max(at, len(bare) - 1 if bare.endswith("=") else len(self._buffer))
                return None
            if stop.group() == ">":
                return stop.end()
            at, self._quote = stop.end(), stop.group(1)

    def _raw_text(self) -> Token | None:
        opening = f"</{self._raw_name}"
        at = self._buffer.find("<", max(self._at, self._looked))
        while at >= 0:
            ahead = self._buffer[at : at + len(opening) + 1]
            if ahead.lower().startswith(opening) and ahead[len(opening) :] in {" ", "\t", "\n", "\f", "\r", "/", ">"}:
                self._raw_name = ""
                return self._tag(Kind.END, 2) if at == self._at else self._taken(Kind.TEXT, at)
            if len(ahead) <= len(opening) and opening.startswith(ahead.lower()) and not self._is_final:
                return self._taken(Kind.TEXT, at) if at > self._at else None
            at = self._buffer.find("<", at + 1)
        return self._taken(Kind.TEXT, len(self._buffer))


def _unquoted(value: str) -> str:
    return value[1:-1] if value[:1] in {'"', "'"} and value[-1:] == value[:1] and len(value) > 1 else value
