"""The OWASP Core Rule Set as one managed ruleset: its rules score, and its last rule compares the sum with a threshold.

Law 1: a rule of the Core Rule Set decides nothing by itself, unless an override of that very rule gives it an action: then it
does what the override says, and with `log` adds nothing to the sum. So does a category's `log`.
Law 2: the paranoia level is what the overrides of the categories `paranoia-level-N` come to: one below the lowest that is
disabled, else the highest that is enabled, else 1. A rule above it runs where an override enables that rule.
Law 3: the threshold and the paranoia level are the deployment's: what the files say of them is not heard.
Law 4: deployments of one paranoia level share everything that is compiled.

Source: Cloudflare WAF, "Cloudflare OWASP Core Ruleset"; OWASP CRS, rules 901 and 949.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from holdfast.rules.context import EvaluationContext
from holdfast.rules.managed_ruleset import ManagedRule, Match, Overrides, shown_field
from holdfast.rules.seclang.engine import Engine, Finding
from holdfast.rules.seclang.errors import Position, SecLangError
from holdfast.rules.seclang.operators import number_in
from holdfast.rules.seclang.patterns import PatternCache
from holdfast.rules.seclang.reader import read
from holdfast.rules.seclang.request_variables import Pairs, RequestVariables
from holdfast.rules.seclang.syntax_tree import Rule, Rulebook

OWASP_RULESET_ID: Final = "4814384a9e5d4991b9815dcfc25d2f1f"
THRESHOLD_RULE_ID: Final = "6179ae15870a4bb7b2d480d4843b323c"
# The original's medium sensitivity; its low is 60, its high 25.
DEFAULT_SCORE_THRESHOLD: Final = 40
MAX_PARANOIA_LEVEL: Final = 4

_THRESHOLD_NUMBERS: Final = (949110, 949111)
_THRESHOLD_KEY: Final = b"inbound_anomaly_score_threshold"
# CRS 3 calls them so, and CRS 4 so.
_LEVEL_KEYS: Final = (
    b"paranoia_level",
    b"executing_paranoia_level",
    b"blocking_paranoia_level",
    b"detection_paranoia_level",
)
# OWASP CRS 901140-901143: critical, error, warning, notice.
_SCORES: Final[Mapping[int | None, int]] = {2: 5, 3: 4, 4: 3, 5: 2}
# Of each rule, an event shows what it matched first.
_SHOWN_PAIRS, _SHOWN_FIELDS = 2, 16
_LEVEL_CATEGORY = "paranoia-level-"
_NONE: Final[frozenset[int]] = frozenset()


def owasp_ruleset(files: Mapping[str, bytes], *, release: str) -> OwaspRuleset:
    """Read a release of the Core Rule Set: its files by name. Raises SecLangError."""
    rulebook = read(files)
    if not any(rule.id == _THRESHOLD_NUMBERS[0] for rule in rulebook.rules):
        raise SecLangError(Position("*.conf", 1), None, "the rule 949110 of the OWASP Core Rule Set")
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(b"%b\0%d\0%b" % (name.encode(), len(files[name]), files[name]))
    return OwaspRuleset(rulebook, f"{release}+{digest.hexdigest()[:8]}")


def release_of(rulebook: Rulebook) -> str:
    """What the rules call themselves: "3.3.4" of "OWASP_CRS/3.3.4"; "unknown" if they do not say."""
    return rulebook.signature.removeprefix("OWASP_CRS/") or "unknown"


def managed_id(number: int) -> str:
    """The id of a rule among managed rules."""
    if number == _THRESHOLD_NUMBERS[0]:
        return THRESHOLD_RULE_ID
    return hashlib.sha256(f"owasp-crs/{number}".encode()).hexdigest()[:32]


class OwaspRuleset:
    """A `ManagedRuleset` made of the rules that were read. Its engines are made when a deployment first needs them."""

    id = OWASP_RULESET_ID
    name = "OWASP Core Ruleset"
    description = "The OWASP Core Rule Set: rules that score what looks like an attack, and a threshold for the sum."
    phase = "http_request_firewall_managed"

    def __init__(self, rulebook: Rulebook, version: str) -> None:
        self.version = version
        self._rulebook = rulebook
        self._patterns = PatternCache()
        self._engines: dict[int, Engine] = {}
        self._by_number = {rule.id: _managed(rule) for rule in rulebook.rules if _is_shown(rule)}
        threshold = next(rule for rule in rulebook.rules if rule.id == _THRESHOLD_NUMBERS[0])
        # Without the tags of the rule: whoever leaves out a category does not mean the sum.
        self._threshold = ManagedRule(
            id=THRESHOLD_RULE_ID, ref=str(threshold.id), description="Inbound Anomaly Score Exceeded"
        )
        self.rules = (*self._by_number.values(), self._threshold)
        self._numbers = {rule.id: frozenset((number,)) for number, rule in self._by_number.items()}
        self._numbers[self._threshold.id] = frozenset(_THRESHOLD_NUMBERS)

    def deploy(self, overrides: Overrides) -> OwaspDeployment:
        """Make it ready. An override of what is not there does nothing. Raises SecLangError for what cannot be compiled."""
        level = _level_meant(overrides)
        levelled = {
            number: dataclasses.replace(rule, enabled=_level_of(rule) <= level)
            for number, rule in self._by_number.items()
        }
        enabled = {number for number, rule in levelled.items() if overrides.of(rule).enabled}
        threshold = overrides.of(self._threshold)
        actions = {number: action for number in enabled if (action := _own_action(levelled[number], overrides))}
        return OwaspDeployment(
            engine=self.engine(max((_level_of(levelled[number]) for number in enabled), default=1)),
            by_number=self._by_number,
            threshold=self._threshold,
            action=threshold.action or self._threshold.action,
            without=frozenset(self._by_number.keys() - enabled)
            | (frozenset() if threshold.enabled else frozenset(_THRESHOLD_NUMBERS)),
            actions=actions,
            uncounted=frozenset(number for number, action in actions.items() if action == "log"),
            by_id=self._numbers,
            score_threshold=threshold.score_threshold or DEFAULT_SCORE_THRESHOLD,
        )

    def engine(self, level: int) -> Engine:
        """The engine of a paranoia level, from 1 to 4. Raises SecLangError where a rule cannot be compiled."""
        if level not in self._engines:
            pinned = dict.fromkeys(_LEVEL_KEYS, b"%d" % level) | {_THRESHOLD_KEY: b"%d" % DEFAULT_SCORE_THRESHOLD}
            self._engines[level] = Engine(self._rulebook.items, self._patterns, pinned=pinned, given=(_THRESHOLD_KEY,))
        return self._engines[level]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwaspDeployment:
    """The Core Rule Set with one deployment's overrides: rules by number that do not run (`without`), those with an action of
    their own, and those of them that only log (`uncounted`). `by_id` are the numbers of a rule that people see."""

    engine: Engine
    by_number: Mapping[int, ManagedRule]
    threshold: ManagedRule
    action: str
    without: frozenset[int]
    actions: Mapping[int, str]
    uncounted: frozenset[int]
    by_id: Mapping[str, frozenset[int]]
    score_threshold: int

    def matches(self, context: EvaluationContext, skipped: Collection[str]) -> Iterator[Match]:
        """What matches, in order; the sum of the scores last, with the rules that made it up."""
        without = self.without
        for rule_id in skipped:
            without |= self.by_id.get(rule_id, _NONE)
        uncounted = self.uncounted
        transaction = self.engine.begin(RequestVariables.of(context), {_THRESHOLD_KEY: b"%d" % self.score_threshold})
        components: list[tuple[ManagedRule, Pairs]] = []
        for finding in self.engine.findings(transaction, without=without, uncounted=uncounted):
            number = finding.rule.id
            if number in _THRESHOLD_NUMBERS:
                yield self._exceeded(components, number_in(transaction.matched_value))
            elif (rule := self.by_number.get(number)) is not None:
                if number not in uncounted:
                    components.append((rule, finding.pairs))
                if (action := self._action_of(finding)) is not None:
                    yield Match(rule, action, _fields(finding.pairs), score=rule.score)

    def _action_of(self, finding: Finding) -> str | None:
        own = self.actions.get(finding.rule.id)
        return "block" if own is None and finding.is_denial else own

    def _exceeded(self, components: list[tuple[ManagedRule, Pairs]], score: int) -> Match:
        fields = dict(field for _, pairs in components for field in _fields(pairs))
        shown = tuple(fields.items())[:_SHOWN_FIELDS]
        return Match(self.threshold, self.action, shown, tuple(rule for rule, _ in components), score)


def _is_shown(rule: Rule) -> bool:
    """Whether people may see and override a rule: it scores or refuses. The others are the machinery."""
    if rule.phase > 2 or rule.id in _THRESHOLD_NUMBERS:
        return False
    return (
        bool(rule.message) and rule.severity in _SCORES and any(tag.startswith("paranoia-level/") for tag in rule.tags)
    )


def _managed(rule: Rule) -> ManagedRule:
    categories = tuple(dict.fromkeys(tag.replace("paranoia-level/", _LEVEL_CATEGORY) for tag in rule.tags))
    managed = ManagedRule(
        id=managed_id(rule.id),
        ref=str(rule.id),
        description=rule.message,
        categories=categories,
        score=_SCORES.get(rule.severity, 0),
    )
    return dataclasses.replace(managed, enabled=_level_of(managed) == 1)


def _level_of(rule: ManagedRule) -> int:
    levels = (name.removeprefix(_LEVEL_CATEGORY) for name in rule.categories if name.startswith(_LEVEL_CATEGORY))
    return next((int(level) for level in levels if level.isdigit()), 1)


def _level_meant(overrides: Overrides) -> int:
    """The paranoia level; Law 2."""
    said: dict[int, bool] = {}
    for category, override in overrides.categories:
        level = category.removeprefix(_LEVEL_CATEGORY)
        if category != level and level.isdigit() and override.enabled is not None:
            said[int(level)] = override.enabled
    disabled = [level for level, is_enabled in said.items() if not is_enabled]
    highest = min(disabled) - 1 if disabled else max(said, default=1)
    return min(MAX_PARANOIA_LEVEL, max(1, highest))


def _own_action(rule: ManagedRule, overrides: Overrides) -> str | None:
    """What a rule does by itself; Law 1."""
    override = overrides.rules.get(rule.id)
    if override is not None and override.action is not None:
        return override.action
    named = (one.action for category, one in reversed(overrides.categories) if category in rule.categories)
    return "log" if next((action for action in named if action is not None), None) == "log" else None


def _fields(pairs: Pairs) -> tuple[tuple[str, str], ...]:
    shown = ((name.decode("utf-8", "replace"), _shown(name, value)) for name, value in pairs[:_SHOWN_PAIRS])
    return tuple(shown_field(name, value) for name, value in shown)


# What a client proves itself with, and what may hold it: the whole request, what an earlier link matched, and its groups.
_SECRET = re.compile(
    rb"(?i:REQUEST_COOKIES:.*|REQUEST_HEADERS:(?:cookie|authorization|proxy-authorization)|FULL_REQUEST|MATCHED_VARS?(?::.*)?|TX:\d)"
)


def _shown(name: bytes, value: bytes) -> str:
    """A value for whoever reads events: of what may be secret, how long it is."""
    return f"*** ({len(value)} characters)" if _SECRET.fullmatch(name) else value.decode("utf-8", "replace")
