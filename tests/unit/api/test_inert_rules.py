"""`holdfast.api.inert_rules`: which published rules do nothing, and how many of them are named."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.api.inert_rules import MAX_NAMED, InertRule, inert_rules, lines_of
from holdfast.model.rule_documents import AccountDocument, RuleDocument, RulesetDocument
from holdfast.model.zone_document import SnapshotDocument, ZoneDocument
from holdfast.rules.managed import HOLDFAST_RULESET_ID, holdfast_ruleset

MANAGED = {HOLDFAST_RULESET_ID: holdfast_ruleset()}
ABSENT, CUSTOM, UNUSED = "a" * 32, "c" * 32, "d" * 32
PHASE = "http_request_firewall_managed"


def rule(target: str, number: int = 1, *, enabled: bool = True, **parameters: Any) -> RuleDocument:
    return RuleDocument(
        id=f"{number:032x}",
        version=1,
        action="execute",
        expression="true",
        enabled=enabled,
        action_parameters={"id": target, **parameters},
    )


def zone(*rules: RuleDocument, paused: bool = False, kind: Any = "zone", ident: str = "1" * 32) -> ZoneDocument:
    ruleset = RulesetDocument(id=ident, kind=kind, phase=PHASE, version=1, rules=rules)
    return ZoneDocument(id="2" * 32, name="a.com", version=1, account_id="3" * 32, paused=paused, rulesets=(ruleset,))


def found(*zones: ZoneDocument, accounts: tuple[AccountDocument, ...] = ()) -> list[str]:
    published = SnapshotDocument(source="s", revision=1, zones=zones, accounts=accounts)
    return [str(one) for one in inert_rules(published, MANAGED)]


def test_a_rule_whose_managed_ruleset_is_not_loaded_does_nothing() -> None:
    assert found(zone(rule(HOLDFAST_RULESET_ID), rule(ABSENT, 2))) == [
        f"zone a.com: the rule {2:032x} does nothing: the managed ruleset {ABSENT} is not loaded"
    ]


def test_a_rule_whose_overrides_cannot_be_read_does_nothing() -> None:
    (said,) = found(zone(rule(HOLDFAST_RULESET_ID, overrides={"action": "dance"})))
    assert f"the managed ruleset {HOLDFAST_RULESET_ID} cannot take its overrides/action: expected" in said


@pytest.mark.parametrize(
    "overrides",
    [
        {"rules": [{"id": ABSENT, "enabled": False}]},
        {"categories": [{"category": "gone", "enabled": True}]},
    ],
)
def test_a_rule_whose_overrides_are_of_another_release_does_what_is_left_of_it(overrides: dict[str, Any]) -> None:
    assert found(zone(rule(HOLDFAST_RULESET_ID, overrides=overrides))) == []


def test_what_is_not_run_is_not_named() -> None:
    blocking = RuleDocument(id="b" * 32, version=1, action="block", expression="true")
    assert found(zone(rule(ABSENT, enabled=False), blocking), zone(rule(ABSENT), paused=True)) == []


def test_an_account_runs_the_custom_rulesets_that_its_root_executes() -> None:
    def ruleset(ident: str, kind: Any, *rules: RuleDocument) -> RulesetDocument:
        return RulesetDocument(id=ident, kind=kind, phase=PHASE, version=1, rules=rules)

    account = AccountDocument(
        id="e" * 32,
        version=1,
        rulesets=(
            ruleset(CUSTOM, "custom", rule(ABSENT, 5), rule(HOLDFAST_RULESET_ID, 6)),
            ruleset(UNUSED, "custom", rule(ABSENT, 7)),
            ruleset("f" * 32, "root", rule(CUSTOM, 8)),
        ),
    )
    assert found(accounts=(account,)) == [
        f"account {account.id}: the rule {5:032x} does nothing: the managed ruleset {ABSENT} is not loaded"
    ]


def test_only_the_first_are_named() -> None:
    inert = [InertRule("zone", f"{number}.com", "r", "why") for number in range(MAX_NAMED + 2)]
    assert lines_of(inert[:MAX_NAMED])[-1] == f"zone {MAX_NAMED - 1}.com: the rule r does nothing: why"
    assert lines_of(inert)[MAX_NAMED:] == ["2 more rules do nothing"]
    assert lines_of([]) == []
