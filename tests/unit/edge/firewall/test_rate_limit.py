"""Whose counter a request is: what is different is counted apart, and what is missing is not what is empty."""

from typing import Any

import pytest

from holdfast.edge.compile_error import CompileError
from holdfast.edge.firewall.document_place import Place
from holdfast.edge.firewall.rate_limit import RateLimit, rate_limit_of
from holdfast.model.rule_documents import RateLimitDocument
from holdfast.rules.context import EvaluationContext, Facts
from holdfast.rules.context import Place as Location
from tests.unit.edge.firewall.rules import counters
from tests.unit.requests import a_request

PLACE = Place("example.com", "ratelimit")


def limit(*characteristics: str, rule_id: str = "rule", **fields: Any) -> RateLimit:
    given_fields: dict[str, Any] = {"period": 10, "requests_per_period": 5} | fields
    document = RateLimitDocument(characteristics=characteristics, **given_fields)
    return rate_limit_of(document, rule_id=rule_id, place=PLACE)


def key(*characteristics: str, facts: Facts | None = None, **request: Any) -> bytes:
    return limit(*characteristics).key(EvaluationContext(a_request(**request), facts or Facts()))


HEADER = 'http.request.headers["x-key"]'


@pytest.mark.parametrize(
    ("characteristics", "one", "other", "is_same"),
    [
        (("ip.src",), {"client_ip": "1.2.3.4"}, {"client_ip": "1.2.3.5"}, False),
        (("ip.src",), {"client_ip": "1.2.3.4", "path": "/a"}, {"client_ip": "1.2.3.4", "path": "/b"}, True),
        (("ip.src",), {"client_ip": "2001:db8::1"}, {"client_ip": "2001:db8::ffff:2"}, True),
        (("ip.src",), {"client_ip": "2001:db8::1"}, {"client_ip": "2001:db8:0:1::1"}, False),
        (("cf.colo.id",), {"client_ip": "1.2.3.4"}, {"client_ip": "1.2.3.5"}, True),
        ((HEADER,), {"headers": []}, {"headers": [("X-Key", "")]}, False),
        ((HEADER,), {"headers": [("X-Key", "a")]}, {"headers": [("x-key", "a")]}, True),
        ((HEADER,), {"headers": [("X-Key", "a")]}, {"headers": [("X-Key", "b")]}, False),
        ((HEADER,), {"headers": [("X-Key", "a"), ("X-Key", "b")]}, {"headers": [("X-Key", "a, b")]}, False),
        (("http.request.uri.path", "http.host"), {"path": "/ab", "host": "c"}, {"path": "/a", "host": "bc"}, False),
        (('http.request.cookies["s"]',), {"headers": [("Cookie", "s=1")]}, {"headers": [("Cookie", "t=1")]}, False),
        (("lower(http.request.uri.path)",), {"path": "/A"}, {"path": "/a"}, True),
    ],
)
def test_what_is_different_is_counted_apart(
    characteristics: tuple[str, ...], one: Any, other: Any, is_same: bool
) -> None:
    assert (key(*characteristics, **one) == key(*characteristics, **other)) is is_same


def test_where_a_client_is_may_be_a_characteristic() -> None:
    here, there = (Facts(place=Location(country=country, asn=7)) for country in ("NL", "DE"))
    assert key("ip.src.country", facts=here) != key("ip.src.country", facts=there)
    assert key("ip.src.asnum", facts=here) == key("ip.src.asnum", facts=there)


def test_rules_and_periods_have_counters_of_their_own() -> None:
    context = EvaluationContext(a_request())
    keys = {one.key(context) for one in (limit("ip.src"), limit("ip.src", rule_id="other"), limit("ip.src", period=60))}
    assert len(keys) == 3
    assert limit("ip.src").key(context) == limit("ip.src", requests_per_period=9, mitigation_timeout=60).key(context)


@pytest.mark.parametrize(
    ("fields", "characteristics", "field"),
    [
        ({"period": 0}, (), "ratelimit.period"),
        ({"period": 86_401}, (), "ratelimit.period"),
        ({"requests_per_period": 0}, (), "ratelimit.requests_per_period"),
        ({"mitigation_timeout": -1}, (), "ratelimit.mitigation_timeout"),
        ({}, ("http.nonsense",), "ratelimit.characteristics"),
        ({}, ("cf.unique_visitor_id",), "ratelimit.characteristics"),
        ({}, ('http.host eq "a"',), "ratelimit.characteristics"),
    ],
)
def test_what_cannot_be_counted_is_named(fields: Any, characteristics: tuple[str, ...], field: str) -> None:
    with pytest.raises(CompileError) as raised:
        limit(*characteristics, **fields)
    assert raised.value.field == field


def test_what_others_count_beyond_a_throttled_limit_is_seen_and_passes_with_time() -> None:
    throttle = limit("ip.src", requests_per_period=2, counting_expression="ssl")
    context, kept = EvaluationContext(a_request()), counters()

    def hit(now: float, *, is_counted: bool) -> bool:
        return throttle.hit(kept, context, now=now, is_counted=is_counted).is_limited

    assert [hit(100.0, is_counted=True), hit(100.1, is_counted=True)] == [False, False]
    assert not hit(100.2, is_counted=False), "two are within the limit of two"
    assert hit(100.3, is_counted=True)
    refused = throttle.hit(kept, context, now=100.4, is_counted=False)
    assert refused.is_limited
    assert not hit(100.4 + refused.retry_after_s, is_counted=False)
