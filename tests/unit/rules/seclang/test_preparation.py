"""Rules before any request: what is decided then, and that nobody can tell."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.rules.seclang.errors import SecLangError
from holdfast.rules.seclang.patterns import PatternCache
from holdfast.rules.seclang.preparation import Prepared, prepare
from tests.unit.rules.seclang.running import a_request, engine, rulebook, said


def prepared(text: str, **pinned: bytes) -> Prepared:
    return prepare(rulebook(text).items, {name.encode(): value for name, value in pinned.items()}, (), PatternCache())


def left(text: str, **pinned: bytes) -> list[int]:
    """The rules that requests decide."""
    return [step.rule.id for step in prepared(text, **pinned).steps]


END = "SecAction \"id:99,msg:'%{tx.a} %{tx.b}'\""


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ('SecAction "id:1,nolog,pass,setvar:tx.a=1"', []),
        ('SecRule &TX:a "@eq 0" "id:1,nolog,setvar:tx.a=1"\nSecRule TX:a "@eq 2" "id:2,deny"', []),
        ('SecRule TX:level "@lt 2" "id:1,nolog,skipAfter:E"\nSecRule ARGS "x" "id:2"\nSecMarker E', []),
        ('SecRule TX:level "@lt 1" "id:1,nolog,skipAfter:E"\nSecRule ARGS "x" "id:2"\nSecMarker E', [2]),
        ('SecAction "id:1,nolog,skip:1"\nSecRule ARGS "x" "id:2"\nSecRule ARGS "x" "id:3"', [3]),
        ('SecRule FILES|XML:/* "x" "id:1"', []),
        ('SecRule TX:x "@rbl example" "id:1"\nSecRule ARGS "!@rbl example" "id:2"', [2]),
        ('SecRule ARGS "x" "id:1,nolog,setvar:tx.unread=1"', []),
        ('SecRule ARGS "x" "id:1,nolog,pass"\nSecRule ARGS "x" "id:2,nolog,deny"', [2]),
        ('SecRule ARGS "x" "id:1,chain"\nSecRule TX:gone "y"', []),
        ('SecAction "id:1,nolog,ctl:ruleRemoveById=2"\nSecRule ARGS "x" "id:2"', []),
        ('SecRule ARGS "x" "id:1,phase:3"\nSecRule ARGS "x" "id:2,phase:logging"', []),
    ],
)
def test_what_can_be_decided_is_not_left_to_requests(text: str, numbers: list[int]) -> None:
    assert left(text, level=b"1") == numbers


@pytest.mark.parametrize(
    ("between", "a"),
    [
        ('SecRule ARGS "x" "id:2,nolog,setvar:tx.a=2"', ("1", "2")),
        ('SecRule ARGS "x" "id:2,nolog,skipAfter:E"\nSecAction "id:3,nolog,setvar:tx.a=3"\nSecMarker E', ("3", "1")),
        ('SecRule ARGS "x" "id:2,nolog,skip:1"\nSecAction "id:3,nolog,setvar:tx.a=3"', ("3", "1")),
        ('SecRule ARGS "x" "id:2,nolog,ctl:ruleRemoveById=3"\nSecAction "id:3,nolog,setvar:tx.a=3"', ("3", "1")),
        ('SecRule ARGS "x" "id:2,nolog,setvar:tx.a=5"\nSecAction "id:3,nolog,setvar:tx.a=+1"', ("2", "6")),
        ('SecRule ARGS "(x)" "id:2,nolog,capture"\nSecAction "id:3,nolog,setvar:tx.a=%{tx.1}"', ("", "x")),
        (
            'SecRule ARGS "x" "id:2,nolog,setvar:tx.%{matched_var}=1"\nSecRule TX:x "@eq 1" "id:3,nolog,setvar:tx.a=9"',
            ("1", "9"),
        ),
    ],
)
def test_what_a_request_may_change_is_left_to_it(between: str, a: tuple[str, str]) -> None:
    rules = engine(f'SecAction "id:1,nolog,setvar:tx.a=1"\n{between}\n{END}')
    assert [said(rules, a_request(target))[-1][1] for target in ("/", "/?q=x")] == [f"{a[0]} ", f"{a[1]} "]


def test_an_early_reader_sees_the_value_of_its_own_place() -> None:
    text = (
        'SecAction "id:1,nolog,setvar:tx.a=1"\nSecRule ARGS "@streq %{tx.a}" "id:2"\n'
        'SecAction "id:3,nolog,setvar:tx.a=2"\nSecRule ARGS "@streq %{tx.a}" "id:4"'
    )
    assert [number for number, _ in said(text, a_request("/?q=1"))] == [2]
    assert [number for number, _ in said(text, a_request("/?q=2"))] == [4]


def test_an_early_reader_of_a_variable_does_not_see_it_set_too_early() -> None:
    text = (
        'SecRule &TX:a "@eq 0" "id:1"\nSecAction "id:2,nolog,setvar:tx.a=1"\n'
        'SecRule ARGS "x" "id:3,msg:\'%{tx.b}\'"\nSecAction "id:4,nolog,setvar:tx.b=1"'
    )
    assert said(text, a_request("/?q=x")) == [(1, ""), (3, "")]


def test_pinned_variables_are_not_set() -> None:
    result = prepared(f'SecAction "id:1,nolog,setvar:tx.a=5,setvar:tx.b=6"\n{END}', a=b"1")
    assert (result.tx[b"a"], result.tx[b"b"]) == (b"1", b"6")


def test_the_second_phase_comes_after_the_first_whatever_the_order() -> None:
    text = 'SecRule ARGS "x" "id:1,phase:2"\nSecRule ARGS "x" "id:2,phase:1"'
    result = prepared(text)
    assert ([step.rule.id for step in result.steps], result.second_phase) == ([2, 1], 1)


def test_a_gate_is_passed_before_where_whoever_removes_it_removes_all_behind_it() -> None:
    gate = 'SecRule TX:level "@lt 2" "id:2,nolog,tag:t,skipAfter:E"'
    behind = f'SecRule ARGS "x" "id:3,tag:T"\nSecMarker E\n{END}'
    remover = 'SecRule ARGS "off" "id:1,nolog,ctl:ruleRemoveByTag=^t$"'
    assert left("\n".join((remover, gate, behind.replace("T", "t"))), level=b"1") == [1, 99]
    assert left("\n".join((remover, gate, behind.replace("T", "u"))), level=b"1") == [1, 2, 3, 99]


def test_rules_that_refuse_every_request_are_refused() -> None:
    with pytest.raises(SecLangError, match=r"^a\.conf:1: expected rules that let a request through \(no setup\)"):
        prepared('SecRule &TX:setup "@eq 0" "id:1,deny,msg:\'no setup\'"')


# Rules that touch each other in every way, and a first rule that makes everything uncertain: nothing can be decided then.
_UNDECIDED = 'SecRule REQUEST_METHOD "@streq NEVER" "id:{id},phase:{phase},nolog,pass,skipAfter:NOWHERE"'
_NAMES = st.sampled_from(("a", "b", "c"))
_CONDITIONS = st.one_of(
    st.builds('SecRule TX:{} "@eq {}"'.format, _NAMES, st.integers(0, 2)),
    st.builds('SecRule &TX:{} "@eq 0"'.format, _NAMES),
    st.builds('SecRule ARGS:{} "@rx (x)"'.format, _NAMES),
    st.builds('SecRule ARGS "!@streq %{{tx.{}}}"'.format, _NAMES),
    st.just("SecAction"),
)
_EFFECTS = st.one_of(
    st.builds("setvar:tx.{}={}".format, _NAMES, st.integers(0, 2)),
    st.builds("setvar:tx.{}=+%{{tx.{}}}".format, _NAMES, _NAMES),
    st.builds("setvar:!tx.{}".format, _NAMES),
    st.builds("ctl:ruleRemoveById={}".format, st.integers(1, 8)),
    st.sampled_from(("capture", "skipAfter:M", "skip:1", "log", "setvar:tx.%{tx.1}=1", "phase:1", "allow:phase")),
)


@st.composite
def _texts(draw: st.DrawFn) -> str:
    lines = []
    for number in range(1, draw(st.integers(1, 8)) + 1):
        actions = ["nolog", *draw(st.lists(_EFFECTS, max_size=3))]
        lines.append(f'{draw(_CONDITIONS)} "id:{number},{",".join(actions)}"')
        if draw(st.booleans()):
            lines.append("SecMarker M")
    return "\n".join(lines)


@given(_texts(), st.sampled_from(("/", "/?a=x", "/?b=x&c=1", "/?a=x&b=x")))
def test_deciding_before_changes_nothing(text: str, target: str) -> None:
    ends = "SecMarker NOWHERE\n" + END.replace("%{tx.b}", "%{tx.b} %{tx.c}")
    undecided = "\n".join(_UNDECIDED.format(id=100 + phase, phase=phase) for phase in (1, 2))
    request = a_request(target)
    assert said(f"{text}\n{ends}", request) == said(f"{undecided}\n{text}\n{ends}", request)
