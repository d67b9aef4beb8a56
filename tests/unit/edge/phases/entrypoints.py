"""What a phase that asks the rules of one phase of the API must do, whichever it is."""

from holdfast.edge.decision import Respond
from holdfast.edge.firewall.values import PHASE_NAMES
from holdfast.edge.view import Phase, view_of
from tests.unit.edge.firewall.rules import a_limit, a_rule, a_ruled_snapshot, a_ruleset
from tests.unit.edge.origins import a_snapshot
from tests.unit.requests import a_request


def check_it_asks_the_account_and_then_the_zone(asked: Phase, name: str) -> None:
    request = a_request()
    account = [a_ruleset(a_rule("first", "log"), phase=name, kind="root")]
    view = view_of(request, a_ruled_snapshot(a_ruleset(a_rule("second"), phase=name), account=account), now=1.0)
    assert isinstance(asked(request, view), Respond)
    assert [finding.rule_id for finding in view.notes.findings or ()] == ["first", "second"]


def check_it_asks_no_other_phase_s_rules(asked: Phase, name: str) -> None:
    request = a_request()
    others = [
        a_ruleset(a_limit("l", 1) if "limit" in phase else a_rule("r"), phase=phase)
        for phase in PHASE_NAMES
        if phase != name
    ]
    view = view_of(request, a_ruled_snapshot(*others), now=1.0)
    assert asked(request, view) is None
    assert view.notes.findings is None


def check_it_has_nothing_to_say_without_rules(asked: Phase) -> None:
    request = a_request()
    assert asked(request, view_of(request, a_snapshot(), now=1.0)) is None
