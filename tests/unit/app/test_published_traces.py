"""Traces of what is published: the zone, its account, its lists, the places and counters that this process can see."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from holdfast.app.published_traces import PublishedTraces
from holdfast.control.tracing import Published
from holdfast.edge.firewall.counters_file import counters_file, open_counters
from holdfast.model.request_text import GivenRequest, request_from_url
from holdfast.model.request_trace import Trace
from holdfast.model.rule_documents import (
    AccountDocument,
    ListDocument,
    RateLimitDocument,
    RuleDocument,
    RulesetDocument,
)
from holdfast.model.zone_document import RecordDocument, SnapshotDocument, ZoneDocument
from holdfast.rules.context import NOWHERE

ZONE_ID, OTHER_ID, ACCOUNT_ID = "a" * 32, "b" * 32, "c" * 32
CUSTOM, LIMITS = "http_request_firewall_custom", "http_ratelimit"
GIVEN = GivenRequest(request_from_url("https://example.com/chat", client_ip="203.0.113.7"))


def a_rule(expression: str, *, action: str = "block", **more: Any) -> RuleDocument:
    return RuleDocument(id="d" * 32, version=1, action=action, expression=expression, **more)


def a_ruleset(*rules: RuleDocument, phase: str = CUSTOM, kind: Any = "zone") -> RulesetDocument:
    return RulesetDocument(id="e" * 32, kind=kind, phase=phase, version=1, rules=rules)


def a_zone(*rulesets: RulesetDocument, **more: Any) -> ZoneDocument:
    record = RecordDocument(name="example.com", type="A", content="192.0.2.1", proxied=True)
    facts: dict[str, Any] = {"id": ZONE_ID, "name": "example.com", "records": (record,), "plan": "enterprise", **more}
    return ZoneDocument(version=1, account_id=ACCOUNT_ID, rulesets=rulesets, **facts)


def published(*zones: ZoneDocument, **documents: Any) -> Published:
    document = msgspec.structs.replace(SnapshotDocument(source="s", revision=1), zones=zones, **documents)
    return Published(document, {"account": {}, "list": {}}, {})


@pytest.fixture
def tracer(tmp_path: Path) -> PublishedTraces:
    return PublishedTraces(
        key=None, data_dir=tmp_path, geoip_database=None, log=lambda *_: None, clock=lambda: 1_700_000_000.0
    )


def one(tracer: PublishedTraces, what: Published, given: GivenRequest = GIVEN) -> Trace:
    found = tracer.traces(what, ZONE_ID, [given], until=lambda: False)
    assert found is not None
    (trace,) = found
    return trace


def test_rules_of_the_zone_decide(tracer: PublishedTraces) -> None:
    assert one(tracer, published(a_zone(a_ruleset(a_rule('http.request.uri.path eq "/chat"'))))).status == 403
    assert one(tracer, published(a_zone(a_ruleset(a_rule('http.request.uri.path eq "/"'))))).origin == "192.0.2.1:80"


def test_rules_of_the_account_and_its_lists_count(tracer: PublishedTraces) -> None:
    account = AccountDocument(id=ACCOUNT_ID, version=1, rulesets=(a_ruleset(a_rule("ip.src in $bad"), kind="root"),))
    items = ListDocument(
        id="f" * 32, account_id=ACCOUNT_ID, version=1, name="bad", kind="ip", items=("203.0.113.0/24",)
    )
    foreign = msgspec.structs.replace(items, account_id=OTHER_ID)
    assert one(tracer, published(a_zone(), accounts=(account,), lists=(items,))).status == 403
    assert one(tracer, published(a_zone(), accounts=(account,), lists=(foreign,))).decision == "forward"


def test_a_place_that_is_given_counts(tracer: PublishedTraces) -> None:
    zone = published(a_zone(a_ruleset(a_rule('ip.src.country eq "NL" and ip.src.asnum eq 64512'))))
    assert one(tracer, zone, GivenRequest(GIVEN.request, "NL", 64512)).status == 403
    assert one(tracer, zone).decision == "forward"


def test_an_alias_is_followed_into_another_zone(tracer: PublishedTraces) -> None:
    alias = RecordDocument(name="example.com", type="CNAME", content="ws.other.example", proxied=True)
    target = RecordDocument(name="ws.other.example", type="A", content="192.0.2.9", proxied=True)
    zone, other = a_zone(records=(alias,)), a_zone(id=OTHER_ID, name="other.example", records=(target,))
    assert one(tracer, published(zone, other)).origin == "192.0.2.9:80"


def test_limits_are_looked_up_and_not_counted(tracer: PublishedTraces, tmp_path: Path) -> None:
    limit = RateLimitDocument(characteristics=("ip.src",), period=60, requests_per_period=1)
    zone = published(a_zone(a_ruleset(a_rule("true", ratelimit=limit), phase=LIMITS)))
    open_counters(counters_file(tmp_path), log=lambda *_: None, size=1024 * 1024)
    before = counters_file(tmp_path).read_bytes()
    assert [one(tracer, zone).decision for _ in range(3)] == ["forward"] * 3
    assert counters_file(tmp_path).read_bytes() == before


def test_there_may_be_no_time_for_all_of_them(tracer: PublishedTraces) -> None:
    found = tracer.traces(published(a_zone()), ZONE_ID, [GIVEN] * 5, until=lambda: True)
    assert found is not None
    assert len(found) == 1


def test_a_zone_that_is_not_published_has_no_traces(tracer: PublishedTraces) -> None:
    assert tracer.traces(published(), ZONE_ID, [GIVEN], until=lambda: False) is None


def test_what_is_known_beside_a_request(tracer: PublishedTraces) -> None:
    items = ListDocument(id="f" * 32, account_id=ACCOUNT_ID, version=1, name="bad", kind="ip", items=("192.0.2.0/24",))
    facts = tracer.facts(published(a_zone(), lists=(items,)), ZONE_ID, GivenRequest(GIVEN.request, "NL"))
    assert (facts.zone_name, facts.zone_plan, facts.now_ms) == ("example.com", "ENT", 1_700_000_000_000)
    assert (facts.place.country, list(facts.lists)) == ("NL", ["bad"])
    assert tracer.facts(published(), ZONE_ID, GIVEN).zone_name == ""


def test_a_database_of_places_that_cannot_be_read_is_said_and_no_fault(tmp_path: Path) -> None:
    said: list[str] = []
    tracer = PublishedTraces(
        key=None, data_dir=tmp_path, geoip_database=tmp_path / "none", log=lambda event, _: said.append(event)
    )
    assert tracer.facts(published(a_zone()), ZONE_ID, GIVEN).place == NOWHERE
    assert said == ["geoip_warning"]
