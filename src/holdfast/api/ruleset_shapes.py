"""Rulesets and rules as JSON: what clients send, parsed, and what they are shown.

Law: a draft has the API's shape and nothing besides; whether its expressions compile and what it names is there is looked at
elsewhere (`rule_expressions`, `rule_references`).

Source: Cloudflare API v4, "Rulesets".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt

from holdfast.api.envelope import Envelope, View
from holdfast.api.text import Text
from holdfast.model.moment import written
from holdfast.model.rate_limit_terms import parse_rate_limit
from holdfast.model.rule_error import MISSING, RuleError, not_valid
from holdfast.model.rule_phase import Phase, parse_action
from holdfast.model.rule_quota import MAX_RULES
from holdfast.model.ruleset import Position, Rule, RuleDraft, Ruleset

MAX_DESCRIPTION = 500
_MAX_EXPRESSION = 100_000
_PHASES = "`http_request_origin`, `http_request_firewall_custom`, `http_ratelimit`, `http_request_firewall_managed`."
_KINDS = "`zone` of a zone; `root` or `custom` of an account."


class PositionBody(BaseModel):
    """Where a rule goes. One member: before or after a rule ("" is first, and last), or a place counted from 1."""

    model_config = ConfigDict(extra="ignore")
    before: Text | None = Field(default=None, max_length=64)
    after: Text | None = Field(default=None, max_length=64)
    index: StrictInt | None = None

    def parsed(self) -> Position:
        """The same, with exactly one member. Raises RuleError."""
        given = {name: value for name in ("before", "after", "index") if (value := getattr(self, name)) is not None}
        if len(given) != 1:
            named = " and ".join(given) or "none"
            raise not_valid(named, "position", "it must have exactly one of before, after and index")
        return Position(**given)


class LoggingBody(BaseModel):
    """Whether what a rule skips is written down."""

    model_config = ConfigDict(extra="ignore")
    enabled: StrictBool | None = None


class RuleBody(BaseModel):
    """One rule, whole."""

    model_config = ConfigDict(extra="ignore")
    id: Text | None = Field(default=None, max_length=64)
    ref: Text | None = Field(default=None, max_length=255)
    action: Text | None = Field(default=None, max_length=100)
    action_parameters: dict[str, Any] | None = Field(default=None, description="As the action has them.")
    expression: Text | None = Field(default=None, max_length=_MAX_EXPRESSION)
    description: Text | None = Field(default=None, max_length=MAX_DESCRIPTION)
    enabled: StrictBool | None = None
    ratelimit: dict[str, Any] | None = Field(default=None, description="In the phase `http_ratelimit`, and only there.")
    logging: LoggingBody | None = Field(default=None, description="Of the action `skip`.")
    exposed_credential_check: dict[str, Any] | None = Field(default=None, description="Refused.")

    def parsed(self, phase: Phase, kind: str) -> RuleDraft:
        """The rule, for a ruleset of `phase` and `kind`. Raises RuleError."""
        if self.exposed_credential_check is not None:
            raise not_valid("object", "exposed_credential_check", "exposed credentials are not checked here")
        if self.ratelimit is not None and not phase.has_rate_limits:
            raise not_valid("object", "ratelimit", f"a rule of the phase {phase.name} has none")
        if self.action is None:
            raise RuleError(MISSING, "action is missing: a rule is written whole", "/action")
        action_parameters = parse_action(phase, kind, self.action, self.action_parameters)
        return RuleDraft(
            id=self.id or None,
            ref=self.ref or None,
            action=self.action,
            action_parameters=action_parameters,
            expression=self.expression or "",
            description=self.description or "",
            enabled=self.enabled is not False,
            ratelimit=self._rate_limit(phase, self.action),
            is_logged=self._is_logged(self.action),
        )

    def _rate_limit(self, phase: Phase, action: str) -> Any:  # noqa: ANN401  RateLimit or None
        if not phase.has_rate_limits:
            return None
        if action == "execute":
            if self.ratelimit is not None:
                raise not_valid("object", "ratelimit", "a rule that executes a ruleset counts nothing itself")
            return None
        if self.ratelimit is None:
            raise RuleError(MISSING, f"ratelimit is missing: a rule of the phase {phase.name} has one", "/ratelimit")
        return parse_rate_limit(self.ratelimit)

    def _is_logged(self, action: str) -> bool | None:
        given = None if self.logging is None else self.logging.enabled
        if action == "skip":
            return given is not False
        if given is not None:
            raise not_valid(action, "logging", "logging is only for the action skip: other rules are always logged")
        return None


class RuleCreate(RuleBody):
    """A rule to add."""

    position: PositionBody | None = None


class RuleEdit(RuleCreate):
    """A rule in place of another, whole; or nothing but its new position."""

    @property
    def is_move(self) -> bool:
        """Whether nothing of the rule itself is said."""
        return not (self.model_fields_set - {"position", "id"})


class RulesetPut(BaseModel):
    """What to put in place of a ruleset's; rules that are not given stay."""

    model_config = ConfigDict(extra="ignore")
    name: Text | None = Field(default=None, max_length=255)
    description: Text | None = Field(default=None, max_length=MAX_DESCRIPTION)
    kind: Text | None = Field(default=None, max_length=40, description=_KINDS)
    phase: Text | None = Field(default=None, max_length=100, description=_PHASES)
    rules: list[RuleBody] | None = Field(default=None, max_length=MAX_RULES)


