"""What is recorded: a request that matched nothing leaves nothing, every answer of the edge's own leaves one."""

from typing import Any

import msgspec
import pytest

from holdfast.edge.decide import decide
from holdfast.edge.firewall.values import RATE_LIMITS
from holdfast.edge.snapshot import Snapshot
from holdfast.model.request import TlsFacts
from holdfast.rules.context import Place
from tests.unit.edge.firewall.rules import (
    NOW,
    a_limit,
    a_rule,
    a_ruled_snapshot,
    a_ruleset,
    an_access_rule,
    counters,
    decided,
)
from tests.unit.edge.origins import a_record, a_zone, snapshot_of, zone_id
from tests.unit.requests import a_request

ORIGIN = 'http.request.headers["origin"][0] contains "example" and ip.src eq 203.0.113.7'


def test_an_event_says_all_of_its_rule_and_its_request() -> None:
    rule = a_rule("b", expression=ORIGIN, ref="mine", description="no others")
    (event,) = decided(
        a_ruled_snapshot(a_ruleset(rule, ident="a")), place_of=lambda _: Place(country="NL", asn=7)
    ).events
    assert (event.zone, event.occurred_at, event.ray) == (zone_id("example.com"), NOW, "230b030023ae2822-LOC")
    assert (event.action, event.source, event.status) == ("block", "firewallCustom", 403)
    assert (event.rule_id, event.ruleset_id, event.ref, event.description) == ("b", "a", "mine", "no others")
    assert (event.country, event.asn, event.is_upgrade) == ("NL", 7, True)
    assert event.fields == (('http.request.headers["origin"][0]', "https://example.com"), ("ip.src", "203.0.113.7"))


@pytest.mark.parametrize(
    ("snapshot", "request_", "source", "action", "status"),
    [
        (a_ruled_snapshot(), a_request(host="other.test"), "routing", "refuse", 530),
        (a_ruled_snapshot(websockets="off"), a_request(), "websockets", "refuse", 403),
        (a_ruled_snapshot(always_use_https="on"), a_request(scheme="http"), "redirect", "redirect", 301),
        (a_ruled_snapshot(min_tls_version="1.3"), a_request(), "tls", "refuse", 421),
        (a_ruled_snapshot(), a_request(headers=[("CDN-Loop", "holdfast;instance=00ff")]), "routing", "refuse", 508),
        (a_ruled_snapshot(access=[an_access_rule("x", "block", "ip", "203.0.113.7")]), a_request(), "ip", "block", 403),
    ],
)
def test_each_answer_of_the_edge_s_own_has_an_event(
    snapshot: Snapshot, request_: Any, source: str, action: str, status: int
) -> None:
    if source == "tls":
        request_ = msgspec.structs.replace(request_, tls=TlsFacts("TLSv1.2", "x", "example.com"))
    (event,) = decided(snapshot, request_).events
    assert (event.source, event.action, event.status) == (source, action, status)


def test_a_dead_end_after_a_rule_that_logged_has_both() -> None:
    records = (a_record("example.com", "missing.example.com"),)
    snapshot = snapshot_of(a_zone("example.com", *records, rulesets=(a_ruleset(a_rule("log", "log")),)))
    assert [(event.source, event.action, event.status) for event in decided(snapshot).events] == [
        ("firewallCustom", "log", 0),
        ("routing", "refuse", 530),
    ]


def test_a_limit_that_is_not_reached_is_no_event() -> None:
    snapshot = a_ruled_snapshot(a_ruleset(a_limit("l", 5), phase=RATE_LIMITS))
    assert decided(snapshot, counters=counters()).events == []


def test_a_forwarded_request_without_a_match_is_not_recorded() -> None:
    def record(*_: Any) -> None:
        raise AssertionError("nothing is to be recorded")

    decide(a_request(), a_ruled_snapshot(a_ruleset(a_rule("n", expression="false"))), now=NOW, record=record)
