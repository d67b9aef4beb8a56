"""Where nobody knows whether a rule matches, because finding out would cost more than a rule may: it fails closed."""

from typing import Any

import msgspec
import pytest

from holdfast.edge.firewall.values import CUSTOM, MANAGED, RATE_LIMITS
from holdfast.model.rule_documents import RuleDocument
from tests.unit.edge.firewall.rules import (
    FakeManaged,
    a_limit,
    a_rule,
    a_ruled_snapshot,
    a_ruleset,
    counters,
    decided,
)
from tests.unit.edge.firewall.test_traced import traced
from tests.unit.requests import a_request

PATTERN = "a.{300}c"
DOUBTFUL = f'http.request.uri.query matches "{PATTERN}"'
NEITHER = f"not ({DOUBTFUL})"
WHY = f'the pattern "{PATTERN}" took too many steps on this value'
# Two letters in no order that repeats soon, so that each place has its own past.
QUERY = "".join("ab"[(n * n * 40_503 >> 7 ^ n * 2_654_435_761 >> 11) & 1] for n in range(16_000))
CRAFTED = msgspec.structs.replace(a_request(), query=QUERY)
BLOCK = a_rule("block")


def doubtful(ident: str, action: str = "block", expression: str = DOUBTFUL, **fields: Any) -> RuleDocument:
    return a_rule(ident, action, expression, **fields)


@pytest.mark.parametrize("expression", [DOUBTFUL, NEITHER, f"{DOUBTFUL} or {NEITHER}", f"ssl xor {DOUBTFUL}"])
@pytest.mark.parametrize("action", ["block", "managed_challenge", "log"])
def test_what_refuses_or_records_does(action: str, expression: str) -> None:
    found = decided(a_ruled_snapshot(a_ruleset(doubtful("d", action, expression))), CRAFTED)
    assert found.said == [("d", action)]
    assert found.events[0].fields[0] == ("undecided", WHY)
    assert found.statuses == [0 if action == "log" else 403]


@pytest.mark.parametrize("expression", [DOUBTFUL, NEITHER])
@pytest.mark.parametrize("what", [{"ruleset": "current"}, {"phase": "current"}, {"phases": [CUSTOM]}])
def test_what_skips_does_not(what: dict[str, Any], expression: str) -> None:
    rules = doubtful("skip", "skip", expression, **what), BLOCK
    assert decided(a_ruled_snapshot(a_ruleset(*rules)), CRAFTED).said == [("block", "block")]


def test_what_is_executed_refuses_and_skips_nothing() -> None:
    account = [
        a_ruleset(doubtful("x", executes="custom"), kind="root"),
        a_ruleset(a_rule("s", "skip", phase="current"), a_rule("inner", "log"), kind="custom", ident="custom"),
    ]
    found = decided(a_ruled_snapshot(a_ruleset(BLOCK), account=account), CRAFTED)
    assert found.said == [("inner", "log"), ("block", "block")]


def test_a_managed_ruleset_is_asked() -> None:
    ruleset = a_ruleset(doubtful("deploy", executes="managed-ruleset"), phase=MANAGED)
    request = msgspec.structs.replace(CRAFTED, path="/one")
    assert decided(a_ruled_snapshot(ruleset, managed=[FakeManaged()]), request).said == [("managed-1", "block")]


@pytest.mark.parametrize("rule", [a_limit("l", 1, DOUBTFUL), a_limit("l", 1, counting_expression=DOUBTFUL)])
def test_a_request_is_counted_and_held_to_the_limit(rule: RuleDocument) -> None:
    snapshot = a_ruled_snapshot(a_ruleset(rule, phase=RATE_LIMITS))
    assert decided(snapshot, CRAFTED, CRAFTED, CRAFTED, counters=counters()).statuses == [0, 429, 429]


@pytest.mark.parametrize("count", [1, 30, 60])
def test_rules_beside_one_in_doubt_are_decided(count: int) -> None:
    """Whether they stand before it or after it, in the same piece of code or in another."""
    rules = [a_rule(f"r{n}", "log", f'http.request.uri.query contains "{"ab"[n % 2]}"') for n in range(count)]
    never = [a_rule(f"n{n}", expression=f'http.request.uri.query eq "{n}"') for n in range(count)]
    snapshot = a_ruled_snapshot(a_ruleset(*never, *rules[: count // 2], doubtful("d"), *rules[count // 2 :]))
    found = decided(snapshot, CRAFTED)
    assert found.said[-1] == ("d", "block")
    assert len(found.said) == count // 2 + 1 or count == 60
    assert decided(snapshot, msgspec.structs.replace(CRAFTED, query="ab")).said[0][1] == "log"


def test_a_trace_says_why_and_what_follows() -> None:
    request = CRAFTED
    rules = doubtful("s", "skip", ruleset="current"), doubtful("l", "log"), a_rule("never", expression="false")
    (ruleset,) = traced(*rules, request=request)
    assert [(rule.outcome, rule.reason) for rule in ruleset.rules] == [
        ("undecided", f"Undecided: {WHY}. So it skips nothing."),
        ("matched", f"Undecided: {WHY}. So it acts."),
        ("not_matched", ""),
    ]
