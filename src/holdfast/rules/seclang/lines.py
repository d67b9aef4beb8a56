"""The text of a file, cut into directives and their words.

Law 1: a backslash at the end of a line joins it with the next, in a comment too.
Law 2: a word in double quotes may hold anything; in it `\\"` is a quote and `\\\\` a backslash, and every other backslash
stays: patterns are full of them.

Source: the Apache HTTP server's configuration syntax, which the Core Rule Set is written in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from holdfast.rules.seclang.errors import Position, SecLangError

# A directive of the Core Rule Set has 8,000 characters at most; a line is what the reader holds at once.
MAX_DIRECTIVE_CHARS = 256 * 1024


@dataclass(frozen=True, slots=True)
class Directive:
    """One directive: its name in small letters, and its words without their quotes."""

    position: Position
    name: str
    words: tuple[str, ...]


def directives(file: str, text: str) -> Iterator[Directive]:
    """The directives of one file in order. Raises SecLangError."""
    for position, line in _joined_lines(file, text):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        if len(stripped) > MAX_DIRECTIVE_CHARS:
            raise SecLangError(position, stripped, f"at most {MAX_DIRECTIVE_CHARS} characters in a directive")
        name, *words = _words(position, stripped)
        if not name:
            raise SecLangError(position, stripped, "the name of a directive")
        yield Directive(position, name.lower(), tuple(words))


def _joined_lines(file: str, text: str) -> Iterator[tuple[Position, str]]:
    parts: list[str] = []
    first = 1
    for number, line in enumerate(text.splitlines(), 1):
        if not parts:
            first = number
        if line.endswith("\\"):
            parts.append(line[:-1])
            continue
        yield Position(file, first), "".join([*parts, line])
        parts = []
    if parts:
        yield Position(file, first), "".join(parts)


def _words(position: Position, line: str) -> list[str]:
    words = []
    start = 0
    while start < len(line):
        if line[start].isspace():
            start += 1
        elif line[start] in "\"'":
            word, start = _quoted(position, line, start)
            words.append(word)
        else:
            end = start
            while end < len(line) and not line[end].isspace():
                end += 1
            words.append(line[start:end])
            start = end
    return words


def _quoted(position: Position, line: str, start: int) -> tuple[str, int]:
    out: list[str] = []
    quote, place = line[start], start + 1
    while place < len(line):
        char = line[place]
        if char == quote:
            return "".join(out), place + 1
        if char == "\\" and line[place + 1 : place + 2] in (quote, "\\"):
            place += 1
            char = line[place]
        out.append(char)
        place += 1
    raise SecLangError(position, line[start:], f"a closing {quote}")
