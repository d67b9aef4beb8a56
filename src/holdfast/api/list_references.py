"""Which rules name which lists: those of an account, and of its zones.

Law: what names a list is what the compiler says that it names: a `$name` in a text or in a comparison with one is none.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Iterator

from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.rules.compile import compile_value
from holdfast.rules.errors import ParseError
from holdfast.rules.known import KNOWN
from holdfast.store import lists
from holdfast.store.lists import RuleTexts

_NAME = re.compile(r"\$([a-z0-9_.]+)")


async def references(connection: AsyncConnection, account_id: str, name: str = "") -> Counter[str]:
    """How many rules name each list; only `name` where that is given."""
    found: Counter[str] = Counter()
    async for rules in lists.rules_with(connection, account_id, f"${name}"):
        # In a thread: what nobody has compiled lately is compiled there.
        found += await asyncio.to_thread(names_in, rules, name)
    return found


def names_in(rules: tuple[RuleTexts, ...], name: str = "") -> Counter[str]:
    """The same, of rules that were read."""
    found: Counter[str] = Counter()
    for rule in rules:
        found.update({one for one in _named(rule) if name in ("", one)})
    return found


def _named(rule: RuleTexts) -> Iterator[str]:
    limit = rule.ratelimit
    for text in (rule.expression, limit.counting_expression if limit else ""):
        if candidates := _NAME.findall(text):
            yield from _lists_of(text, candidates)
    for text in limit.characteristics if limit else ():
        if _NAME.search(text):
            yield from _lists_of_value(text)


def _lists_of(text: str, candidates: list[str]) -> list[str]:
    try:
        return list(KNOWN.compiled(text).expression.lists)
    except ParseError:
        # Accepted by another version: rather one too many than a rule whose list is taken away.
        return candidates


def _lists_of_value(text: str) -> list[str]:
    try:
        return list(compile_value(text).expression.lists)
    except ParseError:
        return []
