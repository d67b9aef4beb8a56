"""Directives that change rules which were read before."""

import pytest

from holdfast.rules.seclang.errors import SecLangError
from holdfast.rules.seclang.syntax_tree import Selector, Target
from tests.unit.rules.seclang.running import rulebook

RULES = """
SecRule ARGS "a" "id:10,msg:'one',tag:'attack/sqli',pass"
SecRule ARGS|REQUEST_URI "a" "id:11,msg:'two',tag:'other',deny,chain"
    SecRule TX:0 "b"
SecMarker X
SecRule ARGS "a" "id:20,msg:'three',tag:'attack/xss'"
"""


@pytest.mark.parametrize(
    ("directive", "left"),
    [
        ("SecRuleRemoveById 10", [11, 20]),
        ("SecRuleRemoveById 10-11", [20]),
        ('SecRuleRemoveById 20 "10-10"', [11]),
        ("SecRuleRemoveById 5", [10, 11, 20]),
        ("SecRuleRemoveByTag attack/", [11]),
        ('SecRuleRemoveByTag "attack/sqli"', [11, 20]),
        ('SecRuleRemoveByMsg "^t"', [10]),
    ],
)
def test_rules_are_removed(directive: str, left: list[int]) -> None:
    assert [rule.id for rule in rulebook(RULES + directive).rules] == left


def test_what_comes_later_is_not_changed() -> None:
    assert [rule.id for rule in rulebook(f"SecRuleRemoveById 10\n{RULES}").rules] == [10, 11, 20]


@pytest.mark.parametrize(
    ("directive", "targets"),
    [
        ('SecRuleUpdateTargetById 11 "!ARGS:a"', ("ARGS", "REQUEST_URI", "ARGS")),
        ('SecRuleUpdateTargetById 11 "REQUEST_HEADERS" "ARGS"', ("REQUEST_URI", "REQUEST_HEADERS")),
        ('SecRuleUpdateTargetByTag other "!ARGS:a"', ("ARGS", "REQUEST_URI", "ARGS")),
        ('SecRuleUpdateTargetByMsg two "!ARGS:a"', ("ARGS", "REQUEST_URI", "ARGS")),
    ],
)
def test_targets_are_added_and_replaced(directive: str, targets: tuple[str, ...]) -> None:
    changed = rulebook(RULES + directive).rules[1]
    assert tuple(target.collection for target in changed.links[0].targets) == targets


def test_another_link_of_a_chain_is_named_by_its_place() -> None:
    changed = rulebook(f'{RULES}SecRuleUpdateTargetById 11:1 "!TX:9"').rules[1]
    assert changed.links[1].targets[-1] == Target("TX", Selector("9"), is_excluded=True)


def test_actions_go_over_those_that_were_there_and_targets_stay_changed() -> None:
    text = f'{RULES}SecRuleUpdateTargetById 11 "!ARGS:a"\nSecRuleUpdateActionById 11 "pass,nolog,setvar:tx.x=1,id:99"'
    changed = rulebook(text).rules[1]
    assert (changed.id, changed.disruption.name, changed.is_logged) == (11, "pass", False)
    assert (len(changed.links), len(changed.links[0].targets), len(changed.links[0].actions)) == (2, 3, 1)


@pytest.mark.parametrize(
    ("directive", "sentence"),
    [
        ("SecRuleRemoveById x", "expected the id of a rule or a range such as 942100-942199, got 'x'"),
        ("SecRuleRemoveById", "expected the id of a rule, got nothing"),
        ("SecRuleRemoveByTag", "expected a tag or a message, got nothing"),
        ('SecRuleRemoveByTag "("', "expected a pattern that can be used"),
        ("SecRuleUpdateTargetById 10", "expected which rules, and what is added to them, got '10'"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(directive: str, sentence: str) -> None:
    with pytest.raises(SecLangError) as raised:
        rulebook(RULES + directive)
    assert sentence in str(raised.value)
