"""The phase counts at the account, then at the zone; what the account refuses the zone does not count."""

from holdfast.edge.decision import Respond
from holdfast.edge.firewall.values import RATE_LIMITS
from holdfast.edge.phases.rate_limits import rate_limits
from holdfast.edge.view import view_of
from holdfast.limits.counters import RateCounters
from tests.unit.edge.firewall.rules import a_limit, a_ruled_snapshot, a_ruleset, counters
from tests.unit.edge.origins import a_snapshot
from tests.unit.requests import a_request


def test_what_the_account_refuses_the_zone_does_not_count() -> None:
    account = [a_ruleset(a_limit("account", 2), kind="root", phase=RATE_LIMITS)]
    snapshot = a_ruled_snapshot(a_ruleset(a_limit("zone", 3), phase=RATE_LIMITS), account=account)
    kept, request = counters(), a_request()
    refusals = []
    for second in (0, 1, 2, 3, 30, 31, 32):
        view = view_of(request, snapshot, now=1000.0 + second, counters=kept)
        decision = rate_limits(request, view)
        refusals.append(view.notes.findings[0].rule_id if view.notes.findings else "")
        assert (decision is not None) is bool(refusals[-1])
    assert refusals == ["", "", "account", "account", "", "", "account"]


def test_a_flood_of_a_thousand_clients_is_counted_for_each() -> None:
    snapshot = a_ruled_snapshot(a_ruleset(a_limit("limit", 2), phase=RATE_LIMITS))
    kept = RateCounters(bytearray(1024 * 1024), secret=b"0123456789abcdef")
    statuses: dict[str, list[int]] = {}
    for round_ in range(4):
        for client in range(1000):
            request = a_request(client_ip=f"198.51.{client // 250}.{client % 250}")
            decision = rate_limits(request, view_of(request, snapshot, now=1000.0 + round_, counters=kept))
            statuses.setdefault(request.client_ip, []).append(decision.status if isinstance(decision, Respond) else 0)
    assert set(map(tuple, statuses.values())) == {(0, 0, 429, 429)}


def test_without_rules_it_has_nothing_to_say() -> None:
    request = a_request()
    assert rate_limits(request, view_of(request, a_snapshot(), now=1.0, counters=counters())) is None
