"""What rules draw on besides their own zone, compiled: lists, and managed rules that the operator loaded.

Law 1: a document compiles as a whole or raises ValueError, a sentence that names it, the field, the value and what was
expected.
Law 2: a long list is read in steps of about a millisecond, with a pause after each for whoever waits for the GIL.
Law 3: what reads managed rules is loaded when there are some.
"""

from __future__ import annotations

import re
import zlib
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
# All files of a release together. Those of the OWASP Core Rule Set have 0.6 MB in release 3.3, and 1 MB in release 4.
MAX_TEXT_BYTES = 16 * 1024 * 1024
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
    """`document` as rules execute it: half a second of a core for the OWASP Core Rule Set, and 4 MB. Raises ValueError."""
    from holdfast.rules.managed_ruleset import Overrides  # noqa: PLC0415  law 3
    from holdfast.rules.seclang import OWASP_RULESET_ID, owasp_ruleset  # noqa: PLC0415  law 3

    if document.id != OWASP_RULESET_ID:
        raise ValueError(f"managed ruleset {shown(document.id)}, id: expected {OWASP_RULESET_ID}")
    try:
        ruleset = owasp_ruleset(_inflated(document), release=document.release)
        # What cannot be executed as it is, is better refused here than by every rule that executes it.
        ruleset.deploy(Overrides())
    except ValueError as error:
        raise ValueError(f"managed ruleset {document.id}, release {shown(document.release)}: {error}") from error
    return ruleset


def _inflated(document: ManagedDocument) -> dict[str, bytes]:
    """The files as they were before they were deflated. Raises ValueError."""
    texts, room = {}, MAX_TEXT_BYTES
    for name, deflated in document.files.items():
        inflating = zlib.decompressobj()
        try:
            # A byte more than there is room for tells what does not fit.
            texts[name] = inflating.decompress(deflated, room + 1)
        except zlib.error as error:
            raise ValueError(f"files[{shown(name)}]: expected deflated text ({error})") from error
        room -= len(texts[name])
        if room < 0:
            raise ValueError(f"files: expected {MAX_TEXT_BYTES} bytes of text at most")
        if not inflating.eof:
            raise ValueError(f"files[{shown(name)}]: expected the whole of a deflated text")
    return texts


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
