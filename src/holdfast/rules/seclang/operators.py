"""Operators into tests of one value.

Law 1: a test gives what it captured (often nothing: `()`), or None where it does not hold. It never raises: where nobody knows
whether a pattern matches, the test holds, also one that is negated. ModSecurity's recommended configuration refuses a request
that exhausts PCRE's limits, too.
Law 2: an argument that no request changes is taken apart once, when the test is made.
Law 3: `@rbl` never holds: an edge asks no third party about its clients while they wait.

Source: ModSecurity Reference Manual, "Operators".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from ipaddress import ip_address, ip_network
from types import MappingProxyType
from typing import Final

from holdfast._native import Pattern, Undecided, is_xss, sqli_fingerprint
from holdfast.rules.seclang.errors import Position, SecLangError
from holdfast.rules.seclang.macros import Text
from holdfast.rules.seclang.patterns import PatternCache
from holdfast.rules.seclang.syntax_tree import Operator
from holdfast.rules.seclang.transaction import Transaction

Captured = tuple[bytes, ...]
Test = Callable[[Transaction, bytes], Captured | None]
_Holds = Callable[[bytes], bool]

# Of a pattern that a request completes: compiling is what costs, so it is done for short ones, and kept for a few.
MAX_PATTERN_BYTES: Final = 1_024
MAX_KNOWN_PATTERNS: Final = 64

_NUMBER: Final = re.compile(rb"\s*([+-]?\d{1,18})")
_BAD_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_RANGE: Final = re.compile(r"(\d{1,3})(?:-(\d{1,3}))?")
_WORD: Final = re.compile(rb"[0-9A-Za-z_]")


def number_in(text: bytes) -> int:
    """The number that a text begins with, 0 if it begins with none (C's `atoi`)."""
    found = _NUMBER.match(text)
    return int(found[1]) if found else 0


def compile_operator(position: Position, operator: Operator, argument: Text, patterns: PatternCache) -> Test:
    """A test for one operator, whose argument has what was known filled in. Raises SecLangError."""
    try:
        test = _compile(operator, argument, patterns)
    except ValueError as error:
        raise SecLangError(position, f"@{operator.name} {operator.argument}", f"another argument ({error})") from error
    return _negated(test) if operator.is_negated else _whole_where_undecided(test) if operator.name == "rx" else test


def _compile(operator: Operator, argument: Text, patterns: PatternCache) -> Test:
    name = operator.name
    if name in ("rx", "pm", "pmFromFile"):
        return _compile_search(operator, argument, patterns)
    if name in _BY_REQUEST:
        return _BY_REQUEST[name]
    if name in ("ipMatch", "ipMatchFromFile"):
        networks = [line.decode() for line in operator.phrases] or operator.argument.split(",")
        return _holding(_ip_match(networks))
    make = _MAKERS[name]
    if argument.constant is not None:
        return _holding(make(argument.constant))

    expand = argument.compiled()
    return lambda transaction, value: () if make(expand(transaction))(value) else None


def _compile_search(operator: Operator, argument: Text, patterns: PatternCache) -> Test:
    if operator.name == "rx":
        if (constant := argument.constant) is None:
            return _search_anew(argument)
        search = patterns.pattern(constant.decode()).search
        return lambda _, value: search(value)
    first = patterns.phrases(operator.phrases).first

    def test(_: Transaction, value: bytes) -> Captured | None:
        found = first(value)
        return None if found is None else (found,)

    return test


def _search_anew(argument: Text) -> Test:
    """A pattern that only the request completes. What is no pattern then, or a long one, matches nothing."""
    expand = argument.compiled()
    known: dict[bytes, Pattern | None] = {}

    def test(transaction: Transaction, value: bytes) -> Captured | None:
        text = expand(transaction)
        if text not in known:
            if len(known) >= MAX_KNOWN_PATTERNS:
                known.clear()
            known[text] = _pattern_or_none(text)
        pattern = known[text]
        return None if pattern is None else pattern.search(value)

    return test


def _pattern_or_none(text: bytes) -> Pattern | None:
    if len(text) > MAX_PATTERN_BYTES:
        return None
    try:
        return Pattern(text.decode(), is_metered=True)
    except ValueError:
        return None


def _negated(test: Test) -> Test:
    def negated(transaction: Transaction, value: bytes) -> Captured | None:
        try:
            return () if test(transaction, value) is None else None
        except Undecided:
            return ()

    return negated


def _whole_where_undecided(test: Test) -> Test:
    def decided(transaction: Transaction, value: bytes) -> Captured | None:
        try:
            return test(transaction, value)
        except Undecided:
            return (value,)

    return decided


def _holding(holds: _Holds) -> Test:
    return lambda _, value: () if holds(value) else None


def _sqli(_: Transaction, value: bytes) -> Captured | None:
    found = sqli_fingerprint(value)
    return None if found is None else (found,)


def _xss(_: Transaction, value: bytes) -> Captured | None:
    return (value,) if is_xss(value) else None


def _geo(transaction: Transaction, value: bytes) -> Captured | None:
    return () if transaction.look_up(value) else None


_BY_REQUEST: Final[Mapping[str, Test]] = MappingProxyType(
    {
        "detectSQLi": _sqli,
        "detectXSS": _xss,
        "geoLookup": _geo,
        "noMatch": lambda _, __: None,
        "rbl": lambda _, __: None,  # Law 3
        "unconditionalMatch": lambda _, __: (),
    }
)


def _compare(compare: Callable[[int, int], bool]) -> Callable[[bytes], _Holds]:
    def make(argument: bytes) -> _Holds:
        number = number_in(argument)
        return lambda value: compare(number_in(value), number)

    return make


def _within(argument: bytes) -> _Holds:
    return lambda value: value in argument


def _contains(argument: bytes) -> _Holds:
    return lambda value: argument in value


def _contains_word(argument: bytes) -> _Holds:
    def holds(value: bytes) -> bool:
        start = value.find(argument)
        while start >= 0:
            end = start + len(argument)
            if not _WORD.match(value[start - 1 : start] if start else b"") and not _WORD.match(value[end : end + 1]):
                return True
            start = value.find(argument, start + 1)
        return not argument

    return holds


def _byte_range(argument: bytes) -> _Holds:
    allowed = bytearray()
    for part in argument.decode().split(","):
        found = _RANGE.fullmatch(part.strip())
        if found is None:
            raise ValueError(f"'{part}' is no range of bytes such as 32-126")
        first, last = int(found[1]), int(found[2] or found[1])
        if not first <= last <= 255:
            raise ValueError(f"'{part}' is no range of bytes from 0 to 255")
        allowed += bytes(range(first, last + 1))
    inside = bytes(allowed)
    return lambda value: bool(value.translate(None, inside))


def _is_bad_utf8(_: bytes) -> _Holds:
    def holds(value: bytes) -> bool:
        try:
            value.decode()
        except UnicodeDecodeError:
            return True
        return False

    return holds


def _ip_match(entries: list[str]) -> _Holds:
    networks = [ip_network(entry.strip(), strict=False) for entry in entries if entry.strip()]

    def holds(value: bytes) -> bool:
        try:
            address = ip_address(value.decode("latin-1").strip("[]"))
        except ValueError:
            return False
        return any(address.version == network.version and address in network for network in networks)

    return holds


_MAKERS: Final[Mapping[str, Callable[[bytes], _Holds]]] = MappingProxyType(
    {
        "beginsWith": lambda argument: lambda value: value.startswith(argument),
        "contains": _contains,
        "containsWord": _contains_word,
        "endsWith": lambda argument: lambda value: value.endswith(argument),
        "eq": _compare(lambda value, number: value == number),
        "ge": _compare(lambda value, number: value >= number),
        "gt": _compare(lambda value, number: value > number),
        "le": _compare(lambda value, number: value <= number),
        "lt": _compare(lambda value, number: value < number),
        "streq": lambda argument: lambda value: value == argument,
        "strmatch": _contains,
        "validateByteRange": _byte_range,
        "validateUrlEncoding": lambda _: lambda value: _BAD_ESCAPE.search(value) is not None,
        "validateUtf8Encoding": _is_bad_utf8,
        "within": _within,
    }
)
