"""What rules do, in their order: each table row is a zone's rules, what they do to an upgrade, and what is recorded."""

import json
from typing import Any

import msgspec
import pytest

from holdfast.edge.decision import Forward, Respond
from holdfast.edge.firewall.notes import MAX_FINDINGS
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

BLOCK = a_rule("block")
NEVER = a_rule("never", expression="false")
LOG = a_rule("log", "log")
ALL_PHASES = (CUSTOM, RATE_LIMITS, MANAGED)


def skip(ident: str = "skip", **what: Any) -> RuleDocument:
    return a_rule(ident, "skip", **what)


@pytest.mark.parametrize(
    ("rules", "status", "said"),
    [
        ([], 0, []),
        ([NEVER], 0, []),
        ([BLOCK], 403, [("block", "block")]),
        ([a_rule("off", enabled=False)], 0, []),
        ([LOG, NEVER, BLOCK], 403, [("log", "log"), ("block", "block")]),
        ([BLOCK, LOG], 403, [("block", "block")]),
        ([LOG, a_rule("log2", "log")], 0, [("log", "log"), ("log2", "log")]),
        ([a_rule("c", "challenge")], 403, [("c", "challenge")]),
        ([a_rule("j", "js_challenge")], 403, [("j", "js_challenge")]),
        ([a_rule("m", "managed_challenge")], 403, [("m", "managed_challenge")]),
        ([skip(ruleset="current"), BLOCK], 0, [("skip", "skip")]),
        ([skip(phase="current"), BLOCK], 0, [("skip", "skip")]),
        ([skip(phases=[CUSTOM]), BLOCK], 0, [("skip", "skip")]),
        ([BLOCK, skip(ruleset="current")], 403, [("block", "block")]),
        ([skip(ruleset="current", is_logged=False), BLOCK], 0, []),
        ([skip(rulesets=[f"zone-{CUSTOM}"]), BLOCK], 0, [("skip", "skip")]),
        ([skip(rulesets=["another"]), BLOCK], 403, [("skip", "skip"), ("block", "block")]),
        ([skip(rules={f"zone-{CUSTOM}": ["block"]}), BLOCK], 0, [("skip", "skip")]),
        ([skip(rules={f"zone-{CUSTOM}": ["other"]}), BLOCK], 403, [("skip", "skip"), ("block", "block")]),
        ([skip(rules={"another": ["block"]}), BLOCK], 403, [("skip", "skip"), ("block", "block")]),
        ([skip(products=["waf", "bic"]), BLOCK], 403, [("skip", "skip"), ("block", "block")]),
        ([skip(rules={f"zone-{CUSTOM}": ["skip2"]}), skip("skip2", phase="current"), BLOCK], 403, None),
    ],
)
def test_rules_act_in_their_order(rules: list[RuleDocument], status: int, said: Any) -> None:
    found = decided(a_ruled_snapshot(a_ruleset(*rules)))
    assert found.statuses == [status]
    assert said is None or found.said == said


@pytest.mark.parametrize("phase", ALL_PHASES)
def test_a_skipped_phase_is_skipped_wherever_its_rules_are(phase: str) -> None:
    blocking = {
        CUSTOM: a_ruleset(BLOCK),
        RATE_LIMITS: a_ruleset(a_limit("limit", 1), phase=RATE_LIMITS),
        MANAGED: a_ruleset(BLOCK, phase=MANAGED),
    }[phase]
    account = [a_ruleset(skip(phases=[phase]), kind="root")]
    requests = [a_request(), a_request()]
    snapshot = a_ruled_snapshot(blocking, account=account)
    assert decided(snapshot, *requests, counters=counters()).statuses == [0, 0]
    assert decided(a_ruled_snapshot(blocking), *requests, counters=counters()).statuses[1] != 0


def test_a_zone_cannot_skip_what_its_account_has_asked_already() -> None:
    snapshot = a_ruled_snapshot(a_ruleset(skip(phase="current")), account=[a_ruleset(BLOCK, kind="root")])
    assert decided(snapshot).said == [("block", "block")]


def test_the_account_comes_first_in_each_phase() -> None:
    account = [
        a_ruleset(a_rule("account-custom", "log"), kind="root"),
        a_ruleset(a_rule("account-managed", "log"), kind="root", phase=MANAGED),
    ]
    zone = [a_ruleset(a_rule("zone-custom", "log")), a_ruleset(a_rule("zone-managed", "log"), phase=MANAGED)]
    assert [rule for rule, _ in decided(a_ruled_snapshot(*zone, account=account)).said] == [
        "account-custom",
        "zone-custom",
        "account-managed",
        "zone-managed",
    ]