class RulesetCreate(RulesetPut):
    """A new ruleset."""

    name: Text = Field(min_length=1, max_length=255)
    kind: Text = Field(max_length=40, description=_KINDS)
    phase: Text = Field(max_length=100, description=_PHASES)


class RateLimitView(View):
    """What a rule counts."""

    characteristics: list[str]
    period: int
    requests_per_period: int
    mitigation_timeout: int
    counting_expression: str | None = None
    requests_to_origin: bool


class LoggingView(View):
    """Whether what a rule skips is written down."""

    enabled: bool


class RuleView(View):
    """One rule. Of a managed ruleset: without an expression, and with categories."""

    id: str
    version: str
    action: str
    action_parameters: dict[str, Any] | None = None
    expression: str | None = None
    description: str
    last_updated: str
    ref: str
    enabled: bool
    categories: list[str] | None = None
    ratelimit: RateLimitView | None = None
    logging: LoggingView | None = None


class RulesetEntry(View):
    """A ruleset in a list: without its rules."""

    id: str
    name: str
    description: str
    kind: str
    version: str
    phase: str
    last_updated: str


class RulesetView(RulesetEntry):
    """One ruleset."""

    rules: list[RuleView]


class RulesetCursor(View):
    """Where the next page begins; without a cursor after the last."""

    count: int
    cursor: str | None = None


class RulesetPage(Envelope[list[RulesetEntry]]):
    """A page of rulesets."""

    result_info: RulesetCursor


def parse_rules(bodies: Sequence[RuleBody] | None, phase: Phase, kind: str) -> list[RuleDraft]:
    """Rules as they stand in a ruleset's `rules`. Raises RuleError."""
    drafts = []
    for place, body in enumerate(bodies or ()):
        try:
            drafts.append(body.parsed(phase, kind))
        except RuleError as error:
            raise error.below(f"/rules/{place}") from None
    return drafts


def entry_view(ruleset: Ruleset) -> dict[str, Any]:
    """A ruleset as it is listed."""
    return {
        "id": ruleset.id,
        "name": ruleset.name,
        "description": ruleset.description,
        "kind": ruleset.kind,
        "version": str(ruleset.version),
        "phase": ruleset.phase,
        "last_updated": written(ruleset.last_updated),
    }


def ruleset_view(ruleset: Ruleset) -> dict[str, Any]:
    """A ruleset as the API shows it."""
    return {**entry_view(ruleset), "rules": [_rule_view(rule) for rule in ruleset.rules]}


def _rule_view(rule: Rule) -> dict[str, Any]:
    view: dict[str, Any] = {
        "id": rule.id,
        "version": str(rule.version),
        "action": rule.action,
        "expression": rule.expression,
        "description": rule.description,
        "last_updated": written(rule.last_updated),
        "ref": rule.ref,
        "enabled": rule.enabled,
    }
    if rule.action_parameters:
        view["action_parameters"] = dict(rule.action_parameters)
    if rule.ratelimit is not None:
        view["ratelimit"] = msgspec.to_builtins(rule.ratelimit)
        if not rule.ratelimit.counting_expression:
            del view["ratelimit"]["counting_expression"]
    if rule.is_logged is not None:
        view["logging"] = {"enabled": rule.is_logged}
    return view
