"""What a rule does, as it is written: `id:942100,phase:2,block,t:none,msg:'It\\'s here'`.

Law: actions come out in the order they stand in, names in small letters; what none of the tables knows is refused.

Source: ModSecurity Reference Manual, "Actions".
"""

from __future__ import annotations

from holdfast.rules.seclang.errors import Position, SecLangError
from holdfast.rules.seclang.syntax_tree import Action
from holdfast.rules.seclang.vocabulary import ACTIONS, CONTROLS, IGNORED_CONTROLS, TRANSFORMATIONS

_TRANSFORMATION = "a transformation such as t:urlDecodeUni"
_CONTROL = "a ctl such as ruleRemoveById=942100"


def parse_actions(position: Position, text: str) -> tuple[Action, ...]:
    """Read a list of actions; those without a name are left out. Raises SecLangError."""
    return tuple(_action(position, part) for part in _split(position, text) if part.strip())


def _split(position: Position, text: str) -> list[str]:
    parts, start, place, is_quoted = [], 0, 0, False
    while place < len(text):
        char = text[place]
        if char == "\\" and is_quoted:
            place += 1
        elif char == "'":
            is_quoted = not is_quoted
        elif char == "," and not is_quoted:
            parts.append(text[start:place])
            start = place + 1
        place += 1
    if is_quoted:
        raise SecLangError(position, text[start:], "a closing '")
    parts.append(text[start:])
    return parts


def _action(position: Position, text: str) -> Action:
    written, colon, argument = text.strip().partition(":")
    name = written.strip().lower()
    if name not in ACTIONS:
        raise SecLangError(position, text.strip(), "an action such as id:1000, deny or setvar:tx.a=1")
    value = _unquoted(argument.strip()) if colon else ""
    if name == "t":
        return Action(name, _transformation(position, value))
    if name == "ctl":
        return Action(name, _control(position, value))
    return Action(name, value)


def _unquoted(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1].replace("\\'", "'")
    return text.replace("'", "") if text.startswith("'") or text.endswith("'") else text


def _transformation(position: Position, name: str) -> str:
    if name.lower() not in TRANSFORMATIONS:
        raise SecLangError(position, f"t:{name}", _TRANSFORMATION)
    return TRANSFORMATIONS[name.lower()]


def _control(position: Position, text: str) -> str:
    name, _, value = text.partition("=")
    if name.lower() not in CONTROLS | IGNORED_CONTROLS:
        raise SecLangError(position, f"ctl:{text}", _CONTROL)
    return f"{name.lower()}={value}"
