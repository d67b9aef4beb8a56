"""Regular expressions as the original has them (Rust's `regex` over bytes), rewritten for RE2 over bytes.

The two read almost the same and mean different things in places. Rule 1: what is rewritten means what the original
means: `\\s` has the vertical tab, classes nest and have `&&`, `--`, `~~`, a repetition may be repeated, and a character
beyond ASCII is its bytes. Rule 2: what RE2 cannot do is refused by name, never matched in another way. Rule 3: the
complaints are the original's, with its picture. Rule 4: one pass, without recursion; time and output are linear in the
pattern's length.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from holdfast.rules.regex_classes import NotAClass, RegexFault, byte_class, read_class, read_escape

# The original's limit of nested groups.
MAX_NESTED_GROUPS = 250
# RE2 compiles a repetition into that many copies, and has this limit of its own.
MAX_REPETITIONS = 1000

_FLAGS_OF_BOTH = "imsU"
_FLAGS = "imsUuxR"
_ANCHORS = {"b": r"\b", "B": r"\B", "A": r"\A", "z": r"\z"}


@dataclass(slots=True)
class _Translation:
    """The state of one pass: `out` are pieces of RE2's pattern, `item` where the last whole item begins in it."""

    pattern: str
    at: int = 0
    out: list[str] = field(default_factory=list)
    item: int | None = None
    repeated: bool = False
    ignore_case: bool = False
    # For each open group: where "(" stands in the pattern and in `out`, and whether case mattered outside.
    groups: list[tuple[int, int, bool]] = field(default_factory=list)
    names: set[str] = field(default_factory=set)

    def add(self, piece: str) -> None:
        self.item, self.repeated = len(self.out), False
        self.out.append(piece)

    def add_bytes(self, data: bytes) -> None:
        """A character: all its bytes are one item. RE2 would fold the case of bytes beyond ASCII, so it must not."""
        text = "".join(f"\\x{byte:02x}" for byte in data)
        beyond_ascii = data[0] > 0x7F
        if beyond_ascii and self.ignore_case:
            text = f"(?-i:{text})"
        elif len(data) > 1:
            text = f"(?:{text})"
        self.add(text)

    def fault(self, start: int, end: int, what: str) -> RegexFault:
        return RegexFault(start, end, what)


def translate(pattern: str) -> str:
    """RE2's pattern (ASCII, to be compiled as Latin-1) for one of the original's. Raises RegexFault."""
    state = _Translation(pattern)
    while state.at < len(pattern):
        _step(state, pattern[state.at])
    if state.groups:
        opened = state.groups[-1][0]
        raise state.fault(opened, opened + 1, "unclosed group")
    return "".join(state.out)


def describe(pattern: str, fault: RegexFault) -> str:
    """The original's complaint: the pattern, carets under the fault, and what it is."""
    if "\n" in pattern:
        return f"regex parse error: {fault.what} (character {fault.start + 1} of the pattern)"
    pointer = " " * fault.start + "^" * max(1, fault.end - fault.start)
    return f"regex parse error:\n    {pattern}\n    {pointer}\nerror: {fault.what}"


def _step(state: _Translation, char: str) -> None:
    match char:
        case "\\":
            _escape(state)
        case "(":
            _open_group(state)
        case ")":
            _close_group(state)
        case "[":
            chosen, state.at = read_class(state.pattern, state.at, ignore_case=state.ignore_case)
            state.add(byte_class(chosen))
        case "*" | "+" | "?":
            _repeat(state, char, state.at + 1)
        case "{":
            _counted(state)
        case "|":
            state.out.append("|")
            state.item, state.at = None, state.at + 1
        case "^" | "$" | ".":
            state.add(char)
            state.at += 1
        case _:
            state.add_bytes(char.encode("utf-8"))
            state.at += 1


def _escape(state: _Translation) -> None:
    start, pattern = state.at, state.pattern
    following = pattern[start + 1 : start + 2]
    if following in _ANCHORS and following:
        if pattern.startswith(("{start", "{end"), start + 2) and following == "b":
            raise state.fault(start, start + 2, "word boundaries of this form are not available here")
        state.add(_ANCHORS[following])
        state.at += 2
        return
    if following in {"<", ">"}:
        raise state.fault(start, start + 2, "word boundaries of this form are not available here")
    found, state.at = read_escape(pattern, start)
    if isinstance(found, bytes):
        state.add_bytes(found)
    else:
        state.add(byte_class(found))


def _open_group(state: _Translation) -> None:
    start, pattern = state.at, state.pattern
    if len(state.groups) >= MAX_NESTED_GROUPS:
        limit = f"exceeded the maximum number of nested parentheses/brackets ({MAX_NESTED_GROUPS})"
        raise state.fault(start, start + 1, limit)
    for ahead in ("(?=", "(?!", "(?<=", "(?<!"):
        if pattern.startswith(ahead, start):
            what = "look-around, including look-ahead and look-behind, is not supported"
            raise state.fault(start, start + len(ahead), what)
    if pattern.startswith(("(?P<", "(?<"), start):
        _name_of_group(state, pattern.index("<", start) + 1)
        _enter(state, start, "(")
    elif pattern.startswith("(?", start):
        _flags(state, start)
    else:
        state.at += 1
        _enter(state, start, "(")


