"""Which effects matter."""

import pytest

from holdfast.rules.seclang.patterns import PatternCache
from holdfast.rules.seclang.preparation import Step, prepare
from tests.unit.rules.seclang.running import a_request, found, rulebook


def steps(text: str) -> dict[int, Step]:
    return {step.rule.id: step for step in prepare(rulebook(text).items, {}, (), PatternCache()).steps}


SETS = 'SecRule ARGS "(x)" "id:1,capture,setvar:tx.a=1,setvar:tx.n_%{matched_var}=1,setvar:ip.a=1"\n'


@pytest.mark.parametrize(
    ("reader", "changes", "captures"),
    [
        ("", 0, 0),
        ('SecRule TX:a "@eq 1" "id:2"', 1, 0),
        ('SecRule TX:/^n_/ "@eq 1" "id:2"', 1, 0),
        ('SecRule TX:n_5 "@eq 1" "id:2"', 1, 0),
        ('SecRule IP:a "@eq 1" "id:2"', 1, 0),
        ('SecRule TX "@eq 1" "id:2"', 2, 10),
        ('SecRule ARGS "@streq %{tx.a}" "id:2"', 1, 0),
        ('SecRule ARGS "y" "id:2,nolog,deny,logdata:\'%{tx.1}\'"', 0, 2),
        ('SecRule ARGS "y" "id:2,setvar:tx.b=%{tx.a}"', 0, 0),
        ('SecRule ARGS "y" "id:2,setvar:tx.b=%{tx.a}"\nSecRule TX:b "@eq 1" "id:3"', 1, 0),
    ],
)
def test_an_effect_matters_if_somebody_reads_it(reader: str, changes: int, captures: int) -> None:
    (link,) = steps(SETS + reader)[1].links
    assert (len(link.changes), link.captures) == (changes, captures)


def test_who_reads_earlier_does_not_count() -> None:
    text = 'SecRule ARGS "y" "id:2,logdata:\'%{tx.a}\'"\n' + SETS
    assert steps(text)[1].links[0].changes == ()


def test_skips_lead_to_the_same_rule_when_idle_ones_are_gone() -> None:
    text = (
        'SecRule ARGS "x" "id:1,nolog,skipAfter:E"\n'
        'SecRule ARGS "x" "id:2,nolog,setvar:tx.unread=1"\n'
        'SecRule ARGS "." "id:3"\nSecMarker E\n'
        'SecRule ARGS "x" "id:4,nolog"\n'
        'SecRule ARGS "." "id:5"'
    )
    assert list(steps(text)) == [1, 3, 5]
    assert found(text, a_request("/?q=x")) == [5]
    assert found(text, a_request("/?q=y")) == [3, 5]
