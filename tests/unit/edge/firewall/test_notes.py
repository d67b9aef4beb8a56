"""What rules leave out: the first that says so is the reason, and nothing is left out that nobody named."""

from holdfast.edge.firewall.document_place import Place
from holdfast.edge.firewall.notes import MAX_FINDINGS, Finding, Notes, Skips
from holdfast.edge.firewall.rulesets import entrypoints_of
from holdfast.edge.firewall.values import CUSTOM, MANAGED, PHASE_NAMES, Skip
from tests.unit.edge.firewall.rules import a_rule, a_ruleset

RULESET = entrypoints_of(Place("example.com", ""), [a_ruleset(a_rule("one"), ident="ruleset")])[CUSTOM]


def test_what_is_left_out_knows_who_said_so_first() -> None:
    skips = Skips()
    skips.add(Skip(phases=(MANAGED,), rulesets=("ruleset",), rules={"other": ("a",)}), by="first", phase=CUSTOM)
    skips.add(Skip(phase=True, rules={"other": ("a", "b")}), by="second", phase=CUSTOM)
    assert skips.phases == {MANAGED: "first", CUSTOM: "second"}
    assert skips.rules == {"other": {"a": "first", "b": "second"}}
    assert skips.of_ruleset(RULESET) == "second"


def test_a_ruleset_is_left_out_by_its_phase_or_by_itself() -> None:
    skips = Skips()
    assert skips.of_ruleset(RULESET) is None
    skips.add(Skip(rulesets=("ruleset",)), by="rule", phase=MANAGED)
    assert skips.of_ruleset(RULESET) == "rule"
    skips.add_all_phases(by="access")
    assert set(skips.phases) == set(PHASE_NAMES)


def test_two_requests_share_no_notes() -> None:
    one, other = Notes(), Notes()
    one.add(Finding(action="log", source="ip", rule_id="a"))
    one.skips_from_here().phases["x"] = "y"
    assert (other.findings, other.skips) == (None, None)
    assert one.skips_from_here() is one.skips
    assert Skips().phases == {}


def test_there_is_room_for_some_and_for_what_decides() -> None:
    notes = Notes()
    for number in range(100):
        notes.add(Finding(action="log", source="ip", rule_id=str(number)))
    notes.add(Finding(action="block", source="ip", rule_id="last", status=403))
    assert notes.findings is not None
    assert [finding.rule_id for finding in notes.findings] == [*map(str, range(MAX_FINDINGS - 1)), "last"]
