"""Targets into functions that give their values for a request.

Law 1: what no request here can have (a body, an answer) is found out before, and asks nothing at run time.
Law 2: where nobody knows whether a pattern matches a name, what it names is asked, and not excluded.
Law 3: an exclusion takes away members by name from its own collection; without a name, the whole collection.

Source: ModSecurity Reference Manual, "Variables", "SecRuleUpdateTargetById".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from holdfast._native import Pattern, Undecided
from holdfast.rules.seclang.patterns import PatternCache
from holdfast.rules.seclang.request_variables import Pairs
from holdfast.rules.seclang.syntax_tree import Selector, Target
from holdfast.rules.seclang.transaction import Excludes, Transaction
from holdfast.rules.seclang.vocabulary import (
    EMPTY_VARIABLES,
    ENGINE_VARIABLES,
    REQUEST_COLLECTIONS,
    RESPONSE_VARIABLES,
    WRITABLE_COLLECTIONS,
)

Read = Callable[[Transaction], Pairs]
# A pattern that is a plain beginning, as most selectors of the Core Rule Set's own variables are.
_LITERAL_PREFIX = re.compile(r"\^(\w+)", re.ASCII)
# Collections that hold whole names of variables, which come with their own prefix.
_NAMED_WHOLE = frozenset({"MATCHED_VARS", "MATCHED_VARS_NAMES"})


@dataclass(frozen=True, slots=True)
class Reader:
    """Values of one target: `prefix` and a member's name are the whole name of what matched ("ARGS:" and "id")."""

    collection: str
    prefix: bytes
    read: Read


def is_static(target: Target) -> bool:
    """Whether the values are the request's alone, whatever rules do."""
    return target.collection not in WRITABLE_COLLECTIONS and target.collection not in ENGINE_VARIABLES


def is_empty(target: Target) -> bool:
    """Whether there never is a value. How many there are is always a value."""
    return target.collection in EMPTY_VARIABLES | RESPONSE_VARIABLES and not target.is_count


def compile_targets(targets: Sequence[Target], patterns: PatternCache) -> tuple[Reader, ...]:
    """Readers for all that is not excluded, in order."""
    excluded = [target for target in targets if target.is_excluded]
    readers = []
    for target in targets:
        if target.is_excluded or is_empty(target):
            continue
        own = [one.selector for one in excluded if one.collection == target.collection]
        if None not in own:
            readers.append(_reader(target, [one for one in own if one is not None], patterns))
    return tuple(readers)


def excluding(selectors: Sequence[Selector], patterns: PatternCache) -> Excludes:
    """Whether a member's name is one of these."""
    names = frozenset(one.text.lower().encode() for one in selectors if not one.is_pattern)
    matchers = [patterns.pattern(one.text, ignore_case=True) for one in selectors if one.is_pattern]
    return lambda name: (
        name.lower() in names or any(_is_match(matcher, name, if_undecided=False) for matcher in matchers)
    )


def _is_match(pattern: Pattern, name: bytes, *, if_undecided: bool) -> bool:
    try:
        return pattern.is_match(name)
    except Undecided:
        return if_undecided


def _reader(target: Target, excluded: Sequence[Selector], patterns: PatternCache) -> Reader:
    read = _read_members(target.collection, target.selector, patterns)
    if excluded:
        read = _without(read, excluding(excluded, patterns))
    name = target.collection.encode()
    if target.is_count:
        # What is counted may be there or not: the count is.
        return Reader(target.collection, _whole_name(target), _counting(read))
    has_members = target.collection in REQUEST_COLLECTIONS | WRITABLE_COLLECTIONS | {"GEO", "RULE"} | _NAMED_WHOLE
    return Reader(target.collection, name + b":" if has_members else name, read)


def _whole_name(target: Target) -> bytes:
    return f"{target.collection}:{target.selector.text}".encode() if target.selector else target.collection.encode()


def _read_members(collection: str, selector: Selector | None, patterns: PatternCache) -> Read:
    whole = _read_all(collection)
    if selector is None:
        return whole
    if selector.is_pattern and (found := _LITERAL_PREFIX.fullmatch(selector.text)):
        prefix = found[1].lower().encode()
        return lambda transaction: [pair for pair in whole(transaction) if pair[0].lower().startswith(prefix)]
    if selector.is_pattern:
        pattern = patterns.pattern(selector.text, ignore_case=True)
        return lambda transaction: [
            pair for pair in whole(transaction) if _is_match(pattern, pair[0], if_undecided=True)
        ]
    return _read_one(collection, selector.text.lower().encode(), whole)


def _read_all(collection: str) -> Read:
    if collection == "TX":
        return lambda transaction: list(transaction.tx.items())
    if collection in WRITABLE_COLLECTIONS:
        return lambda transaction: list(transaction.collections.get(collection, {}).items())
    if collection in ENGINE_VARIABLES:
        return lambda transaction: transaction.engine_pairs(collection)
    return lambda transaction: transaction.variables.pairs(collection)


def _read_one(collection: str, member: bytes, whole: Read) -> Read:
    def read_tx(transaction: Transaction) -> Pairs:
        value = transaction.tx.get(member)
        return () if value is None else ((member, value),)

    def read_written(transaction: Transaction) -> Pairs:
        value = transaction.collections.get(collection, {}).get(member)
        return () if value is None else ((member, value),)

    if collection == "TX":
        return read_tx
    if collection in WRITABLE_COLLECTIONS:
        return read_written
    if collection in ENGINE_VARIABLES:
        return lambda transaction: [pair for pair in whole(transaction) if pair[0].lower() == member]
    return lambda transaction: transaction.variables.named(collection, member)


def _without(read: Read, is_excluded: Excludes) -> Read:
    return lambda transaction: [pair for pair in read(transaction) if not is_excluded(pair[0])]


def _counting(read: Read) -> Read:
    return lambda transaction: ((b"", b"%d" % len(read(transaction))),)
