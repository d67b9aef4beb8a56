"""What a rule asks of a value, as it is written: `!@rx ^GET$`, `@pmFromFile words.data`, or a bare pattern.

Law: files are read here, so that nothing later depends on where the rules lay. A line that begins with "#" is a comment.

Source: ModSecurity Reference Manual, "Operators".
"""

from __future__ import annotations

from collections.abc import Mapping

from holdfast.rules.seclang.errors import Position, SecLangError
from holdfast.rules.seclang.syntax_tree import Operator
from holdfast.rules.seclang.vocabulary import OPERATORS

_FROM_FILES = ("pmFromFile", "ipMatchFromFile")


def parse_operator(position: Position, text: str, data_files: Mapping[str, bytes]) -> Operator:
    """Read the operator of a rule; `data_files` are the files it may name. Raises SecLangError."""
    rest = text.lstrip()
    is_negated, rest = rest.startswith("!"), rest.removeprefix("!").lstrip()
    if not rest.startswith("@"):
        return Operator("rx", rest, is_negated)
    written, _, argument = rest[1:].partition(" ")
    name = OPERATORS.get(written.strip().lower())
    if name is None:
        raise SecLangError(position, f"@{written}", "an operator such as @rx, @pm or @eq")
    argument = argument.strip() if name != "rx" else argument.lstrip()
    if name in _FROM_FILES:
        return Operator(name, argument, is_negated, _lines_of(position, argument, data_files))
    if name == "pm":
        return Operator(name, argument, is_negated, tuple(word.encode() for word in argument.split()))
    return Operator(name, argument, is_negated)


def _lines_of(position: Position, argument: str, data_files: Mapping[str, bytes]) -> tuple[bytes, ...]:
    lines: list[bytes] = []
    for path in argument.split():
        content = data_files.get(path.rsplit("/", 1)[-1])
        if content is None:
            raise SecLangError(position, path, "the name of a file in the folder of the rules")
        stripped = (line.strip() for line in content.splitlines())
        lines += [line for line in stripped if line and not line.startswith(b"#")]
    if not argument:
        raise SecLangError(position, None, "the name of a file with phrases")
    return tuple(lines)