def _enter(state: _Translation, start: int, opening: str) -> None:
    state.groups.append((start, len(state.out), state.ignore_case))
    state.out.append(opening)
    state.item = None


def _name_of_group(state: _Translation, start: int) -> None:
    """Read a group's name up to ">". Names are not needed: a replacement refers to groups by number."""
    end = state.pattern.find(">", start)
    if end < 0:
        raise state.fault(len(state.pattern), len(state.pattern), "unclosed capture group name")
    name = state.pattern[start:end]
    if not name:
        raise state.fault(start, start, "empty capture group name")
    for offset, char in enumerate(name):
        if not (char == "_" or char.isalpha() or (offset and (char.isalnum() or char in ".[]"))):
            raise state.fault(start + offset, start + offset + 1, "invalid capture group character")
    if name in state.names:
        raise state.fault(start, end, "duplicate capture group name")
    state.names.add(name)
    state.at = end + 1


def _flags(state: _Translation, start: int) -> None:
    """`(?i)` for the rest of the group it stands in, or `(?i:` for a group of its own."""
    ends = [end for end in (state.pattern.find(")", start), state.pattern.find(":", start)) if end >= 0]
    if not ends:
        raise state.fault(start, start + 1, "unclosed group")
    end = min(ends)
    on, minus, off = state.pattern[start + 2 : end].partition("-")
    _check_flags(state, start + 2, end)
    if minus and not off:
        raise state.fault(end - 1, end, "dangling flag negation operator")
    inner = "i" in on or (state.ignore_case and "i" not in off)
    off = "".join(flag for flag in off if flag in _FLAGS_OF_BOTH)
    flags = f"{on}-{off}" if off else on
    state.at = end + 1
    if state.pattern[end] == ":":
        _enter(state, start, f"(?{flags}:")
    elif end == start + 2:
        raise state.fault(start + 1, start + 2, "repetition operator missing expression")
    else:
        state.out.append(f"(?{flags})" if flags else "")
        state.item = None
    state.ignore_case = inner


def _check_flags(state: _Translation, start: int, end: int) -> None:
    negated = False
    for at, char in enumerate(state.pattern[start:end], start):
        if char == "-" and not negated:
            negated = True
        elif char not in _FLAGS:
            raise state.fault(at, at + 1, "unrecognized flag")
        elif char not in _FLAGS_OF_BOTH and not negated:
            raise state.fault(at, at + 1, f"the flag {char} is not available here")


def _close_group(state: _Translation) -> None:
    if not state.groups:
        raise state.fault(state.at, state.at + 1, "unopened group")
    _, opening, state.ignore_case = state.groups.pop()
    state.out.append(")")
    state.item, state.repeated = opening, False
    state.at += 1


def _repeat(state: _Translation, operator: str, end: int) -> None:
    """Apply a repetition that ends before `end`, and its "?" if one follows."""
    if state.item is None:
        raise state.fault(state.at, state.at + 1, "repetition operator missing expression")
    if state.repeated:
        # RE2 takes no repetition of a repetition, so the first one becomes a group.
        state.out.insert(state.item, "(?:")
        state.out.append(")")
    if state.pattern.startswith("?", end):
        operator, end = f"{operator}?", end + 1
    state.out.append(operator)
    state.repeated, state.at = True, end


def _counted(state: _Translation) -> None:
    start, pattern = state.at, state.pattern
    if state.item is None:
        raise state.fault(start, start + 1, "repetition operator missing expression")
    end = pattern.find("}", start)
    if end < 0:
        raise state.fault(start, len(pattern), "unclosed counted repetition")
    low_text, comma, high_text = (part.strip() for part in pattern[start + 1 : end].partition(","))
    low = _count(state, low_text, start + 1, end) if low_text or not (comma and high_text) else 0
    high = low if not comma else _count(state, high_text, start + 1, end) if high_text else None
    if high is not None and low > high:
        what = "invalid repetition count range, the start must be <= the end"
        raise state.fault(start, end + 1, what)
    if max(low, high or 0) > MAX_REPETITIONS:
        raise state.fault(start, end + 1, f"repetition counts above {MAX_REPETITIONS} are not available here")
    _repeat(state, f"{{{low},{'' if high is None else high}}}", end + 1)


def _count(state: _Translation, text: str, start: int, end: int) -> int:
    if not text:
        raise state.fault(start, end, "repetition quantifier expects a valid decimal")
    if not (text.isascii() and text.isdigit()):
        raise state.fault(start, end, "repetition quantifier expects a valid decimal")
    if len(text) > 9:
        raise state.fault(start, end, "decimal literal invalid")
    return int(text)


__all__ = ["NotAClass", "RegexFault", "describe", "translate"]
