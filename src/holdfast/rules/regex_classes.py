"""Character classes and escapes of the original's regular expressions, as sets of bytes.

The original matches bytes, so every class is one of 2**256 sets, and nesting, `&&`, `--`, `~~`, negation and ignoring case
are arithmetic of sets. Law 1: a set is an `int` with one bit a byte. Law 2: nothing here knows RE2 but `byte_class`, which
writes a set so that RE2 reads exactly that set, whatever flags are on.
"""

from __future__ import annotations

from collections.abc import Iterable

ALL_BYTES = (1 << 256) - 1
# The original's own limit is higher; nobody writes this, and each level costs a frame of the stack.
MAX_NESTED_CLASSES = 32

_UNICODE = "Unicode not allowed here"
_UNCLOSED = "unclosed character class"
_META = frozenset("\\.+*?()|[]{}^$#&-~")
_CONTROL = {"a": 0x07, "f": 0x0C, "t": 0x09, "n": 0x0A, "r": 0x0D, "v": 0x0B}
_HEX_DIGITS = {"x": 2, "u": 4, "U": 8}


class RegexFault(Exception):
    """What is wrong with a pattern, and where: characters `start` to `end` of it."""

    def __init__(self, start: int, end: int, what: str) -> None:
        super().__init__(what)
        self.start, self.end, self.what = start, end, what


class NotAClass(Exception):
    """`[:` here does not begin a named class."""


def _bits(members: Iterable[int]) -> int:
    return sum(1 << member for member in set(members))


def _span(low: str | int, high: str | int) -> int:
    first, last = (ord(end) if isinstance(end, str) else end for end in (low, high))
    return ((1 << (last - first + 1)) - 1) << first


_DIGIT = _span("0", "9")
_LOWER, _UPPER = _span("a", "z"), _span("A", "Z")
_ALPHA = _LOWER | _UPPER
_SPACE = _span(0x09, 0x0D) | _bits(b" ")
_WORD = _ALPHA | _DIGIT | _bits(b"_")
_PUNCT = _span("!", "/") | _span(":", "@") | _span("[", "`") | _span("{", "~")
_PERL = {"d": _DIGIT, "s": _SPACE, "w": _WORD}
_NAMED = {
    "alnum": _ALPHA | _DIGIT,
    "alpha": _ALPHA,
    "ascii": _span(0x00, 0x7F),
    "blank": _bits(b"\t "),
    "cntrl": _span(0x00, 0x1F) | _bits([0x7F]),
    "digit": _DIGIT,
    "graph": _span("!", "~"),
    "lower": _LOWER,
    "print": _span(" ", "~"),
    "punct": _PUNCT,
    "space": _SPACE,
    "upper": _UPPER,
    "word": _WORD,
    "xdigit": _DIGIT | _span("a", "f") | _span("A", "F"),
}


def byte_class(chosen: int) -> str:
    """RE2's class (Latin-1) for a set of bytes, whether or not it ignores case where this stands."""
    if not chosen:
        # Beyond Latin-1, so no byte is in it.
        return r"(?-i:[^\x00-\xff])"
    ranges, byte = [], 0
    while byte < 256:
        if not chosen >> byte & 1:
            byte += 1
            continue
        last = byte
        while chosen >> (last + 1) & 1:
            last += 1
        ranges.append(f"\\x{byte:02x}-\\x{last:02x}")
        byte = last + 1
    return f"(?-i:[{''.join(ranges)}])"


def read_escape(pattern: str, start: int) -> tuple[bytes | int, int]:
    """What the "\\" at `start` and what follows stand for: the bytes of a character or a set. And where they end."""
    char = pattern[start + 1 : start + 2]
    if not char:
        raise RegexFault(start, start + 1, "incomplete escape sequence, reached end of pattern prematurely")
    if char.isdigit() and char.isascii():
        raise RegexFault(start, start + 2, "backreferences are not supported")
    if char in _HEX_DIGITS:
        return _hex_escape(pattern, start, char)
    if char.lower() in _PERL:
        chosen = _PERL[char.lower()]
        return chosen if char.islower() else ALL_BYTES ^ chosen, start + 2
    if char in "pP":
        closing = pattern.find("}", start) + 1 if pattern.startswith("{", start + 2) else start + 3
        raise RegexFault(start, closing or len(pattern), _UNICODE)
    if char in _CONTROL:
        return bytes([_CONTROL[char]]), start + 2
    if char in _META or (char.isascii() and not char.isalnum() and char not in "<>"):
        return char.encode(), start + 2
    raise RegexFault(start, start + 2, "unrecognized escape sequence")


