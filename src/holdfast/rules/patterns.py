"""Regular expressions and wildcards, compiled when an expression is read.

Law 1: a pattern that a person wrote never meets Python's `re`. What it is asked is answered exactly or is Undecided: the work
is metered, together with all else that a rule does (`meter`), whatever pattern and value.
Law 2: a pattern has a bound of memory, code and caches together (`MAX_PATTERN_BYTES`; the core's automata have their own).
Law 3: RE2 says which patterns there are, and the core's automaton (`_native.Pattern`) whether and where they match: it can be
metered, and keeps the interpreter, which RE2's package lets go each time: who decides while another thread computes would wait
for it after every pattern. Both read what `translate` wrote, alike.
Law 4: a wildcard needs no engine: its pieces are searched one after another, each from where the last one ended.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol, cast

import re2  # type: ignore[import-untyped]

from holdfast._native import Pattern as Automaton
from holdfast.rules.meter import Undecided, spend
from holdfast.rules.regex_classes import RegexFault
from holdfast.rules.regex_dialect import describe, translate

# RE2 spends two thirds on the compiled program, and beyond the rest matches without its cache, more slowly. The original
# allows 10 MiB and 2 MiB; an edge may hold thousands of rules.
MAX_PATTERN_BYTES = 2 * 1024 * 1024
# Largest pattern that counts (`{1,100}`), in instructions of the engine. Each may be alive at every byte of a value that is
# made for it, so a larger one would be undecided for values of some hundred bytes, which need nobody's ill will.
MAX_COUNTING_SIZE = 2_500
# What RE2, which nothing stops on its way, costs at most for an instruction and a byte: 8 ns.
_RE2_STEPS = 2
# What is shown of a pattern where it is undecided.
_MAX_SHOWN_CHARS = 80
# What patterns that are asked together may be in all, in instructions of the engine, and the values that they are asked about.
MAX_GUARD_SIZE = 8_000
MAX_GUARDED_CHARS = 2_048


class _Found(Protocol):
    """What `google-re2` tells of a match."""

    def group(self) -> bytes: ...
    def groups(self, default: bytes) -> tuple[bytes, ...]: ...
    def start(self) -> int: ...
    def end(self) -> int: ...


class _Compiled(Protocol):
    """A pattern of `google-re2`, which has no types of its own."""

    @property
    def programsize(self) -> int: ...
    def search(self, text: bytes) -> _Found | None: ...


class PatternError(ValueError):
    """A pattern that cannot be used; the message says why in the original's words where it has any."""


def ascii_lower(text: str) -> str:
    """`text` (one character a byte) with A-Z in lower case and all else as it was."""
    return text.lower() if text.isascii() else text.encode("latin-1").lower().decode("latin-1")


