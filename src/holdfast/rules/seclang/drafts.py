"""Rules that requests decide, with all that is known filled in, before they are compiled; and which of their effects matter.

Law 1: what a rule writes matters if a rule after it may read it. The last rule is looked at first, so each knows who reads.
Law 2: a rule that is not logged, refuses nothing, skips nothing and writes nothing that matters is left out.

Most variables of the Core Rule Set are read by rules on answers and logs only, which do not run here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from holdfast._native import Pattern
from holdfast.rules.seclang.effects import Change, SetVar
from holdfast.rules.seclang.macros import Reference, Text, parse_text
from holdfast.rules.seclang.patterns import PatternCache
from holdfast.rules.seclang.syntax_tree import Link, Rule, Target
from holdfast.rules.seclang.transaction import CAPTURE_KEYS
from holdfast.rules.seclang.vocabulary import WRITABLE_COLLECTIONS


@dataclass(frozen=True, slots=True)
class BoundLink:
    """A link with all that is known filled in. It captures `captures` of TX:0 to TX:9: those up to the last that is read."""

    link: Link
    argument: Text
    changes: tuple[Change, ...]
    captures: int


@dataclass(frozen=True, slots=True)
class Draft:
    """One rule that requests decide. `skip_to` is the place that comes next where it holds, if not the next."""

    rule: Rule
    links: tuple[BoundLink, ...]
    skip_to: int | None = None


def without_idle(drafts: Sequence[Draft], patterns: PatternCache) -> list[Draft]:
    """What has an effect, with the effects that matter; places are those among what is left."""
    readers = _Readers(patterns)
    kept: list[Draft | None] = []
    for draft in reversed(drafts):
        readers.read_texts([parse_text(draft.rule.message), parse_text(draft.rule.log_data)])
        links = [_with_what_matters(link, readers) for link in reversed(draft.links)]
        lighter = dataclasses.replace(draft, links=tuple(reversed(links)))
        kept.append(lighter if _is_felt(lighter) else None)
    kept.reverse()
    places = [0]
    for one in kept:
        places.append(places[-1] + (one is not None))
    return [
        one if one.skip_to is None else dataclasses.replace(one, skip_to=places[one.skip_to])
        for one in kept
        if one is not None
    ]


def _is_felt(draft: Draft) -> bool:
    rule = draft.rule
    flows = rule.disruption.name not in ("pass", "block") or draft.skip_to is not None
    return rule.is_logged or flows or any(link.changes or link.captures for link in draft.links)


def _with_what_matters(link: BoundLink, readers: _Readers) -> BoundLink:
    readers.read_targets(link.link.targets)
    readers.read_texts([link.argument])
    kept: list[Change] = []
    # What one change writes, another of the same link may read for the next value.
    for _ in range(2):
        kept = [change for change in link.changes if not isinstance(change, SetVar) or readers.read(change)]
        readers.read_texts(text for change in kept if isinstance(change, SetVar) for text in (change.key, change.value))
    read = (number for number, key in enumerate(CAPTURE_KEYS[: link.captures], 1) if readers.is_read("TX", key))
    return dataclasses.replace(link, changes=tuple(kept), captures=max(read, default=0))


class _Readers:
    """Who reads what, of the rules that come after."""

    def __init__(self, patterns: PatternCache) -> None:
        self._cache = patterns
        self._names: set[tuple[str, bytes]] = set()
        self._patterns: list[tuple[str, Pattern]] = []
        self._whole: set[str] = set()

    def read_targets(self, targets: Iterable[Target]) -> None:
        for target in targets:
            if target.collection not in WRITABLE_COLLECTIONS or target.is_excluded:
                continue
            if target.selector is None:
                self._whole.add(target.collection)
            elif target.selector.is_pattern:
                pattern = self._cache.pattern(target.selector.text, ignore_case=True)
                self._patterns.append((target.collection, pattern))
            else:
                self._names.add((target.collection, target.selector.text.lower().encode()))

    def read_texts(self, texts: Iterable[Text]) -> None:
        references: Iterable[Reference] = (reference for text in texts for reference in text.references)
        self._names.update((one.collection, one.member) for one in references if one.collection in WRITABLE_COLLECTIONS)

    def read(self, change: SetVar) -> bool:
        """Whether somebody reads what `change` writes."""
        key = change.key.constant
        if key is not None:
            return self.is_read(change.collection, key)
        return (
            change.collection in self._whole
            or any(of == change.collection for of, _ in self._patterns)
            or any(of == change.collection and name.startswith(change.key.prefix) for of, name in self._names)
        )

    def is_read(self, collection: str, key: bytes) -> bool:
        return (
            (collection, key) in self._names
            or collection in self._whole
            or any(of == collection and pattern.is_match(key) for of, pattern in self._patterns)
        )