def test_an_account_phase_skip_of_its_own_phase_skips_the_zone_s_too() -> None:
    account = [a_ruleset(skip(phase="current"), kind="root")]
    assert decided(a_ruled_snapshot(a_ruleset(BLOCK), account=account)).statuses == [0]
    account = [a_ruleset(skip(ruleset="current"), kind="root")]
    assert decided(a_ruled_snapshot(a_ruleset(BLOCK), account=account)).statuses == [403], "its own rest only"


def custom(*rules: RuleDocument, after: tuple[RuleDocument, ...] = (), expression: str = "true") -> Any:
    """An account whose entrypoint executes a custom ruleset of these, and has further rules."""
    execute = a_rule("execute", "execute", expression, executes="custom")
    return [a_ruleset(execute, *after, kind="root"), a_ruleset(*rules, kind="custom", ident="custom")]


@pytest.mark.parametrize(
    ("account", "said"),
    [
        (custom(BLOCK), [("block", "block")]),
        (custom(BLOCK, expression="false", after=(LOG,)), [("log", "log")]),
        (custom(LOG, after=(BLOCK,)), [("log", "log"), ("block", "block")]),
        (custom(skip(ruleset="current"), BLOCK, after=(LOG,)), [("skip", "skip"), ("log", "log")]),
        (custom(skip(phase="current"), BLOCK, after=(LOG,)), [("skip", "skip")]),
        (custom(skip(rulesets=["root-" + CUSTOM]), BLOCK, after=(LOG,)), [("skip", "skip"), ("block", "block")]),
        (custom(skip(rulesets=["root-" + CUSTOM]), after=(LOG,)), [("skip", "skip")]),
        (custom(), []),
    ],
)
def test_a_custom_ruleset_is_executed_where_its_rule_stands(account: Any, said: list[tuple[str, str]]) -> None:
    assert decided(a_ruled_snapshot(account=account)).said == said


def test_what_an_earlier_rule_skips_is_not_executed() -> None:
    root, ruleset = custom(BLOCK)
    skipping = a_ruleset(skip(rulesets=["custom"]), *root.rules, kind="root")
    assert decided(a_ruled_snapshot(account=[skipping, ruleset])).said == [("skip", "skip")]


def deployed(*before: RuleDocument, **overrides: Any) -> Any:
    """A ruleset that executes the managed one."""
    parameters: dict[str, Any] = {"overrides": overrides} if overrides else {}
    return a_ruleset(*before, a_rule("deploy", executes="managed-ruleset", **parameters), phase=MANAGED)


ONE = [("managed-1", "block")]
TWO_LOGGED = [("managed-1", "log"), ("managed-2", "log")]


@pytest.mark.parametrize(
    ("ruleset", "path", "said"),
    [
        (deployed(), "/none", []),
        (deployed(), "/one/two", ONE),
        (deployed(action="log"), "/one/two", TWO_LOGGED),
        (deployed(enabled=False), "/one", []),
        (deployed(rules=[{"id": "1" * 32, "enabled": False}]), "/one", ONE),
        (deployed(action="managed_challenge"), "/one", [("managed-1", "managed_challenge")]),
        (deployed(skip(rules={"managed-ruleset": ["managed-1"]})), "/one", [("skip", "skip")]),
        (
            deployed(skip(rules={"managed-ruleset": ["managed-1"]})),
            "/one/two",
            [("skip", "skip"), ("managed-2", "block")],
        ),
        (
            deployed(skip(rules={"managed-ruleset": ["managed-1", "managed-2"]}), enabled=True, action="log"),
            "/one/two",
            [("skip", "skip")],
        ),
        (deployed(skip(rulesets=["managed-ruleset"])), "/one", [("skip", "skip")]),
        (deployed(skip(rules={f"zone-{MANAGED}": ["deploy"]})), "/one", [("skip", "skip")]),
    ],
)
def test_managed_rules_are_asked_with_overrides_and_without_exceptions(ruleset: Any, path: str, said: Any) -> None:
    found = decided(a_ruled_snapshot(ruleset, managed=[FakeManaged()]), a_request(path=path))
    assert found.said == said
    assert found.statuses == [403 if said and said[-1][1] not in ("log", "skip") else 0]


