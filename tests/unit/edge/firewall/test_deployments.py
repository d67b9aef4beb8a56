"""Managed rulesets made ready: once for each rule, before requests come, and known to be missing where they are."""

import pytest

from holdfast.edge.firewall.account import firewall_of
from holdfast.edge.firewall.deployments import MAX_NAMED, deployment_of, prepare
from holdfast.edge.firewall.values import CUSTOM, MANAGED, MAX_DEPLOYMENTS, Deploy, Firewall
from holdfast.model.rule_documents import RuleDocument
from holdfast.rules.context import EvaluationContext
from holdfast.rules.managed_ruleset import Overrides
from tests.unit.edge.firewall.rules import FakeManaged, a_rule, a_ruleset
from tests.unit.requests import a_request

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
    missing = a_rule("a", executes="missing")
    (said,) = prepare([firewall(missing, a_rule("off", executes="missing", enabled=False))], {})
    assert (said.event, said.rule_id, said.ruleset_id) == ("rule_inert", "a", f"zone-{MANAGED}")
    assert said.reason == "The managed ruleset missing is not loaded here."


def test_overrides_of_what_is_not_there_any_more_are_said_and_the_others_hold() -> None:
    managed = FakeManaged()
    gone = [{"id": f"{number:032x}", "enabled": False} for number in range(MAX_NAMED)]
    ready = firewall(a_rule("b", executes="managed-ruleset", overrides={"action": "log", "rules": gone}))
    for _ in range(2):
        (said,) = prepare([ready], {managed.id: managed})
        assert (said.event, said.rule_id) == ("rule_override_unknown", "b")
        assert said.reason.startswith(
            f"Overrides do nothing, the others hold: the ruleset has no rule '{0:032x}' (/rules/0/id);"
        )
    overrides = {"categories": [{"category": "gone", "enabled": False}], "rules": gone}
    (said,) = prepare([firewall(a_rule("c", executes="managed-ruleset", overrides=overrides))], {managed.id: managed})
    assert said.reason.endswith("; 1 more.")
    found = deployment_of(
        Deploy(managed.id, Overrides.parse({"action": "log", "rules": gone}), {}), {managed.id: managed}, MANAGED
    )
    assert not isinstance(found, str)
    (match,) = found.matches(EvaluationContext(a_request(path="/one")), ())
    assert match.action == "log"


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
