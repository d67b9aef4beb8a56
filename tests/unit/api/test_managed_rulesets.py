"""`holdfast.api.managed_rulesets`: how managed rulesets are shown, and what is said of those that are not here."""

from __future__ import annotations

from dataclasses import dataclass, field

from holdfast.api.managed_rulesets import ABSENT, OWASP_ID, entry_view, ruleset_view
from holdfast.api.rule_references import THRESHOLD_RULE_ID
from holdfast.api.ruleset_shapes import RulesetEntry, RulesetView
from holdfast.rules.managed import HOLDFAST_RULESET_ID
from holdfast.rules.managed_ruleset import Deployment, ManagedRule, Overrides
from holdfast.rules.seclang import owasp

A, B, C = ("a" * 32, "b" * 32, "c" * 32)


@dataclass(frozen=True)
class Managed:
    """Three rules: one has a score, one a threshold."""

    id: str = C
    name: str = "Some rules"
    description: str = "for tests"
    version: str = "7"
    phase: str = "http_request_firewall_managed"
    rules: tuple[ManagedRule, ...] = field(
        default=(
            ManagedRule(id=A, ref="1", description="one", categories=("x", "y"), score=5),
            ManagedRule(id=B, ref="2", description="two", categories=("y",), action="log", enabled=False),
            ManagedRule(id=THRESHOLD_RULE_ID, ref="3", description="sum", categories=("y",)),
        )
    )

    def deploy(self, overrides: Overrides) -> Deployment:
        """Nobody deploys anything to show or to check it."""
        raise AssertionError(overrides)


def test_what_is_shown_is_what_is_described() -> None:
    shown = RulesetView(**ruleset_view(Managed()))
    assert [(rule.ref, rule.version, rule.action, rule.enabled) for rule in shown.rules] == [
        ("1", "7", "block", True),
        ("2", "7", "log", False),
        ("3", "7", "block", True),
    ]
    assert [(rule.expression, rule.action_parameters) for rule in shown.rules] == [
        (None, {"score": 5}),
        (None, None),
        (None, None),
    ]
    assert RulesetEntry(**entry_view(Managed())).kind == "managed"


def test_rules_are_found_by_category() -> None:
    assert [rule["id"] for rule in ruleset_view(Managed(), category="x")["rules"]] == [A]
    assert ruleset_view(Managed(), category="nothing")["rules"] == []


def test_ids_are_those_that_are_deployed() -> None:
    assert HOLDFAST_RULESET_ID not in ABSENT
    assert (OWASP_ID, THRESHOLD_RULE_ID) == (owasp.OWASP_RULESET_ID, owasp.THRESHOLD_RULE_ID)