def _hex_escape(pattern: str, start: int, kind: str) -> tuple[bytes, int]:
    """`\\x7F` is a byte; `\\x{7F}`, `\\u007F`, `\\U0000007F` are characters."""
    if pattern.startswith("{", start + 2):
        closing = pattern.find("}", start)
        if closing < 0:
            raise RegexFault(start + 2, len(pattern), "incomplete escape sequence, reached end of pattern prematurely")
        digits, end = pattern[start + 3 : closing], closing + 1
        if not digits:
            raise RegexFault(start + 2, end, "hexadecimal literal empty")
    else:
        end = start + 2 + _HEX_DIGITS[kind]
        digits = pattern[start + 2 : end]
        if len(digits) < _HEX_DIGITS[kind]:
            raise RegexFault(start, len(pattern), "incomplete escape sequence, reached end of pattern prematurely")
        if kind == "x" and _is_hex(digits):
            return bytes([int(digits, 16)]), end
    if not _is_hex(digits):
        raise RegexFault(start, end, "invalid hexadecimal digit")
    code = int(digits, 16) if len(digits) <= 8 else 0x110000
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise RegexFault(start, end, "hexadecimal literal is not a Unicode scalar value")
    return chr(code).encode("utf-8"), end


def _is_hex(digits: str) -> bool:
    return digits.isascii() and digits.isalnum() and all(digit in "0123456789abcdefABCDEF" for digit in digits)


def read_class(pattern: str, start: int, *, ignore_case: bool, depth: int = 0) -> tuple[int, int]:
    """The set that the class whose "[" is at `start` stands for, and where it ends."""
    if depth >= MAX_NESTED_CLASSES:
        raise RegexFault(start, start + 1, f"character classes nested more than {MAX_NESTED_CLASSES} deep")
    at = start + 1
    negated = pattern.startswith("^", at)
    at += negated
    chosen, at = _leading(pattern, at)
    operand: tuple[str, int] | None = None
    while True:
        char = pattern[at : at + 1]
        if not char:
            raise RegexFault(start, start + 1, _UNCLOSED)
        if char == "]":
            break
        if (operator := pattern[at : at + 2]) in {"&&", "--", "~~"}:
            operand, chosen, at = (operator, _combined(operand, chosen)), 0, at + 2
            continue
        more, at = _item(pattern, at, start, ignore_case=ignore_case, depth=depth)
        chosen |= _folded(more) if ignore_case else more
    chosen = _combined(operand, chosen)
    return (ALL_BYTES ^ chosen if negated else chosen), at + 1


def _leading(pattern: str, at: int) -> tuple[int, int]:
    """Hyphens first in a class, and a bracket first of all, are themselves."""
    chosen = 0
    while pattern.startswith("-", at) and not pattern.startswith("--", at):
        chosen, at = chosen | _bits(b"-"), at + 1
    if not chosen and pattern.startswith("]", at):
        return _bits(b"]"), at + 1
    return chosen, at


def _combined(operand: tuple[str, int] | None, right: int) -> int:
    if operand is None:
        return right
    operator, left = operand
    if operator == "&&":
        return left & right
    return left & ~right if operator == "--" else left ^ right


def _folded(chosen: int) -> int:
    shift = ord("a") - ord("A")
    return chosen | (chosen & _UPPER) << shift | (chosen & _LOWER) >> shift


def _item(pattern: str, at: int, start: int, *, ignore_case: bool, depth: int) -> tuple[int, int]:
    """One member of a class: a nested class, a set, a byte, or a range of bytes."""
    if pattern.startswith("[", at):
        try:
            return _named_class(pattern, at)
        except NotAClass:
            return read_class(pattern, at, ignore_case=ignore_case, depth=depth + 1)
    low, end = _member(pattern, at)
    if isinstance(low, int):
        return low, end
    is_range = pattern.startswith("-", end) and pattern[end + 1 : end + 2] not in {"]", "-", ""}
    if not is_range:
        if end >= len(pattern):
            raise RegexFault(start, start + 1, _UNCLOSED)
        return _bits(low), end
    high, finish = _member(pattern, end + 1)
    if isinstance(high, int):
        raise RegexFault(end + 1, finish, "invalid range boundary, must be a literal")
    if low > high:
        raise RegexFault(at, finish, "invalid character class range, the start must be <= the end")
    return _span(low[0], high[0]), finish


def _member(pattern: str, at: int) -> tuple[bytes | int, int]:
    if pattern.startswith("\\", at):
        found, end = read_escape(pattern, at)
    else:
        found, end = pattern[at].encode("utf-8"), at + 1
    if isinstance(found, bytes) and len(found) > 1:
        raise RegexFault(at, end, _UNICODE)
    return found, end


def _named_class(pattern: str, at: int) -> tuple[int, int]:
    """`[:alpha:]` or `[:^alpha:]`; what only looks like one is a class of those characters, as in the original."""
    closing = pattern.find(":]", at + 2)
    if not pattern.startswith("[:", at) or closing < 0:
        raise NotAClass
    name = pattern[at + 2 : closing]
    negated = name.startswith("^")
    chosen = _NAMED.get(name.removeprefix("^"))
    if chosen is None:
        raise NotAClass
    return (ALL_BYTES ^ chosen if negated else chosen), closing + 2
