"""What the API says of an expression that it cannot read, as the original prints it: with the line, and carets below it.

Law 1: the API's message is one line, its spaces joined; the text of the line is the expression's own, which the asker has.
Law 2: a message of another form is none of ours: whoever asks shows it as any other.
"""

from __future__ import annotations

import re

_HEAD = re.compile(r"Filter parsing error \(([0-9]{1,6}):([0-9]{1,6})\): ")
_POINTER = re.compile(r" ?(\^+) (.+)", re.DOTALL)


def filter_error_lines(message: str, expression: str) -> list[str] | None:
    """The lines of the error that `message` tells about `expression`; None where it tells none."""
    head = _HEAD.search(message)
    if head is None:
        return None
    number, column = int(head[1]), int(head[2])
    lines = expression.split("\n")
    source = lines[number - 1] if 1 <= number <= len(lines) else ""
    joined = " ".join(source.split())
    rest = message[head.end() :]
    if not rest.startswith(joined) or (found := _POINTER.fullmatch(rest.removeprefix(joined))) is None:
        return None
    return [head[0].strip(), source, f"{' ' * (column - 1)}{found[1]} {found[2]}"]