def test_a_managed_rule_is_told_and_recorded_as_itself() -> None:
    found = decided(a_ruled_snapshot(deployed(), managed=[FakeManaged()]), a_request(path="/one"))
    (decision,), (event,) = found.decisions, found.events
    assert isinstance(decision, Respond)
    problem = json.loads(decision.body)
    assert (problem["rule_id"], problem["ruleset_id"]) == ("managed-1", "managed-ruleset")
    assert (event.source, event.ruleset_id, event.ref) == ("firewallManaged", "managed-ruleset", "/one")
    assert event.fields == (("http.request.uri.path", "/one"),)


def test_what_executes_a_managed_ruleset_that_is_not_here_does_nothing() -> None:
    found = decided(a_ruled_snapshot(deployed()), a_request(path="/one"))
    assert (found.statuses, found.events) == ([0], [])


def test_a_deployment_is_made_once() -> None:
    managed = FakeManaged()
    snapshot = a_ruled_snapshot(deployed(), managed=[managed])
    assert decided(snapshot, *(a_request(path="/one") for _ in range(3))).statuses == [403] * 3
    assert managed.deployments == 1


# Rate limits.


def upgrades(*queries: str, **fields: Any) -> list[Any]:
    return [a_request(path=f"/{query}", **fields) for query in queries]


def test_the_request_over_the_limit_is_refused_itself() -> None:
    snapshot = a_ruled_snapshot(a_ruleset(a_limit("limit", 1), phase=RATE_LIMITS))
    found = decided(snapshot, *upgrades("a", "b"), a_request(client_ip="203.0.113.8"), counters=counters())
    assert found.statuses == [0, 429, 0]
    assert found.said == [("limit", "block")]
    refused = found.decisions[1]
    assert isinstance(refused, Respond)
    assert dict(refused.headers)["cf-error-type"] == "1015"
    assert 1 <= int(dict(refused.headers)["Retry-After"]) <= 10
    assert found.events[0].source == "rateLimit"


def path(name: str) -> str:
    return f'http.request.uri.path eq "/{name}"'


A, B = path("a"), path("b")


@pytest.mark.parametrize(
    ("rules", "paths", "statuses"),
    [
        # Only what the expression matches is held to the limit, and only that counts.
        ([a_limit("l", 1, A)], "abab", [0, 0, 429, 0]),
        # A counting expression of its own does not inherit the rule's: b counts, a is held to the limit.
        ([a_limit("l", 1, A, counting_expression=B)], "aaaa", [0, 0, 0, 0]),
        ([a_limit("l", 1, A, counting_expression=B)], "abba", [0, 0, 0, 429]),
        ([a_limit("l", 1, A, counting_expression=B, mitigation_timeout=60)], "bbba", [0, 0, 0, 429]),
        # What both match counts first, and is refused itself.
        ([a_limit("l", 1, A, counting_expression=f"({A}) or ({B})")], "ba", [0, 429]),
        ([a_limit("l", 1, A, counting_expression="true")], "cca", [0, 0, 429]),
        # With a mitigation time, everything that matches is held off meanwhile.
        ([a_limit("l", 1, A, mitigation_timeout=60)], "aaa", [0, 429, 429]),
        # A rule that refuses ends it: what is later does not count.
        ([a_limit("l", 1), a_limit("m", 2)], "aaa", [0, 429, 429]),
        ([a_limit("l", 1, action="log"), a_limit("m", 2)], "aaa", [0, 0, 429]),
        # Two rules count for themselves.
        ([a_limit("l", 2), a_limit("m", 1, B)], "abb", [0, 0, 429]),
        ([a_limit("l", 1, A, counting_expression=B), a_limit("m", 1, counting_expression=A)], "aa", [0, 429]),
        # A rule that is left out does not count.
        ([skip(ruleset="current"), a_limit("l", 1)], "aaa", [0, 0, 0]),
        ([skip(rules={f"zone-{RATE_LIMITS}": ["l"]}), a_limit("l", 1)], "aaa", [0, 0, 0]),
        ([a_limit("l", 1, action="managed_challenge")], "aa", [0, 429]),
    ],
)
def test_what_counts_and_what_is_held_to_the_limit(rules: Any, paths: str, statuses: list[int]) -> None:
    snapshot = a_ruled_snapshot(a_ruleset(*rules, phase=RATE_LIMITS))
    assert decided(snapshot, *upgrades(*paths), counters=counters()).statuses == statuses


