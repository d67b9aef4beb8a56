"""Managed rulesets made ready: once for each rule, before requests come, and known to be missing where they are."""

import pytest

from holdfast.edge.firewall.account import firewall_of
from holdfast.edge.firewall.deployments import deployment_of, prepare
from holdfast.edge.firewall.values import CUSTOM, MANAGED, MAX_DEPLOYMENTS, Deploy, Firewall
from holdfast.model.rule_documents import RuleDocument
from holdfast.rules.managed_ruleset import Overrides
from tests.unit.edge.firewall.rules import FakeManaged, a_rule, a_ruleset

DEPLOY = a_rule("deploy", executes="managed-ruleset")


def firewall(*rules: RuleDocument) -> Firewall:
    found = firewall_of("example.com", [a_ruleset(*rules, phase=MANAGED)], [])
    assert found is not None
    return found


def test_what_is_prepared_is_not_made_again() -> None:
    managed, ready = FakeManaged(), firewall(DEPLOY, a_rule("again", executes="managed-ruleset"))
    assert prepare([ready], {managed.id: managed}) == ()
    assert prepare([ready], {managed.id: managed}) == ()
    assert managed.deployments == 2, "once for each rule"


def test_what_does_nothing_is_said() -> None:
    missing, wrong = (
        a_rule("a", executes="missing"),
        a_rule("b", executes="managed-ruleset", overrides={"rules": [{"id": "f" * 32}]}),
    )
    managed = FakeManaged()
    inert = prepare([firewall(missing, wrong, a_rule("off", executes="missing", enabled=False))], {managed.id: managed})
    assert [(one.rule_id, one.ruleset_id) for one in inert] == [("a", f"zone-{MANAGED}"), ("b", f"zone-{MANAGED}")]
    assert inert[0].reason == "The managed ruleset missing is not loaded here."
    assert "/rules/0/id" in inert[1].reason


def test_a_managed_ruleset_that_cannot_be_made_ready_costs_its_rule_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ValueError("a.conf:7: expected an operator")

    managed = FakeManaged()
    monkeypatch.setattr(managed, "deploy", refuse)
    (inert,) = prepare([firewall(DEPLOY)], {managed.id: managed})
    assert inert.reason == "The managed ruleset managed-ruleset cannot be made ready: a.conf:7: expected an operator."


def test_a_managed_ruleset_of_another_phase_does_nothing() -> None:
    managed = FakeManaged()
    found = deployment_of(Deploy("managed-ruleset", Overrides(), {}), {managed.id: managed}, CUSTOM)
    assert found == f"The managed ruleset managed-ruleset is for the phase {MANAGED}."


def test_custom_rulesets_are_prepared_too() -> None:
    managed = FakeManaged()
    documents = [
        a_ruleset(a_rule("x", executes="custom"), kind="root", phase=MANAGED),
        a_ruleset(DEPLOY, kind="custom", ident="custom", phase=MANAGED),
    ]
    account = firewall_of("a", documents, [], kind="account")
    assert account is not None
    assert prepare([account], {managed.id: managed}) == ()
    assert managed.deployments == 1


def test_what_was_replaced_is_forgotten() -> None:
    deploy = Deploy("managed-ruleset", Overrides(), {})
    versions = [FakeManaged(version=str(number)) for number in range(MAX_DEPLOYMENTS + 3)]
    for version in versions:
        assert not isinstance(deployment_of(deploy, {version.id: version}, MANAGED), str)
    assert [ruleset for ruleset, _ in deploy.made.values()] == versions[-MAX_DEPLOYMENTS:]
