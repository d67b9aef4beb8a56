"""What is wrong with an expression, shown as the original shows it: the line, and carets under the part that is wrong.

Law 1: whatever is handed to the rules language, `ParseError` is the only exception that comes out.
Law 2: line and column count from 1, and columns count bytes of UTF-8: the original's do, and people paste its text.
Law 3: an expression that was read never fails, but it may be `Undecided` for a request: whoever evaluates says what then.
"""

from __future__ import annotations

from typing import Self

from holdfast._native import Undecided

__all__ = ["NotKnownHere", "ParseError", "Undecided"]

# What is shown of a line that is itself the fault: too long to print.
_SHOWN_OF_A_LONG_LINE = 80


class ParseError(ValueError):
    """An expression that cannot be used.

    `line` and `column` (1-based, column in bytes) say where, `width` (bytes, at least 1) how much of the line is meant,
    `source` is that line, `reason` what is wrong with it. `str()` is the text of the original, on three or more lines.
    """

    def __init__(self, *, line: int, column: int, width: int, source: str, reason: str) -> None:
        super().__init__(reason)
        self.line, self.column, self.width = line, column, max(1, width)
        self.source, self.reason = source, reason

    @classmethod
    def at(cls, text: str, start: int, end: int, reason: str) -> Self:
        """The error of `text[start:end]` (character offsets); the part of it beyond the end of its line is not meant."""
        line_start = text.rfind("\n", 0, start) + 1
        line_end = text.find("\n", line_start)
        line_end = len(text) if line_end < 0 else line_end
        return cls(
            line=text.count("\n", 0, start) + 1,
            column=_bytes_in(text[line_start:start]) + 1,
            width=_bytes_in(text[start : min(end, line_end)]),
            source=text[line_start:line_end],
            reason=reason,
        )

    @classmethod
    def of_whole(cls, text: str, reason: str) -> Self:
        """An error of the text as a whole, which is not printed in full because it may be long or not printable."""
        shown = text[:_SHOWN_OF_A_LONG_LINE].partition("\n")[0]
        source = shown.encode("utf-8", "replace").decode() + ("…" if len(shown) < len(text) else "")
        return cls(line=1, column=1, width=1, source=source, reason=reason)

    def __str__(self) -> str:
        pointer = " " * (self.column - 1) + "^" * self.width
        return f"Filter parsing error ({self.line}:{self.column}):\n{self.source}\n{pointer} {self.reason}"

    @property
    def sentence(self) -> str:
        """The same on one line, as the API puts it into its messages."""
        return " ".join(str(self).split())


class NotKnownHere(ParseError):
    """A name that the original knows and this edge refuses. Never hidden behind what else the text might have meant."""


def _bytes_in(text: str) -> int:
    return len(text.encode("utf-8"))
