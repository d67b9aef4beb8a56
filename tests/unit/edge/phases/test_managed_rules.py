"""The phase asks the account's entrypoint of its own phase, then the zone's, and nothing else."""

from holdfast.edge.firewall.values import MANAGED
from holdfast.edge.phases.managed_rules import managed_rules
from tests.unit.edge.phases.entrypoints import (
    check_it_asks_no_other_phase_s_rules,
    check_it_asks_the_account_and_then_the_zone,
    check_it_has_nothing_to_say_without_rules,
)


def test_it_asks_the_account_and_then_the_zone() -> None:
    check_it_asks_the_account_and_then_the_zone(managed_rules, MANAGED)


def test_it_asks_no_other_phase_s_rules() -> None:
    check_it_asks_no_other_phase_s_rules(managed_rules, MANAGED)


def test_without_rules_it_has_nothing_to_say() -> None:
    check_it_has_nothing_to_say_without_rules(managed_rules)
