"""Directives into rules: chains, defaults, what counts where an action is there twice."""

import pytest

from holdfast.rules.seclang.errors import SecLangError
from holdfast.rules.seclang.rule_syntax import MAX_LINKS
from holdfast.rules.seclang.syntax_tree import Action, Operator, Target
from tests.unit.rules.seclang.running import rule, rulebook


def test_a_rule_has_what_its_actions_say() -> None:
    made = rule(
        "SecRule ARGS \"@rx a\" \"id:7,phase:1,block,t:none,t:lowercase,capture,multiMatch,msg:'m',logdata:'%{TX.0}',"
        "severity:'WARNING',tag:'a',tag:'b/c',skipAfter:END,setvar:tx.x=1\""
    )
    (link,) = made.links
    assert (made.id, made.phase, made.message, made.log_data, made.severity) == (7, 1, "m", "%{TX.0}", 4)
    assert (made.tags, made.skip_after, made.is_logged) == (("a", "b/c"), "END", True)
    assert made.disruption == Action("block")
    assert (link.targets, link.operator) == ((Target("ARGS"),), Operator("rx", "a"))
    assert link.transformations == ("lowercase",)
    assert link.is_capturing
    assert link.is_multi_match
    assert link.actions == (Action("setvar", "tx.x=1"),)


def test_a_chain_is_one_rule_and_its_first_link_speaks_for_it() -> None:
    text = (
        'SecRule ARGS "a" "id:1,phase:2,deny,chain,nolog,skip:2"\n'
        'SecRule TX:0 "b" "chain,t:length"\n'
        'SecRule &ARGS "@eq 1" "setvar:tx.hit=1,skipAfter:X"'
    )
    made = rule(text)
    assert [link.position.line for link in made.links] == [1, 2, 3]
    assert (made.skip, made.skip_after, made.is_logged, made.disruption.name) == (2, "X", False, "deny")
    assert [link.transformations for link in made.links] == [(), ("length",), ()]


def test_defaults_are_those_of_the_phase_and_the_rule_goes_over_them() -> None:
    text = (
        'SecDefaultAction "phase:1,nolog,pass,t:lowercase"\n'
        'SecRule ARGS "a" "id:1,phase:1"\n'
        'SecRule ARGS "a" "id:2,phase:1,log,deny,t:none"\n'
        'SecRule ARGS "a" "id:3"'
    )
    first, second, third = rulebook(text).rules
    assert (first.is_logged, first.disruption.name, first.links[0].transformations) == (False, "pass", ("lowercase",))
    assert (second.is_logged, second.disruption.name, second.links[0].transformations) == (True, "deny", ())
    assert (third.phase, third.is_logged, third.links[0].transformations) == (2, True, ())


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('SecRule ARGS "a"', "a.conf:1: expected a number as id, got nothing"),
        ('SecRule ARGS "a" "id:x"', "a.conf:1: expected a number as id, got 'x'"),
        ("SecRule ARGS", "a.conf:1: expected targets, an operator and actions after SecRule, got 'ARGS'"),
        ("SecAction", "a.conf:1: expected one list of actions after SecAction, got nothing"),
        ('SecRule ARGS "a" "id:1,phase:7"', "a.conf:1: expected a phase from 1 to 5, got 'phase:7'"),
        (
            'SecRule ARGS "a" "id:1,severity:BAD"',
            "a.conf:1: expected a severity such as CRITICAL or 2, got 'severity:BAD'",
        ),
        ('SecRule ARGS "a" "id:1,skip:x"', "a.conf:1: expected a number of rules to skip, got 'x'"),
        (
            'SecRule ARGS "a" "id:1,chain"\nSecRule ARGS "b" "id:2"',
            "a.conf:2: expected it on the first link only, got 'id:2'",
        ),
        ("SecDefaultAction", "a.conf:1: expected one list of actions, got nothing"),
    ],
)
def test_what_cannot_be_a_rule_is_refused_where_it_stands(text: str, sentence: str) -> None:
    with pytest.raises(SecLangError) as raised:
        rulebook(text)
    assert str(raised.value) == sentence


def test_a_chain_has_an_end() -> None:
    chain = ['SecRule ARGS "a" "id:1,chain"', *['SecRule ARGS "a" "chain"'] * MAX_LINKS, 'SecRule ARGS "a"']
    with pytest.raises(SecLangError, match=f"expected at most {MAX_LINKS} links in a chain"):
        rulebook("\n".join(chain))
