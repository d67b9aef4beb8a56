"""What a rule looks at, as it is written: `ARGS|!ARGS:token|&REQUEST_HEADERS:/^x-/`.

Law: a `|` inside of a selector's pattern or quotes is part of it. What stands after `XML:` is an XPath, no pattern.

Source: ModSecurity Reference Manual, "Variables".
"""

from __future__ import annotations

from holdfast.rules.seclang.errors import Position, SecLangError, shown
from holdfast.rules.seclang.syntax_tree import Selector, Target
from holdfast.rules.seclang.vocabulary import VARIABLES

_NAMES = "a variable of a request such as ARGS or REQUEST_HEADERS:Host"


def parse_targets(position: Position, text: str) -> tuple[Target, ...]:
    """Read the targets of a rule. Raises SecLangError."""
    return tuple(_target(position, part.strip()) for part in _split(text))


def _split(text: str) -> list[str]:
    parts, start, place, closing = [], 0, 0, ""
    while place < len(text):
        char = text[place]
        if closing:
            if char == "\\":
                place += 1
            elif char == closing:
                closing = ""
        elif char in "/'" and text[max(0, place - 1) : place] in (":", "'") and not _is_xpath(text[start:place]):
            closing = char
        elif char == "|":
            parts.append(text[start:place])
            start = place + 1
        place += 1
    parts.append(text[start:])
    return parts


def _is_xpath(begun: str) -> bool:
    return begun.strip().lstrip("!&").upper().startswith("XML:")


def _target(position: Position, text: str) -> Target:
    rest = text
    is_excluded, rest = rest.startswith("!"), rest.removeprefix("!")
    is_count, rest = rest.startswith("&"), rest.removeprefix("&")
    name, colon, member = rest.partition(":")
    if name.upper() not in VARIABLES:
        raise SecLangError(position, text, _NAMES)
    if colon and not member:
        raise SecLangError(position, text, f"the name of a member after {shown(name + ':')}")
    if not member:
        return Target(name.upper(), None, is_count, is_excluded)
    selector = Selector(member) if _is_xpath(f"{name}:") else _selector(member)
    return Target(name.upper(), selector, is_count, is_excluded)


def _selector(text: str) -> Selector:
    if len(text) > 1 and text[0] == text[-1] == "'":
        text = text[1:-1]
    if len(text) > 1 and text[0] == text[-1] == "/":
        return Selector(text[1:-1].replace("\\/", "/"), is_pattern=True)
    return Selector(text)
