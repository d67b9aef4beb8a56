"""The way to the origin: rules in order, aliases to their end, and no further than is allowed."""

from itertools import pairwise
from typing import Any

import pytest

from holdfast.edge.route import MAX_ALIASES, DeadEnd, Route, route_of
from holdfast.edge.snapshot import Snapshot
from holdfast.edge.view import PlaceOf, view_of
from holdfast.model.zone_document import OriginRuleDocument
from holdfast.rules.context import Place
from tests.unit.edge.origins import ORIGIN, a_record, a_snapshot, a_zone, snapshot_of
from tests.unit.requests import a_request

HOST = "chat.example.com"


def way(snapshot: Snapshot, *, place_of: PlaceOf | None = None, **request: Any) -> Route | DeadEnd:
    asked = a_request(**{"host": HOST, **request})
    return route_of(asked, view_of(asked, snapshot, now=1.0, place_of=place_of))


def route(snapshot: Snapshot, **how: Any) -> Route:
    found = way(snapshot, **how)
    assert isinstance(found, Route)
    return found


def code(snapshot: Snapshot) -> int:
    found = way(snapshot)
    assert isinstance(found, DeadEnd)
    assert found.reason.endswith(".")
    return found.code


def test_an_alias_of_a_name_elsewhere_is_the_resolver_s() -> None:
    assert route(snapshot_of(a_zone("example.com", a_record(HOST, "origin.elsewhere.test")))).target.alias == (
        "origin.elsewhere.test"
    )


def test_an_alias_of_a_name_of_ours_is_followed_through_our_records_proxied_or_not() -> None:
    snapshot = snapshot_of(
        a_zone("example.com", a_record(HOST, "a.other.test")),
        a_zone("other.test", a_record("*.other.test", "end.other.test"), a_record("end.other.test", proxied=False)),
    )
    assert route(snapshot).target.name == "end.other.test"


def test_a_catch_all_is_no_zone_to_follow_an_alias_into() -> None:
    snapshot = a_snapshot().with_changes([a_zone("example.com", a_record(HOST, "origin.elsewhere.test"))])
    assert route(snapshot).target.alias == "origin.elsewhere.test"
    assert route(snapshot, host="any.test").target.origin("plain", 1, 1.0) is ORIGIN


def _chain(length: int) -> Snapshot:
    names = [HOST, *(f"n{number}.example.com" for number in range(1, length + 1))]
    aliases = [a_record(name, following) for name, following in pairwise(names)]
    return snapshot_of(a_zone("example.com", *aliases, a_record(names[-1])))


def test_a_chain_of_aliases_is_followed_to_its_bound() -> None:
    assert route(_chain(MAX_ALIASES - 1)).target.addresses == ("192.0.2.1",)
    assert code(_chain(MAX_ALIASES)) == 1000


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([a_record(HOST, HOST)], 1000),
        ([a_record(HOST, "b.example.com"), a_record("b.example.com", HOST)], 1000),
        ([a_record("*.example.com", "x.example.com")], 1000),
        ([a_record(HOST, "0.0.0.0")], 1000),
        ([a_record(HOST, "b.example.com"), a_record("b.example.com", "169.254.169.254")], 1000),
        ([a_record(HOST, "missing.example.com")], 1016),
    ],
)
def test_what_leads_nowhere_has_its_code(records: list[Any], expected: int) -> None:
    assert code(snapshot_of(a_zone("example.com", *records))) == expected


def test_an_alias_into_another_account_is_refused() -> None:
    theirs = a_zone("other.test", account_id="b" * 32)
    assert code(snapshot_of(a_zone("example.com", a_record(HOST, "other.test"), account_id="a" * 32), theirs)) == 1014


def rule(number: int, expression: str = "true", **fields: Any) -> OriginRuleDocument:
    return OriginRuleDocument(id=str(number), expression=expression, **fields)


def with_rules(*rules: OriginRuleDocument, **fields: Any) -> Snapshot:
    return snapshot_of(a_zone("example.com", origin_rules=rules, **fields))


def test_every_rule_that_matches_applies_and_the_last_word_stands() -> None:
    found = route(
        with_rules(
            rule(1, host_header="one.test", origin_port=1, origin_host="192.0.2.9"),
            rule(2, 'http.host eq "nobody.test"', origin_port=2),
            rule(3, f'http.host eq "{HOST}"', origin_port=3, sni="three.test"),
            rule(4, enabled=False, origin_port=4),
            ssl="strict",
        )
    )
    assert (found.port, found.host_header, found.server_name) == (3, "one.test", "three.test")
    assert found.target.addresses == ("192.0.2.9",)


def test_without_tls_no_server_name_is_asked_for() -> None:
    assert route(with_rules(rule(1, sni="three.test"))).server_name == ""


def test_a_rule_s_origin_that_is_a_name_of_ours_is_followed_too() -> None:
    snapshot = with_rules(rule(1, origin_host="end.other.test")).with_changes(
        [a_zone("other.test", a_record("end.other.test", "192.0.2.8", proxied=False))]
    )
    assert route(snapshot).target.addresses == ("192.0.2.8",)


@pytest.mark.parametrize(
    ("place_of", "port"),
    [
        (lambda _: Place(country="NL"), 9),
        (lambda _: Place(country="DE"), 8443),
        (lambda _: Place(), 8443),
        (None, 8443),
    ],
)
def test_a_rule_may_ask_where_a_client_is(place_of: PlaceOf | None, port: int) -> None:
    assert route(with_rules(rule(1, 'ip.src.country eq "NL"', origin_port=9)), place_of=place_of).port == port


def test_a_paused_zone_goes_where_its_rules_say() -> None:
    assert route(with_rules(rule(1, origin_port=9), paused=True)).port == 9
