"""The words of SecLang: every table is disjoint from those it must not meet, and the native module knows what we name."""

from itertools import combinations

import pytest

from holdfast._native import transform
from holdfast.rules.seclang import vocabulary as words


def test_a_directive_an_action_a_variable_is_in_one_table_only() -> None:
    for tables in (
        (words.IGNORED_DIRECTIVES, words.RULE_DIRECTIVES),
        (words.DISRUPTIVE_ACTIONS, words.STRUCTURAL_ACTIONS, words.EFFECT_ACTIONS, words.IGNORED_ACTIONS),
        (words.CONTROLS, words.IGNORED_CONTROLS),
        (
            words.REQUEST_COLLECTIONS,
            words.REQUEST_VARIABLES,
            words.EMPTY_VARIABLES,
            words.WRITABLE_COLLECTIONS,
            words.ENGINE_VARIABLES,
            words.RESPONSE_VARIABLES,
        ),
    ):
        assert not [first & second for first, second in combinations(tables, 2) if first & second]


@pytest.mark.parametrize("name", sorted(set(words.TRANSFORMATIONS.values())))
def test_every_transformation_can_be_done(name: str) -> None:
    assert isinstance(transform((name,), b"%41 a"), bytes)


def test_severities_are_those_of_syslog() -> None:
    assert (words.SEVERITIES["emergency"], words.SEVERITIES["critical"], words.SEVERITIES["debug"]) == (0, 2, 7)
