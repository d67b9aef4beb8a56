"""`holdfast.api.managed_rulesets`: how managed rulesets are shown, and what is said of those that are not here."""

from __future__ import annotations

from dataclasses import dataclass, field

from holdfast.api.managed_rulesets import ABSENT, entry_view, ruleset_view
from holdfast.api.ruleset_shapes import RulesetEntry, RulesetView
from holdfast.rules.managed import HOLDFAST_RULESET_ID
from holdfast.rules.managed_ruleset import Deployment, ManagedRule, OverrideError, Overrides

A, B, C = ("a" * 32, "b" * 32, "c" * 32)


@dataclass(frozen=True)
class Managed:
    """Two rules, one of which has a score."""

    id: str = C
    name: str = "Some rules"
    description: str = "for tests"
    version: str = "7"
    phase: str = "http_request_firewall_managed"
    rules: tuple[ManagedRule, ...] = field(
        default=(
            ManagedRule(id=A, ref="1", description="one", categories=("x", "y"), score=5),
            ManagedRule(id=B, ref="2", description="two", categories=("y",), action="log", enabled=False),
        )
    )

    def deploy(self, overrides: Overrides) -> Deployment:
        """Refuse overrides of what is not there."""
        overrides.refuse_unknown(self.rules)
        raise OverrideError("/enabled", "nothing can be deployed in a test")


def test_what_is_shown_is_what_is_described() -> None:
    shown = RulesetView(**ruleset_view(Managed()))
    assert [(rule.ref, rule.version, rule.action, rule.enabled) for rule in shown.rules] == [
        ("1", "7", "block", True),
        ("2", "7", "log", False),
    ]
    assert [(rule.expression, rule.action_parameters) for rule in shown.rules] == [(None, {"score": 5}), (None, None)]
    assert RulesetEntry(**entry_view(Managed())).kind == "managed"


def test_rules_are_found_by_category() -> None:
    assert [rule["id"] for rule in ruleset_view(Managed(), category="x")["rules"]] == [A]
    assert ruleset_view(Managed(), category="nothing")["rules"] == []


def test_ours_is_none_of_the_original_s() -> None:
    assert HOLDFAST_RULESET_ID not in ABSENT
