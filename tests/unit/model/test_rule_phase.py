"""`holdfast.model.rule_phase`: what a rule of each phase and kind may do."""

from __future__ import annotations

import pytest

from holdfast.model.permission import BY_NAME
from holdfast.model.rule_error import RuleError
from holdfast.model.rule_phase import (
    CUSTOM,
    LIMITED_FUNCTIONS,
    MANAGED,
    ORIGIN,
    PHASES,
    RATE_LIMIT,
    parse_action,
    phase_of,
)
from holdfast.rules.functions import FUNCTIONS

ACTING = ["block", "challenge", "js_challenge", "log", "managed_challenge"]


def test_phases_that_are_not_run_are_named() -> None:
    assert phase_of(ORIGIN).name == ORIGIN
    with pytest.raises(
        RuleError, match="this edge runs no rules of the phase ddos_l7: it runs http_request"
    ) as refused:
        phase_of("ddos_l7")
    assert refused.value.pointer == "/phase"


@pytest.mark.parametrize(
    ("phase", "kind", "actions"),
    [
        (ORIGIN, "zone", ["route"]),
        (ORIGIN, "root", []),
        (CUSTOM, "zone", [*ACTING, "skip"]),
        (CUSTOM, "root", ["execute", "skip"]),
        (CUSTOM, "custom", [*ACTING, "skip"]),
        (RATE_LIMIT, "zone", ACTING),
        (RATE_LIMIT, "root", ["execute"]),
        (RATE_LIMIT, "custom", ACTING),
        (MANAGED, "zone", ["execute", "skip"]),
        (MANAGED, "root", ["execute", "skip"]),
        (MANAGED, "custom", ["execute", "skip"]),
        (MANAGED, "managed", []),
    ],
)
def test_a_rule_may_do_what_its_phase_and_kind_say(phase: str, kind: str, actions: list[str]) -> None:
    assert sorted(phase_of(phase).actions.get(kind, {})) == sorted(actions)


def test_another_action_is_refused_in_the_words_of_the_original() -> None:
    words = (
        "'block' is not a valid value for action because it is not possible to use the block action in a ruleset with "
        "phase http_request_firewall_custom and kind root"
    )
    with pytest.raises(RuleError, match=words) as refused:
        parse_action(phase_of(CUSTOM), "root", "block", {})
    assert refused.value.pointer == "/action"


def test_parameters_are_pointed_at_below_the_rule() -> None:
    with pytest.raises(RuleError) as refused:
        parse_action(phase_of(ORIGIN), "zone", "route", {"origin": {"port": 0}})
    assert refused.value.pointer == "/action_parameters/origin/port"
    assert parse_action(phase_of(CUSTOM), "zone", "block", None) == {}


def test_what_the_table_names_is_there() -> None:
    assert LIMITED_FUNCTIONS.keys() <= FUNCTIONS.keys()
    for phase in PHASES.values():
        assert phase.functions <= LIMITED_FUNCTIONS.keys()
        assert {f"{phase.permission} Read", f"{phase.permission} Write"} <= BY_NAME.keys()
