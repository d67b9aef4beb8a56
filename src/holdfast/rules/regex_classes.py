"""Character classes and escapes of the original's regular expressions, as sets of bytes.

The original matches bytes, so every class is one of 2**256 sets, and nesting, `&&`, `--`, `~~`, negation and ignoring case
are arithmetic of sets. Law 1: a set is an `int` with one bit a byte. Law 2: nothing here knows RE2 but `byte_class`, which
writes a set so that RE2 reads exactly that set, whatever flags are on. Law 3: what the original finds only after it has read
the whole pattern (characters that are no byte) goes to `later`: an error of syntax anywhere is told before it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

ALL_BYTES = (1 << 256) - 1
# The original's own limit is higher; nobody writes this, and each level costs a frame of the stack.
MAX_NESTED_CLASSES = 32

_UNICODE = "Unicode not allowed here"
_UNCLOSED = "unclosed character class"
_INCOMPLETE = "incomplete escape sequence, reached end of pattern prematurely"
_META = frozenset("\\.+*?()|[]{}^$#&-~")
_CONTROL = {"a": 0x07, "f": 0x0C, "t": 0x09, "n": 0x0A, "r": 0x0D, "v": 0x0B}
_HEX_LENGTHS = {"x": 2, "u": 4, "U": 8}
_HEX_DIGITS = frozenset("0123456789abcdefABCDEF")
_ASSERTIONS = frozenset("bBAz<>")


class RegexFault(Exception):
    """What is wrong with a pattern, and where: characters `start` to `end` of it, and those of `also`, an earlier part."""

    def __init__(self, start: int, end: int, what: str, *, also: tuple[int, int] | None = None) -> None:
        super().__init__(what)
        self.start, self.end, self.what, self.also = start, end, what, also


class NotAClass(Exception):
    """`[:` here does not begin a named class."""


@dataclass(frozen=True, slots=True)
class Primitive:
    """One character, escape or assertion of a pattern, which ends at `end`.

    A character has its `code` and its `data` (UTF-8, or the one byte that `\\xFF` is); a set such as `\\d` is `chosen`;
    an assertion such as `\\b` or `\\b{start}` has neither.
    """

    end: int
    code: int | None = None
    data: bytes = b""
    chosen: int | None = None


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


# The same few sets come again and again: digits, words, white space.
@lru_cache(maxsize=512)
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


def read_escape(pattern: str, start: int, later: list[RegexFault]) -> Primitive:
    """What the "\\" at `start` begins."""
    char = pattern[start + 1 : start + 2]
    if not char:
        raise RegexFault(start, start + 1, _INCOMPLETE)
    if char.isdigit() and char.isascii():
        raise RegexFault(start, start + 2, "backreferences are not supported")
    if char in _HEX_LENGTHS:
        return _hex_escape(pattern, start, char)
    if char in "pP":
        return _unicode_class(pattern, start, later)
    if char in _ASSERTIONS:
        return Primitive(_boundary_end(pattern, start) if char == "b" else start + 2)
    if char.lower() in _PERL:
        chosen = _PERL[char.lower()]
        return Primitive(start + 2, chosen=chosen if char.islower() else ALL_BYTES ^ chosen)
    if char in _CONTROL:
        return _character(_CONTROL[char], start + 2)
    if char in _META or (char.isascii() and not char.isalnum()):
        return _character(ord(char), start + 2)
    raise RegexFault(start, start + 2, "unrecognized escape sequence")


def _boundary_end(pattern: str, start: int) -> int:
    """Where `\\b` ends, with its `{start}` or the like if it has one. Braces around anything else are a repetition."""
    opening = start + 2
    if not pattern.startswith("{", opening):
        return opening
    at = opening + 1
    if at >= len(pattern):
        found = "found either the beginning of a special word boundary or a bounded repetition on a \\b"
        raise RegexFault(start, at, f"{found} with an opening brace, but no closing brace")
    while at < len(pattern) and pattern[at].isascii() and (pattern[at].isalpha() or pattern[at] == "-"):
        at += 1
    if at == opening + 1:
        return opening
    if not pattern.startswith("}", at):
        what = "special word boundary assertion is either unclosed or contains an invalid character"
        raise RegexFault(opening, at, what)
    if pattern[opening + 1 : at] not in {"start", "end", "start-half", "end-half"}:
        what = "unrecognized special word boundary assertion, valid choices are: start, end, start-half or end-half"
        raise RegexFault(opening + 1, at, what)
    return at + 1


def _character(code: int, end: int) -> Primitive:
    return Primitive(end, code=code, data=chr(code).encode("utf-8"))


def _unicode_class(pattern: str, start: int, later: list[RegexFault]) -> Primitive:
    """`\\pL` or `\\p{Greek}`: read, and refused: a class of characters is no class of bytes."""
    end = start + 3
    if pattern.startswith("\\", start + 2):
        raise RegexFault(start + 2, end, "invalid Unicode character class")
    if pattern.startswith("{", start + 2):
        end = pattern.find("}", start) + 1
    if end > len(pattern) or not end:
        raise RegexFault(len(pattern), len(pattern), _INCOMPLETE)
    later.append(RegexFault(start, end, _UNICODE))
    return Primitive(end, chosen=0)


def _hex_escape(pattern: str, start: int, kind: str) -> Primitive:
    """`\\x7F` is a byte; `\\x{7F}`, `\\u007F`, `\\U0000007F` are characters."""
    opening = start + 2
    if pattern.startswith("{", opening):
        closing = pattern.find("}", opening)
        first, last, end = opening + 1, closing if closing >= 0 else len(pattern), closing + 1
        _require_hex(pattern, first, last)
        if closing < 0:
            raise RegexFault(opening, len(pattern), _INCOMPLETE)
        if first == last:
            raise RegexFault(opening, end, "hexadecimal literal empty")
    else:
        first, last = opening, opening + _HEX_LENGTHS[kind]
        end = last
        _require_hex(pattern, first, min(last, len(pattern)))
        if last > len(pattern):
            raise RegexFault(len(pattern), len(pattern), _INCOMPLETE)
    digits = pattern[first:last]
    code = int(digits, 16) if len(digits) <= 8 else 0x110000
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise RegexFault(first, last, "hexadecimal literal is not a Unicode scalar value")
    if kind == "x" and first == opening:
        return Primitive(end, code=code, data=bytes([code]))
    return _character(code, end)


def _require_hex(pattern: str, first: int, last: int) -> None:
    for at in range(first, last):
        if pattern[at] not in _HEX_DIGITS:
            raise RegexFault(at, at + 1, "invalid hexadecimal digit")


@dataclass(frozen=True, slots=True)
class ClassReader:
    """Reads the classes of one pattern."""

    pattern: str
    ignore_case: bool
    later: list[RegexFault]

    def read(self, start: int, depth: int = 0) -> tuple[int, int]:
        """The set that the class whose "[" is at `start` stands for, and where it ends."""
        if depth >= MAX_NESTED_CLASSES:
            what = f"character classes nested more than {MAX_NESTED_CLASSES} deep are not available here"
            raise RegexFault(start, start + 1, what)
        negated = self.pattern.startswith("^", start + 1)
        chosen, at = self._leading(start + 1 + negated)
        only_hyphens = at >= len(self.pattern) and self.pattern.endswith("-")
        unclosed = RegexFault(start, start + 1 if only_hyphens else at, _UNCLOSED)
        operand: tuple[str, int] | None = None
        while not self.pattern.startswith("]", at):
            if at >= len(self.pattern):
                raise unclosed
            if (operator := self.pattern[at : at + 2]) in {"&&", "--", "~~"}:
                operand, chosen, at = (operator, _combined(operand, chosen)), 0, at + 2
                continue
            more, at = self._item(at, unclosed, depth)
            chosen |= _folded(more) if self.ignore_case else more
        chosen = _combined(operand, chosen)
        return (ALL_BYTES ^ chosen if negated else chosen), at + 1

    def _leading(self, at: int) -> tuple[int, int]:
        """Hyphens first in a class, and a bracket first of all, are themselves."""
        chosen = 0
        while self.pattern.startswith("-", at):
            chosen, at = _bits(b"-"), at + 1
        if not chosen and self.pattern.startswith("]", at):
            return _bits(b"]"), at + 1
        return chosen, at

    def _item(self, at: int, unclosed: RegexFault, depth: int) -> tuple[int, int]:
        """One member of a class: a nested class, a set, a byte, or a range of bytes."""
        if self.pattern.startswith("[", at):
            try:
                return _named_class(self.pattern, at)
            except NotAClass:
                return self.read(at, depth + 1)
        low = self._primitive(at)
        if low.end >= len(self.pattern):
            raise unclosed
        if not self.pattern.startswith("-", low.end) or self.pattern[low.end + 1 : low.end + 2] in {"]", "-"}:
            return self._set_of(low, at), low.end
        if low.end + 1 >= len(self.pattern):
            raise unclosed
        high = self._primitive(low.end + 1)
        return self._range(low, at, high, low.end + 1), high.end

    def _primitive(self, at: int) -> Primitive:
        if not self.pattern.startswith("\\", at):
            return _character(ord(self.pattern[at]), at + 1)
        return read_escape(self.pattern, at, self.later)

    def _set_of(self, found: Primitive, at: int) -> int:
        if found.chosen is not None:
            return found.chosen
        if found.code is None:
            raise RegexFault(at, found.end, "invalid escape sequence found in character class")
        if len(found.data) > 1:
            self.later.append(RegexFault(at, found.end, _UNICODE))
            return 0
        return _bits(found.data)

    def _range(self, low: Primitive, low_at: int, high: Primitive, high_at: int) -> int:
        for end, at in ((low, low_at), (high, high_at)):
            if end.code is None:
                raise RegexFault(at, end.end, "invalid range boundary, must be a literal")
        if (low.code or 0) > (high.code or 0):
            raise RegexFault(low_at, high.end, "invalid character class range, the start must be <= the end")
        first, last = self._set_of(low, low_at), self._set_of(high, high_at)
        return _span(low.data[0], high.data[0]) if first and last else 0


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