def ascii_upper(text: str) -> str:
    """`text` (one character a byte) with a-z in upper case and all else as it was."""
    return text.upper() if text.isascii() else text.encode("latin-1").upper().decode("latin-1")


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression: `source` as written, and whether it is compiled to say what its groups matched."""

    source: str
    with_groups: bool = False
    _compiled: _Compiled = field(init=False, repr=False, compare=False)
    _is_match: Callable[[bytes], bool] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        compiled = _compiled(self.source, self.with_groups)
        object.__setattr__(self, "_compiled", compiled)
        object.__setattr__(self, "_is_match", _matcher(self.source, compiled))

    @property
    def size(self) -> int:
        """How large it is, in instructions of the engine."""
        return self._compiled.programsize

    def is_in(self, value: str) -> bool:
        """Whether the pattern matches anywhere in `value`, one character a byte. Raises Undecided."""
        try:
            return self._is_match(value.encode("latin-1"))
        except Undecided:
            raise self._undecided() from None

    def first_match(self, value: str) -> tuple[int, int, tuple[str, ...]] | None:
        """Start and end of the first match, and what it and each group matched ("" for one that took no part). Raises
        Undecided."""
        if not self.is_in(value):
            return None
        data = value.encode("latin-1")
        try:
            spend(_RE2_STEPS * self.size * len(data))
        except Undecided:
            raise self._undecided() from None
        found = self._compiled.search(data)
        if found is None:
            return None
        groups = (found.group(), *found.groups(default=b""))
        return found.start(), found.end(), tuple(group.decode("latin-1") for group in groups)

    def _undecided(self) -> Undecided:
        shown = self.source if len(self.source) <= _MAX_SHOWN_CHARS else f"{self.source[:_MAX_SHOWN_CHARS]}…"
        return Undecided(f'the pattern "{shown}" took too many steps on this value')


@dataclass(frozen=True, slots=True, eq=False)
class Guard:
    """Many patterns asked at once: `may_match` is false for a value only if none of them is in it.

    It is true for a value longer than MAX_GUARDED_CHARS, which each pattern is asked about by itself: where patterns are
    together, a value that is made for it can drive the engine into its slower way, whose time is that of all of them.
    """

    _is_match: Callable[[bytes], bool]

    @classmethod
    def of(cls, patterns: Sequence[Pattern]) -> Guard | None:
        """The guard of these patterns, None if together they are too large."""
        if sum(pattern.size for pattern in patterns) > MAX_GUARD_SIZE:
            return None
        try:
            return cls(_automaton("|".join(f"(?:{translate(pattern.source)})" for pattern in patterns)).is_match)
        except ValueError:
            return None

    def may_match(self, value: str) -> bool:
        """Whether one of the patterns may be in `value`, one character a byte."""
        try:
            return len(value) > MAX_GUARDED_CHARS or self._is_match(value.encode("latin-1"))
        except Undecided:
            return True


def _matcher(source: str, compiled: _Compiled) -> Callable[[bytes], bool]:
    try:
        return _automaton(translate(source)).is_match
    except ValueError:
        # What is nested deeper than the core takes, or is larger.
        return lambda data: _is_match_by_re2(compiled, data)


def _is_match_by_re2(compiled: _Compiled, data: bytes) -> bool:
    spend(_RE2_STEPS * compiled.programsize * len(data))
    return compiled.search(data) is not None


@lru_cache(maxsize=256)
def _automaton(translated: str) -> Automaton:
    return Automaton(translated, is_metered=True)


@lru_cache(maxsize=256)
def _compiled(source: str, with_groups: bool) -> _Compiled:
    try:
        translated = translate(source)
    except RegexFault as fault:
        raise PatternError(describe(source, fault)) from None
    try:
        compiled = _built(translated, with_groups=with_groups)
    except re2.error as error:
        said = error.args[0] if error.args else b""
        detail = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        if "too large" in detail or "repetition" in detail:
            raise PatternError(f"Compiled regex exceeds size limit of {MAX_PATTERN_BYTES} bytes.") from None
        raise PatternError(f"regex parse error: {detail}") from None
    # Every other brace has been written as its code.
    if "{" in translated and compiled.programsize > MAX_COUNTING_SIZE:
        size = f"{compiled.programsize:,} steps, {MAX_COUNTING_SIZE:,} are allowed"
        raise PatternError(f"Compiled regex exceeds size limit: counting makes it {size}. `*` and `+` count nothing.")
    return compiled


def _built(translated: str, *, with_groups: bool) -> _Compiled:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.log_errors = False
    options.max_mem = MAX_PATTERN_BYTES
    options.never_capture = not with_groups
    return cast("_Compiled", re2.compile(translated.encode("ascii"), options))


@dataclass(frozen=True, slots=True)
class Wildcard:
    """A pattern in which `*` is any bytes, for a whole value. Case matters if `strict`.

    Raises PatternError for an escape other than `\\*` and `\\\\`, and for two stars side by side.
    """

    source: str
    strict: bool
    pieces: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        pieces = _pieces(self.source)
        object.__setattr__(self, "pieces", pieces if self.strict else tuple(map(ascii_lower, pieces)))

    def covers(self, value: str) -> bool:
        """Whether the whole of `value`, one character a byte, is matched."""
        return self.captures(value) is not None

    def captures(self, value: str) -> tuple[str, ...] | None:
        """What each `*` stands for, each as short as it can be; None if `value` is not matched."""
        compared = value if self.strict else ascii_lower(value)
        first, last = self.pieces[0], self.pieces[-1]
        if len(self.pieces) == 1:
            return () if compared == first else None
        end = len(value) - len(last)
        if end < len(first) or not compared.startswith(first) or not compared.endswith(last):
            return None
        captured, at = [], len(first)
        for piece in self.pieces[1:-1]:
            found = compared.find(piece, at, end)
            if found < 0:
                return None
            captured.append(value[at:found])
            at = found + len(piece)
        captured.append(value[at:end])
        return tuple(captured)


def _pieces(source: str) -> tuple[str, ...]:
    """The literal texts between the stars. Escapes are complained of before stars, wherever they stand."""
    pieces, at, after_star, is_double = [""], 0, False, False
    while at < len(source):
        char = source[at]
        if char == "*":
            is_double |= after_star
            pieces.append("")
        elif char == "\\":
            char = source[at + 1 : at + 2]
            if char not in {"*", "\\"}:
                problem = "invalid escape sequence" if char else "incomplete escape sequence at the end of the wildcard"
                raise PatternError(f"invalid wildcard: wildcard syntax error at position {at}: {problem}")
            pieces[-1] += char
            at += 1
            char = ""
        else:
            pieces[-1] += char
        after_star = char == "*"
        at += 1
    if is_double:
        raise PatternError("wildcard contains a double star")
    return tuple(pieces)
