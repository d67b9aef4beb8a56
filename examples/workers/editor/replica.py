"""What one page sees of a document, kept for it here, so that the page needs no CRDT.

An edit is (at, delete, insert): at that character of the text so many are deleted, and these come in. Characters are code points; pycrdt
counts bytes of UTF-8. The edits of a list follow each other, each at the text that those before it left.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from pycrdt import Doc, Text

Edit = tuple[int, int, str]
MAX_CHARACTERS = 50_000


class Replica:
    """A copy of the document that knows only what its page knows."""

    def __init__(self, whole: bytes) -> None:
        self.doc: Doc[Any] = Doc()
        self.doc.apply_update(whole)
        self._text = self.doc.get("text", type=Text)
        self._deltas: list[list[dict[str, Any]]] = []
        self._watch = self._text.observe(self._seen)

    def __str__(self) -> str:
        return str(self._text)

    def edit(self, edits: Sequence[Edit]) -> None:
        """Do what the page did. ValueError for what does not fit its text; then nothing is done."""
        text = str(self)
        places = list[tuple[int, int, str]]()
        for at, delete, insert in edits:
            if not 0 <= at <= at + delete <= len(text):
                raise ValueError(f"no such place: {at} and {delete} more of {len(text)} characters")
            start = len(text[:at].encode())
            places.append((start, start + len(text[at : at + delete].encode()), insert))
            text = text[:at] + insert + text[at + delete :]
        if len(text) > MAX_CHARACTERS:
            raise ValueError(f"a document has at most {MAX_CHARACTERS} characters")
        with self.doc.transaction():
            for start, end, insert in places:
                if start < end:
                    del self._text[start:end]
                if insert:
                    self._text.insert(start, insert)
        self._deltas.clear()

    def merge(self, update: bytes) -> list[Edit]:
        """Take what others did; what that changes for the page."""
        before = str(self).encode()
        self.doc.apply_update(update)
        edits = [edit for delta in self._deltas for edit in edits_of(delta, before)]
        self._deltas.clear()
        return edits

    def _seen(self, event: Any) -> None:
        self._deltas.append(event.delta)


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
            yield at, 0, step["insert"]
            at += len(step["insert"])
