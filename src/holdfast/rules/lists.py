"""Lists that rules refer to by name (`ip.src in $office`): addresses, host names or numbers of autonomous systems.

Law 1: a list is immutable and ready to be asked; membership costs a few look-ups or a binary search, whatever its length.
Law 2: a list holds one kind of items, and only values of the type of that kind can be in it.
Law 3: a list is made item by item, with no step that takes long: whoever gives the items can pause between them.
Law 4: a rule finds its lists when it is evaluated, in the facts of the request: a list that changes changes no rule. One that
is gone, or has become one of another kind, has nothing in it. Whether there is such a list is asked where a rule is saved.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from holdfast.rules.errors import ParseError
from holdfast.rules.literals import address_range
from holdfast.rules.patterns import ascii_lower
from holdfast.rules.syntax_tree import Expression, list_uses
from holdfast.rules.value_types import BYTES, INT, IP, Address, ValueType

_ANY_LABEL = "*."
# The longest that a host name can be (RFC 1035 §2.3.4). What is longer may have any number of dots.
_MAX_NAME_CHARS = 255


class Ranges:
    """A set of integers given by inclusive ranges, which may overlap."""

    __slots__ = ("_ends", "_starts")

    def __init__(self, ranges: Iterable[tuple[int, int]]) -> None:
        starts: list[int] = []
        ends: list[int] = []
        for first, last in sorted(ranges):
            if ends and first <= ends[-1] + 1:
                ends[-1] = max(ends[-1], last)
            else:
                starts.append(first)
                ends.append(last)
        self._starts, self._ends = tuple(starts), tuple(ends)

    def __contains__(self, value: int) -> bool:
        place = bisect_right(self._starts, value) - 1
        return place >= 0 and value <= self._ends[place]


class AddressRanges:
    """A set of addresses given by inclusive ranges, both ends of one family."""

    __slots__ = ("_by_family",)

    def __init__(self, ranges: Iterable[tuple[Address, Address]]) -> None:
        found = list(ranges)
        self._by_family = {
            family: Ranges((first[1], last[1]) for first, last in found if first[0] == family) for family in (4, 6)
        }

    def __contains__(self, value: Address) -> bool:
        family, number = value
        return number in self._by_family[family]


class Networks:
    """A set of addresses given by networks. Those of one length are looked up together."""

    __slots__ = ("_by_family",)

    def __init__(self, networks: Iterable[tuple[Address, Address]]) -> None:
        """`networks` by their first and last address."""
        found: dict[int, dict[int, set[int]]] = {4: {}, 6: {}}
        for (family, first), (_, last) in networks:
            # An address without its host part is the same for all of a network.
            host_bits = (first ^ last).bit_length()
            of_family = found[family]
            if host_bits not in of_family:
                of_family[host_bits] = set()
            of_family[host_bits].add(first >> host_bits)
        self._by_family = {family: tuple(by_length.items()) for family, by_length in found.items()}

    def __contains__(self, value: Address) -> bool:
        family, number = value
        for host_bits, networks in self._by_family[family]:  # noqa: SIM110  a generator costs more than the look-up
            if number >> host_bits in networks:
                return True
        return False


class Hostnames:
    """A set of host names; `*.example.com` is every name below example.com, but not itself. Case does not matter."""

    __slots__ = ("_below", "_exact")

    def __init__(self, names: Iterable[str]) -> None:
        self._exact: set[str] = set()
        self._below: set[str] = set()
        for name in map(ascii_lower, names):
            if name.startswith(_ANY_LABEL):
                self._below.add(name.removeprefix(_ANY_LABEL))
            else:
                self._exact.add(name)

    def __contains__(self, value: str) -> bool:
        if len(value) > _MAX_NAME_CHARS:
            return False
        name = ascii_lower(value)
        if name in self._exact:
            return True
        while self._below:
            _, dot, name = name.partition(".")
            if not dot or name in self._below:
                return bool(dot)
        return False


@dataclass(frozen=True, slots=True)
class RuleList:
    """A list: the type of value that can be in it, and its members (anything with `in`)."""

    type: ValueType
    members: Ranges | AddressRanges | Networks | Hostnames | frozenset[int]

    @classmethod
    def of_addresses(cls, items: Iterable[str]) -> RuleList:
        """Addresses and networks ("203.0.113.7", "2001:db8::/32"). Raises ParseError for anything else."""
        return cls(IP, Networks(_plain_network(item) or _whole_network(item) for item in items))

    @classmethod
    def of_hostnames(cls, items: Iterable[str]) -> RuleList:
        """Host names, `*.` before one for every name below it."""
        return cls(BYTES, Hostnames(items))

    @classmethod
    def of_asns(cls, items: Iterable[int]) -> RuleList:
        """Numbers of autonomous systems."""
        return cls(INT, frozenset(items))


def check_lists(expression: Expression, kinds: Mapping[str, ValueType]) -> None:
    """Raise ParseError, pointing at the name, for a list that is not among `kinds` or holds items of another type."""
    for use, type_ in list_uses(expression.root):
        held = kinds.get(use.name)
        if held is None:
            raise ParseError.at(expression.text, use.start, use.end, f'unknown list "{use.name}"')
        if held != type_:
            reason = f'the list "{use.name}" has items of type {held}, the value is of type {type_}'
            raise ParseError.at(expression.text, use.start, use.end, reason)


_OCTETS = {str(number): number for number in range(256)}
_GROUPS = 8
# By the family, and the length as it is written.
_HOST_PARTS = {
    family: {str(length): (1 << (width - length)) - 1 for length in range(width + 1)}
    for family, width in ((4, 32), (6, 128))
}


def _plain_network(item: str) -> tuple[Address, Address] | None:
    """An address or a network as most are written; None for whatever else. A long list is made of these."""
    address, slash, length = item.partition("/")
    family, number = (6, _plain_ipv6(address)) if ":" in address else (4, _plain_ipv4(address))
    host_part = _HOST_PARTS[family].get(length, -1) if slash else 0
    if number is None or host_part < 0 or number & host_part:
        return None
    return (family, number), (family, number | host_part)


def _plain_ipv4(address: str) -> int | None:
    try:
        one, two, three, four = address.split(".")
        return _OCTETS[one] << 24 | _OCTETS[two] << 16 | _OCTETS[three] << 8 | _OCTETS[four]
    except (ValueError, KeyError):
        return None


def _plain_ipv6(address: str) -> int | None:
    """Without an IPv4 address at its end. RFC 4291 §2.2: `::` stands for groups of zeros, here two and more."""
    head, gap, tail = address.partition("::")
    before, after = head.split(":") if head else [], tail.split(":") if tail else []
    missing = _GROUPS - len(before) - len(after)
    if (missing < 2 if gap else missing != 0) or "" in before or "" in after:
        return None
    digits = "".join([*[group.zfill(4) for group in before], "0000" * missing, *[group.zfill(4) for group in after]])
    try:
        found = bytes.fromhex(digits)
    except ValueError:
        return None
    # What is longer has a group of five digits; what is shorter had a space in it, which `fromhex` passes over.
    return int.from_bytes(found, "big") if len(digits) == 4 * _GROUPS and len(found) == 2 * _GROUPS else None


def _whole_network(item: str) -> tuple[Address, Address]:
    if ".." in item:
        raise ParseError.at(item, item.find(".."), len(item), "expected an address or a network, and no range")
    found, end = address_range(item, 0)
    if end < len(item):
        address_range(item, end)
    return found
