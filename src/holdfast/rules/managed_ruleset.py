"""Rules that somebody else keeps: what they are, how a deployment changes them, and what it says when one matches.

Law 1: of each property (action, enabled, threshold) the most special override that names it counts: that of the rule, else
       the last in the list whose category the rule has, else that of the ruleset, else what the rule came with.
Law 2: an override that could not do anything (of a rule or a category that is not there, of a level of sensitivity, which are
       for floods only) is refused where it is written: it must not look as if it worked. Where it is applied, what is not there
       any more is left aside: another release must not end what the rest of the ruleset does.
Law 3: a deployment is made once and asked for each request; asking never raises, and is as lazy as who asks.

Source: Cloudflare API v4, "Rulesets", `execute` with `overrides`; Cloudflare WAF, "Override a managed ruleset".
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Protocol, Self

from holdfast.rules.context import EvaluationContext

# What a managed rule may do. A client that asks for a WebSocket can solve no challenge: for it they are a block.
MANAGED_ACTIONS: Final = ("block", "challenge", "js_challenge", "log", "managed_challenge")
# Of what a rule matched, an event keeps this many characters of each value.
MAX_FIELD_CHARS: Final = 256
# Beyond the largest sum of scores that a set of rules could come to.
MAX_SCORE_THRESHOLD: Final = 10_000
_MAX_OVERRIDES = 1_000

_ID = re.compile(r"[0-9a-f]{32}")
_LEVELS = ("default", "medium", "low", "eoff")


class OverrideError(ValueError):
    """An override that cannot be used. `pointer` is where in the overrides (RFC 6901, "" for the whole), `str()` says why."""

    def __init__(self, pointer: str, message: str) -> None:
        super().__init__(message)
        self.pointer = pointer


@dataclass(frozen=True, slots=True)
class ManagedRule:
    """One rule as it comes: `id` is 32 hex digits, `ref` what people call it ("942100"), `score` its severity in points."""

    id: str
    ref: str
    description: str
    categories: tuple[str, ...] = ()
    action: str = "block"
    enabled: bool = True
    score: int = 0


@dataclass(frozen=True, slots=True)
class Override:
    """What one override says; None is what it leaves as it is."""

    action: str | None = None
    enabled: bool | None = None
    score_threshold: int | None = None


NO_OVERRIDE: Final = Override()


@dataclass(frozen=True, slots=True)
class Overrides:
    """What a deployment changes: of the whole ruleset, of categories in their order, of rules by id."""

    ruleset: Override = NO_OVERRIDE
    categories: tuple[tuple[str, Override], ...] = ()
    rules: Mapping[str, Override] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def parse(cls, given: object) -> Self:
        """Read the `overrides` of an `execute` action as the API has them (None: there are none). Raises OverrideError."""
        if given is None:
            return cls()
        written = _mapping(given, "")
        _refuse_others(written, ("action", "categories", "enabled", "rules", "sensitivity_level"), "")
        categories = []
        for place, entry in enumerate(_sequence(written.get("categories"), "/categories")):
            pointer = f"/categories/{place}"
            one = _mapping(entry, pointer)
            _refuse_others(one, ("action", "category", "enabled", "sensitivity_level"), pointer)
            categories.append((_category(one, pointer), _override(one, pointer)))
        return cls(_override(written, ""), tuple(categories), MappingProxyType(_rules(written)))

    def of(self, rule: ManagedRule) -> Override:
        """What `rule` comes to: its action and whether it is enabled are never None; the threshold is, unless overridden."""
        ranked = [self.rules.get(rule.id, NO_OVERRIDE)]
        ranked += [override for category, override in reversed(self.categories) if category in rule.categories]
        ranked += [self.ruleset, Override(rule.action, rule.enabled)]
        return Override(
            next(one.action for one in ranked if one.action is not None),
            next(one.enabled for one in ranked if one.enabled is not None),
            next((one.score_threshold for one in ranked if one.score_threshold is not None), None),
        )

    def refuse_unknown(self, rules: Sequence[ManagedRule], *, with_threshold: Collection[str] = ()) -> None:
        """Raise OverrideError for what is not among `rules`, and for the threshold of a rule not in `with_threshold` (ids)."""
        for unknown in self.unknown(rules):
            raise unknown
        for place, (rule_id, override) in enumerate(self.rules.items()):
            if override.score_threshold is not None and rule_id not in with_threshold:
                raise OverrideError(f"/rules/{place}/score_threshold", "this rule has no score threshold")

    def unknown(self, rules: Sequence[ManagedRule]) -> Iterator[OverrideError]:
        """What names a category or a rule that is not among `rules`, each as the error that it would be."""
        known = {category for rule in rules for category in rule.categories} if self.categories else ()
        for place, (category, _) in enumerate(self.categories):
            if category not in known:
                reason = f"no rule of the ruleset has the category '{category}'"
                yield OverrideError(f"/categories/{place}/category", reason)
        ids = {rule.id for rule in rules} if self.rules else ()
        for place, rule_id in enumerate(self.rules):
            if rule_id not in ids:
                yield OverrideError(f"/rules/{place}/id", f"the ruleset has no rule '{rule_id}'")


@dataclass(frozen=True, slots=True)
class Match:
    """A rule that matched, and what is to be done: `action` after overrides. `fields` are the names and values that it looked
    at (see `shown_field`); `components` the rules whose scores made up `score`, where the rule is about a sum."""

    rule: ManagedRule
    action: str
    fields: tuple[tuple[str, str], ...] = ()
    components: tuple[ManagedRule, ...] = ()
    score: int = 0


class Deployment(Protocol):
    """A managed ruleset with its overrides, ready to be asked."""

    def matches(self, context: EvaluationContext, skipped: Collection[str]) -> Iterator[Match]:
        """What matches, in the order of the rules, each found when it is asked for. `skipped` are ids of rules left out."""
        ...


class ManagedRuleset(Protocol):
    """A managed ruleset as the API shows it, and as a zone or an account deploys it."""

    @property
    def id(self) -> str:
        """32 hex digits, for ever the same."""
        ...

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    @property
    def description(self) -> str:
        """What it is for, in a sentence."""
        ...

    @property
    def version(self) -> str:
        """Changes whenever a rule does."""
        ...

    @property
    def phase(self) -> str:
        """The phase in which it may be executed."""
        ...

    @property
    def rules(self) -> tuple[ManagedRule, ...]:
        """The rules in their order."""
        ...

    def deploy(self, overrides: Overrides) -> Deployment:
        """Make it ready. An override of what is not there does nothing: see `Overrides.unknown`."""
        ...


def shown_field(name: str, value: str) -> tuple[str, str]:
    """A field for `Match.fields`: what is beyond MAX_FIELD_CHARS is cut, and the cut is marked."""
    return name, value if len(value) <= MAX_FIELD_CHARS else f"{value[: MAX_FIELD_CHARS - 1]}…"


def _rules(written: Mapping[str, Any]) -> dict[str, Override]:
    rules: dict[str, Override] = {}
    for place, entry in enumerate(_sequence(written.get("rules"), "/rules")):
        pointer = f"/rules/{place}"
        one = _mapping(entry, pointer)
        _refuse_others(one, ("action", "enabled", "id", "score_threshold", "sensitivity_level"), pointer)
        rule_id = one.get("id")
        if not isinstance(rule_id, str) or _ID.fullmatch(rule_id) is None:
            raise OverrideError(f"{pointer}/id", f"expected the id of a rule (32 hex digits), got {rule_id!r:.80}")
        if rule_id in rules:
            raise OverrideError(f"{pointer}/id", f"the rule '{rule_id}' is overridden twice")
        rules[rule_id] = _override(one, pointer)
    return rules


def _category(written: Mapping[str, Any], pointer: str) -> str:
    category = written.get("category")
    if not isinstance(category, str) or not category:
        raise OverrideError(f"{pointer}/category", f"expected the name of a category, got {category!r:.80}")
    return category


def _override(written: Mapping[str, Any], pointer: str) -> Override:
    action, enabled, threshold = (written.get(name) for name in ("action", "enabled", "score_threshold"))
    if action is not None and action not in MANAGED_ACTIONS:
        raise OverrideError(f"{pointer}/action", f"expected {' or '.join(MANAGED_ACTIONS)}, got {action!r:.80}")
    if enabled is not None and not isinstance(enabled, bool):
        raise OverrideError(f"{pointer}/enabled", f"expected true or false, got {enabled!r:.80}")
    if threshold is not None and not _is_threshold(threshold):
        expected = f"expected a number from 1 to {MAX_SCORE_THRESHOLD}, got {threshold!r:.80}"
        raise OverrideError(f"{pointer}/score_threshold", expected)
    level = written.get("sensitivity_level")
    if level not in (None, "default"):
        reason = (
            "levels of sensitivity are for DDoS phases only" if level in _LEVELS else f"unknown level {level!r:.80}"
        )
        raise OverrideError(f"{pointer}/sensitivity_level", reason)
    return Override(action, enabled, threshold)


def _is_threshold(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_SCORE_THRESHOLD


def _mapping(value: object, pointer: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise OverrideError(pointer, f"expected an object, got {value!r:.80}")
    return value


def _sequence(value: object, pointer: str) -> Sequence[Any]:
    if value is None:
        return ()
    if not isinstance(value, list | tuple):
        raise OverrideError(pointer, f"expected an array, got {value!r:.80}")
    if len(value) > _MAX_OVERRIDES:
        raise OverrideError(pointer, f"expected at most {_MAX_OVERRIDES} overrides, got {len(value)}")
    return value


def _refuse_others(written: Mapping[str, Any], known: Sequence[str], pointer: str) -> None:
    for name in written:
        if name not in known:
            raise OverrideError(f"{pointer}/{name}", f"expected one of {', '.join(known)}, got '{name!s:.80}'")
