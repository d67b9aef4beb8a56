"""Regular expressions as the original has them (Rust's `regex` over bytes), rewritten for RE2 over bytes.

The two read almost the same and mean different things in places. Rule 1: what is rewritten means what the original
means: `\\s` has the vertical tab, classes nest and have `&&`, `--`, `~~`, a repetition may be repeated, and a character
beyond ASCII is its bytes. Rule 2: what RE2 cannot do is refused by name, never matched in another way. Rule 3: the
complaints are the original's, with its picture, and come in its order: syntax first, then what is no byte or not available
here. Rule 4: one pass; time and output are linear in the pattern's length.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from holdfast.rules.regex_classes import ClassReader, RegexFault, byte_class, read_escape

# The original's limit of nested groups.
MAX_NESTED_GROUPS = 250
# RE2 compiles a repetition into that many copies, and has this limit of its own.
MAX_REPETITIONS = 1000

_FLAGS_OF_BOTH = "imsU"
_FLAGS = "imsUuxR"
# "." with the flag "s", and without.
_ANY_BYTE, _ANY_OF_LINE = r"[\x00-\xff]", r"[^\n]"
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
    dot_all: bool = False
    # For each open group: where "(" stands in the pattern and in `out`, and the two flags outside of it.
    groups: list[tuple[int, int, bool, bool]] = field(default_factory=list)
    # Where the name of each group stands, by the name.
    names: dict[str, tuple[int, int]] = field(default_factory=dict)
    later: list[RegexFault] = field(default_factory=list)
    unavailable: list[RegexFault] = field(default_factory=list)

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

    def lacks(self, start: int, end: int, what: str) -> None:
        self.unavailable.append(RegexFault(start, end, f"{what} not available here"))


def translate(pattern: str) -> str:
    """RE2's pattern (ASCII, to be compiled as Latin-1) for one of the original's. Raises RegexFault."""
    state = _Translation(pattern)
    while state.at < len(pattern):
        _step(state, pattern[state.at])
    if state.groups:
        opened = state.groups[-1][0]
        raise RegexFault(opened, opened + 1, "unclosed group")
    # A flag of the second kind may be what would have made sense of the first.
    if faults := [*state.later, *state.unavailable]:
        raise min(faults, key=lambda fault: fault.start)
    return "".join(state.out)


def describe(pattern: str, fault: RegexFault) -> str:
    """The original's complaint: the pattern, carets under the fault, and what it is."""
    if "\n" in pattern:
        return f"regex parse error: {fault.what} (character {fault.start + 1} of the pattern)"
    marks = [" "] * (max(fault.end, fault.start + 1))
    for start, end in filter(None, (fault.also, (fault.start, fault.end))):
        marks[start : max(end, start + 1)] = "^" * max(1, end - start)
    pointer = "".join(marks)
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
            classes = ClassReader(state.pattern, state.ignore_case, state.later)
            chosen, state.at = classes.read(state.at)
            state.add(byte_class(chosen))
        case "*" | "+" | "?":
            _repeat(state, char, state.at + 1)
        case "{":
            _counted(state)
        case "|":
            state.out.append("|")
            state.item, state.at = None, state.at + 1
        case "^" | "$":
            state.add(char)
            state.at += 1
        case ".":
            # Said so that it depends on no flag: engines differ in what they take for granted.
            state.add(_ANY_BYTE if state.dot_all else _ANY_OF_LINE)
            state.at += 1
        case _:
            state.add_bytes(char.encode("utf-8"))
            state.at += 1


def _escape(state: _Translation) -> None:
    start = state.at
    found = read_escape(state.pattern, start, state.later)
    state.at = found.end
    if found.code is not None:
        state.add_bytes(found.data)
    elif found.chosen is not None:
        state.add(byte_class(found.chosen))
    else:
        _assertion(state, start, state.pattern[start + 1])


def _assertion(state: _Translation, start: int, letter: str) -> None:
    state.add(_ANCHORS.get(letter, ""))
    if letter in "<>" or state.at > start + 2:
        state.lacks(start, state.at, "word boundaries of this form are")


def _open_group(state: _Translation) -> None:
    start, pattern = state.at, state.pattern
    if len(state.groups) >= MAX_NESTED_GROUPS:
        limit = f"exceeded the maximum number of nested parentheses/brackets ({MAX_NESTED_GROUPS})"
        raise RegexFault(start, start + 1, limit)
    for ahead in ("(?=", "(?!", "(?<=", "(?<!"):
        if pattern.startswith(ahead, start):
            what = "look-around, including look-ahead and look-behind, is not supported"
            raise RegexFault(start, start + len(ahead), what)
    if pattern.startswith(("(?P<", "(?<"), start):
        _name_of_group(state, pattern.index("<", start) + 1)
        _enter(state, start, "(")
    elif pattern.startswith("(?", start):
        _flags(state, start)
    else:
        state.at += 1
        _enter(state, start, "(")


