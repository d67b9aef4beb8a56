"""From what rulesets tell to what became of each rule: what said nothing was asked in vain, was left out, or is off."""

from typing import Any

import pytest

from holdfast.edge.firewall.traced import traced_rulesets
from holdfast.edge.firewall.values import CUSTOM
from holdfast.edge.firewall.walk import run
from holdfast.edge.view import view_of
from holdfast.model.request import Request
from holdfast.model.request_trace import TracedRuleset
from tests.unit.edge.firewall.rules import a_rule, a_ruled_snapshot, a_ruleset
from tests.unit.requests import a_request

NEVER = a_rule("never", expression="false")


def traced(*rules: Any, account: Any = (), request: Request | None = None) -> tuple[TracedRuleset, ...]:
    """What became of these rules of a zone, by default for an upgrade."""
    request = request or a_request()
    view = view_of(request, a_ruled_snapshot(a_ruleset(*rules), account=account), now=1.0)
    view.notes.trace = []
    entrypoints = [firewall.custom for firewall in view.firewalls if firewall.custom is not None]
    for ruleset in entrypoints:
        if run(ruleset, request, view) is not None:
            break
    return traced_rulesets(entrypoints, view.notes.trace, request, view)


@pytest.mark.parametrize(
    ("rules", "outcomes"),
    [
        ([NEVER], "not_matched"),
        ([a_rule("off", enabled=False), NEVER], "disabled not_matched"),
        ([NEVER, a_rule("b"), NEVER, a_rule("off", enabled=False)], "not_matched matched not_reached disabled"),
        ([a_rule("s", "skip", ruleset="current"), NEVER, a_rule("b")], "matched skipped skipped"),
        (
            [
                a_rule("s", "skip", rules={f"zone-{CUSTOM}": ["never", "b", "off"]}),
                NEVER,
                a_rule("b"),
                a_rule("off", enabled=False),
            ],
            "matched skipped skipped disabled",
        ),
        (
            [NEVER, a_rule("s", "skip", rules={f"zone-{CUSTOM}": ["never", "s"]})],
            "not_matched matched",
        ),
        ([a_rule("x", executes="nowhere"), NEVER], "inert not_matched"),
    ],
)
def test_each_rule_has_its_outcome(rules: Any, outcomes: str) -> None:
    (ruleset,) = traced(*rules)
    assert [rule.outcome for rule in ruleset.rules] == outcomes.split()
    assert [rule.id for rule in ruleset.rules] == [rule.id for rule in rules]


def test_a_rule_that_was_left_out_says_by_which() -> None:
    (ruleset,) = traced(a_rule("s", "skip", phase="current"), a_rule("b"))
    assert (ruleset.rules[1].by, ruleset.rules[1].reason) == ("s", "The rule s skips what comes after it.")
    assert ruleset.rules[1].fields == ()


def test_a_rule_that_was_asked_shows_what_it_looked_at() -> None:
    (ruleset,) = traced(a_rule("n", expression='http.host eq "other.test"'))
    assert ruleset.rules[0].fields == (("http.host", "example.com"),)
    assert ruleset.rules[0].expression == 'http.host eq "other.test"'


def test_what_is_executed_follows_who_executes_it() -> None:
    account = [
        a_ruleset(a_rule("x", executes="custom"), a_rule("later"), kind="root"),
        a_ruleset(NEVER, a_rule("inner"), kind="custom", ident="custom"),
    ]
    root, custom, zone = traced(a_rule("zone"), account=account)
    assert [(one.id, one.outcome, one.executed_by) for one in (root, custom, zone)] == [
        (f"root-{CUSTOM}", "asked", ""),
        ("custom", "asked", "x"),
        (f"zone-{CUSTOM}", "not_reached", ""),
    ]
    assert [rule.outcome for rule in root.rules] == ["matched", "not_reached"]
    assert [rule.outcome for rule in custom.rules] == ["not_matched", "matched"]
    assert [rule.outcome for rule in zone.rules] == ["not_reached"]


def test_a_ruleset_that_is_skipped_says_by_which() -> None:
    root, zone = traced(a_rule("b"), account=[a_ruleset(a_rule("s", "skip", phases=[CUSTOM]), kind="root")])
    assert (root.outcome, zone.outcome, zone.by) == ("asked", "skipped", "s")
    assert [(rule.outcome, rule.by) for rule in zone.rules] == [("skipped", "s")]
