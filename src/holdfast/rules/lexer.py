"""The words of the language: what can stand at one place of the text, and where it ends.

Law 1: a reader takes the text and a position and returns what it read and the position after it, or raises ParseError at
       the very bytes the original would point at. It looks no further than it must.
Law 2: operators are matched by prefix: no space need follow a word (`http.host eq"x"and ssl`). A tab is no space.
"""

from __future__ import annotations

from collections.abc import Sequence

from holdfast.rules.errors import ParseError
from holdfast.rules.literals import integer, quoted_string
from holdfast.rules.syntax_tree import Each, Index, LogicalOp, Ordering

_SPACES = " \r\n"
_NAME_CHARS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")
_LIST_CHARS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_.")
_MAX_ARRAY_INDEX = 2**32 - 1

# Longer spellings of the same beginning come first only where the original has them first: the order is the original's.
LOGICAL_OPS: Sequence[tuple[str, LogicalOp]] = (
    ("or", LogicalOp.OR),
    ("||", LogicalOp.OR),
    ("xor", LogicalOp.XOR),
    ("^^", LogicalOp.XOR),
    ("and", LogicalOp.AND),
    ("&&", LogicalOp.AND),
)
# Each spelling of a comparison, and the one name it has here.
COMPARISONS: Sequence[tuple[str, str | Ordering]] = (
    ("in", "in"),
    ("eq", Ordering.EQUAL),
    ("==", Ordering.EQUAL),
    ("ne", Ordering.NOT_EQUAL),
    ("!=", Ordering.NOT_EQUAL),
    ("ge", Ordering.GREATER_EQUAL),
    (">=", Ordering.GREATER_EQUAL),
    ("le", Ordering.LESS_EQUAL),
    ("<=", Ordering.LESS_EQUAL),
    ("gt", Ordering.GREATER),
    (">", Ordering.GREATER),
    ("lt", Ordering.LESS),
    ("<", Ordering.LESS),
    ("&", "&"),
    ("bitwise_and", "&"),
    ("contains", "contains"),
    ("~", "matches"),
    ("matches", "matches"),
    ("wildcard", "wildcard"),
    ("strict wildcard", "strict wildcard"),
)


def skip_space(text: str, at: int) -> int:
    """The position of the next character that is no space."""
    while at < len(text) and text[at] in _SPACES:
        at += 1
    return at


def expect(text: str, at: int, literal: str) -> int:
    """The position after `literal`, which must stand at `at`."""
    if text.startswith(literal, at):
        return at + len(literal)
    raise ParseError.at(text, at, len(text), f'expected literal "{literal}"')


def logical_op(text: str, at: int) -> tuple[LogicalOp | None, int]:
    """The operator that combines what ends at `at` with more, and where that begins. (None, at) if nothing follows."""
    start = skip_space(text, at)
    for spelling, op in LOGICAL_OPS:
        if text.startswith(spelling, start):
            return op, skip_space(text, start + len(spelling))
    return None, at


def negation(text: str, at: int) -> int | None:
    """The position after `not` or `!`, None if neither stands here."""
    for spelling in ("not", "!"):
        if text.startswith(spelling, at):
            return at + len(spelling)
    return None


def quantifier(text: str, at: int) -> tuple[bool, int] | None:
    """Whether `any` (else `all`) stands here with its parenthesis, and where that is. None for anything else."""
    if not text.startswith(("any", "all"), at):
        return None
    opening = skip_space(text, at + 3)
    return (text.startswith("any", at), opening) if text.startswith("(", opening) else None


def comparison_op(text: str, at: int) -> tuple[str | Ordering, int] | None:
    """The comparison that stands here and the position after it, None if there is none."""
    for spelling, op in COMPARISONS:
        if text.startswith(spelling, at):
            return op, at + len(spelling)
    return None


def name(text: str, at: int) -> int:
    """The position after a dotted name."""
    while True:
        start = at
        while at < len(text) and text[at] in _NAME_CHARS:
            at += 1
        if at == start:
            raise ParseError.at(text, at, len(text), "expected identifier character")
        if not text.startswith(".", at):
            return at
        at += 1


def list_name(text: str, at: int) -> tuple[str, int]:
    """A list's name after its "$", which must stand at `at`."""
    start = end = expect(text, at, "$")
    while end < len(text) and text[end] in _LIST_CHARS:
        end += 1
    found = text[start:end]
    if not found:
        found = text[start : start + 1]
    elif not (found.startswith(".") or found.endswith(".")):
        return found, end
    raise ParseError.at(text, start, len(text), f"invalid list name {debug_text(found)}")


def index(text: str, at: int) -> tuple[Index, int]:
    """What stands between the brackets of an index: `*`, a number or a quoted key."""
    if text.startswith("*", at):
        return Each.EACH, at + 1
    if text.startswith('"', at):
        key, end = quoted_string(text, at + 1)
        if _as_utf8(key) is None:
            raise ParseError.at(text, at, len(text), 'expected literal "expected utf8 string"')
        return key, end
    try:
        number, end = integer(text, at)
    except ParseError:
        expected = "expected quoted utf8 string or positive integer"
        raise ParseError.at(text, at, len(text), f'expected literal "{expected}"') from None
    if not 0 <= number <= _MAX_ARRAY_INDEX:
        raise ParseError.at(text, at, len(text), 'expected literal "expected positive integer as index"')
    return number, end


def debug_index(found: Index) -> str:
    """An index as the original's complaints have it."""
    if isinstance(found, Each):
        return "MapEach"
    if isinstance(found, int):
        return f"ArrayIndex({found})"
    return f"MapKey({debug_text(_as_utf8(found) or found)})"


def _as_utf8(text: str) -> str | None:
    """The characters that a string of bytes stands for, None if it is not UTF-8."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return None


_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0"}


def debug_text(text: str) -> str:
    """A string in quotes as Rust prints it for programmers."""
    return f'"{"".join(map(_debug_char, text))}"'


def _debug_char(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    return char if char.isprintable() else f"\\u{{{ord(char):x}}}"
