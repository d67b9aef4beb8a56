"""What is wrong with rules in SecLang: the file, the line, what stands there and what was expected.

Law: whatever is handed to the reader, `SecLangError` is the only exception that comes out, and its text is one sentence.
"""

from __future__ import annotations

from dataclasses import dataclass

_SHOWN_CHARS = 80


@dataclass(frozen=True, slots=True)
class Position:
    """Where a directive begins: the file's name and the line, from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class SecLangError(ValueError):
    """Rules that cannot be used: at `where`, `value` stands and `expected` would do. `value` None: nothing stands there."""

    def __init__(self, where: Position, value: str | None, expected: str) -> None:
        super().__init__(f"{where}: expected {expected}, got {shown(value)}")
        self.where, self.value, self.expected = where, value, expected


def shown(value: str | None) -> str:
    """A value for an error: on one line, quoted and cut."""
    if value is None:
        return "nothing"
    one_line = " ".join(value.split())
    return f"'{one_line}'" if len(one_line) <= _SHOWN_CHARS else f"'{one_line[:_SHOWN_CHARS]}…'"
