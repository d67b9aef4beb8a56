"""Directives that change rules which were read before: removed, with other targets, with other actions.

Law 1: what comes later is not changed: the order of the files is the order of effect.
Law 2: tags and messages are compared as patterns that may match anywhere, ids as numbers and ranges.

Source: ModSecurity Reference Manual, "SecRuleRemoveById" and its kin.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from holdfast._native import Pattern
from holdfast.rules.seclang.action_syntax import parse_actions
from holdfast.rules.seclang.errors import Position, SecLangError
from holdfast.rules.seclang.lines import Directive
from holdfast.rules.seclang.syntax_tree import Action, Marker, Rule, Target
from holdfast.rules.seclang.target_syntax import parse_targets

_IDS = re.compile(r"(\d{1,18})(?:-(\d{1,18}))?(?::(\d{1,3}))?")

Items = list[Rule | Marker]
Choice = Callable[[Rule], bool]


def ids_in(position: Position, text: str) -> Choice:
    """Which rules `text` names: "942100", "942100-942199", more of them after spaces or commas. Raises SecLangError."""
    ranges = []
    for word in text.replace(",", " ").split():
        found = _IDS.fullmatch(word.strip("\"'"))
        if found is None:
            raise SecLangError(position, word, "the id of a rule or a range such as 942100-942199")
        first = int(found[1])
        ranges.append((first, int(found[2] or first)))
    if not ranges:
        raise SecLangError(position, None, "the id of a rule")
    return lambda rule: any(first <= rule.id <= last for first, last in ranges)


def tagged(position: Position, text: str) -> Choice:
    """Rules with a tag that the pattern `text` matches. Raises SecLangError."""
    pattern = _pattern(position, text)
    return lambda rule: any(pattern.is_match(tag.encode()) for tag in rule.tags)


def with_message(position: Position, text: str) -> Choice:
    """Rules whose message the pattern `text` matches. Raises SecLangError."""
    pattern = _pattern(position, text)
    return lambda rule: pattern.is_match(rule.message.encode())


CHOICES: Mapping[str, Callable[[Position, str], Choice]] = MappingProxyType(
    {"byid": ids_in, "bytag": tagged, "bymsg": with_message}
)


def amend(directive: Directive, items: Items, rebuild: Callable[[Rule, Sequence[Action]], Rule]) -> Items:
    """The rules after this directive; `rebuild` makes a rule anew with more actions. Raises SecLangError."""
    verb, way = directive.name.removeprefix("secrule"), directive.name[-5:]
    way = way if way in CHOICES else directive.name[-4:]
    position, words = directive.position, directive.words
    if verb.startswith("remove"):
        chosen = CHOICES["byid" if verb == "removebyid" else way](position, " ".join(words))
        return [item for item in items if not (isinstance(item, Rule) and chosen(item))]
    if len(words) not in (2, 3):
        raise SecLangError(position, " ".join(words) or None, "which rules, and what is added to them")
    place = _link_named(words[0]) if way == "byid" else 0
    chosen = CHOICES[way](position, words[0])
    if verb.startswith("updateaction"):
        actions = parse_actions(position, words[1])
        return [rebuild(item, actions) if isinstance(item, Rule) and chosen(item) else item for item in items]
    added = parse_targets(position, words[1])
    replaced = parse_targets(position, words[2]) if len(words) == 3 else ()
    return [
        _with_targets(item, place, added, replaced) if isinstance(item, Rule) and chosen(item) else item
        for item in items
    ]


def _link_named(text: str) -> int:
    found = _IDS.fullmatch(text)
    return int(found[3]) if found and found[3] else 0


def _with_targets(rule: Rule, place: int, added: tuple[Target, ...], replaced: tuple[Target, ...]) -> Rule:
    if place >= len(rule.links):
        return rule
    links = list(rule.links)
    kept = tuple(target for target in links[place].targets if target not in replaced)
    links[place] = dataclasses.replace(links[place], targets=(*kept, *added))
    return dataclasses.replace(rule, links=tuple(links))


def _pattern(position: Position, text: str) -> Pattern:
    if not text:
        raise SecLangError(position, None, "a tag or a message")
    try:
        return Pattern(text)
    except ValueError as error:
        raise SecLangError(position, text, f"a pattern that can be used ({error})") from error
