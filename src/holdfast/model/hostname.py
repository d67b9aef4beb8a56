"""Host names, parsed once: what a zone, a record or a certificate may be called.

Law 1: a parsed name is lower case, ASCII, without a final dot. An international name is taken in its xn-- form, or
turned into it (IDNA 2003, as Python has it).
Law 2: whatever the text, parsing returns a name or raises ValueError with a sentence that says what was expected.
"""

from __future__ import annotations

import re

# RFC 1035 §2.3.4: 255 bytes on the wire are 253 characters of text.
MAX_CHARS = 253
# Labels as RFC 1123 §2.1 has them, and "_", which names of services and of private networks use.
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")


def parse_hostname(text: str, *, wildcard: bool = False, single_label: bool = False) -> str:
    """The host name in `text`. `wildcard` allows a first label "*"; `single_label` a name without a dot.

    Raises ValueError, a sentence.
    """
    expected = "a host name such as chat.example.com" + (" or *.example.com" if wildcard else "")
    name = _ascii(text).lower().removesuffix(".")
    labels = name.split(".")
    rest = labels[1:] if wildcard and labels[0] == "*" else labels
    is_name = len(name) <= MAX_CHARS and bool(rest) and all(_LABEL.fullmatch(label) for label in rest)
    if not is_name or (len(labels) < 2 and not single_label):
        raise ValueError(f"expected {expected}, got {text[:80]!r}")
    # A name whose last label is a number is meant as an address (RFC 1123 §2.1).
    if labels[-1].isdigit():
        raise ValueError(f"expected {expected}, not an IP address, got {text[:80]!r}")
    return name


def _ascii(text: str) -> str:
    if text.isascii():
        return text
    try:
        # Label by label: the codec rejects an empty first label, and leaves "*" alone.
        return ".".join(label.encode("idna").decode("ascii") for label in text.split("."))
    except UnicodeError:
        return text


def is_within(name: str, zone: str) -> bool:
    """Whether `name` is `zone` or a name below it."""
    return name == zone or name.endswith(f".{zone}")
