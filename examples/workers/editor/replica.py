"""What one page sees of a document, kept for it here, so that the page needs no CRDT.

An edit is (at, delete, insert): at that character of the text so many are deleted, and these come in. Characters are code points; pycrdt
counts bytes of UTF-8, and one for what is no text (an image of Quill's). The edits of a list follow each other, each at the text that
those before it left.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from pycrdt import Doc, Text

Edit = tuple[int, int, str]
MAX_CHARACTERS = 50_000
# What is no text, here and in a page. Half a pair of surrogates is in no text, and becomes one byte.
EMBEDDED, SHOWN = "\udffc", "\ufffc"


class Replica:
    """A copy of the document that knows only what its page knows: the document as it was at `number`."""

    def __init__(self, number: int, updates: Iterable[bytes]) -> None:
        self.number = number
        self.doc: Doc[Any] = Doc()
        for update in updates:
            self.doc.apply_update(update)
        self._text = self.doc.get("text", type=Text)
        self._deltas: list[list[dict[str, Any]]] = []
        self._watch = self._text.observe(self._seen)

    def __str__(self) -> str:
        return self._characters().replace(EMBEDDED, SHOWN)

    def edit(self, edits: Sequence[Edit]) -> bytes:
        """Do what the page did; the update that it is, if it is any. ValueError for what does not fit its text; then nothing is done."""
        text = self._characters()
        places = list[tuple[int, int, str]]()
        for at, delete, insert in edits:
            if not 0 <= at <= at + delete <= len(text):
                raise ValueError(f"no such place: {at} and {delete} more of {len(text)} characters")
            insert.encode()
            start = len(in_bytes(text[:at]))
            places.append((start, start + len(in_bytes(text[at : at + delete])), insert))
            text = text[:at] + insert + text[at + delete :]
        if len(text) > MAX_CHARACTERS:
            raise ValueError(f"a document has at most {MAX_CHARACTERS} characters")
        updates = list[bytes]()
        watch = self.doc.observe(lambda event: updates.append(event.update))
        with self.doc.transaction():
            for start, end, insert in places:
                if start < end:
                    del self._text[start:end]
                if insert:
                    self._text.insert(start, insert)
        self.doc.unobserve(watch)
        self._deltas.clear()
        return b"".join(updates)

    def done(self, update: bytes) -> None:
        """Do what the page did, as it was done before."""
        self.doc.apply_update(update)
        self._deltas.clear()

    def merge(self, number: int, update: bytes) -> list[Edit]:
        """Take what others did until `number`; what that changes for the page."""
        before = in_bytes(self._characters())
        self.doc.apply_update(update)
        edits = [edit for delta in self._deltas for edit in edits_of(delta, before)]
        self._deltas.clear()
        self.number = number
        return edits

    def _characters(self) -> str:
        return "".join(part if isinstance(part, str) else EMBEDDED for part, _ in self._text.diff())

    def _seen(self, event: Any) -> None:
        self._deltas.append(event.delta)


def in_bytes(text: str) -> bytes:
    """As pycrdt counts it."""
    return text.encode(errors="replace")


def edits_of(delta: Iterable[dict[str, Any]], before: bytes) -> Iterable[Edit]:
    """The steps of a delta (keep, delete, insert, in bytes of the text before) as edits."""
    at = offset = 0
    for step in delta:
        if "retain" in step:
            at += len(before[offset : offset + step["retain"]].decode())
            offset += step["retain"]
        elif "delete" in step:
            yield at, len(before[offset : offset + step["delete"]].decode()), ""
            offset += step["delete"]
        else:
            insert = step["insert"] if isinstance(step["insert"], str) else SHOWN
            yield at, 0, insert
            at += len(insert)
