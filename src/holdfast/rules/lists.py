"""Lists that rules refer to by name (`ip.src in $office`): addresses, host names or numbers of autonomous systems.

Law 1: a list is immutable and ready to be asked; membership costs a look-up or a binary search, whatever its length.
Law 2: a list holds one kind of items, and only values of the type of that kind can be in it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from holdfast.rules.literals import address_range
from holdfast.rules.patterns import ascii_lower
from holdfast.rules.value_types import BYTES, INT, IP, Address, ValueType

_ANY_LABEL = "*."


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


class Hostnames:
    """A set of host names; `*.example.com` is every name below example.com, but not itself. Case does not matter."""

    __slots__ = ("_below", "_exact")

    def __init__(self, names: Iterable[str]) -> None:
        lowered = [ascii_lower(name) for name in names]
        self._exact = frozenset(name for name in lowered if not name.startswith(_ANY_LABEL))
        self._below = frozenset(name.removeprefix(_ANY_LABEL) for name in lowered if name.startswith(_ANY_LABEL))

    def __contains__(self, value: str) -> bool:
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
    members: Ranges | AddressRanges | Hostnames

    @classmethod
    def of_addresses(cls, items: Iterable[str]) -> RuleList:
        """Addresses and networks ("203.0.113.7", "2001:db8::/32"). Raises ParseError for anything else."""
        return cls(IP, AddressRanges(_whole_range(item) for item in items))

    @classmethod
    def of_hostnames(cls, items: Iterable[str]) -> RuleList:
        """Host names, `*.` before one for every name below it."""
        return cls(BYTES, Hostnames(items))

    @classmethod
    def of_asns(cls, items: Iterable[int]) -> RuleList:
        """Numbers of autonomous systems."""
        return cls(INT, Ranges((item, item) for item in items))


def _whole_range(item: str) -> tuple[Address, Address]:
    found, end = address_range(item, 0)
    if end < len(item):
        address_range(item, end)
    return found