def _enter(state: _Translation, start: int, opening: str) -> None:
    state.groups.append((start, len(state.out), state.ignore_case, state.dot_all))
    state.out.append(opening)
    state.item = None


def _name_of_group(state: _Translation, start: int) -> None:
    """Read a group's name up to ">". Names are not needed: a replacement refers to groups by number."""
    end, pattern = start, state.pattern
    while not pattern.startswith(">", end):
        char = pattern[end : end + 1]
        if not char:
            raise RegexFault(end, end, "unclosed capture group name")
        if not (char == "_" or char.isalpha() or (end > start and (char.isalnum() or char in ".[]"))):
            raise RegexFault(end, end + 1, "invalid capture group character")
        end += 1
    name = pattern[start:end]
    if not name:
        raise RegexFault(start, start, "empty capture group name")
    if name in state.names:
        raise RegexFault(start, end, "duplicate capture group name", also=state.names[name])
    state.names[name] = (start, end)
    state.at = end + 1


def _flags(state: _Translation, start: int) -> None:
    """`(?i)` for the rest of the group it stands in, or `(?i:` for a group of its own."""
    end = _flags_end(state, start)
    on, _, off = state.pattern[start + 2 : end].partition("-")
    ignore_case = "i" in on or (state.ignore_case and "i" not in off)
    dot_all = "s" in on or (state.dot_all and "s" not in off)
    on, off = ("".join(flag for flag in flags if flag in _FLAGS_OF_BOTH) for flags in (on, off))
    flags = f"{on}-{off}" if off else on
    state.at = end + 1
    if state.pattern[end] == ":":
        _enter(state, start, f"(?{flags}:")
    elif end == start + 2:
        raise RegexFault(start + 1, start + 2, "repetition operator missing expression")
    else:
        state.out.append(f"(?{flags})" if flags else "")
        state.item = None
    state.ignore_case, state.dot_all = ignore_case, dot_all


def _flags_end(state: _Translation, start: int) -> int:
    """Where the flags end, each of which is checked."""
    at, seen, pattern = start + 2, dict[str, int](), state.pattern
    if at >= len(pattern):
        raise RegexFault(start, start + 1, "unclosed group")
    while (char := pattern[at : at + 1]) not in {":", ")"}:
        if not char:
            raise RegexFault(at, at, "expected flag but got end of regex")
        if char != "-" and char not in _FLAGS:
            raise RegexFault(at, at + 1, "unrecognized flag")
        if char in seen:
            what = "flag negation operator repeated" if char == "-" else "duplicate flag"
            raise RegexFault(at, at + 1, what, also=(seen[char], seen[char] + 1))
        if char in "uxR" and "-" not in seen:
            state.lacks(at, at + 1, f"the flag {char} is")
        seen[char] = at
        at += 1
    if pattern[at - 1] == "-":
        raise RegexFault(at - 1, at, "dangling flag negation operator")
    return at


def _close_group(state: _Translation) -> None:
    if not state.groups:
        raise RegexFault(state.at, state.at + 1, "unopened group")
    _, opening, state.ignore_case, state.dot_all = state.groups.pop()
    state.out.append(")")
    state.item, state.repeated = opening, False
    state.at += 1


def _repeat(state: _Translation, operator: str, end: int) -> None:
    """Apply a repetition that ends before `end`, and its "?" if one follows."""
    if state.item is None:
        raise RegexFault(state.at, state.at + 1, "repetition operator missing expression")
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
        raise RegexFault(start, start + 1, "repetition operator missing expression")
    low, at = _count(pattern, start, start + 1)
    high: int | None = low
    if pattern.startswith(",", at):
        at += 1
        high = None
        if not pattern.startswith("}", at):
            high, at = _count(pattern, start, at)
    if not pattern.startswith("}", at):
        raise RegexFault(start, at, "unclosed counted repetition")
    if high is not None and low > high:
        end = at + 1 + pattern.startswith("?", at + 1)
        raise RegexFault(start, end, "invalid repetition count range, the start must be <= the end")
    if max(low, high or 0) > MAX_REPETITIONS:
        state.lacks(start, at + 1, f"repetition counts above {MAX_REPETITIONS} are")
    _repeat(state, f"{{{low},{'' if high is None else high}}}", at + 1)


def _count(pattern: str, start: int, at: int) -> tuple[int, int]:
    """A number with spaces around it or not, in the repetition that begins at `start`."""
    first = _skip_space(pattern, at)
    if first >= len(pattern):
        raise RegexFault(start, first, "unclosed counted repetition")
    last = first
    while last < len(pattern) and pattern[last] in "0123456789":
        last += 1
    if first == last:
        raise RegexFault(first, first, "repetition quantifier expects a valid decimal")
    if len(pattern[first:last].lstrip("0")) > 10 or int(pattern[first:last]) >= 2**32:
        raise RegexFault(first, last, "decimal literal invalid")
    return int(pattern[first:last]), _skip_space(pattern, last)


def _skip_space(pattern: str, at: int) -> int:
    while at < len(pattern) and pattern[at].isspace():
        at += 1
    return at
