"""The phase asks the account's entrypoint of its own phase, then the zone's, and nothing else."""

from holdfast.edge.decision import Respond
from holdfast.edge.firewall.values import CUSTOM, PHASE_NAMES
from holdfast.edge.phases.custom_rules import custom_rules
from holdfast.edge.view import view_of
from tests.unit.edge.firewall.rules import a_limit, a_rule, a_ruled_snapshot, a_ruleset
from tests.unit.edge.origins import a_snapshot
from tests.unit.requests import a_request


def test_it_asks_the_account_and_then_the_zone() -> None:
    request = a_request()
    account = [a_ruleset(a_rule("first", "log"), phase=CUSTOM, kind="root")]
    view = view_of(request, a_ruled_snapshot(a_ruleset(a_rule("second"), phase=CUSTOM), account=account), now=1.0)
    assert isinstance(custom_rules(request, view), Respond)
    assert [finding.rule_id for finding in view.notes.findings or ()] == ["first", "second"]


def test_it_asks_no_other_phase_s_rules() -> None:
    request = a_request()
    others = [
        a_ruleset(a_limit("l", 1) if "limit" in phase else a_rule("r"), phase=phase)
        for phase in PHASE_NAMES
        if phase != CUSTOM
    ]
    view = view_of(request, a_ruled_snapshot(*others), now=1.0)
    assert custom_rules(request, view) is None
    assert view.notes.findings is None


def test_without_rules_it_has_nothing_to_say() -> None:
    request = a_request()
    assert custom_rules(request, view_of(request, a_snapshot(), now=1.0)) is None
