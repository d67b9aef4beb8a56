"""Constants: strings, bytes, integers, addresses, networks and sets of them.

Law 1: a string is read into one character a byte (see `value_types`): what the text has beyond ASCII becomes its UTF-8.
Law 2: the grammar is the original's with all its corners: a leading 0 is octal, a network's short form is `10/8`, an
       escape may be written `\\x+f`, sets have no commas.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import TypeVar

from holdfast.rules.errors import ParseError
from holdfast.rules.value_types import Address

Item = TypeVar("Item")

MAX_RAW_HASHES = 255
INT_MIN, INT_MAX = -(2**63), 2**63 - 1

_SPACES = " \r\n"
_DIGITS = frozenset("0123456789")
_HEX_DIGITS = frozenset("0123456789abcdefABCDEF")
# The original reads the length of a network into eight bits.
_MAX_LENGTH = 255
_ADDRESS_CHARS = _HEX_DIGITS | frozenset(":./")
_BAD_ADDRESS = "couldn't parse address in network: invalid IP address syntax"


def bytes_of(text: str) -> str:
    """The UTF-8 of a text, one character a byte."""
    return text if text.isascii() else text.encode("utf-8").decode("latin-1")


def quoted_string(text: str, start: int) -> tuple[str, int]:
    """A string whose opening quote stands before `start`."""
    parts: list[str] = []
    at = start
    while True:
        stop = _next_of(text, at, '"\\')
        if stop is None:
            raise ParseError.at(text, start, len(text), "could not find an ending quote")
        parts.append(bytes_of(text[at:stop]))
        if text[stop] == '"':
            return "".join(parts), stop + 1
        char, at = _escaped(text, stop + 1, start)
        parts.append(char)


def _next_of(text: str, at: int, wanted: str) -> int | None:
    found = [place for place in (text.find(char, at) for char in wanted) if place >= 0]
    return min(found, default=None)


def _escaped(text: str, at: int, start: int) -> tuple[str, int]:
    """The byte that an escape stands for, its backslash before `at`."""
    char = text[at : at + 1]
    if not char:
        raise ParseError.at(text, start, len(text), "could not find an ending quote")
    if char in '"\\':
        return char, at + 1
    if char == "x":
        return _byte(text, at + 1, digits=2, radix=16)
    if char in "01234567":
        return _byte(text, at, digits=3, radix=8)
    raise ParseError.at(text, at, at + 1, 'expected ", xHH or OOO after \\')


def _byte(text: str, at: int, *, digits: int, radix: int) -> tuple[str, int]:
    found = text[at : at + digits]
    if len(found) < digits:
        raise ParseError.at(text, at, len(text), f"expected {digits} characters, but found {len(found)}")
    return chr(_number(text, at, at + digits, radix=radix, low=0, high=255)), at + digits


def raw_string(text: str, start: int) -> tuple[str, int]:
    """The characters of a raw string whose "r" stands before `start`, as they are."""
    at = start
    while text.startswith("#", at):
        at += 1
    hashes = text[start:at]
    if len(hashes) > MAX_RAW_HASHES:
        reason = f"invalid raw string hash count, there can't be more than {MAX_RAW_HASHES} #s"
        raise ParseError.at(text, start, len(text), reason)
    if not text.startswith('"', at):
        raise ParseError.at(text, at, len(text), 'expected " or #')
    end = text.find('"' + hashes, at + 1)
    if end < 0:
        raise ParseError.at(text, start, len(text), "could not find an ending quote")
    return text[at + 1 : end], end + 1 + len(hashes)


def text_string(text: str, at: int) -> tuple[str, int]:
    """A quoted or a raw string."""
    if text.startswith('"', at):
        return quoted_string(text, at + 1)
    if text.startswith("r", at):
        raw, end = raw_string(text, at + 1)
        return bytes_of(raw), end
    reason = 'expected " or r' if at < len(text) else "unrecognised input"
    raise ParseError.at(text, at, len(text), reason)


def byte_string(text: str, at: int) -> tuple[str, int]:
    """A quoted or a raw string, or at least two bytes in hexadecimal with ":" between them."""
    if at >= len(text) or text[at] in '"r':
        return text_string(text, at)
    first, at = _byte(text, at, digits=2, radix=16)
    if not text.startswith(":", at):
        missing = at >= len(text)
        reason = "expected 1 characters, but found 0" if missing else "expected byte separator"
        raise ParseError.at(text, at, at + 1, reason)
    parts = [first]
    while text.startswith(":", at):
        byte, at = _byte(text, at + 1, digits=2, radix=16)
        parts.append(byte)
    return "".join(parts), at


def regex_source(text: str, at: int) -> tuple[str, int, int, int]:
    """A regular expression as written, the end of its literal, and the part of the text that a fault in it points at.

    In quotes, `\\"` is a quote and every other escape the expression's own; a quote inside a class ends nothing.
    """
    if text.startswith("r", at):
        raw, end = raw_string(text, at + 1)
        return raw, end, end, len(text)
    if not text.startswith('"', at):
        reason = 'expected " or r' if at < len(text) else "unrecognised input"
        raise ParseError.at(text, at, len(text), reason)
    start = at = at + 1
    source: list[str] = []
    in_class = False
    while at < len(text):
        char = text[at]
        if char == '"' and not in_class:
            return "".join(source), at + 1, start, at
        if char == "\\" and at + 1 < len(text):
            at += 1
            char = text[at] if text[at] == '"' and not in_class else f"\\{text[at]}"
        elif char in "[]":
            in_class = char == "["
        source.append(char)
        at += 1
    raise ParseError.at(text, start, len(text), "could not find an ending quote")


def integer(text: str, at: int) -> tuple[int, int]:
    """A signed integer of 64 bits: decimal, `0x` hexadecimal, or octal after a leading 0."""
    if text.startswith("0x", at):
        end = _digits(text, at + 2)
        return _number(text, at + 2, end, radix=16), end
    if text.startswith("0", at):
        end = _digits(text, at)
        return _number(text, at, end, radix=8), end
    end = _digits(text, at + text.startswith("-", at))
    return _number(text, at, end, radix=10), end


def _digits(text: str, at: int) -> int:
    start = at
    while at < len(text) and text[at] in _HEX_DIGITS:
        at += 1
    if at == start:
        raise ParseError.at(text, at, len(text), "expected digit")
    return at


def _number(text: str, start: int, end: int, *, radix: int, low: int = INT_MIN, high: int = INT_MAX) -> int:
    """`text[start:end]` as an integer, digit by digit, so that the first thing wrong is the one complained of."""
    digits = text[start:end]
    negative = low < 0 and digits.startswith("-")
    value = 0
    for digit in digits[1:] if negative or (digits[:1] == "+" and len(digits) > 1) else digits:
        if digit not in _HEX_DIGITS or int(digit, 16) >= radix:
            what = "invalid digit found in string"
            break
        value = value * radix + int(digit, 16)
        if (-value if negative else value) not in range(low, high + 1):
            what = f"number too {'small' if negative else 'large'} to fit in target type"
            break
    else:
        return -value if negative else value
    raise ParseError.at(text, start, end, f"{what} while parsing with radix {radix}")


def integer_range(text: str, at: int) -> tuple[tuple[int, int], int]:
    """`5` or `1..9`, as both ends."""
    first, end = integer(text, at)
    last = first
    if text.startswith("..", end):
        last, end = integer(text, end + 2)
    if last < first:
        raise ParseError.at(text, at, end, "incompatible range bounds")
    return (first, last), end


def address(text: str, at: int) -> tuple[Address, int]:
    """An IPv4 or IPv6 address."""
    end = _address_end(text, at)
    return _address(text, at, end), end


def parse_address(text: str) -> Address | None:
    """The address that a text is, None if it is none. IPv4 without leading zeros, IPv6 without a scope."""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    return None if getattr(found, "scope_id", None) else (found.version, int(found))


def _address_end(text: str, at: int) -> int:
    start = at
    while at < len(text) and text[at] in _ADDRESS_CHARS:
        at += 1
    if at == start:
        raise ParseError.at(text, at, len(text), "expected IP address character")
    return at


def _address(text: str, start: int, end: int) -> Address:
    found = parse_address(text[start:end])
    if found is None:
        raise ParseError.at(text, start, end, _BAD_ADDRESS)
    return found


def address_range(text: str, at: int) -> tuple[tuple[Address, Address], int]:
    """An address, a network, or `first..last`, as both ends."""
    end = _address_end(text, at)
    dots = text.find("..", at, end)
    if dots < 0:
        return _network(text, at, end), end
    first, last = _address(text, at, dots), _address(text, dots + 2, end)
    if first[0] != last[0] or first > last:
        raise ParseError.at(text, at, end, "incompatible range bounds")
    return (first, last), end


def _network(text: str, start: int, end: int) -> tuple[Address, Address]:
    slash = text.rfind("/", start, end)
    address_end = end if slash < 0 else slash
    found = parse_address(text[start:address_end]) or _short_address(text[start:address_end])
    if found is None:
        first_slash = text.find("/", start, end)
        raise ParseError.at(text, start, end if first_slash < 0 else first_slash, _BAD_ADDRESS)
    family, number = found
    width = 32 if family == 4 else 128
    length = width if slash < 0 else _network_length(text, slash + 1, end)
    if length > width:
        reason = f"Network length {length} is too long for Ipv{family} (maximum: {width})"
        raise ParseError.at(text, start, end, f"invalid length for network: {reason}")
    host_part = (1 << (width - length)) - 1
    if number & host_part:
        raise ParseError.at(text, start, address_end, "host part of address was not zero")
    return found, (family, number | host_part)


def _network_length(text: str, start: int, end: int) -> int:
    length, what = 0, "" if start < end else "cannot parse integer from empty string"
    # Digit by digit: the first thing wrong is what is complained of.
    for digit in text[start:end]:
        if digit not in _DIGITS:
            what = "invalid digit found in string"
            break
        if (length := 10 * length + int(digit)) > _MAX_LENGTH:
            what = "number too large to fit in target type"
            break
    if not what:
        return length
    raise ParseError.at(text, start, end, f"couldn't parse length in network: {what}")


def _short_address(text: str) -> Address | None:
    """IPv4 with trailing octets left out, as networks are often written: `10` is 10.0.0.0."""
    octets = text.split(".")
    if len(octets) > 4 or not all(octet.isascii() and octet.isdigit() and len(octet) <= 9 for octet in octets):
        return None
    numbers = [int(octet) for octet in octets] + [0] * (4 - len(octets))
    if max(numbers) > 255:
        return None
    return 4, sum(number << shift for number, shift in zip(numbers, (24, 16, 8, 0), strict=True))


def set_of(text: str, at: int, item: Callable[[str, int], tuple[Item, int]]) -> tuple[list[Item], int]:
    """Items in braces, with spaces between them or not."""
    if not text.startswith("{", at):
        raise ParseError.at(text, at, len(text), 'expected literal "{"')
    at += 1
    items: list[Item] = []
    while True:
        while at < len(text) and text[at] in _SPACES:
            at += 1
        if text.startswith("}", at):
            return items, at + 1
        found, at = item(text, at)
        items.append(found)
