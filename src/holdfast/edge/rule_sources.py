"""What rules draw on besides their own zone, compiled: lists, and managed rules that the operator loaded.

Law 1: a document compiles as a whole or raises ValueError, a sentence that names it, the field, the value and what was
expected.
Law 2: a long list is read in steps of about a millisecond, with a pause after each for whoever waits for the GIL.
Law 3: what reads managed rules is loaded when there are some.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from holdfast.errors import shown
from holdfast.model.rule_documents import ListDocument, ManagedDocument
from holdfast.rules.lists import RuleList

if TYPE_CHECKING:
    from holdfast.rules.managed_ruleset import ManagedRuleset

# Items of a list that are read without a pause.
LIST_SLICE = 1_000
# Precedent: Cloudflare's rule for names of lists, which expressions can spell.
_NAME = re.compile(r"[a-z0-9_]{1,50}")
# RFC 6793
_ASN_LIMIT, _ASN_DIGITS = 2**32, 10


class CompiledList(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One list, and what the rules of `account_id` call it."""

    id: str
    account_id: str
    name: str
    items: RuleList


def compile_list(document: ListDocument, *, pause: Callable[[], None] = lambda: None) -> CompiledList:
    """`document` as rules ask it: about 8 MB for 100,000 addresses. Raises ValueError."""
    if not _NAME.fullmatch(document.name):
        expected = "1 to 50 of a-z, 0-9 and _"
        raise ValueError(f"list {document.id}, name: expected {expected}, got {shown(document.name)}")
    items = _Paced(document.items, pause)
    try:
        found = _rule_list(document, items)
    except ValueError as error:
        place, item = items.last
        raise ValueError(
            f"list {shown(document.name)}, items[{place}]: expected {_EXPECTED[document.kind]}, got {shown(item)}"
        ) from error
    return CompiledList(id=document.id, account_id=document.account_id, name=document.name, items=found)


def compile_managed(document: ManagedDocument) -> ManagedRuleset:
    """`document` as rules execute it. Raises ValueError."""
    raise ValueError(f"managed ruleset {document.id}, release: this edge reads none, got {shown(document.release)}")


_EXPECTED = {
    "ip": "an address or a network",
    "hostname": "a host name in lower case",
    "asn": "the number of an autonomous system",
}
_HOSTNAME = re.compile(r"(?:\*\.)?[^\sA-Z*/:]{1,253}")


class _Paced:
    """Items one by one, with a pause after every LIST_SLICE. `last` is the one that was given last, and its place."""

    def __init__(self, items: Sequence[str], pause: Callable[[], None]) -> None:
        self._items = items
        self._pause = pause
        self.last = (0, "")

    def __iter__(self) -> Iterator[str]:
        for place, item in enumerate(self._items):
            if place and place % LIST_SLICE == 0:
                self._pause()
            self.last = (place, item)
            yield item


def _rule_list(document: ListDocument, items: _Paced) -> RuleList:
    match document.kind:
        case "ip":
            return RuleList.of_addresses(items)
        case "hostname":
            return RuleList.of_hostnames(map(_hostname, items))
        case "asn":
            return RuleList.of_asns(map(_asn, items))


def _hostname(item: str) -> str:
    if not _HOSTNAME.fullmatch(item):
        raise ValueError(item)
    return item


def _asn(item: str) -> int:
    if not (len(item) <= _ASN_DIGITS and item.isascii() and item.isdigit() and int(item) < _ASN_LIMIT):
        raise ValueError(item)
    return int(item)