def test_a_counter_belongs_to_its_rule_and_outlives_a_snapshot() -> None:
    kept = counters()
    snapshot = a_ruled_snapshot(a_ruleset(a_limit("limit", 1), phase=RATE_LIMITS))
    assert decided(snapshot, counters=kept).statuses == [0]
    again = a_ruled_snapshot(a_ruleset(a_limit("limit", 1, f"{A} or ssl"), phase=RATE_LIMITS))
    assert decided(again, counters=kept).statuses == [429]
    other = a_ruled_snapshot(a_ruleset(a_limit("another", 1), phase=RATE_LIMITS))
    assert decided(other, counters=kept).statuses == [0]


def test_an_account_s_limits_are_asked_and_may_be_in_a_custom_ruleset() -> None:
    account = [
        a_ruleset(a_rule("execute", executes="limits"), kind="root", phase=RATE_LIMITS),
        a_ruleset(a_limit("limit", 1), kind="custom", ident="limits", phase=RATE_LIMITS),
    ]
    assert decided(a_ruled_snapshot(account=account), *upgrades("a", "a"), counters=counters()).statuses == [0, 429]


def test_without_counters_nothing_is_limited() -> None:
    snapshot = a_ruled_snapshot(a_ruleset(a_limit("limit", 1), phase=RATE_LIMITS))
    assert decided(snapshot, *upgrades("a", "a", "a")).statuses == [0, 0, 0]


def test_a_custom_answer_is_given_as_it_is_and_says_when_to_come_back() -> None:
    response = {"status_code": 418, "content_type": "text/plain", "content": "tea"}
    snapshot = a_ruled_snapshot(a_ruleset(a_limit("limit", 1, response=response), phase=RATE_LIMITS))
    answer = decided(snapshot, *upgrades("a", "a"), counters=counters()).decisions[1]
    assert isinstance(answer, Respond)
    headers = dict(answer.headers)
    assert (answer.status, answer.body, headers["Content-Type"]) == (418, b"tea", "text/plain; charset=utf-8")
    assert int(headers["Retry-After"]) >= 1
    assert headers["Holdfast-Refused"].startswith('rule;id="limit"')


def test_a_thousand_rules_that_log_leave_some_events_and_the_one_that_decides() -> None:
    rules = [a_rule(f"log{number}", "log") for number in range(1000)]
    found = decided(a_ruled_snapshot(a_ruleset(*rules, BLOCK)))
    assert len(found.events) == MAX_FINDINGS
    assert found.said[-1] == ("block", "block")


# What may not be a way around.


@pytest.mark.parametrize(
    ("headers", "is_upgrade"),
    [
        ([("Connection", "Upgrade"), ("Upgrade", "websocket")], False),
        ([("Upgrade", "websocket")], False),
        ([("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABk")], False),
        ([("Connection", "upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Key", "x")], False),
        ([], False),
        ([("Connection", "Upgrade"), ("Upgrade", "websocket")], True),
    ],
)
@pytest.mark.parametrize("phase", ALL_PHASES)
def test_no_kind_of_request_goes_round_the_rules(phase: str, headers: Any, is_upgrade: bool) -> None:
    rules = [a_limit("l", 1)] if phase == RATE_LIMITS else [BLOCK]
    snapshot = a_ruled_snapshot(a_ruleset(*rules, phase=phase))
    request = a_request(headers=headers, is_upgrade=is_upgrade)
    assert decided(snapshot, request, request, counters=counters()).statuses[1] in (403, 429)


def test_a_paused_zone_is_asked_nothing_not_even_by_its_account() -> None:
    snapshot = a_ruled_snapshot(a_ruleset(BLOCK), account=[a_ruleset(BLOCK, kind="root")], paused=True)
    assert decided(snapshot).statuses == [0]


def test_what_matches_nothing_leaves_nothing() -> None:
    found = decided(a_ruled_snapshot(a_ruleset(NEVER)))
    assert isinstance(found.decisions[0], Forward)
    assert found.events == []


# Where nobody knows whether a rule matches, because finding out would cost more than a rule may: it fails closed.
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


def test_what_rules_cost_together_is_bounded_for_a_request_and_anew_for_the_next() -> None:
    dear = [
        doubtful(f"d{place}", "log", f'http.request.uri.query matches "a.{{{300 + place}}}c"') for place in range(12)
    ]
    cheap = a_rule("cheap", "log", 'http.request.uri.query matches "^never"')
    snapshot = a_ruled_snapshot(a_ruleset(*dear, cheap))
    logged = [(f"d{place}", "log") for place in range(12)]
    # The last has nothing left to be decided with, so it is logged too.
    assert decided(snapshot, CRAFTED).said == [*logged, ("cheap", "log")]
    assert decided(snapshot, a_request()).said == []
