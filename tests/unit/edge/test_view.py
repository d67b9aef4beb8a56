"""What a phase sees: the zone and the target of the host name, or stand-ins for them."""

from collections.abc import Collection, Iterator
from typing import Any

import pytest

from holdfast.edge.firewall.values import MANAGED
from holdfast.edge.view import NO_TARGET, NO_ZONE, view_of
from holdfast.rules.context import NOWHERE, EvaluationContext, Place
from holdfast.rules.managed_ruleset import Match, Overrides
from tests.unit.edge.firewall.rules import FakeManaged, a_rule, a_ruled_snapshot, a_ruleset, decided
from tests.unit.edge.origins import a_record, a_zone, snapshot_of
from tests.unit.requests import a_request

SNAPSHOT = snapshot_of(a_zone("example.com", a_record("chat.example.com")))


def test_a_host_leads_to_its_zone_and_its_record() -> None:
    view = view_of(a_request(host="chat.example.com"), SNAPSHOT, now=1.0)
    assert (view.zone.name, view.target.name) == ("example.com", "chat.example.com")


@pytest.mark.parametrize("host", ["", ".", "..", "nobody.test", "[::1]"])
def test_without_a_zone_there_are_stand_ins(host: str) -> None:
    view = view_of(a_request(host=host), SNAPSHOT, now=1.0)
    assert view.zone is NO_ZONE
    assert view.target is NO_TARGET


def test_a_zone_without_a_record_has_no_target() -> None:
    view = view_of(a_request(host="www.example.com"), SNAPSHOT, now=1.0)
    assert view.zone is SNAPSHOT.zones["example.com"]
    assert view.target is NO_TARGET


def test_the_account_s_rules_come_before_the_zone_s() -> None:
    own, root = a_ruleset(a_rule("own")), a_ruleset(a_rule("root"), kind="root")
    both = view_of(a_request(), a_ruled_snapshot(own, account=[root]), now=1.0).firewalls
    assert [firewall.custom and firewall.custom.kind for firewall in both] == ["root", "zone"]
    assert len(view_of(a_request(), a_ruled_snapshot(own), now=1.0).firewalls) == 1
    assert len(view_of(a_request(), a_ruled_snapshot(account=[root]), now=1.0).firewalls) == 1
    assert view_of(a_request(), a_ruled_snapshot(), now=1.0).firewalls == ()
    assert view_of(a_request(), a_ruled_snapshot(own, account=[root], paused=True), now=1.0).firewalls == ()
    assert view_of(a_request(host="other.test"), a_ruled_snapshot(own, account=[root]), now=1.0).firewalls == ()


def test_all_expressions_are_evaluated_against_one_context() -> None:
    request = a_request()
    view = view_of(request, a_ruled_snapshot(plan="enterprise"), now=12.5)
    context = view.context(request)
    assert view.context(request) is context
    assert (context.facts.zone_name, context.facts.zone_plan, context.facts.now_ms) == ("example.com", "ENT", 12_500)


def test_where_a_client_is_is_looked_up_when_a_rule_asks_and_once() -> None:
    asked: list[str] = []

    def place_of(address: str) -> Place:
        asked.append(address)
        return Place(country="NL")

    request = a_request()
    view = view_of(request, a_ruled_snapshot(a_ruleset(a_rule("r"))), now=1.0, place_of=place_of)
    facts = view.context(request).facts
    assert (facts.zone_name, asked) == ("example.com", [])
    assert [facts.place.country, facts.place.country, view.place(request).country] == ["NL"] * 3
    assert asked == ["203.0.113.7"]
    assert view_of(request, SNAPSHOT, now=1.0).place(request) is NOWHERE


def test_what_no_edge_knows_is_missing() -> None:
    request = a_request()
    facts = view_of(request, SNAPSHOT, now=1.0).context(request).facts
    assert (facts.server_ip, facts.random_seed, facts.upstream_zone) == (None, None, "")
    assert dict(facts.lists) == {}


def test_a_managed_rule_may_ask_where_a_client_is_though_no_other_does() -> None:
    class Deployed:
        def matches(self, context: EvaluationContext, _: Collection[str]) -> Iterator[Match]:
            if context.facts.place.country == "NL":
                yield Match(FakeManaged().rules[0], "block")

    class Managed(FakeManaged):
        def deploy(self, _: Overrides) -> Any:
            return Deployed()

    ruleset = a_ruleset(a_rule("deploy", executes="managed-ruleset"), phase=MANAGED)
    snapshot = a_ruled_snapshot(ruleset, managed=[Managed()])
    for country, statuses in (("NL", [403]), ("DE", [0])):
        assert decided(snapshot, place_of=lambda _, country=country: Place(country=country)).statuses == statuses
