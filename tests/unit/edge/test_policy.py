"""`Policy`: the two callables of an edge, with a clock of our own."""

import json

from holdfast.edge.decision import Forward, Respond
from holdfast.edge.firewall.values import RATE_LIMITS
from holdfast.edge.policy import Policy
from holdfast.limits.counters import RateCounters
from holdfast.model.fault import Fault
from holdfast.model.zone_document import StrictTransportSecurity
from holdfast.rules.context import Place
from tests.unit.edge.firewall.rules import a_limit, a_ruled_snapshot, a_ruleset, counters
from tests.unit.edge.origins import a_snapshot, a_zone, snapshot_of, zone_id
from tests.unit.requests import a_request


def test_it_decides_and_answers_by_its_clock() -> None:
    policy = Policy(a_snapshot(), clock=lambda: 1_772_366_400.0)
    assert isinstance(policy.decide(a_request()), Forward)
    answer = policy.answer(Fault(521, 521, "the origin refused", "http://origin", a_request()))
    assert answer.status == 521
    assert json.loads(answer.body)["timestamp"] == "2026-03-01T12:00:00Z"


def test_a_limit_that_was_met_is_told_with_its_zone() -> None:
    fault = Fault(503, 503, "the zone is full", "http://origin", a_request(), "zone_connections")
    answer = Policy(snapshot_of(a_zone())).answer(fault)
    assert (answer.status, answer.zone) == (503, zone_id("example.com"))
    assert json.loads(answer.body)["zone"] == "example.com"


def test_what_is_published_decides_from_the_next_request_on() -> None:
    policy = Policy(snapshot_of())
    assert isinstance(policy.decide(a_request()), Respond)
    policy.publish(a_snapshot())
    assert isinstance(policy.decide(a_request()), Forward)
    assert policy.snapshot.loop_member == "holdfast;instance=00ff"


def test_it_knows_where_clients_are() -> None:
    policy = Policy(snapshot_of(a_zone()), place_of=lambda _: Place(country="NL"))
    decision = policy.decide(a_request())
    assert isinstance(decision, Forward)
    assert ("CF-IPCountry", "NL") in decision.set_headers


def test_it_counts_and_records_with_what_it_was_given() -> None:
    recorded: list[tuple[str, str]] = []
    policy = Policy(
        a_ruled_snapshot(a_ruleset(a_limit("limit", 1), phase=RATE_LIMITS)),
        clock=lambda: 1000.0,
        counters=counters(),
        record=lambda request, events: recorded.extend((request.path, event.rule_id) for event in events),
    )
    assert isinstance(policy.decide(a_request(path="/one")), Forward)
    assert isinstance(policy.decide(a_request(path="/two")), Respond)
    assert recorded == [("/two", "limit")]


def test_counters_are_made_when_the_first_limit_is_to_come_and_once() -> None:
    made: list[RateCounters] = []

    def make() -> RateCounters:
        made.append(counters())
        return made[-1]

    policy = Policy(snapshot_of(), open_counters=make)
    assert policy.counters is None
    policy.expect_limits()
    policy.expect_limits()
    assert [policy.counters] == made
    Policy(snapshot_of()).expect_limits()


def test_the_answer_for_a_fault_is_the_zone_s() -> None:
    hsts = StrictTransportSecurity(enabled=True, max_age=5)
    policy = Policy(snapshot_of(a_zone(security_header=hsts)))
    answer = policy.answer(Fault(521, 521, "the origin refused", "http://origin", a_request()))
    assert answer.zone == zone_id("example.com")
    assert dict(answer.headers)["Strict-Transport-Security"] == "max-age=5"
    policy.publish(snapshot_of())
    gone = policy.answer(Fault(521, 521, "the origin refused", "http://origin", a_request()))
    assert (gone.status, gone.zone) == (521, "")
