"""Make what a server sends safe and plain to look at.

Law: nothing a server sends reaches the terminal as a control sequence, and no line of ours can be forged by one of its:
what is not printable is shown by its escape.
"""

from __future__ import annotations

import unicodedata

# Longest message shown whole to a person. Beyond it the terminal, not the reading, would be the bottleneck.
MAX_SHOWN_CHARS = 16 * 1024
# How much of a binary message is shown.
PREVIEW_BYTES = 32

# Control, format (which can reorder text), unpaired surrogates, private use, unassigned; separators of line and
# paragraph. The plain space is the one separator that stays as it is.
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def printable(text: str, *, limit: int = MAX_SHOWN_CHARS) -> str:
    """`text` on one line, what is not printable escaped as in Python (`\\n`, `\\x1b`, `\\u202e`), cut after `limit`."""
    shown = "".join(_escaped(char) for char in text[:limit])
    return f"{shown} … ({len(text):,} characters)" if len(text) > limit else shown


def printable_lines(text: str, *, limit: int = MAX_SHOWN_CHARS) -> str:
    """`text` with its own ends of lines, each line printable; cut after `limit`. Whoever shows it sets it off from lines of ours."""
    shown = "\n".join(map(printable, text[:limit].split("\n")))
    return f"{shown} … ({len(text):,} characters)" if len(text) > limit else shown


def preview(data: bytes) -> str:
    """A binary message: its size and its first bytes in hex, such as `5 bytes: 68 65 6c 6c 6f`."""
    size = "1 byte" if len(data) == 1 else f"{len(data):,} bytes"
    if not data:
        return "0 bytes"
    return f"{size}: {data[:PREVIEW_BYTES].hex(' ')}{' …' if len(data) > PREVIEW_BYTES else ''}"


def _escaped(char: str) -> str:
    if unicodedata.category(char) not in _UNSAFE:
        return char
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")
