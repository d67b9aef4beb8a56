"""The phases together: their order, and that whatever a client sends is decided."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.edge.decide import _PHASES_BY_ASKED, PHASES, decide
from holdfast.edge.decision import Forward, Respond
from holdfast.edge.firewall.values import MANAGED, RATE_LIMITS
from holdfast.edge.snapshot import Snapshot
from holdfast.edge.trace import trace_request
from holdfast.model.security_event import MAX_EVENT_CHARS, SecurityEvent
from holdfast.rules.context import Place
from holdfast.rules.managed import HOLDFAST_RULESET_ID, holdfast_ruleset
from tests.unit.edge.firewall.rules import (
    a_limit,
    a_rule,
    a_ruled_snapshot,
    a_ruleset,
    an_access_rule,
    counters,
)
from tests.unit.edge.origins import ORIGIN, a_snapshot, a_zone, snapshot_of, zone_id
from tests.unit.requests import a_request

NOW = 1_772_366_400.0


def test_the_order_of_the_phases_is_what_it_says() -> None:
    assert [phase.__name__ for phase in PHASES] == [
        "find_zone",
        "refuse_loop",
        "misdirected",
        "redirect",
        "ip_access",
        "custom_rules",
        "rate_limits",
        "managed_rules",
        "websockets_switch",
        "websocket_origins",
        "websocket_subprotocols",
        "worker_route",
        "forward",
    ]


def test_a_request_goes_through_all_phases_that_have_something_to_ask_in_their_order() -> None:
    asking = ("ip_access", "custom_rules", "rate_limits", "managed_rules")
    for asked, phases in enumerate(_PHASES_BY_ASKED):
        there = {name for place, name in enumerate(asking) if asked >> place & 1}
        assert phases == tuple(one for one in PHASES if one.__name__ not in asking or one.__name__ in there)
    assert _PHASES_BY_ASKED[-1] == PHASES


@pytest.mark.parametrize("is_upgrade", [True, False])
def test_any_host_goes_to_the_origin_of_the_catch_all(is_upgrade: bool) -> None:
    decision = decide(a_request(host="any.example", is_upgrade=is_upgrade), a_snapshot(), now=NOW)
    assert isinstance(decision, Forward)
    assert decision.origin is ORIGIN
    assert decision.zone == "", "records name only zones that somebody made"
    assert ("CF-Connecting-IP", "203.0.113.7") in decision.set_headers
    assert (decision.remove_headers, decision.set_response_headers, decision.explain_statuses) == ((), (), ())


def test_what_a_client_may_not_say_is_left_out() -> None:
    decision = decide(a_request(headers=[("cf-worker", "x"), ("CF_Ray", "y")]), a_snapshot(), now=NOW)
    assert isinstance(decision, Forward)
    assert decision.remove_headers == ("cf-worker", "CF_Ray")


def test_an_answer_of_ours_is_its_zone_s_and_has_what_the_zone_adds_over_tls() -> None:
    hsts = {"enabled": True, "max_age": 300, "nosniff": True}
    snapshot = snapshot_of(a_zone(websockets="off", security_header=hsts_of(**hsts)))
    over_tls, plain = (decide(a_request(scheme=scheme), snapshot, now=NOW) for scheme in ("https", "http"))
    assert isinstance(over_tls, Respond)
    assert isinstance(plain, Respond)
    assert (over_tls.status, over_tls.zone) == (403, zone_id("example.com"))
    assert dict(over_tls.headers)["Strict-Transport-Security"] == "max-age=300"
    assert [name for name, _ in over_tls.headers].count("X-Content-Type-Options") == 1
    assert "Strict-Transport-Security" not in dict(plain.headers)


def hsts_of(**fields: object) -> object:
    """The value of `security_header`."""
    from holdfast.model.zone_document import StrictTransportSecurity

    return StrictTransportSecurity(**fields)  # type: ignore[arg-type]


def test_a_host_without_a_zone_is_refused_on_behalf_of_nobody() -> None:
    decision = decide(a_request(host="b.example"), a_snapshot("a.example"), now=NOW)
    assert isinstance(decision, Respond)
    assert (decision.status, decision.zone) == (530, "")
    assert json.loads(decision.body)["error_code"] == 1001


_TEXT = st.text(st.characters(max_codepoint=0xFF), max_size=40)


@given(host=_TEXT, path=_TEXT, headers=st.lists(st.tuples(_TEXT, _TEXT), max_size=8), is_upgrade=st.booleans())
def test_nothing_a_client_sends_raises(host: str, path: str, headers: list[tuple[str, str]], is_upgrade: bool) -> None:
    request = a_request(host=host, path=path, headers=headers, is_upgrade=is_upgrade)
    assert isinstance(decide(request, a_snapshot(), now=NOW), Forward)
    assert isinstance(decide(request, a_snapshot("zone.of.its.own"), now=NOW), Respond)
    redirecting = snapshot_of(a_zone("example.com", ssl="off"))
    assert isinstance(decide(a_request(path=path, headers=headers), redirecting, now=NOW), Respond)


def _ruled() -> Snapshot:
    """A zone that asks of a request all that rules can."""
    expressions = [
        'http.request.full_uri contains "x"',
        'any(lower(http.request.headers.values[*])[*] contains "x")',
        'http.request.cookies["a"][0] matches "x+"',
        'any(url_decode(http.request.uri.args["a"][*])[*] eq "x")',
        'http.request.accepted_languages[0] eq "en" or http.referer wildcard "*x*"',
        'ip.src in {203.0.113.0/24} and len(http.user_agent) gt 3 and cf.tls_version eq "x"',
        'ip.src.country eq "NL" or ip.src.city eq "x"',
    ]
    logging = [a_rule(f"log{place}", "log", text) for place, text in enumerate(expressions)]
    counted = (
        "ip.src",
        "http.host",
        "http.request.uri.path",
        'http.request.headers["a"]',
        'http.request.cookies["a"]',
        'http.request.uri.args["a"]',
        "ip.src.country",
        "http.request.headers",
    )
    return a_ruled_snapshot(
        a_ruleset(*logging),
        a_ruleset(a_limit("limit", 1, action="log", characteristics=counted), phase=RATE_LIMITS),
        a_ruleset(a_rule("deploy", executes=HOLDFAST_RULESET_ID, overrides={"action": "log"}), phase=MANAGED),
        managed=[holdfast_ruleset()],
        access=[an_access_rule("x", "block", "asn", "AS1"), an_access_rule("y", "block", "ip_range", "10.0.0.0/8")],
    )


RULED, COUNTERS = _ruled(), counters()
# Not those that the zone's own access rule blocks.
_ADDRESSES = st.ip_addresses().map(str).filter(lambda text: not text.startswith("10.")) | _TEXT


@given(
    path=_TEXT,
    query=_TEXT,
    headers=st.lists(
        st.tuples(st.sampled_from(["a", "Cookie", "User-Agent", "Origin", "accept-language"]) | _TEXT, _TEXT)
    ),
    client_ip=_ADDRESSES,
    is_upgrade=st.booleans(),
)
def test_nothing_a_client_sends_raises_in_a_rule_or_in_what_is_recorded_of_it(
    path: str, query: str, headers: list[tuple[str, str]], client_ip: str, is_upgrade: bool
) -> None:
    request = msgspec.structs.replace(
        a_request(path=path, headers=headers, client_ip=client_ip, is_upgrade=is_upgrade), query=query
    )
    recorded: list[SecurityEvent] = []
    decision = decide(
        request,
        RULED,
        now=NOW,
        counters=COUNTERS,
        place_of=lambda _: Place(country="NL", city="\u0141\xf3d\u017a"),
        record=lambda _, events: recorded.extend(events),
    )
    assert isinstance(decision, Forward)
    assert "log6" in {event.rule_id for event in recorded}
    assert all(len(msgspec.json.encode(event)) < 6 * MAX_EVENT_CHARS for event in recorded)
    assert trace_request(request, RULED, now=NOW, counters=COUNTERS).decision == "forward"
