"""Rulesets and rules as JSON: what clients send, parsed, and what they are shown.

Law 1: a rule is accepted as it will be compiled: its expression is read by the same compiler.
Law 2: expressions are compiled in a thread (`check_expressions`), so that nobody waits for somebody else's rules.

Source: Cloudflare API v4, "Rulesets".
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from holdfast.api.envelope import View
from holdfast.api.faults import ApiFault, fault
from holdfast.api.text import Text
from holdfast.model.moment import written
from holdfast.model.rule_phase import Phase, parse_action
from holdfast.model.ruleset import (
    MAX_RULES,
    NO_SUCH_RULE,
    Position,
    Rule,
    RuleDraft,
    RuleError,
    Ruleset,
    check_size,
    not_valid,
)
from holdfast.rules.errors import ParseError
from holdfast.rules.known import KNOWN

BLANK_EXPRESSION = 20125
INVALID_EXPRESSION = 20127
MISSING = 20122
MAX_DESCRIPTION = 500
_MAX_EXPRESSION = 100_000


class PositionBody(BaseModel):
    """Where a rule goes. One member: before or after a rule ("" is first, and last), or a place counted from 1."""

    model_config = ConfigDict(extra="ignore")
    before: Text | None = Field(default=None, max_length=64)
    after: Text | None = Field(default=None, max_length=64)
    index: int | None = None

    def parsed(self) -> Position:
        """The same, with exactly one member. Raises RuleError."""
        given = {name: value for name in ("before", "after", "index") if (value := getattr(self, name)) is not None}
        if len(given) != 1:
            named = " and ".join(given) or "none"
            raise not_valid(named, "position", "it must have exactly one of before, after and index")
        return Position(**given)


class RuleBody(BaseModel):
    """One rule, whole."""

    model_config = ConfigDict(extra="ignore")
    id: Text | None = Field(default=None, max_length=64)
    ref: Text | None = Field(default=None, max_length=255)
    action: Text | None = Field(default=None, max_length=100, description="`route`.")
    action_parameters: dict[str, Any] | None = Field(
        default=None, description="Of `route`: `host_header`, `origin` (`host`, `port`), `sni` (`value`)."
    )
    expression: Text | None = Field(default=None, max_length=_MAX_EXPRESSION)
    description: Text | None = Field(default=None, max_length=MAX_DESCRIPTION)
    enabled: StrictBool | None = None
    ratelimit: dict[str, Any] | None = Field(default=None, description="Refused: no phase here takes it.")
    exposed_credential_check: dict[str, Any] | None = Field(
        default=None, description="Refused: no phase here takes it."
    )

    def parsed(self, phase: Phase) -> RuleDraft:
        """The rule, for `phase`. Raises RuleError."""
        for name in ("ratelimit", "exposed_credential_check"):
            if getattr(self, name) is not None:
                raise not_valid("object", name, f"a rule of the phase {phase.name} has none")
        if self.action is None:
            raise RuleError(MISSING, "action is missing: a rule is written whole", "/action")
        return RuleDraft(
            id=self.id or None,
            ref=self.ref or None,
            action=self.action,
            action_parameters=parse_action(phase, self.action, self.action_parameters),
            expression=_expression(self.expression),
            description=self.description or "",
            enabled=self.enabled is not False,
        )


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
    kind: Text | None = Field(default=None, max_length=40, description="`zone`.")
    phase: Text | None = Field(default=None, max_length=100, description="`http_request_origin`.")
    rules: list[RuleBody] | None = Field(default=None, max_length=MAX_RULES)


class RulesetCreate(RulesetPut):
    """A new ruleset."""

    name: Text = Field(min_length=1, max_length=255)
    kind: Text = Field(max_length=40, description="`zone`.")
    phase: Text = Field(max_length=100, description="`http_request_origin`.")


class RuleView(View):
    """One rule."""

    id: str
    version: str
    action: str
    action_parameters: dict[str, Any]
    expression: str
    description: str
    last_updated: str
    ref: str
    enabled: bool


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


async def check_expressions(bodies: Sequence[RuleBody], *, is_whole: bool) -> None:
    """Compile the expressions of rules that are asked for, in a thread, so that `parsed` finds them compiled.

    `is_whole` says that they are a ruleset's `rules`. Raises RuleError for one that does not compile.
    """
    texts = [(place, body.expression) for place, body in enumerate(bodies) if body.expression]
    check_size(text for _, text in texts)

    def check() -> None:
        for place, text in texts:
            try:
                _expression(text)
            except RuleError as error:
                raise error.below(f"/rules/{place}" if is_whole else "") from None

    if texts:
        await asyncio.to_thread(check)


def parse_rules(bodies: list[RuleBody] | None, phase: Phase) -> list[RuleDraft]:
    """Rules as they stand in a ruleset's `rules`. Raises RuleError."""
    drafts = []
    for place, body in enumerate(bodies or ()):
        try:
            drafts.append(body.parsed(phase))
        except RuleError as error:
            raise error.below(f"/rules/{place}") from None
    return drafts


def _expression(text: str | None) -> str:
    if text is None or not text.strip():
        raise not_valid("", "expression", "the expression cannot be blank", code=BLANK_EXPRESSION)
    try:
        KNOWN.compiled(text)
    except ParseError as error:
        reason = f"could not parse filter expression: {error.sentence}"
        raise not_valid(text, "expression", reason, code=INVALID_EXPRESSION) from None
    return text


def refused(error: RuleError) -> ApiFault:
    """`error` as an answer."""
    return fault(404 if error.code == NO_SUCH_RULE else 400, error.code, str(error), pointer=error.pointer or None)


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
    return {
        "id": rule.id,
        "version": str(rule.version),
        "action": rule.action,
        "action_parameters": dict(rule.action_parameters),
        "expression": rule.expression,
        "description": rule.description,
        "last_updated": written(rule.last_updated),
        "ref": rule.ref,
        "enabled": rule.enabled,
    }
