"""Actions that change what follows: `setvar`, and those `ctl` that take rules or targets away.

Law 1: an effect takes place each time its link matches a value, whether or not the chain does.
Law 2: which rules a `ctl` names is found out before the request comes.
Law 3: a variable that the deployment sets (`pinned`) cannot be set by rules.

Source: ModSecurity Reference Manual, "setvar", "ctl".
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from holdfast.rules.seclang.amendments import CHOICES
from holdfast.rules.seclang.errors import Position, SecLangError
from holdfast.rules.seclang.macros import Reference, Text, parse_text
from holdfast.rules.seclang.operators import number_in
from holdfast.rules.seclang.patterns import PatternCache
from holdfast.rules.seclang.readers import excluding
from holdfast.rules.seclang.syntax_tree import Action, Rule
from holdfast.rules.seclang.target_syntax import parse_targets
from holdfast.rules.seclang.transaction import Excludes, Transaction
from holdfast.rules.seclang.vocabulary import IGNORED_CONTROLS, WRITABLE_COLLECTIONS

Effect = Callable[[Transaction], None]


@dataclass(frozen=True, slots=True)
class SetVar:
    """One `setvar`: `way` is "set", "add", "subtract" or "unset"."""

    collection: str
    key: Text
    way: str
    value: Text

    def bound(self, known: Callable[[Reference], bytes | None]) -> SetVar:
        """With everything filled in that is known."""
        return SetVar(self.collection, self.key.bound(known), self.way, self.value.bound(known))

    def result(self, before: bytes | None, value: bytes) -> bytes:
        """What the variable is after it was `before`."""
        if self.way == "set":
            return value
        change = number_in(value)
        return b"%d" % (number_in(before or b"") + (change if self.way == "add" else -change))


@dataclass(frozen=True, slots=True)
class Removal:
    """One `ctl` that takes away: rules by id (`collection` "": all of the rule), or some of what they look at."""

    rules: frozenset[int]
    collection: str = ""
    excludes: Excludes | None = None


@dataclass(frozen=True, slots=True)
class SwitchOff:
    """`ctl:ruleEngine=Off`: nothing more is tried."""


Change = SetVar | Removal | SwitchOff


def parse_setvar(position: Position, text: str) -> SetVar:
    """Read `tx.score=+5`, `tx.seen`, `!tx.seen`. Raises SecLangError."""
    name, equals, value = text.removeprefix("!").partition("=")
    collection, dot, key = name.strip().partition(".")
    if collection.upper() not in WRITABLE_COLLECTIONS or not dot or not key:
        raise SecLangError(position, f"setvar:{text}", "a variable such as tx.score or tx.score=+5")
    way = "set"
    if text.startswith("!"):
        way = "unset"
    elif value[:1] in ("+", "-"):
        way, value = ("add" if value[0] == "+" else "subtract"), value[1:]
    return SetVar(collection.upper(), parse_text(key.lower()), way, parse_text(value if equals else "1"))


def parse_change(position: Position, action: Action, rules: Sequence[Rule], patterns: PatternCache) -> Change | None:
    """What an action changes; None where that is nothing. Raises SecLangError."""
    if action.name == "setvar":
        return parse_setvar(position, action.argument)
    name, _, value = action.argument.partition("=")
    if name in IGNORED_CONTROLS:
        return None
    if name == "ruleengine":
        return SwitchOff() if value.lower() == "off" else None
    chosen, _, targets = value.partition(";")
    choose = CHOICES[name[-5:] if name[-5:] in CHOICES else name[-4:]](position, chosen)
    ids = frozenset(rule.id for rule in rules if choose(rule))
    if not name.startswith("ruleremovetarget"):
        return Removal(ids)
    target, *others = parse_targets(position, targets)
    if others:
        raise SecLangError(position, targets, "one target after the ;")
    return Removal(ids, target.collection, excluding([target.selector], patterns) if target.selector else None)


def compile_change(change: Change, pinned: Collection[bytes]) -> Effect | None:
    """The effect of a change; None where it has none."""
    match change:
        case SetVar():
            return _compile_setvar(change, pinned)
        case Removal():
            return _compile_removal(change)
        case SwitchOff():
            return _switch_off


def _switch_off(transaction: Transaction) -> None:
    transaction.is_off = True


def _compile_removal(removal: Removal) -> Effect | None:
    rules, collection = removal.rules, removal.collection
    if not rules:
        return None
    if not collection:

        def remove_rules(transaction: Transaction) -> None:
            transaction.removed_rules |= rules

        return remove_rules
    excludes = removal.excludes or (lambda _: True)

    def remove_targets(transaction: Transaction) -> None:
        for rule in rules:
            transaction.removed_targets.setdefault(rule, []).append((collection, excludes))

    return remove_targets


def _compile_setvar(change: SetVar, pinned: Collection[bytes]) -> Effect | None:
    key = change.key.constant
    if change.collection == "TX" and key is not None:
        return None if key in pinned else _compile_tx(change, key)

    collection, way, expand_key, expand = change.collection, change.way, change.key.compiled(), change.value.compiled()
    is_tx = collection == "TX"
    kept = pinned if is_tx else ()

    def set_any(transaction: Transaction) -> None:
        written = transaction.tx if is_tx else transaction.writable(collection)
        name = expand_key(transaction).lower()
        if name in kept:
            return
        if way == "set":
            written[name] = expand(transaction)
        elif way == "unset":
            written.pop(name, None)
        else:
            written[name] = change.result(written.get(name), expand(transaction))

    return set_any


def _compile_tx(change: SetVar, key: bytes) -> Effect:
    expand = change.value.compiled()

    def unset(transaction: Transaction) -> None:
        transaction.tx.pop(key, None)

    def set_value(transaction: Transaction) -> None:
        transaction.tx[key] = expand(transaction)

    def count(transaction: Transaction) -> None:
        transaction.tx[key] = change.result(transaction.tx.get(key), expand(transaction))

    return {"unset": unset, "set": set_value}.get(change.way, count)
