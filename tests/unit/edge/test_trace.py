"""A trace says what would happen, rule by rule, and is always of one mind with `decide`."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from holdfast.edge.decide import PHASES
from holdfast.edge.decision import Forward
from holdfast.edge.firewall.values import CUSTOM, MANAGED, RATE_LIMITS
from holdfast.edge.snapshot import Snapshot
from holdfast.edge.trace import trace_request
from holdfast.model.request_trace import Trace, TracedPhase
from holdfast.model.rule_documents import RuleDocument
from tests.unit.edge.firewall.rules import (
    NOW,
    FakeManaged,
    a_limit,
    a_rule,
    a_ruled_snapshot,
    a_ruleset,
    an_access_rule,
    counters,
    decided,
)
from tests.unit.edge.origins import a_record, a_snapshot, zone_id
from tests.unit.requests import a_request


def phase(trace: Trace, name: str) -> TracedPhase:
    return next(one for one in trace.phases if one.name == name)


def outcomes(trace: Trace, name: str) -> list[str]:
    return [rule.outcome for ruleset in phase(trace, name).rulesets for rule in ruleset.rules]


def test_a_request_that_is_forwarded_says_where_to() -> None:
    trace = trace_request(a_request(), a_ruled_snapshot(a_ruleset(a_rule("n", expression="false"))), now=NOW)
    assert (trace.decision, trace.decided_by, trace.origin) == ("forward", "forward", "192.0.2.1:8443")
    assert (trace.zone, trace.zone_id, trace.status, trace.rule_id) == ("example.com", zone_id("example.com"), 0, "")
    assert [one.name for one in trace.phases] == [one.__name__ for one in PHASES]
    assert {one.outcome for one in trace.phases[:-1]} == {"passed"}
    assert outcomes(trace, "custom_rules") == ["not_matched"]
    assert phase(trace, "custom_rules").phase == CUSTOM


def test_the_catch_all_has_the_origin_it_was_made_with() -> None:
    assert trace_request(a_request(), a_snapshot(), now=NOW).origin == "http://origin.test"


def test_an_alias_and_an_ipv6_address_are_where_it_goes() -> None:
    def origin(content: str) -> str:
        return trace_request(a_request(), a_ruled_snapshot(records=(a_record("example.com", content),)), now=NOW).origin

    assert origin("origin.test") == "origin.test:8443"
    assert origin("2001:db8::1") == "[2001:db8::1]:8443"


def test_what_decides_is_named_and_what_is_later_is_not_reached() -> None:
    snapshot = a_ruled_snapshot(a_ruleset(a_rule("b")), a_ruleset(a_rule("m"), phase=MANAGED))
    trace = trace_request(a_request(), snapshot, now=NOW)
    assert (trace.decision, trace.decided_by, trace.status, trace.rule_id) == ("respond", "custom_rules", 403, "b")
    assert outcomes(trace, "managed_rules") == ["not_reached"]
    assert phase(trace, "forward").outcome == "not_reached"


def test_what_no_rule_decides_has_no_rule() -> None:
    trace = trace_request(a_request(host="other.test"), a_ruled_snapshot(), now=NOW)
    assert (trace.decided_by, trace.status, trace.rule_id, trace.zone) == ("find_zone", 530, "", "")
    dead_end = a_ruled_snapshot(records=(a_record("example.com", "missing.example.com"),))
    assert trace_request(a_request(), dead_end, now=NOW).status == 530


def test_limits_are_looked_at_and_not_counted() -> None:
    snapshot, kept = a_ruled_snapshot(a_ruleset(a_limit("l", 1), phase=RATE_LIMITS)), counters()
    for _ in range(3):
        trace = trace_request(a_request(), snapshot, now=NOW, counters=kept)
        assert outcomes(trace, "rate_limits") == ["within_limit"]
    assert decided(snapshot, a_request(), counters=kept).statuses == [0]
    assert decided(snapshot, a_request(), counters=kept, now=NOW + 0.1).statuses == [429]
    held_off = a_ruled_snapshot(a_ruleset(a_limit("m", 1, mitigation_timeout=60), phase=RATE_LIMITS))
    assert decided(held_off, a_request(), a_request(), counters=kept).statuses == [0, 429]
    trace = trace_request(a_request(), held_off, now=NOW + 1, counters=kept)
    assert (trace.status, trace.rule_id, outcomes(trace, "rate_limits")) == (429, "m", ["matched"])


def test_a_managed_ruleset_shows_what_matched_of_it() -> None:
    deploy = a_rule("d", executes="managed-ruleset", overrides={"action": "log"})
    snapshot = a_ruled_snapshot(a_ruleset(deploy, phase=MANAGED), managed=[FakeManaged()])
    trace = trace_request(a_request(path="/one/two"), snapshot, now=NOW)
    (rule,) = phase(trace, "managed_rules").rulesets[0].rules
    assert [(match.id, match.action) for match in rule.matches] == [("managed-1", "log"), ("managed-2", "log")]
    assert rule.matches[0].fields == (("http.request.uri.path", "/one/two"),)
    without = trace_request(a_request(), a_ruled_snapshot(a_ruleset(deploy, phase=MANAGED)), now=NOW)
    (rule,) = phase(without, "managed_rules").rulesets[0].rules
    assert (rule.outcome, rule.reason) == ("inert", "The managed ruleset managed-ruleset is not loaded here.")


def test_an_access_rule_that_counts_is_shown() -> None:
    access = [an_access_rule("x", "whitelist", "ip", "203.0.113.7"), an_access_rule("y", "block", "ip", "203.0.113.8")]
    trace = trace_request(a_request(), a_ruled_snapshot(a_ruleset(a_rule("b")), access=access), now=NOW)
    (ruleset,) = phase(trace, "ip_access").rulesets
    assert [(rule.id, rule.action, rule.outcome) for rule in ruleset.rules] == [("x", "allow", "matched")]
    (skipped,) = phase(trace, "custom_rules").rulesets
    assert (skipped.outcome, skipped.by) == ("skipped", "x")


def _rules(phase_name: str) -> st.SearchStrategy[list[RuleDocument]]:
    ids = st.sampled_from("abcd")
    rule_lists = st.fixed_dictionaries(
        {},
        optional={
            name: st.lists(ids, max_size=2)
            for name in (f"zone-{CUSTOM}", f"root-{CUSTOM}", "custom", "managed-ruleset")
        },
    )
    skips = st.fixed_dictionaries(
        {},
        optional={
            "ruleset": st.just("current"),
            "phase": st.just("current"),
            "phases": st.lists(st.sampled_from([CUSTOM, RATE_LIMITS, MANAGED]), max_size=2),
            "rulesets": st.lists(st.sampled_from([f"zone-{CUSTOM}", "custom", "managed-ruleset"]), max_size=2),
            "rules": rule_lists,
        },
    ).filter(lambda given_parts: any(given_parts.values()))
    action: st.SearchStrategy[dict[str, Any]] = st.one_of(
        st.just({}),
        st.just({"action": "log"}),
        skips.map(lambda parameters: {"action": "skip", **parameters}),
        st.just({"executes": "custom"}),
        st.just({"executes": "managed-ruleset"}),
    )
    expression = st.sampled_from(["true", "false", "ssl", "not ssl"])

    def made(items: list[tuple[str, str, bool, dict[str, Any]]]) -> list[RuleDocument]:
        return [a_rule(ident, expression=text, enabled=on, **what) for ident, text, on, what in items]

    return st.lists(st.tuples(ids, expression, st.booleans(), action), max_size=4, unique_by=lambda item: item[0]).map(
        made
    )


@given(
    account=_rules(CUSTOM),
    custom=_rules(CUSTOM),
    zone=_rules(CUSTOM),
    managed=_rules(MANAGED),
    path=st.sampled_from(["/one", "/two", "/x"]),
)
def test_a_trace_and_a_decision_are_of_one_mind(account: Any, custom: Any, zone: Any, managed: Any, path: str) -> None:
    snapshot = a_ruled_snapshot(
        a_ruleset(*zone),
        a_ruleset(*managed, phase=MANAGED),
        account=[a_ruleset(*account, kind="root"), a_ruleset(*custom, kind="custom", ident="custom")],
        managed=[FakeManaged()],
    )
    request = a_request(path=path)
    found, trace = decided(snapshot, request), trace_request(request, snapshot, now=NOW)
    (decision,) = found.decisions
    assert (trace.decision == "forward") is isinstance(decision, Forward)
    if not isinstance(decision, Forward):
        assert (trace.status, trace.rule_id) == (decision.status, found.events[-1].rule_id)
    _shows_every_rule_once(trace, snapshot)
    acted = [
        rule.id
        for ruleset in _rulesets(trace)
        for rule in ruleset.rules
        if rule.outcome == "matched" and rule.action in ("block", "log")
    ]
    matches = [match.id for ruleset in _rulesets(trace) for rule in ruleset.rules for match in rule.matches]
    recorded = [event.rule_id for event in found.events if event.action != "skip"]
    assert sorted(acted + matches) == sorted(recorded)


def _rulesets(trace: Trace) -> list[Any]:
    return [ruleset for one in trace.phases for ruleset in one.rulesets]


def _shows_every_rule_once(trace: Trace, snapshot: Snapshot) -> None:
    zone = snapshot.zones["example.com"]
    account = snapshot.accounts[zone.account_id].firewall
    for firewall in (*zone.firewalls, *([account] if account else [])):
        for ruleset in (firewall.custom, firewall.managed):
            if ruleset is not None:
                (shown,) = [one for one in _rulesets(trace) if one.id == ruleset.id]
                assert [rule.id for rule in shown.rules] == [rule.id for rule in ruleset.rules]
