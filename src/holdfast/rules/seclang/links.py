"""Links of a chain into functions that say whether they hold, and do what they do where they do.

Law 1: each value that matches counts: it becomes MATCHED_VAR, is captured, and every effect of the link takes place.
Law 2: beyond MAX_MATCHES values of one link nothing more is counted: a score is far over any threshold by then, and no
request may make a rule work for ever.
Law 3: what a link looks at is read before it changes anything (MATCHED_VARS are those of the link before).

Source: ModSecurity Reference Manual, "chain", "multiMatch", "MATCHED_VARS".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from holdfast._native import transform
from holdfast.rules.seclang.effects import Effect
from holdfast.rules.seclang.operators import Test
from holdfast.rules.seclang.readers import Reader
from holdfast.rules.seclang.request_variables import Pair, Pairs
from holdfast.rules.seclang.transaction import CAPTURE_KEYS, Transaction

Evaluate = Callable[[Transaction], bool]
# Sixteen matches of 5 points are over the highest threshold that people use (60).
MAX_MATCHES: Final = 16


@dataclass(frozen=True, slots=True)
class LinkParts:
    """What a link is made of. `test` None: it holds for every request, without a value. `captures` are how many of TX:0 to
    TX:9 it fills."""

    rule_id: int
    readers: tuple[Reader, ...]
    test: Test | None
    transformations: tuple[str, ...]
    effects: tuple[Effect, ...]
    captures: int
    is_multi_match: bool


def compile_link(parts: LinkParts) -> Evaluate:
    """One link."""
    if parts.test is None:
        return _always(parts.effects)
    return _evaluate(parts, (_find_in_stages if parts.is_multi_match else _find)(parts.test, parts.transformations))


def _evaluate(parts: LinkParts, find: _Find) -> Evaluate:
    fill = _filling(parts.captures)
    rule_id, readers, effects = parts.rule_id, parts.readers, parts.effects

    # Written out in one piece: this is where a request's time goes.
    def evaluate(transaction: Transaction) -> bool:
        hits: list[Pair] = []
        removed = transaction.removed_targets.get(rule_id) if transaction.removed_targets else None
        for reader in readers:
            pairs = reader.read(transaction)
            if removed is not None:
                pairs = _left_of(pairs, reader.collection, removed)
            for name, value in pairs:
                found = find(transaction, value)
                if found is None:
                    continue
                hit = reader.prefix + name, found[0]
                transaction.matched_name, transaction.matched_value = hit
                hits.append(hit)
                if fill is not None:
                    fill(transaction.tx, found[1])
                for effect in effects:
                    effect(transaction)
                if len(hits) >= MAX_MATCHES:
                    transaction.matched_vars = hits
                    return True
        if hits:
            transaction.matched_vars = hits
        return bool(hits)

    return evaluate


def compile_chain(links: Sequence[Evaluate]) -> Evaluate:
    """A whole chain: it holds where every link does, one after the other."""
    if len(links) == 1:
        return links[0]
    if len(links) == 2:
        first, second = links
        return lambda transaction: first(transaction) and second(transaction)
    every = tuple(links)
    return lambda transaction: all(link(transaction) for link in every)


_Found = tuple[bytes, tuple[bytes, ...]]
_Find = Callable[[Transaction, bytes], _Found | None]


def _find(test: Test, names: tuple[str, ...]) -> _Find:
    def find_plain(transaction: Transaction, value: bytes) -> _Found | None:
        captured = test(transaction, value)
        return None if captured is None else (value, captured)

    def find(transaction: Transaction, value: bytes) -> _Found | None:
        changed = transform(names, value)
        captured = test(transaction, changed)
        return None if captured is None else (changed, captured)

    return find if names else find_plain


def _find_in_stages(test: Test, names: tuple[str, ...]) -> _Find:
    def find(transaction: Transaction, value: bytes) -> _Found | None:
        captured = test(transaction, value)
        for name in names:
            if captured is not None:
                break
            before, value = value, transform((name,), value)
            if value != before:
                captured = test(transaction, value)
        return None if captured is None else (value, captured)

    return find


_Fill = Callable[[dict[bytes, bytes], tuple[bytes, ...]], None]


def _filling(count: int) -> _Fill | None:
    """What fills TX:0 and those that follow, `count` of them; what was not found is no more."""
    keys = CAPTURE_KEYS[:count]

    def fill(tx: dict[bytes, bytes], groups: tuple[bytes, ...]) -> None:
        found = len(groups)
        for number, key in enumerate(keys):
            if number < found:
                tx[key] = groups[number]
            else:
                tx.pop(key, None)

    return fill if count else None


def _left_of(pairs: Pairs, collection: str, removed: Sequence[tuple[str, Callable[[bytes], bool]]]) -> Pairs:
    own = [excludes for of, excludes in removed if of == collection]
    return [pair for pair in pairs if not any(excludes(pair[0]) for excludes in own)] if own else pairs


def _always(effects: tuple[Effect, ...]) -> Evaluate:
    def evaluate(transaction: Transaction) -> bool:
        for effect in effects:
            effect(transaction)
        return True

    return evaluate
